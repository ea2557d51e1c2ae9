"""One benchmark's result: what was asked, on what machine, with what model, and what came out."""

import json
from pathlib import Path
from typing import Any

from benchmarks.machine import this_machine
from benchmarks.rounds import Rounds, load_summary
from edge_agent.machine import this_machine as this_hardware
from edge_agent.model import load_card
from edge_agent.runtimes import Choice


def result(benchmark: str, question: str, model: Path | None = None) -> dict[str, Any]:
    """Begin a result; figures, ratios and rows are added to it."""
    hardware = this_hardware()
    body: dict[str, Any] = {
        "benchmark": benchmark,
        "question": question,
        "machine": this_machine().as_json()
        | {"usable_cores": hardware.cores, "flags": hardware.flags, "runtimes": hardware.runtimes},
        "figures": {},
        "ratios": {},
    }
    if model is not None:
        card = load_card(model)
        body["model"] = card.name
        body["model_sha256"] = {file.path: file.sha256 for file in card.files}
    return body


def with_rounds(
    body: dict[str, Any], rounds: Rounds, ratios: dict[str, tuple[str, str]]
) -> dict[str, Any]:
    """Add the rounds' figures and the ratios between them, where both were measured."""
    body["figures"] |= rounds.figures()
    body["ratios"] |= {
        name: rounds.ratio(*pair)
        for name, pair in ratios.items()
        if all(one in rounds.values for one in pair)
    }
    body["other_load"] = load_summary(rounds.other_load)
    return body


def shown(body: dict[str, Any]) -> str:
    """Write the figures and ratios as lines of text."""
    lines = [f"{body['benchmark']}: {body['question']}"]
    for kind in ("figures", "ratios"):
        for name, one in body[kind].items():
            spread = f"  ({one['low']:g} … {one['high']:g})" if "low" in one else ""
            lines.append(f"  {name:<58}{one['median']:>9g}{spread}")
    load = body.get("other_load")
    if load and load["disturbed"]:
        share = 100 * (load["worst"] or 0)
        lines.append(f"  disturbed: others used up to {share:.0f} % of the machine meanwhile")
    return "\n".join(lines)


def write(body: dict[str, Any], path: Path) -> None:
    """Write a result as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def label(choice: Choice) -> str:
    """Name a way to run the network as figures do."""
    provider = "" if choice.provider == "cpu" else f" {choice.provider}"
    return f"{choice.runtime}{provider} {choice.precision} {choice.streams}x{choice.threads}"
