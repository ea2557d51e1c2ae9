"""One HTML page of all results in a folder: what was asked, on what machine, what came out, plots.

Plots are PNG files beside the page and need matplotlib (the training extra); without it the page
has the figures alone.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

ORDER = (
    "density", "detector", "pipeline", "decode", "latency", "soak", "footprint", "overhead",
)  # fmt: skip
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;
color:#1b1f24}
table{border-collapse:collapse;margin:.6rem 0}
td,th{padding:.2rem .7rem;border-bottom:1px solid #d8dee4;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.missed{color:#b42318;font-weight:600}.held{color:#18794e}.na,.note{color:#6a737d}
img{max-width:100%}h2{margin-top:2.4rem}
"""
OURS, THEIRS, LIMIT = "#1f6feb", "#b0b8c1", "#d29922"


class ReportError(Exception):
    """There is nothing to report on; the message says where results were looked for."""


def results_in(folder: Path) -> list[dict[str, Any]]:
    """Read every result in a folder, in the order in which a reader asks. Raises ReportError."""
    found = []
    for path in sorted(folder.glob("*.json")):
        body = json.loads(path.read_text(encoding="utf-8"))
        if body.get("benchmark") in ORDER and "figures" in body:
            found.append(body)
    if not found:
        raise ReportError(f"{folder}: no result in it; measure with --json {folder}/NAME.json")
    return sorted(found, key=lambda body: ORDER.index(body["benchmark"]))


def write(folder: Path) -> Path:
    """Write `report.html` and its plots into the folder; returns the page. Raises ReportError."""
    results = results_in(folder)
    plots = _plots(results, folder)
    parts = [_section(body, plots.get(body["benchmark"])) for body in results]
    machine = results[0]["machine"]
    flags = ", ".join(machine.get("flags", ())) or "–"
    head = (
        f"<p>{escape(machine['processor'])}, {machine['cores']} cores ({escape(flags)}), "
        f"{escape(machine['system'])}; commit {escape(machine['commit'])}; "
        f"{escape(machine['measured_at'])}</p>"
    )
    page = folder / "report.html"
    page.write_text(
        "<!doctype html><html lang='zh-CN'><meta charset='utf-8'>"
        f"<title>Gridwatch 性能测定 benchmarks</title><style>{STYLE}</style>"
        f"<h1>性能测定 Benchmarks</h1>{head}{''.join(parts)}</html>\n",
        encoding="utf-8",
    )
    return page


def _section(body: Mapping[str, Any], plot: str | None) -> str:
    picture = f"<p><img src='{escape(plot)}' alt='{escape(body['benchmark'])}'></p>" if plot else ""
    load = body.get("other_load") or {}
    note = ""
    if load.get("disturbed"):
        share = 100 * load["worst"]
        note = f"<p class='missed'>受干扰 disturbed: others used up to {share:.0f} % meanwhile</p>"
    return (
        f"<h2>{escape(body['benchmark'])}</h2><p class='note'>{escape(body['question'])}; "
        f"{escape(body['machine']['measured_at'])}, {escape(body['machine']['commit'])}</p>"
        f"{note}{picture}{_floors(body)}{_table(body)}"
    )


def _floors(body: Mapping[str, Any]) -> str:
    rows = []
    for floor in body.get("floors", ()):
        style = {True: "held", False: "missed", None: "na"}[floor["held"]]
        word = {True: "达到 held", False: "未达到 missed", None: "不适用 n/a"}[floor["held"]]
        reached = "–" if floor["reached"] is None else f"{floor['reached']:g}"
        rows.append(
            f"<tr><td>{escape(floor['name'])}</td><td class='n'>{reached}</td>"
            f"<td>{escape(floor['bound'])}</td><td class='{style}'>{word}</td></tr>"
        )
    if not rows:
        return ""
    head = "<tr><th>指标 figure</th><th>实测 reached</th><th>下限 floor</th><th></th></tr>"
    return f"<table>{head}{''.join(rows)}</table>"


def _table(body: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td class='n'>{one['median']:g}</td>"
        f"<td class='n'>{_spread(one)}</td></tr>"
        for kind in ("figures", "ratios")
        for name, one in body[kind].items()
    )
    head = "<tr><th></th><th>中位数 median</th><th>范围 range</th></tr>"
    return f"<details><summary>全部数值 all figures</summary><table>{head}{rows}</table></details>"


def _spread(one: Mapping[str, Any]) -> str:
    return f"{one['low']:g} … {one['high']:g}" if "low" in one else ""


# -- plots


def _plots(results: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, str]:
    """Draw what is easier seen than read; returns the file name by benchmark."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 -- the training extra
    except ModuleNotFoundError:
        return {}
    mpl.use("Agg")
    drawn = {}
    for body in results:
        bars = list(_bars(body))
        samples = body.get("samples", {}).get("memory_mb")
        if not bars and not samples:
            continue
        name = f"{body['benchmark']}.png"
        if bars:
            _draw_bars(bars, body, folder / name)
        else:
            _draw_memory(body["samples"], folder / name)
        drawn[body["benchmark"]] = name
    return drawn


Bar = tuple[str, float, float, float, str]


def _bars(body: Mapping[str, Any]) -> Iterator[Bar]:
    """Give label, median, low, high and colour of each figure that belongs into one plot."""
    if body["benchmark"] == "density":
        for row in body["rows"]:
            yield row["row"], row["cameras"], row["cameras"], row["cameras"], OURS
            yield f"{row['row']} (allowed)", row["allowed"], row["allowed"], row["allowed"], LIMIT
    elif body["benchmark"] in {"detector", "pipeline", "decode"}:
        for name, one in body["figures"].items():
            theirs = LIMIT if "alone" in name or name.startswith(("decode", "inference")) else OURS
            colour = THEIRS if name.startswith("ultralytics") else theirs
            yield name, one["median"], one["low"], one["high"], colour


def _draw_bars(bars: Sequence[Bar], body: Mapping[str, Any], path: Path) -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(10, 0.9 + 0.27 * len(bars)))
    names, middles, lows, highs, colours = zip(*bars[::-1], strict=True)
    errors = [
        [m - low for m, low in zip(middles, lows, strict=True)],
        [high - m for m, high in zip(middles, highs, strict=True)],
    ]
    drawn = axes.barh(
        range(len(names)), middles, xerr=errors, color=colours, ecolor="#57606a", height=0.7
    )
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.bar_label(drawn, fmt="%.4g", padding=3, fontsize=8)
    axes.set_xlabel("cameras" if body["benchmark"] == "density" else "frames or looks a second")
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_memory(samples: Mapping[str, Any], path: Path) -> None:
    import matplotlib.pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(10, 3))
    minutes = [second / 60 for second in samples["at_s"]]
    axes.plot(minutes, samples["memory_mb"], color=OURS)
    axes.set_ylim(0, 1.2 * max(samples["memory_mb"]))
    axes.set_xlabel("minutes")
    axes.set_ylabel("resident MB")
    threads = axes.twinx()
    threads.plot(minutes, samples["threads"], color=LIMIT, linewidth=1)
    threads.set_ylabel("threads")
    threads.set_ylim(0, 1.5 * max(samples["threads"]))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
