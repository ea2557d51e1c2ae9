"""What processes have used is told of those that are there."""

import os
import subprocess
import sys

from benchmarks.usage import Usage, servers, usage_of


def test_work_costs_processor_time() -> None:
    before, spent = usage_of([os.getpid()]), 0
    while (used := usage_of([os.getpid()]).since(before)).cpu_s == 0 and spent < 10_000_000:
        spent += len(str(2**100_000 % 997))
    assert used.cpu_s > 0


def test_of_a_process_that_has_ended_nothing_is_told() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert usage_of([ended.pid]) == Usage(0.0, 0)


def test_what_several_processes_used_is_summed() -> None:
    mine = usage_of([os.getpid()])
    assert usage_of([os.getpid(), os.getpid()]).cpu_s >= 2 * mine.cpu_s


def test_what_is_no_postgresql_is_no_server_of_one() -> None:
    assert os.getpid() not in servers()
