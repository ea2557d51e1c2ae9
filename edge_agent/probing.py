"""Which runtime, precision and number of streams is fastest here: measured once, remembered.

Each runtime is measured in a process of its own: what is not chosen leaves nothing in the agent's
memory, and a driver that crashes takes only its own measurement with it.
"""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.machine import Machine, cores, this_machine
from edge_agent.model import ModelCard, load_card, verified_path
from edge_agent.runtimes import Choice, Precision, Runtime, Session, open_session

log = logging.getLogger(__name__)

RuntimeWish = Literal["auto", "onnxruntime", "openvino"]

REMEMBERED = "runtime.json"
ROUND_S = 0.5
ROUNDS = 2
CHILD_TIMEOUT_S = 90.0
# Rounding must pay: this much faster than the best in float32, or float32 stays.
ROUNDING_MUST_GAIN = 1.1
# Scores further from float32's than this are not rounding but a fault.
SCORES_APART_MAX = 0.05
GPU_BATCH = 8
# Street cameras are 16:9.
PROBED_PICTURE = (1280, 720)


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to run the network, with what it reached; `fault` says why it cannot be used."""

    choice: Choice
    looks_per_s: float
    scores_apart: float = 0.0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is used, and why."""

    choice: Choice
    why: str
    measured: tuple[Measured, ...] = ()
    measured_at: str = ""


@dataclass(frozen=True, slots=True)
class Probe:
    """What is to be chosen for; `lanes` 0 means one a core."""

    folder: Path
    wish: RuntimeWish = "auto"
    lanes: int = 0

    @property
    def workers(self) -> int:
        """How many inferences may run side by side on the CPU."""
        return self.lanes or cores()


def choose(probe: Probe, state_dir: Path, *, again: bool = False) -> Chosen:
    """Return what was remembered for this model and machine, or measure and remember it.

    Raises ModelError when nothing works.
    """
    card, machine = load_card(probe.folder), this_machine()
    if not machine.devices and (probe.wish == "onnxruntime" or "openvino" not in machine.runtimes):
        why = "on this CPU there is nothing to choose; the openvino extra may be faster"
        if probe.wish == "onnxruntime":
            why = "runtime: onnxruntime stands in agent.yaml, and on a CPU it has one way to run"
        return Chosen(Choice(streams=probe.workers), why)
    key = _key(probe, card, machine)
    path = state_dir / REMEMBERED
    if not again and (known := _remembered(path, key)) is not None:
        return known
    log.info("measuring which runtime is fastest here; this is done once and takes some seconds")
    chosen = best_of(_measured(probe))
    _remember(path, key, chosen)
    return chosen


