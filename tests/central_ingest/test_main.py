"""The command line: one clear line for every mistake, and a centre that starts and stops."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import sqlite_utils
from postgres import PostgresMissing, cluster
from typer.testing import CliRunner, Result

from benchmarks.ports import free_port
from central_ingest import app as centre
from central_ingest import config
from central_ingest.__main__ import app
from central_ingest.grid import read_cells
from central_ingest.intake import Delivery, Unreadable
from central_ingest.store.batches import file_batch
from central_ingest.store.filing import FilingRules

ROOT = Path(__file__).parents[2]


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    ends_s = time.monotonic() + within_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > ends_s:
            pytest.fail(f"waited {within_s} s for {what}")
        pause.wait(0.05)


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    def invoke(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, [*arguments, "--data", str(tmp_path / "data")], input=typed)

    return invoke


Run = Callable[..., Result]


def test_a_lattice_is_made_written_and_read_again(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "lattice.geojson"
    made = run("import", "lattice", "117.36", "32.93", "--rows", "3", "--out", str(out))
    assert made.output == "grid lattice-117.36000-32.93000-3x10-100m: 30 cells, unofficial\n"
    assert run("import", "grid", str(out)).output.endswith("30 cells\n")
    again = tmp_path / "again.geojson"
    assert run("export", "grid", str(again)).exit_code == 0
    assert {c.code for c in read_cells(again)} == {c.code for c in read_cells(out)}
    assert json.loads(again.read_text())["grid_version"] == "lattice-117.36000-32.93000-3x10-100m"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "grid", "none.geojson"), "none.geojson: cannot be read as GeoJSON"),
        (("import", "components", "none.geojson"), "none.geojson: cannot be read as GeoJSON"),
        (("import", "lattice", "0", "0", "--rows", "0"), "1 to 999 rows"),
        (("export", "grid", "out.geojson"), "import one with 'central-ingest import grid'"),
        (("enrol", "no spaces"), "cannot stand in a topic"),
        (("revoke", "gw-01"), "no agent gw-01 is enrolled"),
        (("user", "disable", "nobody"), "there is no user nobody"),
        (("user", "add", "x", "--role", "agent"), "central-ingest enrol AGENT"),
        (("user", "token", "x", "--role", "agent"), "central-ingest enrol AGENT"),
        (("serve", "--port", "99999"), "http.port"),
        (("serve", "--config", "none.yaml"), "none.yaml: cannot be read"),
    ],
)
def test_a_mistake_is_one_clear_line_and_exit_1(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    done = run(*arguments)
    assert done.exit_code == 1
    assert message in done.output
    assert "Traceback" not in done.output


def test_cells_that_cannot_be_read_end_a_serve_that_has_its_port(run: Run) -> None:
    done = run("serve", "--port", str(free_port()), "--grid", "none.geojson")
    assert done.exit_code == 1
    assert "none.geojson: cannot be read as GeoJSON" in done.output


def configured(folder: Path, text: str) -> Path:
    path = folder / "centre.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "url",
    [
        *("", "centre.db", "sqlite://", "mysql://li:do-not-show@db/gridwatch"),
        *("ufo://li:do-not-show@db/gridwatch", "postgresql+psycopg2://li:do-not-show@db/gridwatch"),
        "postgresql+psycopg://li:do-not-show@db:many/gridwatch",
    ],
)
@pytest.mark.parametrize("command", ["migrate", "requeue", "move"])
def test_an_address_that_is_none_is_named_but_not_shown(
    run: Run, tmp_path: Path, url: str, command: str
) -> None:
    path = configured(tmp_path, f"data: {tmp_path / 'new'}\ndatabase: {{url: '{url}'}}\n")
    done = run(command, "--to" if command == "move" else "--config", str(path))
    assert done.exit_code == 1
    assert f"{path}:2: database.url: is no address of a database" in done.output
    assert "sqlite:///FILE or postgresql+psycopg://" in done.output
    assert "do-not-show" not in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("command", ["migrate", "requeue", "move"])
def test_a_database_that_is_down_is_named_but_its_password_is_not(
    run: Run, tmp_path: Path, command: str
) -> None:
    address = f"postgresql+psycopg://li:do-not-show@127.0.0.1:{free_port()}/gridwatch"
    path = configured(tmp_path, f"data: {tmp_path / 'new'}\ndatabase: {{url: '{address}'}}\n")
    done = run(command, "--to" if command == "move" else "--config", str(path))
    assert done.exit_code == 1
    assert f"{path}:2: database.url: the database cannot be used now: " in done.output
    assert "do-not-show" not in done.output


@pytest.mark.system
def test_a_password_that_postgresql_refuses_is_named_but_not_shown(
    run: Run, tmp_path: Path
) -> None:
    try:
        with cluster() as server:
            server.kill()
            (server.folder / "data" / "pg_hba.conf").write_text("host all all all scram-sha-256\n")
            server.start()
            address = server.url("postgres").replace("gridwatch@", "gridwatch:do-not-show@")
            path = configured(tmp_path, f"database: {{url: '{address}'}}\n")
            done = run("serve", "--config", str(path))
    except PostgresMissing as error:
        pytest.skip(str(error))
    assert done.exit_code == 1
    assert f"{path}:1: database.url: the database cannot be used now: " in done.output
    assert "password authentication failed" in done.output
    assert "do-not-show" not in done.output


def test_a_data_folder_that_is_a_file_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no folder")
    done = run("migrate")
    assert done.exit_code == 1
    assert f"{tmp_path / 'data'} is a file, where the data folder was expected" in done.output


def test_users_are_added_listed_and_locked_out(run: Run) -> None:
    assert run("user", "add", "li", "--role", "admin", typed="short\n").exit_code == 1
    assert run("user", "add", "li", "--role", "admin", typed="correct horse\n").exit_code == 0
    assert run("user", "list").output == "li\tadmin\n"
    assert run("user", "disable", "li").exit_code == 0
    assert run("user", "list").output == ""


def test_an_enrolment_is_one_file_that_only_its_owner_reads(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "gw-01.json"
    assert run("enrol", "gw-01", "--city", "bengbu", "--out", str(out)).exit_code == 0
    assert out.stat().st_mode & 0o777 == 0o600
    enrolment = json.loads(out.read_text())
    assert (enrolment["city"], enrolment["agent_id"]) == ("bengbu", "gw-01")
    assert enrolment["centre"]["token"].startswith("gw_")
    assert (enrolment["broker"]["host"], enrolment["broker"]["port"]) == ("127.0.0.1", 8883)
    assert set(enrolment["broker"]) == {"host", "port", "ca", "certificate", "key"}
    assert run("revoke", "gw-01").exit_code == 0


def test_an_enrolment_that_cannot_be_written_leaves_the_one_before(
    run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "gw-01.json"
    assert run("enrol", "gw-01", "--out", str(out)).exit_code == 0
    revoked = tmp_path / "data" / "broker" / "crl.pem"
    before = (out.read_bytes(), revoked.read_bytes())
    done = run("enrol", "gw-01", "--out", str(tmp_path / "none" / "gw-01.json"))
    assert done.exit_code == 1
    assert done.output.endswith("gw-01.json: cannot be written (No such file or directory)\n")
    assert (out.read_bytes(), revoked.read_bytes()) == before


@pytest.mark.parametrize("days", ["7301", "99999999"])
def test_no_certificate_is_for_longer_than_the_authority(run: Run, days: str) -> None:
    done = run("enrol", "gw-01", "--days", days)
    assert done.exit_code == 2
    assert "7300" in done.output
    assert run("enrol", "gw-01", "--days", "7300").exit_code == 0


def test_a_centre_that_others_reach_is_not_open_to_everybody(run: Run, tmp_path: Path) -> None:
    path = configured(tmp_path, "http: {hosts: [centre.example.org]}\n")
    done = run("serve", "--no-ingest", "--port", str(free_port()), "--config", str(path))
    assert done.exit_code == 1
    assert "central-ingest user add NAME --role admin" in done.output


@pytest.mark.parametrize(
    ("settings", "warned_of"),
    [
        ("{}", ["broker.public_host", "http.public_url"]),
        ("broker: {public_host: localhost}", ["broker.public_host", "http.public_url"]),
        ("http: {host: 0.0.0.0}", ["broker.public_host", "http.public_url"]),
        ("broker: {public_host: mqtt.example.org}", ["http.public_url"]),
        ("broker: {host: 192.0.2.1}\nhttp: {host: 192.0.2.1}", []),
        ('http: {public_url: "https://centre.example.org"}', ["broker.public_host"]),
        ('http: {public_url: "http://[::1]:8080"}', ["broker.public_host", "http.public_url"]),
        (
            'broker: {public_host: mqtt.example.org}\nhttp: {public_url: "https://a.example.org"}',
            [],
        ),
    ],
)
def test_addresses_that_no_gateway_can_reach_are_warned_of(
    run: Run, tmp_path: Path, settings: str, warned_of: list[str]
) -> None:
    file = tmp_path / "centre.yaml"
    file.write_text(settings)
    done = run("enrol", "gw-01", "--config", str(file))
    assert done.exit_code == 0
    assert re.findall(r"set (\S+) and enrol", done.stderr) == warned_of
    assert json.loads(done.stdout)["agent_id"] == "gw-01"


def test_a_token_is_printed_once(run: Run) -> None:
    assert re.fullmatch(r"gw_\S{40,}\n", run("user", "token", "grafana").output)


def test_an_empty_database_is_exported_and_requeued(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "cases.db"
    assert run("migrate").exit_code == 0
    assert run("export", "cases", str(out)).output == f"0 cases written to {out}\n"
    assert sqlite_utils.Database(str(out)).table_names() == []
    assert run("requeue").output == "filed 0, still in quarantine 0\n"


def test_what_is_quarantined_is_listed_shown_and_discarded(run: Run, tmp_path: Path) -> None:
    engine = centre.open_database(config.load(None, {"data": tmp_path / "data"}))
    strange = Unreadable(Delivery("gridwatch/1/\x1b[2J/issue", b"\xff\x00"), "no JSON：坏")
    file_batch(engine, [strange], FilingRules(), datetime(2026, 7, 1, 8, 30, tzinfo=UTC))
    listed = run("quarantine", "list").output.rstrip("\n").split("\t")
    assert listed == [
        "1", "2026-07-01T08:30:00Z", "2026-07-01T08:30:00Z", "1", "2",
        r"gridwatch/1/\x1b[2J/issue", "no JSON：坏",
    ]  # fmt: skip
    assert run("quarantine", "show", "1").stdout_bytes == b"\xff\x00"
    refused = run("quarantine", "discard", "1", "2")
    assert (refused.exit_code, "waits in quarantine: 2" in refused.output) == (1, True)
    assert run("quarantine", "discard", "1").output == "1 discarded\n"
    assert run("quarantine", "list").output == ""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    port = free_port()
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "central_ingest", "serve"),
                *("--data", str(tmp_path / "data"), "--port", str(port)),
                *("--broker-port", str(free_port())),
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == f"Gridwatch 中心 / centre: http://127.0.0.1:{port}\n", (
        tmp_path / "serve.log"
    ).read_text()
    yield process, f"http://127.0.0.1:{port}"
    process.kill()
    process.wait()
    process.stdout.close()


def ingest_pid(data: Path) -> int | None:
    with contextlib.suppress(Exception):
        rows = list(sqlite_utils.Database(str(data / "centre.db"))["worker"].rows)
        return int(rows[0]["pid"]) if rows else None
    return None


@pytest.mark.system
def test_serve_restarts_its_ingest_and_stops_both_quickly(
    serve: tuple[subprocess.Popen[str], str], tmp_path: Path
) -> None:
    process, address = serve
    data = tmp_path / "data"

    def health() -> dict[str, object]:
        found: dict[str, object] = httpx.get(f"{address}/healthz").json()
        return found

    wait_until(lambda: health()["ingest"] is True, "the ingest")
    assert health()["broker"] is False
    wait_until(
        lambda: "no broker answers" in str(health()["degraded"]), "what is missing, in words"
    )
    first = ingest_pid(data)
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: ingest_pid(data) != first, "another ingest")
    second = ingest_pid(data)
    process.terminate()
    assert process.wait(8) == 0
    assert second is not None
    assert not Path(f"/proc/{second}").exists()


@pytest.mark.system
def test_a_port_in_use_is_named(serve: tuple[subprocess.Popen[str], str], tmp_path: Path) -> None:
    port = serve[1].rsplit(":", 1)[1]
    second = subprocess.run(
        [
            *(sys.executable, "-m", "central_ingest", "serve", "--no-ingest", "--port", port),
            *("--data", str(tmp_path / "other")),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
    )
    assert second.returncode == 1
    assert f"127.0.0.1:{port} cannot be used" in second.stderr
    assert "--port" in second.stderr
    assert not (tmp_path / "other").exists()  # no database was made, or brought to this version


@pytest.mark.system
def test_what_is_refused_its_port_changes_nothing_in_the_running_centre(
    serve: tuple[subprocess.Popen[str], str], run: Run, tmp_path: Path
) -> None:
    port = serve[1].rsplit(":", 1)[1]
    cells = tmp_path / "lattice.geojson"
    run("import", "lattice", "117.36", "32.93", "--rows", "3", "--out", str(cells))
    cells.write_text(cells.read_text() + "\n")  # another file than the one that is there
    database = sqlite_utils.Database(str(tmp_path / "data" / "centre.db"))

    def look() -> list[object]:
        policy = list(database.query("select value from setting where key = 'policy'"))
        return [policy, list(database["grid"].rows)]

    before = look()
    path = configured(tmp_path, "cases: {suppress_days: 7}\n")
    second = run(
        *("serve", "--no-ingest", "--port", port, "--config", str(path), "--grid", str(cells))
    )
    assert second.exit_code == 1
    assert f"127.0.0.1:{port} cannot be used" in second.output
    assert look() == before
    database.close()
