"""What processes have used: processor time, and what they had written to disk. Linux."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Usage(NamedTuple):
    """Processor seconds, and bytes that were sent towards a disk, since the processes began."""

    cpu_s: float
    written_bytes: int

    def since(self, before: "Usage") -> "Usage":
        """What was used after `before`."""
        return Usage(self.cpu_s - before.cpu_s, self.written_bytes - before.written_bytes)


def usage_of(pids: Iterable[int]) -> Usage:
    """Of all of these together; of one that has ended nothing is told."""
    used = [(_cpu_s(pid), _written_bytes(pid)) for pid in pids]
    return Usage(sum(cpu_s for cpu_s, _ in used), sum(written for _, written in used))


def _cpu_s(pid: int) -> float:
    """Of a process and of those children of it that have ended; one that ended is its parent's."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _written_bytes(pid: int) -> int:
    """Pages that it changed, each counted again once it was written; 0 of somebody else's."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))


def servers() -> list[int]:
    """The processes of a PostgreSQL on this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):  # it ended meanwhile
            if path.read_text().strip() == "postgres":
                found.append(int(path.parent.name))
    return found
