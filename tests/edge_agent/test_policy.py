import pytest

from contract.catalogue import Category, Family
from edge_agent.config import CameraConfig
from edge_agent.policy import REOPEN_S, Policy

CARD = dict.fromkeys(Category, (0.4, 0.2))


def policy(**document: object) -> Policy:
    config = CameraConfig.model_validate({"camera": {"id": "cam-01"}} | document)
    return Policy.of(config, CARD)


def test_without_a_rule_the_model_card_says_from_which_scores_on() -> None:
    terms = policy().terms[Category.STREET_VENDOR]
    assert (terms.raise_score, terms.keep_score) == (0.4, 0.2)


def test_a_rules_own_score_replaces_raise_and_scales_keep() -> None:
    terms = policy(rules={"street_vendor": {"score_min": 0.6}}).terms[Category.STREET_VENDOR]
    assert (terms.raise_score, terms.keep_score) == pytest.approx((0.6, 0.3))


def test_dwell_and_clearing_are_kept_to_the_nearest_look() -> None:
    document = {"looks": {"manhole_damaged": {"every_s": 10}}}
    terms = policy(**document).terms[Category.MANHOLE_DAMAGED]
    assert (terms.dwell_s, terms.clear_after_s) == (55.0, 55.0)


def test_a_gap_between_looks_counts_no_more_than_an_eighth_of_the_time_to_fill() -> None:
    often = policy(looks={"bin_overflow": {"every_s": 1}}).terms[Category.BIN_OVERFLOW]
    assert (often.standing_step_s, often.missing_step_s) == (300 / 8, 120 / 8)


def test_a_candidate_lapses_and_is_forgotten_in_seconds() -> None:
    quick = policy(rules={"street_vendor": {"dwell_s": 8}}).terms[Category.STREET_VENDOR]
    slow = policy(looks={"exposed_garbage": {"every_s": 1}}).terms[Category.EXPOSED_GARBAGE]
    assert (quick.lapse_s, quick.forget_s) == (2.0, 30.0)
    assert (slow.lapse_s, slow.forget_s) == (30.0, 600.0)


def test_slow_rules_can_be_continued_for_longer() -> None:
    assert policy().reopen_s(Family.VENDOR) == REOPEN_S
    assert policy().reopen_s(Family.GARBAGE) == 2 * (600 + 120)


@pytest.mark.parametrize(("side", "fits"), [(0.24, True), (0.26, False)])
def test_a_box_too_large_for_a_cover_is_none(side: float, *, fits: bool) -> None:
    box = (0.1, 0.1, 0.1 + side, 0.2)
    assert policy().fits(Category.MANHOLE_MISSING, box) is fits
    assert policy().fits(Category.STREET_VENDOR, box)
