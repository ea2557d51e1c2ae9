"""OpenVINO's own benchmark_app: the network alone, run and timed by somebody else."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers import PeerError
from edge_agent.model import ModelFile
from edge_agent.runtimes import Choice

NAME = "benchmark_app"
_THROUGHPUT = re.compile(r"Throughput:\s*([\d.]+) FPS")


def program() -> Path | None:
    """Return where it is installed beside this interpreter; None without OpenVINO."""
    found = shutil.which(NAME, path=str(Path(sys.executable).parent))
    return Path(found) if found else None


def frames_per_s(
    program: Path, network: Path, file: ModelFile, choice: Choice, seconds: float
) -> float:
    """Let it run one network for so long; returns its pictures a second.

    Raises PeerError with its last words.
    """
    asked = [
        "-m", network, "-d", "CPU", "-hint", "none", "-api", "async",
        "-nstreams", choice.streams, "-nthreads", choice.streams * choice.threads,
        "-infer_precision", choice.precision, "-t", max(1, round(seconds)),
        "-shape", f"[{choice.batch},{file.height},{file.width},3]",
    ]  # fmt: skip
    done = subprocess.run(  # noqa: S603 -- beside our own interpreter
        [str(program), *map(str, asked)], capture_output=True, text=True, check=False
    )
    told = _THROUGHPUT.search(done.stdout)
    if told is None:
        said = (done.stderr or done.stdout).strip().splitlines() or ["nothing"]
        raise PeerError(f"{NAME} ended with {done.returncode} and said: {said[-1]}")
    return float(told[1])
