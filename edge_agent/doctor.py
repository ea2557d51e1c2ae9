"""`edge-agent doctor`: what this machine is, which runtime was chosen on it, and why."""

from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from edge_agent.hardware import usable, why_not
from edge_agent.machine import Machine, this_machine
from edge_agent.probing import REMEMBERED, Chosen, Probe, choose

HARDWARE = ("cuda", "vaapi", "qsv", "v4l2m2m")


def examine(probe: Probe, state_dir: Path, console: Console, *, again: bool = False) -> Chosen:
    """Print both tables; what was chosen is measured first where it is not remembered.

    Raises ModelError when nothing works.
    """
    chosen = choose(probe, state_dir, again=again)
    console.print(_facts(this_machine(), chosen, state_dir))
    if chosen.measured:
        console.print(_measured(chosen))
    return chosen


def _facts(machine: Machine, chosen: Chosen, state_dir: Path) -> Table:
    table = Table(title="诊断 doctor", show_header=False)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for name, value in _rows(machine, chosen, state_dir):
        table.add_row(name, value)
    return table


def _rows(machine: Machine, chosen: Chosen, state_dir: Path) -> Iterator[tuple[str, str]]:
    yield "处理器 processor", f"{machine.processor}, {machine.cores} cores"
    yield "内存 memory", f"{machine.memory_gb:.1f} GB"
    yield "指令集 instructions", ", ".join(machine.flags) or "–"
    yield "设备 devices", ", ".join(machine.devices) or "没有显卡或硬件解码器 no graphics card"
    versions = (f"{name} {version}" for name, version in machine.runtimes.items())
    yield "推理运行时 runtimes", ", ".join(versions)
    faults = (f"{name}: {fault}" for name in HARDWARE if (fault := why_not(name)))
    yield (
        "硬件解码 hardware decoders",
        ", ".join(usable()) or "没有 none (" + "; ".join(faults) + ")",
    )
    yield "选用 chosen", f"[bold]{chosen.choice}[/]"
    yield "原因 why", chosen.why
    if chosen.measured_at:
        where = state_dir / REMEMBERED
        yield "测定 measured", f"{chosen.measured_at}, {where}; --again 重新测定 measures anew"


def _measured(chosen: Chosen) -> Table:
    table = Table(title="测定结果 what was measured")
    for heading in (
        "运行方式 way to run",
        "每秒观察 looks/s",
        "得分偏差 scores apart",
        "说明 note",
    ):
        table.add_column(heading, overflow="fold")
    for one in sorted(chosen.measured, key=lambda one: -one.looks_per_s):
        note = "[green]选用 chosen[/]" if one.choice == chosen.choice else one.fault
        rate = f"{one.looks_per_s:.0f}" if not one.fault else "–"
        table.add_row(str(one.choice), rate, f"{one.scores_apart:.3f}", note)
    return table
