"""Card: put an exported, evaluated model into the repository's models folder, with its figures."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from models.training.errors import DataError
from models.training.export import CARD_NAME, draft_folder
from models.training.recipe import Recipe
from models.training.signing import read_or_make_key, sign
from models.training.toolkit import save_halved

METRIC_FIELDS = ("split", "class", "n", "ap50", "ci95")


def finished_card(
    draft: dict[str, Any],
    evaluation: dict[str, Any],
    masking: list[dict[str, Any]],
    limits: list[str],
) -> dict[str, Any]:
    """Return the draft with what was measured, and its limits as they are known by now."""
    metrics = [{field: m[field] for field in METRIC_FIELDS} for m in evaluation["metrics"]]
    card = {**draft, "thresholds": evaluation["thresholds"], "metrics": metrics}
    if masking:
        card["masking"] = masking
    del card["limits"]  # the last key, after what was measured
    return {**card, "limits": list(limits)}


def masking_rows(path: Path | None, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Read what ``gridwatch-bench masking --json`` measured, as the card states it.

    Raises DataError where the file does not hold that, or was measured with other ``files``.
    """
    if path is None:
        return []
    try:
        result = json.loads(path.read_text("utf-8"))
        measured = dict(result["model_sha256"])
        rows = [
            {
                "kind": kind,
                "n": result[kind]["of"],
                "recall": result[kind]["recall"],
                "ci95": result[kind]["ci95"],
            }
            for kind in ("head", "plate")
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is no result of 'gridwatch-bench masking --json': {error!r}"
        ) from error
    if measured != {str(entry["path"]): entry["sha256"] for entry in files}:
        raise DataError(f"{path} was measured with another model than this one: measure again")
    return rows


def write_card(
    recipe: Recipe,
    folder: Path,
    models: Path,
    private_key: Path | None,
    masking: Path | None = None,
) -> Path:
    """Copy files and card to ``models``/<name>; sign the card where a key is given.

    ``masking``: a result of ``gridwatch-bench masking`` to be stated too. Raises DataError where
    the model was not exported or not evaluated since, or ``models`` has another key.
    """
    source, report = draft_folder(folder, recipe), folder / "evaluation" / "evaluation.json"
    if not (source / CARD_NAME).is_file() or not report.is_file():
        raise DataError(
            f"{recipe.name} is not exported and evaluated yet: run 'export', then 'evaluate'"
        )
    if report.stat().st_mtime < (source / CARD_NAME).stat().st_mtime:
        raise DataError(f"{recipe.name} was exported again after its evaluation: run 'evaluate'")
    # First of all: a key that is refused leaves the models as they were.
    key = None if private_key is None else read_or_make_key(private_key, models / "gridwatch.pub")
    draft = yaml.safe_load((source / CARD_NAME).read_text("utf-8"))
    measured = json.loads(report.read_text("utf-8"))
    card = finished_card(draft, measured, masking_rows(masking, draft["files"]), recipe.limits)
    target = models / recipe.name
    target.mkdir(parents=True, exist_ok=True)
    for entry in card["files"]:
        shutil.copyfile(source / entry["path"], target / entry["path"])
    save_halved(folder / "weights.safetensors", target / f"{recipe.name}.safetensors")
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True, width=100)
    (target / CARD_NAME).write_text(text, "utf-8")
    if key is not None:
        sign(target / CARD_NAME, key)
    return target


def metrics_table(evaluation: dict[str, Any]) -> str:
    """Return the measured figures as a Markdown table."""
    lines = [
        "| split | class | n | AP50 | 95 % | AP50-95 | AP50 small | medium | large |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for m in evaluation["metrics"]:
        low, high = m["ci95"]
        lines.append(
            f"| {m['split']} | {m['class']} | {m['n']} | {m['ap50']:.3f} "
            f"| {low:.2f}–{high:.2f} | {m['ap50_95']:.3f} | {_sizes(m['ap50_by_size'])} |"
        )
    return "\n".join(lines)


def _sizes(by_size: dict[str, float | None]) -> str:
    values = (by_size[name] for name in ("small", "medium", "large"))
    return " | ".join("" if value is None else f"{value:.2f}" for value in values)
