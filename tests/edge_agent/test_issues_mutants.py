"""The rules of issues, each broken on purpose: the tests of the rules notice every one of them.

A mutant is one replacement in one module's source. `make nightly` runs the rules' own tests
against a copy of the agent with it; `make test` only makes sure that each still applies.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RULES = (
    "test_issues_evidence.py", "test_issues.py", "test_presence.py", "test_observations.py",
    "test_policy.py", "test_issue_state.py", "test_sun.py", "test_issues_machine.py",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One broken rule: in `module`, `right` stands exactly once and becomes `wrong`."""

    module: str
    right: str
    wrong: str


MUTANTS = {
    # raising
    "no dwell time": Mutant(
        "presence", "and self.standing.window_s >= terms.dwell_s", "and self.standing.window_s >= 0"
    ),
    "one sighting is enough": Mutant(
        "presence", "sum(self.history) >= rule.seen_m", "sum(self.history) >= 1"
    ),
    "any score raises": Mutant("presence", "and self.score >= terms.raise_score", ""),
    "anything large is a cover": Mutant(
        "policy", "return max(x2 - x1, y2 - y1) <= self.terms[category].rule.side_max", "return True"
    ),
    "what flickers stands": Mutant("presence", "MIN_SEEN_SHARE = 0.5", "MIN_SEEN_SHARE = 0.0"),
    "what rolls stands": Mutant("presence", "STILL_IOU = 0.5", "STILL_IOU = -1.0"),
    "raised by a look that misses it": Mutant("issues", "and place.seen_at == look.at", ""),
    "gaps count whole as dwell": Mutant(
        "presence", "min(elapsed_s, terms.standing_step_s)", "elapsed_s"
    ),
    "a suppression is ignored": Mutant(
        "issues",
        "if policy.suppression(place.category, place.box, look.at.utc) is not None:",
        "if False:",
    ),
    "a suppression never ends": Mutant(
        "suppressions", "return at_utc < self.until", "return True"
    ),
    "half a cover makes a candidate": Mutant(
        "issues", "HALF_HIDDEN = HIDDEN_SHARE / 2", "HALF_HIDDEN = 2.0"
    ),
    "every match founds a second place": Mutant(
        "issues", "if _founds(finding, scene, look.at, policy) and not any(",
        "if _founds(finding, scene, look.at, policy) and any("
    ),
    # clearing
    "cleared at the first miss": Mutant(
        "presence", "missed_long = self.missing.window_s >= terms.clear_after_s", "missed_long = True"
    ),
    "never cleared": Mutant(
        "issues", "and place.is_gone(policy.terms[place.category])", "and False"
    ),
    "doubtful looks count whole": Mutant("observations", "sure = 1.0\n        if score < keep_score:", "sure = 1.0\n        if False:"),
    "doubtful looks never count": Mutant("observations", "MIN_ABSENCE = 0.1", "MIN_ABSENCE = 0.0"),
    "half-hidden looks count whole": Mutant(
        "observations", " * (1 - covered / HIDDEN_SHARE)", ""
    ),
    "nothing hides a place": Mutant("observations", "HIDDEN_SHARE = 0.35", "HIDDEN_SHARE = 9.0"),
    "an intact cover proves nothing": Mutant(
        "observations", "if well >= INTACT_SCORE and well > score:", "if False:"
    ),
    "a hint of an intact cover proves repair": Mutant(
        "observations", "lead = (well / score - 1) / (INTACT_LEAD - 1) if score > 0 else 1.0", "lead = 1.0"
    ),
    "a parked lorry is forgotten at once": Mutant(
        "presence", "PARKED_FROM_S = 3.0", "PARKED_FROM_S = 1e9"
    ),
    "what passes slowly counts as parked": Mutant(
        "presence", "PARKED_FROM_S = 3.0", "PARKED_FROM_S = 0.1"
    ),
    "two looks make a parked lorry": Mutant("presence", "PARKED_LOOKS = 3", "PARKED_LOOKS = 2"),
    "a parked lorry is never forgotten": Mutant(
        "presence", "and at.seconds_since(self.behind.at) <= terms.parked_s", ""
    ),
    "passing traffic counts as parked": Mutant("presence", "PARKED_IOU = 0.7", "PARKED_IOU = -1.0"),
    "a car cannot replace a stall": Mutant(
        "observations", 'if occluder[3] > middle and not (name == "vehicle" and _replaces(occluder, box))',
        "if occluder[3] > middle"
    ),
    "gaps count whole as missing": Mutant(
        "presence", "weight) * min(elapsed_s, terms.missing_step_s)", "weight) * elapsed_s"
    ),
    "a suspended look is judged": Mutant(
        "issues", "if look.suspended is not None:", "if False:"
    ),
    "a look that shows it clears it": Mutant(
        "issues", "and place.history[-1:] == (False,)", ""
    ),
    # one place, one issue
    "overlap is not enough for one place": Mutant("observations", "SAME_IOU = 0.3", "SAME_IOU = 0.95"),
    "an open issue follows what moves": Mutant(
        "presence", "(not self.is_open and same(box, self.box))", "same(box, self.box)"
    ),
    "the ground does not matter": Mutant(
        "policy", "apart = self.ground.apart_m(family, a, b)\n", "apart = None\n"
    ),
    "a hidden foot is another place": Mutant(
        "policy", "or shared < TOUCHING_IOU or _cut_short(a, b):", "or shared < TOUCHING_IOU:"
    ),
    "rivals do not matter": Mutant("observations", "and not _beaten(found, boxes)", ""),
    "a heap is two issues": Mutant("issues", "if not (other.family in CONTESTED and place.family in CONTESTED):", "if True:"),
    "a cart's fruit overflows": Mutant("issues", "or _is_stock(place, other)):", "):"),
    "a bin hides the cart around it": Mutant(
        "issues", "if cart.family is not Family.VENDOR or place.family not in STOCK:", "if False:"
    ),
    "a speck is an issue of its own": Mutant(
        "issues", "return other.is_open and containment(other.anchor, place.box) >= NESTED_CONTAINMENT",
        "return False"
    ),
    "a family's score is one category's": Mutant("observations", "doubt *= 1 - max(near, default=0.0)", "pass"),
    # afterwards
    "nothing is continued": Mutant("issues", "    return max(same, key=lambda one: iou(one.anchor, place.box)) if same else None", "    return None"),
    "continued for ever": Mutant("issues", "if at.seconds_since(one.issue.reported_at) <= policy.reopen_s(one.family)", "if True"),
    "a change of category is not told": Mutant("issues", "if place.category is not issue.category or rule", "if rule"),
    "a change of urgency is not told": Mutant("issues", " or rule.severity is not issue.severity:", ":"),
    "growth is not told": Mutant("issues", "CHANGED_IOU = 0.5", "CHANGED_IOU = -1.0"),
    "no heartbeat": Mutant("issues", " or silent_s >= rule.heartbeat_s:", ":"),
    "the category flips at every look": Mutant("presence", "VOTE_SHARE = 1 / 4", "VOTE_SHARE = 40.0"),
    "state grows without bound": Mutant("issues", "if len(known) >= MAX_PLACES:", "if False:"),
    # time
    "a clock set back stops everything": Mutant(
        "issues", "return then.boot_id != at.boot_id and then.utc > at.utc", "return False"
    ),
    "a lorry outlives a clock set back": Mutant(
        "issues", "behind=None if value.behind is None or ahead(value.behind.at) else value.behind", "behind=value.behind"
    ),
    "every night is judged": Mutant("policy", "return look.judged - asleep", "return look.judged"),
    "no street is lit": Mutant("policy", "LIT_LUMA = 40.0", "LIT_LUMA = 999.0"),
    "night falls at noon": Mutant("sun", "< DUSK_DEG", "> DUSK_DEG"),
    "revisions stand still": Mutant("issues", "revision=place.issue.revision + 1", "revision=1"),
    "a restart forgets what was missed": Mutant("issue_state", 'missing=_tally_in(data.get("missing")),', "missing=Tally(),"),
}  # fmt: skip


def source(module: str) -> str:
    return (ROOT / "edge_agent" / f"{module}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_still_applies(name: str) -> None:
    mutant = MUTANTS[name]
    assert source(mutant.module).count(mutant.right) == 1, mutant.right


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_caught(name: str, tmp_path: Path) -> None:
    mutant = MUTANTS[name]
    for package in ("contract", "edge_agent"):
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "tests" / "edge_agent").mkdir(parents=True)
    for test in ("street.py", *RULES):
        shutil.copy(ROOT / "tests" / "edge_agent" / test, tmp_path / "tests" / "edge_agent")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    broken = source(mutant.module).replace(mutant.right, mutant.wrong)
    (tmp_path / "edge_agent" / f"{mutant.module}.py").write_text(broken, encoding="utf-8")
    tests = [f"tests/edge_agent/{test}" for test in RULES]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path), "HYPOTHESIS_PROFILE": "default"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, f"survived: {run.stdout[-2000:]}{run.stderr[-500:]}"
