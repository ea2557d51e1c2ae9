"""A measurement is remembered for a machine: what changes its speed changes its fingerprint."""

from dataclasses import replace

import pytest

from edge_agent.machine import Machine, cores, this_machine


def test_this_machine_has_a_processor_cores_and_memory() -> None:
    machine = this_machine()
    assert machine.processor
    assert machine.cores == cores() >= 1
    assert machine.memory_gb > 0
    assert machine.fingerprint == this_machine().fingerprint


@pytest.mark.parametrize(
    "other",
    [{"cores": 99}, {"processor": "another"}, {"runtimes": {"openvino": "1"}}, {"devices": ("x",)}],
)
def test_what_changes_the_speed_changes_the_fingerprint(other: dict[str, object]) -> None:
    machine = Machine("a processor", 2, 8.0, ("avx2",), {}, ())
    changed = replace(machine, **other)  # type: ignore[arg-type]
    assert machine.fingerprint != changed.fingerprint
