"""The process that reads: from the broker to values, beside the process that files them.

One interpreter does one thing at a time. Here a process of its own speaks with the broker and
takes messages apart, so that the filing waits for nothing but the database. Two pipes join them,
and a piece of memory in which a batch is handed over: through a pipe, 64 KiB at a time, the two
would wait for each other.
What is read waits here until it is asked for, up to a batch, behind it what came up to the
subscriber's bound, and then with the broker. The process ends when its pipe does, and so
with the one that filed, even when that was killed.
"""

import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import Empty, Queue
from typing import Any, TypeAlias

import msgspec

from central_ingest.config import LOG_FORMAT, BrokerSettings, IngestSettings
from central_ingest.errors import SubscriberStopped
from central_ingest.fairness import Allowances
from central_ingest.handover import (
    Acknowledge,
    Asked,
    Batch,
    Forget,
    Next,
    Ready,
    Send,
    State,
    decode_asked,
    decode_batch,
    decode_told,
    encode,
    encode_batch,
    pack,
)
from central_ingest.shared_memory import SharedMemory
from central_ingest.subscriber import Received, Subscriber

_WAIT_S = 0.25
_LOOK_S = 0.005
_STOP_S = 15.0
_Line: TypeAlias = "Connection[Any, Any]"  # the class itself takes no parameters


