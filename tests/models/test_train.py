"""Training: the rate and the way it takes from the first step to the last."""

import pytest

pytest.importorskip("torch", reason="needs the training extra")

from torch import nn

from models.training.recipe import Phase, Training
from models.training.train import freeze, progress_at, rate_at

PHASE = Phase(steps=1000, picture_px=416, batch=16, street_share=0.4, mosaic=0.5)
EVEN = Training(
    learning_rate=1e-3,
    final_share=0.1,
    weight_decay=0.0,
    warmup_steps=100,
    ema_decay=0.99,
    checkpoint_every=50,
    precision="bf16",
    phases=[PHASE],
)
HURRIED = EVEN.model_copy(update={"pace": [(500, 0.2)]})
ANEW = EVEN.model_copy(update={"pace": [(500, 1.0), (501, 0.5)]})


@pytest.mark.parametrize(
    ("training", "step", "progress"),
    [
        (EVEN, 0, 0.0),
        (EVEN, 250, 0.25),
        (EVEN, 1000, 1.0),
        (HURRIED, 250, 0.1),
        (HURRIED, 500, 0.2),
        (HURRIED, 750, 0.6),
        (HURRIED, 1000, 1.0),
        (ANEW, 500, 1.0),
        (ANEW, 501, 0.5),
    ],
)
def test_the_way_is_even_or_follows_the_pace(
    training: Training, step: int, progress: float
) -> None:
    assert progress_at(training, step) == pytest.approx(progress)


@pytest.mark.parametrize("training", [EVEN, HURRIED])
def test_the_rate_warms_up_then_only_falls_to_its_final_share(training: Training) -> None:
    rates = [rate_at(training, step) for step in range(1001)]
    assert max(rates) == pytest.approx(1e-3)
    assert rates[:100] == sorted(rates[:100])
    assert rates[100:] == sorted(rates[100:], reverse=True)
    assert rates[-1] == pytest.approx(1e-4)


def test_frozen_layers_learn_nothing_until_a_phase_lets_them() -> None:
    net = nn.Module()
    net.model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    fixed = next(net.model[2].parameters()).requires_grad_(False)  # a head's own business
    freeze(net, 1)
    assert [layer.weight.requires_grad for layer in net.model] == [False, True, False]
    freeze(net, 0)
    assert [layer.weight.requires_grad for layer in net.model] == [True, True, False]
    assert not fixed.requires_grad
