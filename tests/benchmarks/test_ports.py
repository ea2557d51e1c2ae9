"""Ports of servers that are killed and started again."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks import ports

LOWEST = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


def test_a_port_is_none_that_the_system_gives_away_and_nobody_listens_there() -> None:
    with ExitStack() as stack:
        found = [
            stack.enter_context(socket.create_server(("127.0.0.1", ports.free_port())))
            for _ in range(20)
        ]
        assert all(one.getsockname()[1] < LOWEST for one in found)


def test_where_all_are_taken_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", ports.free_port())) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_FIRST", port)
        monkeypatch.setattr(ports, "_first_of_the_system", lambda: port + 1)
        with pytest.raises(OSError, match="none is free"):
            ports.free_port()
