"""Where one look's time goes, on one thread: decoding, scaling, the network and its layers.

This is the profile behind the other figures: what a key frame costs and what the frames between
cost, what scaling costs, what the network costs in each runtime and precision, and how much of that
is convolutions, which no code of ours can make faster.
"""

import json
import statistics
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import onnxruntime as ort

from benchmarks.fleet import FPS
from benchmarks.footage import Footage
from benchmarks.result import result, with_rounds
from benchmarks.rounds import interleaved
from edge_agent.camera import BURST
from edge_agent.errors import ModelError
from edge_agent.model import load_card
from edge_agent.runtimes import Choice, open_session
from edge_agent.video import DEFAULT_TIMEOUTS, Video

LOOKS = 20
_AMONG = 50  # cameras: about as many substreams as two cores carry
_INPUT = (384, 640)
_SCALED = (640, 360)  # what the letterbox of a 16:9 camera holds
_CHOICES = (
    Choice("onnxruntime", precision="f32"),
    Choice("openvino", precision="f32"),
    Choice("openvino", precision="bf16"),
)


def measure(
    model: Path, clip: Path | None, rounds: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure every part; milliseconds of one thread, shares in percent.

    Raises ModelError where the model has no file of that input.
    """
    height, width = _INPUT
    files = [f for f in load_card(model).files if (f.height, f.width) == _INPUT]
    if not files:
        raise ModelError(f"model {model}: this measures its {height}x{width} file, and it has none")
    path = model / files[0].path
    tasks: dict[str, Callable[[], float]] = {}
    for choice in _CHOICES:
        try:
            session = open_session(choice, path)
        except ModelError as error:
            say(str(error))
            continue
        name = f"{choice.runtime} {choice.precision} {height}x{width}"
        tasks[f"{name}, ms a look"] = partial(_look_ms, session)
        tasks[f"{name}, % in convolutions"] = partial(_LAYERS[choice.runtime], path, choice)
    for size in (1080, 360):
        video = Footage(size).made(clip)
        tasks[f"{size}p, ms a key frame"] = partial(_decoding_ms, video, keys=True)
        tasks[f"{size}p, ms a frame between"] = partial(_decoding_ms, video, keys=False)
        tasks[f"{size}p, ms a frame of one"] = partial(_turn_ms, video, 1)
        tasks[f"{size}p, ms a frame of one among {_AMONG}"] = partial(_turn_ms, video, _AMONG)
        tasks[f"{size}p, ms scaling to {_SCALED[0]}x{_SCALED[1]}"] = partial(_scaling_ms, video)
    body = result("anatomy", "where a look's time goes, on one thread", model)
    return with_rounds(body, interleaved(tasks, rounds, say), {})


def _look_ms(session: Any) -> float:
    batch = np.zeros((1, *_INPUT, 3), np.uint8)
    session.infer(batch)
    spent = []
    for _ in range(LOOKS):
        began_s = perf_counter()
        session.infer(batch)
        spent.append(1000 * (perf_counter() - began_s))
    return statistics.median(spent)


def _onnxruntime_share(path: Path, choice: Choice) -> float:
    """The share of a look that ONNX Runtime spends in convolutions, by its own profile."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = choice.threads
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        (taken,) = session.get_inputs()
        for _ in range(LOOKS):
            session.run(None, {taken.name: np.zeros((1, *_INPUT, 3), np.uint8)})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return share_of_convolutions(
        (event["args"]["op_name"], event["dur"])
        for event in events
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time")
    )


def _openvino_share(path: Path, choice: Choice) -> float:
    """The share of a look that OpenVINO spends in convolutions, by its own counters."""
    import openvino  # noqa: PLC0415 -- an extra, and slow to import

    model = openvino.Core().read_model(path)
    model.reshape([1, *_INPUT, 3])
    hints = {
        "PERF_COUNT": True,
        "INFERENCE_NUM_THREADS": choice.threads,
        "INFERENCE_PRECISION_HINT": choice.precision,
    }
    request = openvino.compile_model(model, "CPU", hints).create_infer_request()
    for _ in range(3):
        request.infer([np.zeros((1, *_INPUT, 3), np.uint8)])
    layers = request.get_profiling_info()
    return share_of_convolutions(
        (layer.node_type, layer.real_time.total_seconds()) for layer in layers
    )


_LAYERS: dict[str, Callable[[Path, Choice], float]] = {
    "onnxruntime": _onnxruntime_share,
    "openvino": _openvino_share,
}


def share_of_convolutions(spent: Iterable[tuple[str, float]]) -> float:
    """The percentage of time in convolutions, whatever a runtime calls them."""
    listed = list(spent)
    inside = sum(time for kind, time in listed if "conv" in kind.lower() and kind != "Convert")
    return 100 * inside / max(sum(time for _, time in listed), 1e-9)


def _decoding_ms(video: Path, *, keys: bool) -> float:
    """The median time that one packet's decoding takes."""
    spent = []
    with Video(str(video), str(video), "tcp", DEFAULT_TIMEOUTS) as opened:
        for packet in opened.packets():
            began_s = perf_counter()
            opened.decode(packet)
            if packet.size and packet.is_keyframe == keys:
                spent.append(1000 * (perf_counter() - began_s))
    return statistics.median(spent)


def _turn_ms(video: Path, many: int) -> float:
    """The mean time of a frame while so many decoders take turns, a burst of frames each."""
    frames, spent_s = 0, 0.0
    with ExitStack() as stack:
        opened = [
            stack.enter_context(Video(str(video), str(video), "tcp", DEFAULT_TIMEOUTS))
            for _ in range(many)
        ]
        coming = [islice(one.packets(), FPS) for one in opened]
        while any(bursts := [list(islice(packets, BURST)) for packets in coming]):
            for one, burst in zip(opened, bursts, strict=True):
                began_s = perf_counter()
                frames += sum(len(one.decode(packet)) for packet in burst)
                spent_s += perf_counter() - began_s
    return 1000 * spent_s / frames


def _scaling_ms(video: Path) -> float:
    """The median time from a decoded frame to the network's picture."""
    spent: list[float] = []
    with Video(str(video), str(video), "tcp", DEFAULT_TIMEOUTS) as opened:
        for packet in opened.packets():
            for frame in opened.decode(packet):
                began_s = perf_counter()
                frame.rgb(*_SCALED)
                spent.append(1000 * (perf_counter() - began_s))
            if len(spent) >= 2 * LOOKS:
                break
    return statistics.median(spent)
