"""The fault tests' own book of reports, written before the store commits them.

One JSON object a line. `{"seq", "issue_id", "revision", "first"}`: a report about to be committed,
in the transaction whose first report is `first`. `{"void": seq}`: that transaction never was; a
kill prevented it, and the issue state with it. What `standing` returns must reach the centre.
"""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from contract.messages import IssueReport
from edge_agent.errors import StoreError


class Ledger:
    """Appends to one file, through to the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def intend(self, reports: Sequence[IssueReport]) -> None:
        """Note the reports of one transaction that is about to commit."""
        self._append(
            {"seq": r.seq, "issue_id": str(r.issue_id), "revision": r.revision, "first": first}
            for r in reports
            for first in [reports[0].seq]
        )

    def reconcile(self, next_seq: int) -> None:
        """Void the last transaction where the store, which goes on at `next_seq`, lacks it.

        Raises StoreError when an earlier one is missing: then the store lost what it committed.
        """
        self._cut_torn_line()
        held = _held(self._path)
        missing = {seq: entry for seq, entry in held.items() if seq >= next_seq}
        if len({entry["first"] for entry in missing.values()}) > 1:
            raise StoreError(
                f"{self._path}: reports {sorted(missing)} were committed before, but the store "
                f"goes on at {next_seq}: it lost them"
            )
        self._append({"void": seq} for seq in sorted(missing))

    def _append(self, entries: Iterable[dict[str, object]]) -> None:
        """Write whole lines or, where the disk is full, none: the next would follow a torn one."""
        left = memoryview("".join(f"{json.dumps(entry)}\n" for entry in entries).encode())
        if not left:
            return
        with self._path.open("ab", buffering=0) as file:
            whole = os.fstat(file.fileno()).st_size
            try:
                while left:
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except OSError:
                os.ftruncate(file.fileno(), whole)
                raise

    def _cut_torn_line(self) -> None:
        if self._path.exists():
            body = self._path.read_bytes()
            os.truncate(self._path, body.rfind(b"\n") + 1)


def standing(path: Path) -> set[tuple[UUID, int]]:
    """Return (issue_id, revision) of every report that was committed, or may yet be."""
    return {(UUID(entry["issue_id"]), entry["revision"]) for entry in _held(path).values()}


def _held(path: Path) -> dict[int, dict[str, Any]]:
    held: dict[int, dict[str, Any]] = {}
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    for line in lines:
        entry = json.loads(line)
        if "void" in entry:
            del held[entry["void"]]
        else:
            held[entry["seq"]] = entry
    return held
