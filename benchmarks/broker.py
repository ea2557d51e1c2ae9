"""A Mosquitto of our own: found on this machine, or fetched from its Debian package."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.ports import free_port

CACHE = Path(__file__).parents[1] / ".cache"


class BrokerError(Exception):
    """No Mosquitto could be found, installed or started; the message says what to do."""


def find_mosquitto() -> Path:
    """Return Mosquitto's path: on the PATH or in sbin; else by apt; else unpacked into .cache.

    Raises BrokerError with the command to run when none of these works.
    """
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    if found := shutil.which("mosquitto", path=path):
        return Path(found)
    unpacked = CACHE / "mosquitto" / "usr" / "sbin" / "mosquitto"
    if unpacked.exists():
        return unpacked
    if shutil.which("apt-get") is None:
        raise BrokerError("no mosquitto was found; install it with your package manager")
    if os.geteuid() == 0:
        _run(["apt-get", "update", "-qq"])
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "mosquitto"])
        return find_mosquitto() if shutil.which("mosquitto", path=path) else _give_up()
    _unpack(CACHE / "mosquitto")
    return unpacked if unpacked.exists() else _give_up()


def write_config(folder: Path, port: int) -> Path:
    """Write the configuration of an open broker on loopback that keeps its queues on disk."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mosquitto.conf"
    # Started by root, Mosquitto would become a user that may not write its own queues here.
    user = "user root\n" if os.geteuid() == 0 else ""
    path.write_text(
        f"{user}listener {port} 127.0.0.1\n"
        "allow_anonymous true\n"
        "persistence true\n"
        f"persistence_location {folder.resolve()}/\n"
        "autosave_interval 60\n"
        "max_queued_messages 0\n"
        "max_inflight_messages 8000\n"
        "log_type error\nlog_type warning\n"
    )
    return path


def start(config: Path, log: Path) -> subprocess.Popen[bytes]:
    """Start Mosquitto with `config`; its output goes to `log`."""
    mosquitto = find_mosquitto()
    environment = dict(os.environ)
    if CACHE in mosquitto.parents:
        libraries = [str(p) for p in (CACHE / "mosquitto" / "usr" / "lib").glob("*-linux-gnu*")]
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
    with log.open("ab") as stream:
        return subprocess.Popen(  # noqa: S603 -- our own configuration, a fixed program
            [str(mosquitto), "-c", str(config)], stdout=stream, stderr=stream, env=environment,
            start_new_session=True,
        )  # fmt: skip


@contextmanager
def process() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a broker for a while in a temporary folder; gives its port and its process."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        started = start(write_config(folder, port), folder / "mosquitto.log")
        try:
            yield port, started
        finally:
            started.terminate()
            started.wait(10)


@contextmanager
def running() -> Iterator[int]:
    """Run a broker for a while in a temporary folder; gives its port."""
    with process() as (port, _):
        yield port


def _unpack(target: Path) -> None:
    """Unpack Mosquitto and the libraries that it needs beyond a minimal system, without root."""
    target.mkdir(parents=True, exist_ok=True)
    packages = ("mosquitto", "libmosquitto1", "libcjson1", "libdlt2", "libwrap0",
                "libwebsockets17", "libev4", "libuv1")  # fmt: skip
    for package in packages:
        if _run(["apt-get", "download", package], cwd=target, check=False):
            for archive in target.glob(f"{package}_*.deb"):
                _run(["dpkg", "-x", str(archive), str(target)])
                archive.unlink()


def _run(command: list[str], *, cwd: Path | None = None, check: bool = True) -> bool:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)  # noqa: S603 -- fixed commands
    if done.returncode and check:
        tail = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise BrokerError(f"{' '.join(command)} failed: {tail[0]}")
    return done.returncode == 0


def _give_up() -> Path:
    raise BrokerError("mosquitto could not be installed; run: sudo apt-get install mosquitto")