def best_of(measured: Sequence[Measured]) -> Chosen:
    """Choose the fastest; one that rounds must gain. Raises ModelError when none works."""
    good = [one for one in measured if not one.fault]
    if not good:
        faults = "; ".join(f"{one.choice}: {one.fault}" for one in measured)
        raise ModelError(f"no runtime works on this machine: {faults or 'none is installed'}")
    fastest = max(good, key=lambda one: one.looks_per_s)
    exact = [one for one in good if one.choice.precision == "f32"]
    plain = max(exact, key=lambda one: one.looks_per_s, default=fastest)
    best = plain if fastest.looks_per_s < ROUNDING_MUST_GAIN * plain.looks_per_s else fastest
    why = f"{best.looks_per_s:.0f} looks/s, the fastest of {len(good)} that were measured"
    if best is not fastest:
        why = (
            f"{best.looks_per_s:.0f} looks/s in float32; {fastest.choice} reached "
            f"{fastest.looks_per_s:.0f}, too little to round for"
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Chosen(best.choice, why, tuple(measured), now)


# -- in the agent: children are asked, and what they said is remembered


def _measured(probe: Probe) -> list[Measured]:
    wanted = get_args(Runtime) if probe.wish == "auto" else (probe.wish,)
    return [one for runtime in wanted for one in _ask(probe, cast("Runtime", runtime))]


def _ask(probe: Probe, runtime: Runtime) -> Iterator[Measured]:
    command = [sys.executable, "-m", "edge_agent.probing"]
    command += [str(probe.folder), runtime, str(probe.workers)]
    try:
        done = subprocess.run(  # noqa: S603 -- our own interpreter and module
            command, capture_output=True, text=True, timeout=CHILD_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        yield Measured(Choice(runtime), 0, fault=f"took longer than {CHILD_TIMEOUT_S:.0f} s")
        return
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            yield _read(json.loads(line))
    if done.returncode:
        said = done.stderr.strip().splitlines()
        fault = said[-1] if said else f"its process ended with {done.returncode}"
        yield Measured(Choice(runtime), 0, fault=fault)


def _key(probe: Probe, card: ModelCard, machine: Machine) -> str:
    files = ",".join(file.sha256[:16] for file in card.files)
    return f"{machine.fingerprint} {files} {probe.wish} {probe.workers}"


def _remembered(path: Path, key: str) -> Chosen | None:
    """Return the entry of this key; a file that cannot be read is as good as none."""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))[key]
        measured = tuple(_read(one) for one in entry["measured"])
        return Chosen(Choice(**entry["choice"]), entry["why"], measured, entry["measured_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(path: Path, key: str, chosen: Chosen) -> None:
    """Write the entry beside others; a full disk only means measuring again."""
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = None
    known = known if isinstance(known, dict) else {}
    known[key] = asdict(chosen)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(known, indent=1), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        log.warning("%s cannot be written (%s): the next start measures again", path, error)


def _read(entry: dict[str, Any]) -> Measured:
    return Measured(**(entry | {"choice": Choice(**entry["choice"])}))


# -- in the child


def candidates(runtime: Runtime, lanes: int) -> tuple[Choice, ...]:
    """Name the ways worth measuring in a runtime, with so many lanes. Raises ModelError."""
    if runtime == "openvino":
        from edge_agent.runtimes.openvino import precisions  # noqa: PLC0415 -- heavy

        layouts = {(lanes, 1), (max(1, lanes // 2), 2)} if lanes > 1 else {(1, 1)}
        return tuple(
            Choice("openvino", precision=cast("Precision", precision), streams=s, threads=t)
            for precision in precisions()
            for s, t in sorted(layouts)
        )
    from edge_agent.runtimes.onnxruntime import providers  # noqa: PLC0415 -- heavy

    found = [Choice(streams=lanes)]
    for provider in providers():
        if provider in {"cuda", "tensorrt"}:
            half: tuple[Precision, ...] = ("f32", "f16") if provider == "tensorrt" else ("f32",)
            found += [
                Choice("onnxruntime", provider, one, streams=2, batch=GPU_BATCH) for one in half
            ]
        elif provider == "openvino":
            found.append(Choice("onnxruntime", provider, streams=lanes))
    return tuple(found)


def measure(path: Path, choice: Choice, reference: NDArray[np.float32]) -> Measured:
    """Load the network as `choice` says and run it for two short rounds; the better one counts."""
    try:
        session = open_session(choice, path)
        apart = float(np.abs(_scores(session) - reference).max())
        if not apart <= SCORES_APART_MAX:
            return Measured(choice, 0, apart, f"its scores differ from float32's by {apart:.2f}")
        rate = max(_rate(session, choice) for _ in range(ROUNDS))
    except ModelError as error:
        return Measured(choice, 0, fault=str(error))
    return Measured(choice, round(rate, 1), round(apart, 4))


def _scores(session: Session) -> NDArray[np.float32]:
    """The scores of one picture with shapes in it, best first."""
    picture = np.full((1, session.height, session.width, 3), 114, np.uint8)
    for index in range(8):
        at = 40 * index
        picture[0, at : at + 60, 2 * at : 2 * at + 50] = (30 * index, 255 - 20 * index, 90)
    scores: NDArray[np.float32] = session.infer(picture)[0, :, 4]
    return scores


def _rate(session: Session, choice: Choice) -> float:
    pictures = np.full((choice.batch, session.height, session.width, 3), 114, np.uint8)
    done = [0] * choice.streams
    began_s = perf_counter()

    def work(lane: int) -> None:
        while perf_counter() - began_s < ROUND_S:
            session.infer(pictures)
            done[lane] += choice.batch

    _side_by_side(work, choice.streams)
    return sum(done) / (perf_counter() - began_s)


def _side_by_side(work: Callable[[int], None], lanes: int) -> None:
    threads = [threading.Thread(target=work, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(folder: str, runtime: str, lanes: str) -> None:
    """Measure one runtime's candidates and print each as a line of JSON."""
    card = load_card(Path(folder))
    path = verified_path(Path(folder), card.file_for(*PROBED_PICTURE))
    reference = _scores(open_session(Choice(), path))
    for choice in candidates(cast("Runtime", runtime), int(lanes)):
        print(json.dumps(asdict(measure(path, choice, reference))), flush=True)  # noqa: T201


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ModelError as error:
        sys.exit(str(error))
