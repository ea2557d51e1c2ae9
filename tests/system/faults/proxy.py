"""A TCP proxy that does to connections what networks do: cut, stall (half-open), delay, lose.

Bytes are never changed: TCP and TLS see to that on a real line too. What is lost on the way arrives
late, after a retransmission; now and then the connection breaks instead.
"""

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

CHUNK = 16_384
RETRANSMITTED_AFTER_S = (0.2, 0.8)
BREAKS_WITH = 0.05


@dataclass(frozen=True, slots=True)
class Line:
    """The state of the line: `up`, or cut; stalled; seconds of delay; share of lost chunks."""

    up: bool = True
    stalled: bool = False
    delay_s: float = 0.0
    loss: float = 0.0


class Proxy:
    """Forwards a port of its own to `target_port` of loopback, in a thread of its own."""

    def __init__(self, target_port: int, seed: int = 0) -> None:
        self._target_port = target_port
        self._random = random.Random(seed)
        self._line = Line()
        self._changed = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = self._call(self._listen())
        self.port: int = self._server.sockets[0].getsockname()[1]

    def set_line(self, line: Line) -> None:
        """Change the line, for connections that are open and for new ones."""

        async def change() -> None:
            self._line = line
            self._changed.set()
            self._changed = asyncio.Event()
            if not line.up:
                for writer in self._open:
                    writer.transport.abort()

        self._call(change())

    def close(self) -> None:
        """Break everything off."""

        async def end() -> None:
            self._server.close()
            for writer in self._open:
                writer.transport.abort()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._call(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            await self._while_stalled()
            if not self._line.up:
                return
            back, there = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._open.add(there)
            pumps = [self._pump(reader, there), self._pump(back, writer)]
            tasks = [asyncio.ensure_future(pump) for pump in pumps]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        except OSError:
            pass  # the other end is away: so is ours
        finally:
            for one in (writer, there):
                if one is not None:
                    self._open.discard(one)
                    one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self._while_stalled()
                await self._travel()
                writer.write(chunk)
                await writer.drain()

    async def _while_stalled(self) -> None:
        while self._line.stalled:
            await self._changed.wait()

    async def _travel(self) -> None:
        line = self._line
        if line.delay_s:
            await asyncio.sleep(line.delay_s * self._random.uniform(0.5, 1.5))
        if line.loss and self._random.random() < line.loss:
            if self._random.random() < BREAKS_WITH:
                raise ConnectionResetError
            await asyncio.sleep(self._random.uniform(*RETRANSMITTED_AFTER_S))


KINDS: dict[str, Callable[[float], Line]] = {
    "cut": lambda _: Line(up=False),
    "stall": lambda _: Line(stalled=True),
    "delay": lambda value: Line(delay_s=value),
    "loss": lambda value: Line(loss=value),
}
