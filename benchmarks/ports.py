"""A TCP port of loopback for a server that may be killed and started again.

It lies below those that the system gives to whoever asks for any port or opens a connection. One of
these could be given away while its server is down, even to the proxy in front of it, which would
then connect to itself without end.
"""

import random
import socket
from contextlib import suppress
from pathlib import Path

_GIVEN_BY_THE_SYSTEM = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST = 20_000
_TRIES = 100
_chance = random.SystemRandom()


def free_port() -> int:
    """A port on which nobody listens now. Raises OSError where none is found."""
    ends = _first_of_the_system()
    for _ in range(_TRIES):
        port = _chance.randrange(_FIRST, ends)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"{_TRIES} ports of {_FIRST} to {ends} were tried, none is free")


def _first_of_the_system() -> int:
    try:
        return max(_FIRST + 1, int(_GIVEN_BY_THE_SYSTEM.read_text().split()[0]))
    except OSError:  # no Linux
        return 32_768
