"""Where reports to be evaluated come from: a replay, a file of one, or a running centre."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from benchmarks.truth import Truth, TruthError
from contract.messages import IssueReport
from edge_agent.config import load_camera
from edge_agent.errors import ConfigError
from edge_agent.replay import Replay, replayed

START = datetime(2000, 1, 1, tzinfo=UTC)
DEFAULT_CAMERA = Path(__file__).parent / "events_camera.yaml"
CASES_A_PAGE = 200


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A report, its second in the clip, and at a centre the case that it belongs to."""

    report: IssueReport
    clip_s: float
    case_id: int | None = None


@dataclass(frozen=True, slots=True)
class Setup:
    """With what clips are replayed; a camera file that is absent is looked for beside the clip."""

    camera: Path | None = None
    agent: Path | None = None
    model: Path | None = None


def read_reports(path: Path) -> list[ReportLine]:
    """Read what `edge-agent replay --reports` wrote. Raises TruthError naming file and line."""
    lines: list[ReportLine] = []
    try:
        for text in path.read_text(encoding="utf-8").splitlines():
            data = json.loads(text)
            clip_s = data.pop("clip_s")
            lines.append(ReportLine(IssueReport.model_validate(data), clip_s))
    except OSError as error:
        raise TruthError(f"{path}: cannot be read ({error.strerror})") from None
    except (KeyError, ValueError) as error:
        raise TruthError(f"{path}:{len(lines) + 1}: is no report of a replay ({error})") from None
    return lines


def replay_lines(clip: Path, truth: Truth, setup: Setup) -> list[ReportLine]:
    """Replay a clip through the agent. Raises AgentError."""
    agent = setup.agent or _if_there(clip.parent / "agent.yaml")
    replay = Replay(
        clip, camera_of(clip, setup.camera), truth.start_utc or START, setup.model, agent
    )
    return [ReportLine(report, clip_s) for clip_s, report in replayed(replay)]


def camera_of(clip: Path, named: Path | None) -> Path:
    """The camera file of a clip: the one named, the one that plays the clip, or the default."""
    if named is not None:
        return named
    if own := _if_there(clip.with_suffix(".yaml")):
        return own
    for path in sorted(clip.parent.glob("*.yaml")):
        if _plays(path, clip):
            return path
    return DEFAULT_CAMERA


def _plays(path: Path, clip: Path) -> bool:
    try:
        streams = load_camera(path).streams
    except ConfigError:  # an agent's file, or another's
        return False
    return streams is not None and (path.parent / streams.detect.url).resolve() == clip.resolve()


def _if_there(path: Path) -> Path | None:
    return path if path.exists() else None


def centre_lines(url: str, token: str | None, start: datetime) -> dict[str, list[ReportLine]]:
    """Every report of every case of a running centre, by camera; seconds count from `start`.

    Raises TruthError when the centre does not answer as one.
    """
    headers = {"authorization": f"Bearer {token}"} if token else {}
    lines: dict[str, list[ReportLine]] = {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
            for case_id in _case_ids(client):
                for body in _asked(client, f"/api/cases/{case_id}/reports"):
                    report = IssueReport.model_validate(body)
                    second = (report.captured_at - start).total_seconds()
                    lines.setdefault(report.camera_id, []).append(
                        ReportLine(report, second, case_id)
                    )
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise TruthError(f"centre {url}: does not list its cases ({error})") from None
    for own in lines.values():
        own.sort(key=lambda line: (line.clip_s, line.report.revision))
    return lines


def _case_ids(client: httpx.Client) -> Iterator[int]:
    states = ("pending", "filed", "dispatched", "handling", "handled", "verifying", "closed",
              "rejected", "void")  # fmt: skip
    after: int | None = None
    while True:
        wanted: dict[str, object] = {"state": list(states), "limit": CASES_A_PAGE}
        if after is not None:
            wanted["after"] = after
        page = client.get("/api/cases", params=wanted).raise_for_status().json()  # type: ignore[arg-type]
        yield from (case["case_id"] for case in page["cases"])
        after = page["after"]
        if after is None:
            return


def _asked(client: httpx.Client, path: str) -> Iterable[object]:
    found: list[object] = client.get(path).raise_for_status().json()["reports"]
    return found
