"""A private PostgreSQL for tests: real, in a temporary folder, killable, gone at the end.

The one way in which tests come by PostgreSQL. Most use the session fixture `postgres` of
tests/conftest.py, which skips where PostgreSQL is not installed, and take an empty database of it:
`url = postgres.new_database()`. A test that kills it starts one of its own: `with cluster() as
server: server.kill(); server.start()`.

PostgreSQL refuses to run as root, so under root it runs as the user `postgres` (or `nobody`), in
a folder that is theirs. It trusts whoever comes over loopback, and holds nothing but tests' data.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ports import free_port

SETTINGS = {
    "fsync": "off",  # a killed process loses nothing without it, only a machine without power
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "warning",
    "max_connections": "60",
    "shared_buffers": "64MB",
}


class PostgresMissing(Exception):
    """PostgreSQL is not installed; the message says how to install it."""


def find_programs() -> Path:
    """Return the folder of initdb and postgres, the newest version's. Raises PostgresMissing."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parts[4]))
    places = [*map(str, reversed(versions)), os.environ["PATH"]]
    found = shutil.which("initdb", path=os.pathsep.join(places))
    if found is None:
        raise PostgresMissing("needs PostgreSQL: apt-get install postgresql")
    return Path(found).resolve().parent


def _user() -> str | None:
    """Whom to run as: ourselves, or somebody harmless when we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@dataclass
class Postgres:
    """One server on one port and folder, which survive its being killed."""

    folder: Path
    programs: Path = field(default_factory=find_programs)
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None
    _names: Iterator[int] = field(default_factory=itertools.count)

    def create(self) -> None:
        """Make the empty cluster."""
        if user := _user():
            shutil.chown(self.folder, user)
        self._run("initdb", "--auth=trust", "--username=gridwatch", "--no-sync", "--no-locale",
                  "--encoding=UTF8", "-D", str(self.folder / "data"))  # fmt: skip

    def start(self) -> None:
        """Start it and wait until it answers; what a kill left behind may need a moment to go."""
        ends_s = time.monotonic() + 60
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                self._launch()
            if time.monotonic() > ends_s:
                raise AssertionError(f"PostgreSQL does not start:\n{self.log()[-2000:]}")
            time.sleep(0.05)

    def _launch(self) -> None:
        options = [
            part for item in (SETTINGS | self.settings).items() for part in ("-c", "=".join(item))
        ]
        with (self.folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.programs / "postgres"), "-D", str(self.folder / "data"),
                 "-p", str(self.port), "-k", str(self.folder), *options],
                stdout=log, stderr=log, cwd=self.folder, user=_user(), start_new_session=True,
            )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether it was started and neither killed nor stopped since."""
        return self._process is not None

    def kill(self) -> None:
        """Send SIGKILL to the server and all of its processes, at once."""
        assert self._process is not None
        for pid in [self._process.pid, *_children(self._process.pid)]:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it without waiting for its clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
            self._process = None

    def url(self, database: str, port: int | None = None) -> str:
        """Return SQLAlchemy's URL of a database; with `port`, through a proxy that listens there."""
        return f"postgresql+psycopg://gridwatch@127.0.0.1:{port or self.port}/{database}"

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"test_{next(self._names)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "gridwatch", name)
        return self.url(name)

    def log(self) -> str:
        """What it wrote."""
        return (self.folder / "postgres.log").read_text(errors="replace")

    def _answers(self) -> bool:
        command = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self.programs / program), *arguments],
            check=True, cwd=self.folder, user=_user(), capture_output=True,
        )  # fmt: skip


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def cluster(settings: dict[str, str] | None = None) -> Iterator[Postgres]:
    """Run a server of one's own for a while. Raises PostgresMissing."""
    programs = find_programs()
    # Not below pytest's folders: those are closed to everybody but who runs the tests.
    with tempfile.TemporaryDirectory(prefix="gridwatch-postgres-") as name:
        server = Postgres(Path(name), programs, settings=settings or {})
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()
