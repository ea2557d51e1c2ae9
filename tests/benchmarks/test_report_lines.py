"""Reports to be evaluated are read from files, and asked of a centre."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from benchmarks.report_lines import DEFAULT_CAMERA, camera_of, centre_lines, read_reports
from benchmarks.truth import TruthError
from contract import messages

GOLDEN = Path(messages.__file__).parent / "examples" / "issue-1.0-raised.json"


def test_a_replays_file_is_read_and_a_bad_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = json.dumps(json.loads(GOLDEN.read_text()) | {"clip_s": 1.5})
    path.write_text(f"{good}\n")
    assert [(line.clip_s, line.report.phase) for line in read_reports(path)] == [(1.5, "raised")]
    path.write_text(f"{good}\n{{}}\n")
    with pytest.raises(TruthError, match=r"a\.jsonl:2: is no report"):
        read_reports(path)
    with pytest.raises(TruthError, match="cannot be read"):
        read_reports(tmp_path / "none.jsonl")


def test_a_clips_camera_is_named_lies_beside_it_or_plays_it(tmp_path: Path) -> None:
    clip, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    (tmp_path / "agent.yaml").write_text("agent: {city: demo, id: gw-01}\n")
    (tmp_path / "cam.yaml").write_text("camera: {id: cam}\nstreams: {detect: {url: a.mp4}}\n")
    assert camera_of(clip, other) == other
    assert camera_of(clip, None) == tmp_path / "cam.yaml"
    assert camera_of(other, None) == DEFAULT_CAMERA
    (tmp_path / "b.yaml").write_text("camera: {id: b}\n")
    assert camera_of(other, None) == tmp_path / "b.yaml"


@pytest.fixture
def centre() -> Iterator[str]:
    """Two pages of cases, one report each."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/api/cases":
                second = "after" in parse_qs(url.query)
                body = {"cases": [{"case_id": 1 if second else 2}], "after": None if second else 2}
            else:
                case_id = int(url.path.split("/")[3])
                report = json.loads(GOLDEN.read_text()) | {"camera_id": f"cam-{case_id}"}
                body = {"reports": [report]}
            data = json.dumps(body).encode()
            self.send_response(200 if self.headers["authorization"] == "Bearer t" else 401)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_centres_reports_come_by_camera_with_their_case_and_second(centre: str) -> None:
    captured = datetime.fromisoformat(json.loads(GOLDEN.read_text())["captured_at"])
    start = captured.astimezone(UTC).replace(second=0, microsecond=0)
    lines = centre_lines(centre, "t", start)
    assert sorted(lines) == ["cam-1", "cam-2"]
    (line,) = lines["cam-2"]
    assert (line.case_id, line.clip_s) == (2, (captured - start).total_seconds())


def test_a_centre_that_refuses_is_named(centre: str) -> None:
    with pytest.raises(TruthError, match="does not list its cases"):
        centre_lines(centre, None, datetime(2026, 1, 1, tzinfo=UTC))
