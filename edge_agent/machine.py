"""What this machine is, as far as inference and decoding depend on it."""

import hashlib
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Instructions that make bf16 and int8 fast; named as /proc/cpuinfo does.
TELLING_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd")
RUNTIME_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "openvino")


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, cores that this process may use, what of its instructions matters, runtimes."""

    processor: str
    cores: int
    memory_gb: float
    flags: tuple[str, ...]
    runtimes: dict[str, str]
    devices: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Changes whenever a measurement of inference speed may no longer hold."""
        parts = (self.processor, self.cores, self.flags, sorted(self.runtimes.items()))
        return hashlib.sha256(repr((*parts, self.devices)).encode()).hexdigest()[:16]


def this_machine() -> Machine:
    """Look at the machine this runs on; takes about a millisecond."""
    names, flags = _cpuinfo()
    return Machine(
        processor=names or platform.processor() or platform.machine(),
        cores=cores(),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        flags=tuple(flag for flag in TELLING_FLAGS if flag in flags),
        runtimes=_versions(),
        devices=devices(),
    )


def cores() -> int:
    """How many cores this process may use: an affinity or a container may allow fewer."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def devices() -> tuple[str, ...]:
    """Name the device files of graphics cards and hardware decoders."""
    patterns = ("nvidia[0-9]*", "dri/renderD*", "video1[0-9]")
    return tuple(str(path) for pattern in patterns for path in sorted(Path("/dev").glob(pattern)))


def _versions() -> dict[str, str]:
    found = {}
    for name in RUNTIME_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpuinfo() -> tuple[str, frozenset[str]]:
    path = Path("/proc/cpuinfo")
    fields: dict[str, str] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags", fields.get("Features", ""))
    return fields.get("model name", ""), frozenset(flags.split())