class Reader:
    """The reading process, as the one that files sees it.

    A batch is only sent for when asked: taking it in needs the interpreter, which is free while the
    last one is committed.
    """

    def __init__(self, client_id: str, broker: BrokerSettings, limits: IngestSettings) -> None:
        self._settings = client_id, broker, limits
        self._process: subprocess.Popen[bytes]
        self._told: _Line
        self._asks: _Line
        self._memory: SharedMemory
        self._batches: Queue[Batch | None] = Queue()  # None: there will be no more
        self._asking = threading.Lock()
        self._asked = False
        self._thread = threading.Thread(target=self._take_in, name="reader", daemon=True)
        self.connected = False
        self.detail = f"connecting to {broker.host}:{broker.port}"

    def start(self) -> None:
        """Begin to read; returns at once."""
        self._told, tells = Pipe(duplex=False)
        asked, self._asks = Pipe(duplex=False)
        self._memory = SharedMemory(os.memfd_create("gridwatch-batch"))
        theirs = asked.fileno(), tells.fileno(), self._memory.number
        command = [sys.executable, "-m", "central_ingest.reader", *map(str, theirs)]
        with asked, tells:
            self._process = subprocess.Popen(command, pass_fds=theirs)  # noqa: S603 -- our own
        # By the pipe, for it holds the broker's password.
        self._asks.send(self._settings)
        self._thread.start()

    def ask(self) -> None:
        """Send for the next batch, unless that was done already. Any thread may."""
        with self._asking:
            if not self._asked:
                self._asked = True
                self._say(Next())

    def take(self, wait_s: float) -> Batch | None:
        """The next batch; None when nothing came for `wait_s`. Raises SubscriberStopped."""
        self.ask()
        try:
            batch = self._batches.get(timeout=wait_s)
        except Empty:
            return None
        if batch is None:
            raise SubscriberStopped("the reading process ended; ingest must start again")
        with self._asking:
            self._asked = False
        return batch

    def acknowledge(self, batches: Sequence[int]) -> None:
        """PUBACK the messages of these batches; those of earlier connections come again."""
        with self._asking:
            self._say(Acknowledge(tuple(batches)))

    def forget(self, batches: Sequence[int]) -> None:
        """Have the messages of these batches sent again, by a new connection to the broker."""
        with self._asking:
            self._say(Forget(tuple(batches)))

    def send(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Publish messages; while disconnected they are dropped."""
        with self._asking:
            self._say(Send(tuple(messages)))

    def stop(self) -> None:
        """Let everything asked for be sent, and the process end."""
        self._asks.close()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self._told.close()
        self._memory.close()

    def _say(self, asked: Asked) -> None:
        # Where nobody listens any more, the next `take` says so.
        with contextlib.suppress(OSError):
            self._asks.send_bytes(encode(asked))

    def _take_in(self) -> None:
        decode = partial(decode_batch, body_max_bytes=self._settings[-1].body_max_bytes)
        try:
            while True:
                told = decode_told(self._told.recv_bytes())
                if isinstance(told, Ready):
                    self._batches.put(self._memory.read(told.size_bytes, decode))
                else:
                    self.connected, self.detail = told.connected, told.detail
        except EOFError:
            pass  # `take` says so
        finally:
            self.connected = False
            self._batches.put(None)


class _Reading:
    """What the process does: batches out, acknowledgements and messages in."""

    def __init__(
        self,
        subscriber: Subscriber,
        limits: IngestSettings,
        lines: tuple[_Line, _Line],
        memory: SharedMemory,
    ) -> None:
        self._subscriber = subscriber
        self._limits = limits
        self._asked, self._tells = lines
        self._memory = memory
        self._allowances = Allowances(limits.agent_per_s)
        self._number = 0
        self._under_way: dict[int, Sequence[Received]] = {}
        # The batch that is asked for next, and when its first message came.
        self._taken: list[Received] = []
        self._packed: list[msgspec.Raw] = []
        self._first_s = 0.0
        self._wanted, self._ended = threading.Event(), threading.Event()
        self._state: State | None = None

    def run(self) -> None:
        """Read until the other process ends, or this one can no more."""
        self._subscriber.start()
        obeying = threading.Thread(target=self._obey, name="obeying", daemon=True)
        obeying.start()
        try:
            while not self._ended.is_set():
                self._read_more()
                self._tell_state()
                if self._wanted.is_set() and self._complete:
                    self._hand_over()
        except BrokenPipeError:  # who files is gone
            obeying.join(_WAIT_S)
        finally:
            self._subscriber.stop()

    @property
    def _complete(self) -> bool:
        """Whether the batch is full, or its first message waited long enough for others."""
        if len(self._taken) >= self._limits.batch_size:
            return True
        waited_s = time.monotonic() - self._first_s
        return bool(self._taken) and waited_s >= self._limits.batch_ms / 1000

    def _read_more(self) -> None:
        if not self._taken:
            wait_s = _WAIT_S
        else:  # let some more come together
            wait_s = 0.0
            if self._wanted.is_set():
                time.sleep(min(_LOOK_S, self._limits.batch_ms / 1000))
            else:
                self._wanted.wait(_LOOK_S)
        room = self._limits.batch_size - len(self._taken)
        if room == 0:
            return
        taken = self._subscriber.take(room, wait_s)
        if taken and not self._taken:
            self._first_s = time.monotonic()
        self._taken += taken
        limit = self._limits.body_max_bytes
        self._packed += [pack(one.delivery, limit) for one in self._allowed(taken)]

    def _tell_state(self) -> None:
        state = State(self._subscriber.connected, self._subscriber.detail)
        if state != self._state:
            self._state = state
            self._tells.send_bytes(encode(state))

    def _hand_over(self) -> None:
        self._number += 1
        self._under_way[self._number] = self._taken
        passed_over = len(self._taken) - len(self._packed)
        data = encode_batch(self._number, passed_over, self._packed)
        self._taken, self._packed = [], []
        self._wanted.clear()
        self._memory.write(data)
        self._tells.send_bytes(encode(Ready(len(data))))

    def _obey(self) -> None:
        """Do what is asked, in its order: receipts reach the broker before their PUBACKs."""
        try:
            while True:
                asked = decode_asked(self._asked.recv_bytes())
                if isinstance(asked, Next):
                    self._wanted.set()
                elif isinstance(asked, Send):
                    self._subscriber.send(asked.messages)
                elif isinstance(asked, Forget):
                    for number in asked.numbers:
                        del self._under_way[number]
                    self._subscriber.start_over("the database may have lost what was filed")
                else:
                    for number in asked.numbers:
                        self._subscriber.acknowledge(self._under_way.pop(number))
        except EOFError:  # who files is gone
            return
        finally:
            self._ended.set()

    def _allowed(self, batch: Sequence[Received]) -> Sequence[Received]:
        """Those of agents that have not used up what one agent may pour in."""
        now_s, left = time.monotonic(), dict[str, int]()
        wanted = Counter(one.delivery.topic for one in batch)
        for topic, times in wanted.items():
            left[topic] = self._granted(topic, times, now_s)
        if left == wanted:
            return batch
        kept = []
        for one in batch:
            if left[one.delivery.topic] > 0:
                left[one.delivery.topic] -= 1
                kept.append(one)
        return kept

    def _granted(self, topic: str, wanted: int, now_s: float) -> int:
        parts = topic.split("/", 4)
        if len(parts) < 5:
            return wanted
        # Of each kind: a flood of reports must not cost the word that its agent went offline.
        return self._allowances.take("/".join(parts[2:5]), wanted, now_s)


def main() -> None:
    """Run the process; its pipes and the shared memory are named by their numbers."""
    # A terminal or a service manager tells all processes to stop. This one ends with the other,
    # which still has something to say to the broker.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    asked, tells, memory = (int(number) for number in sys.argv[1:4])
    lines = Connection(asked, writable=False), Connection(tells, readable=False)
    try:
        client_id, broker, limits = lines[0].recv()
    except EOFError:
        return
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    _Reading(Subscriber(client_id, broker, limits), limits, lines, SharedMemory(memory)).run()


if __name__ == "__main__":
    main()
