"""One connection to the broker: opened with a handshake, then bytes in and bytes out.

Belongs to one thread; `ring` is the only thing that others may call. A connection that ended is
not used again: the next one is a new object, so nothing of the old one's state leaks into it.
"""

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Iterable
from pathlib import Path

import mqtt5

from central_ingest.config import BrokerSettings
from central_ingest.errors import BrokerAway, MalformedPacket

_CONNECT_S = 5.0
_READ_BYTES = 1 << 18
_SEND_BYTES = 1 << 18
_PING = mqtt5.PingReqPacket().write()
_GOODBYE = mqtt5.DisconnectPacket().write()


class Wakeup:
    """Lets any thread end another's wait on its sockets."""

    def __init__(self) -> None:
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)

    def ring(self) -> None:
        """End the wait, now or when it begins."""
        # Full: it has been rung often enough. Closed: nobody waits any more.
        with contextlib.suppress(OSError):
            self._writer.send(b"\0")

    def clear(self) -> None:
        """Forget earlier rings."""
        with contextlib.suppress(BlockingIOError):
            while self.reader.recv(4096):
                pass

    def close(self) -> None:
        """Give the sockets back; ringing does nothing from now on."""
        self.reader.close()
        self._writer.close()


class Connection:
    """A socket on which the broker has said yes."""

    def __init__(
        self, broker: BrokerSettings, client_id: str, receive_maximum: int, wakeup: Wakeup
    ) -> None:
        """Connect and wait for the broker's word. Raises BrokerAway."""
        self._wakeup = wakeup
        self._keepalive_s = float(broker.keepalive_s)
        self._unsent = b""
        where = f"{broker.host}:{broker.port}"
        context = None if broker.tls_ca is None else _trusting(broker.tls_ca)
        try:
            self._socket = _opened(broker, context)
        except (OSError, ValueError) as error:
            raise BrokerAway(f"no broker answers at {where} ({error}); trying again") from error
        try:
            answer = self._shake_hands(broker, client_id, receive_maximum)
        except (OSError, ValueError, MalformedPacket) as error:
            self.close()
            raise BrokerAway(f"no broker speaks MQTT 5 at {where} ({error})") from error
        if answer.reason_code != mqtt5.ConnAckReasonCode.SUCCESS:
            self.close()
            account = "nobody" if broker.username is None else repr(broker.username)
            raise BrokerAway(
                f"the broker at {where} refused the connection: {answer.reason_code.name}, "
                f"as {account}; see broker.username and broker.password"
            )
        self._keepalive_s = float(answer.server_keep_alive or broker.keepalive_s)
        self.session_present, self.window = answer.session_present, answer.receive_max
        self._socket.setblocking(False)
        self._heard_s = self._said_s = time.monotonic()

    def _shake_hands(
        self, broker: BrokerSettings, client_id: str, receive_maximum: int
    ) -> mqtt5.ConnAckPacket:
        secret = broker.password.get_secret_value().encode() if broker.password else None
        hello = mqtt5.ConnectPacket(
            client_id,
            username=broker.username,
            password=secret,
            clean_start=False,
            keep_alive=broker.keepalive_s,
            session_expiry_interval=broker.session_expiry_s,
            receive_max=receive_maximum,
        )
        self._socket.sendall(hello.write())
        held = b""
        while True:
            # One byte at a time beyond what is surely the answer: what follows it is not ours.
            more = self._socket.recv(1)
            if not more:
                raise MalformedPacket("it closed the connection instead of answering")
            held += more
            with contextlib.suppress(IndexError):
                packet, _ = mqtt5.read(memoryview(held))
                if not isinstance(packet, mqtt5.ConnAckPacket):
                    raise MalformedPacket(f"it answered with {type(packet).__name__}")
                return packet

    def exchange(self, wait_s: float, unsent: bytes, *, taking: bool) -> bytes:
        """Send, and hand out what came, waiting for it at most `wait_s`, or until rung.

        Where the socket does not take everything, the rest goes first the next time. Without
        `taking` nothing is read: the broker then waits. Raises BrokerAway when the connection
        ended or the broker said nothing for one and a half times the keep-alive.
        """
        self._unsent += unsent
        try:
            self._send()
            return self._receive(wait_s) if taking else self._pause(wait_s)
        except OSError as error:
            raise BrokerAway(f"the broker is away: {error}") from error

    @property
    def all_sent(self) -> bool:
        """Whether the socket took everything."""
        return not self._unsent

    def _send(self) -> None:
        now_s = time.monotonic()
        if not self._unsent and now_s - self._said_s > self._keepalive_s / 2:
            self._unsent = _PING
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent[:_SEND_BYTES])
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            self._unsent, self._said_s = self._unsent[sent:], now_s

    def _receive(self, wait_s: float) -> bytes:
        # What a TLS record held beyond our last read waits in no socket.
        held = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        if not held and not self._wait((self._socket,), wait_s):
            self._check_alive()
            return b""
        try:
            data = self._socket.recv(_READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return b""
        if not data:
            raise BrokerAway("the broker is away: it closed the connection")
        self._heard_s = time.monotonic()
        return data

    def _pause(self, wait_s: float) -> bytes:
        self._wait((), wait_s)
        self._heard_s = time.monotonic()
        return b""

    def _wait(self, readers: Iterable[socket.socket], wait_s: float) -> bool:
        """Whether one of these can be read now."""
        wait_s = min(wait_s, self._keepalive_s / 4)
        writers = [self._socket] if self._unsent else []
        ready, _, _ = select.select([*readers, self._wakeup.reader], writers, [], wait_s)
        if self._wakeup.reader in ready:
            self._wakeup.clear()
        return self._socket in ready

    def _check_alive(self) -> None:
        silent_s = time.monotonic() - self._heard_s
        if silent_s > 1.5 * self._keepalive_s:
            raise BrokerAway(f"the broker is away: it said nothing for {silent_s:.0f} s")

    def leave(self, unsent: bytes) -> None:
        """Send what is left, say goodbye and close; the broker keeps the session."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(1)
            self._socket.sendall(self._unsent + unsent + _GOODBYE)
        self.close()

    def close(self) -> None:
        """Let the socket go."""
        with contextlib.suppress(OSError):
            self._socket.close()


def _trusting(ca: Path) -> ssl.SSLContext:
    """What trusts this CA alone. Raises BrokerAway: the file may be put right while we wait."""
    try:
        return ssl.create_default_context(cafile=str(ca))
    except ssl.SSLError as error:
        raise BrokerAway(f"broker.tls_ca: {ca} holds no certificate in PEM form") from error
    except OSError as error:
        raise BrokerAway(f"broker.tls_ca: {ca} cannot be read ({error.strerror})") from error


def _opened(broker: BrokerSettings, context: ssl.SSLContext | None) -> socket.socket:
    """A connected socket, with TLS where a CA is named. Raises OSError, ValueError."""
    plain = socket.create_connection((broker.host, broker.port), _CONNECT_S)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is None:
        return plain
    try:
        return context.wrap_socket(plain, server_hostname=broker.host)
    except (OSError, ValueError):
        plain.close()
        raise
