"""Memory that two processes share, for one message at a time."""

import mmap
import os
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")
_KEPT_BYTES = 16 << 20


class SharedMemory:
    """One process writes, tells the other how much, and writes again when that one has read it.

    It stays mapped, for new pages cost more than what is written into them; what an unusually large
    message took is given back with the next one.
    """

    def __init__(self, number: int) -> None:
        """`number` is of a memory file that both processes have open."""
        self.number = number
        self._size_bytes = 0
        self._map: mmap.mmap | None = None

    def write(self, data: bytes) -> None:
        """Write a message in place of the last one. Raises OSError where there is no room."""
        if self._size_bytes > _KEPT_BYTES:
            os.ftruncate(self.number, 0)
            self._size_bytes = 0
        self._size_bytes = max(self._size_bytes, len(data))
        # Who reads beyond what was written is ended by the system, without a word.
        if (written := os.pwrite(self.number, data, 0)) != len(data):
            raise OSError(f"shared memory took {written} of {len(data)} bytes")

    def read(self, size_bytes: int, decode: Callable[[memoryview], Value]) -> Value:
        """What was written, as `decode` has it, which keeps nothing of the memory itself."""
        if self._map is None or not size_bytes <= len(self._map) <= _KEPT_BYTES:
            if self._map is not None:
                self._map.close()
            self._map = mmap.mmap(self.number, size_bytes, prot=mmap.PROT_READ)
        with memoryview(self._map) as whole, whole[:size_bytes] as message:
            return decode(message)

    def close(self) -> None:
        """Give the memory back."""
        if self._map is not None:
            self._map.close()
        os.close(self.number)
