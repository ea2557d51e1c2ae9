"""How evaluated events are shown: a table for the terminal, a timeline as a picture."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.events import ClipResult, EventResult, FalseIssue, cleared_early

TRUTH, FOUND, MISSED, FALSE, EARLY = "#b8c4ce", "#1b7f5c", "#c9302c", "#c9302c", "#d9822b"


def event_table(results: Sequence[ClipResult], model: str) -> Table:
    """Every event, then every false issue."""
    table = Table(title=f"事件评估 events · {model}")
    for heading in ("片段 clip", "类别 category", "起 from", "止 to", "上报 raised", "清除 cleared",
                    "重复 dup.", "误差 off m", "网格 cell"):  # fmt: skip
        table.add_column(heading, justify="left" if "clip" in heading else "right")
    for result in results:
        for event in result.events:
            table.add_row(*_event_row(event))
        for false in result.false_issues:
            table.add_row(*_false_row(false))
    return table


def _event_row(event: EventResult) -> Iterator[str]:
    yield event.clip
    yield _as_told(event)
    yield f"{event.start_s:g}"
    yield _second(event.end_s)
    yield "[bold red]漏报 MISSED[/]" if event.raised_s is None else f"{event.raised_s:g}"
    mark = " [yellow]过早 early[/]" if cleared_early(event) else ""
    yield _second(event.cleared_s) + mark
    yield str(event.duplicates or "")
    yield "" if event.off_m is None else f"{event.off_m:.2f}"
    yield {True: "✓", False: "[red]✗[/]", None: ""}[event.cell_right]


def _as_told(event: EventResult) -> str:
    """Its category, and the other one of the family that it was last told as."""
    same = event.last_as in {None, event.category}
    return event.category if same else f"{event.category} → {event.last_as}"


def _false_row(false: FalseIssue) -> Iterator[str]:
    yield false.clip
    yield f"[red]误报 FALSE {false.category} ({false.score:.2f}) on {false.on}[/]"
    yield from ("", "", f"{false.raised_s:g}", _second(false.cleared_s), "", "", "")


def _second(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def figures_table(rows: dict[str, dict[str, Any]]) -> Table:
    """The figures of one model or of several side by side."""
    table = Table(title="汇总 summary")
    table.add_column("指标 figure")
    for name in rows:
        table.add_column(name, justify="right")
    keys = [key for key in next(iter(rows.values())) if key not in {"by_category", "cover_states"}]
    for key in keys:
        table.add_row(key, *(_figure(one.get(key)) for one in rows.values()))
    for part in ("by_category", "cover_states"):
        for key in sorted({key for one in rows.values() for key in one[part]}):
            table.add_row(key, *(_figure(one[part].get(key)) for one in rows.values()))
    return table


def _figure(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part:g}" for name, part in value.items())
    if isinstance(value, list):
        return " – ".join(f"{part:g}" for part in value)
    return "–" if value is None else f"{value:g}"


def draw_timeline(results: Sequence[ClipResult], title: str, path: Path) -> None:
    """Draw truth against reports, one row an event or false issue, one panel a clip."""
    import matplotlib as mpl  # noqa: PLC0415 -- of the dev extra: only who draws needs it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 -- after its backend was chosen

    rows = [max(1, len(one.events) + len(one.false_issues)) for one in results]
    figure, panels = plt.subplots(
        len(results), 1, squeeze=False, layout="constrained",
        figsize=(11, 0.9 + sum(0.36 * count + 0.62 for count in rows)),
        gridspec_kw={"height_ratios": [count + 0.8 for count in rows]},
    )  # fmt: skip
    figure.suptitle(title, fontsize=11)
    for result, (panel,) in zip(results, panels, strict=True):
        _draw_clip(panel, result)
    panels[-1][0].set_xlabel("seconds of the clip")
    figure.legend(handles=_legend(mpl), loc="outside lower center", ncols=5, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_clip(panel: Any, result: ClipResult) -> None:
    labels = []
    for row, event in enumerate(result.events):
        end_s = result.seconds if event.end_s is None else event.end_s
        panel.broken_barh([(event.start_s, end_s - event.start_s)], (row - 0.4, 0.8), color=TRUTH)
        labels.append(_as_told(event))
        if event.raised_s is None:
            panel.plot(event.start_s, row, "x", color=MISSED, markersize=9, markeredgewidth=2)
            continue
        until = result.seconds if event.cleared_s is None else event.cleared_s
        colour = EARLY if cleared_early(event) else FOUND
        panel.broken_barh(
            [(event.raised_s, until - event.raised_s)], (row - 0.16, 0.32), color=colour
        )
        if event.cleared_s is not None:
            panel.plot(event.cleared_s, row, "|", color=colour, markersize=13, markeredgewidth=2)
        if event.duplicates:
            panel.text(until, row, f" +{event.duplicates} duplicate", va="center", fontsize=8)
    for row, false in enumerate(result.false_issues, len(result.events)):
        until = result.seconds if false.cleared_s is None else false.cleared_s
        panel.broken_barh(
            [(false.raised_s, until - false.raised_s)], (row - 0.16, 0.32), color=FALSE
        )
        labels.append(f"false: {false.category}")
    panel.set_yticks(range(len(labels)), labels, fontsize=8)
    panel.set_ylim(max(len(labels), 1) - 0.4, -0.6)
    panel.set_xlim(0, result.seconds)
    panel.set_title(result.clip if labels else f"{result.clip}: nothing to raise, nothing raised",
                    fontsize=9, loc="left")  # fmt: skip
    panel.spines[["top", "right"]].set_visible(False)


def _legend(mpl: Any) -> list[Any]:
    patch, line = mpl.patches.Patch, mpl.lines.Line2D
    return [
        patch(color=TRUTH, label="truth"),
        patch(color=FOUND, label="issue, raised to cleared"),
        patch(color=EARLY, label="cleared while it was there"),
        line([], [], marker="x", color=MISSED, ls="", markeredgewidth=2, label="missed"),
        patch(color=FALSE, label="false issue"),
    ]
