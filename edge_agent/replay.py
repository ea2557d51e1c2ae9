"""A clip through the whole agent up to its reports, the same bytes at every run.

`captured_at` is the start plus the presentation time, nothing is dropped, and the runtime is
pinned; so the same clip, camera file and model give the same reports. They name no pictures:
those are made where there is somewhere to put them.
"""

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic
from typing import TextIO

from contract.messages import ClockState, FrameInfo, IssueReport, encode
from edge_agent.changes import ChangeWatch
from edge_agent.clock import ReplayClock
from edge_agent.config import CameraConfig, config_sha256, load_agent, load_camera
from edge_agent.detector import Detector
from edge_agent.errors import ConfigError
from edge_agent.frames import Frame
from edge_agent.issue_state import CameraIssues
from edge_agent.judge import CameraJudge, Judgement, Surroundings
from edge_agent.looks import Look, LookTimer, plans_of
from edge_agent.model import default_folder
from edge_agent.reports import Circumstances, Origin, report_of
from edge_agent.runtimes import Choice, Runtime
from edge_agent.video import read_clip
from edge_agent.view_files import eyes_of, known_views, slot_of

UNSYNCED = ClockState(offset_s=0.0, error_s=0.0, synced=False)


@dataclass(frozen=True, slots=True)
class Replay:
    """What is replayed: a clip, the camera it stands for, and from when on."""

    clip: Path
    camera: Path
    start: datetime
    model: Path | None = None
    agent: Path | None = None
    real_time: bool = False
    runtime: Runtime = "onnxruntime"


def replay_clip(replay: Replay, reports: Path) -> int:
    """Write one line a report, as published, plus `clip_s`; returns how many.

    Raises AgentError for a clip, a camera file, a model or a grid that cannot be used; `reports`
    then holds the lines so far.
    """
    count = 0
    with _opened(reports) as out:
        for clip_s, report in replayed(replay):
            line = json.loads(encode(report)) | {"clip_s": round(clip_s, 3)}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            out.flush()
            count += 1
    return count


def replayed(replay: Replay) -> Iterator[tuple[float, IssueReport]]:
    """Yield each report with its second in the clip. Raises AgentError."""
    config = load_camera(replay.camera)
    agent = load_agent(replay.agent) if replay.agent else None
    folder = replay.model or (agent.model if agent else default_folder())
    choice = Choice(runtime=replay.runtime, threads=os.cpu_count() or 1)
    detector = Detector(folder, choice=choice)
    surroundings = Surroundings.read(agent.grid, agent.components) if agent else Surroundings()
    judges = {
        preset_id: CameraJudge(view, detector.card, surroundings, CameraIssues(slot))
        for preset_id, view in config.views().items()
        for slot in [slot_of(config.camera.id, preset_id)]
    }
    judgements = _judgements(replay, config, detector, judges)
    for seq, (clip_s, shown, judgement) in enumerate(judgements, 1):
        picture = shown.picture
        origin = Origin(
            city=agent.agent.city if agent else "replay",
            agent_id=agent.agent.id if agent else "replay",
            camera_id=config.camera.id,
            outbox_id=uuid.uuid5(uuid.NAMESPACE_URL, f"replay:{config.camera.id}"),
            model=detector.reference(picture.width, picture.height),
            config_sha256=config_sha256(config),
            preset_id=shown.view.preset_id if shown.view else None,
        )
        frame = FrameInfo(width=picture.width, height=picture.height, stream="detect")
        circumstances = Circumstances(seq, UNSYNCED, frame)
        yield clip_s, report_of(judgement.transition, judgement.where, origin, circumstances)


def _judgements(
    replay: Replay,
    config: CameraConfig,
    detector: Detector,
    judges: Mapping[str | None, CameraJudge],
) -> Iterator[tuple[float, Frame, Judgement]]:
    clock, timer = ReplayClock(replay.start), LookTimer(plans_of(config))
    changes = ChangeWatch()
    eyes = eyes_of(known_views(replay.camera, config), config)
    began_s, pause = monotonic(), Event()
    for clip_s, picture in read_clip(replay.clip):
        if replay.real_time:
            pause.wait(max(0.0, began_s + clip_s - monotonic()))
        at = clock.at(clip_s)
        frame = Frame(config.camera.id, at, picture, clip_s, eyes.see(picture, at))
        judge = judges.get(frame.view.preset_id if frame.view else None)
        for plan in timer.due(at, changed=partial(changes.changed, picture=picture)):
            if judge is None:
                continue
            look = Look.of(frame, plan.judged, detector.detect(picture, plan.tiles))
            for judgement in judge.judge(look):
                yield clip_s, frame, judgement


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None
