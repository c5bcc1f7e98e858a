"""The learning rate at every step: worked out by hand, and as torch's own scheduler has it."""

import math

import pytest
import torch

from svqkit.settings.params import Training
from svqkit.training.schedule import learning_rate, momentum

COSINE = Training(
    epochs=10, warmup_epochs=4, learning_rate=1.0, warmup_learning_rate=0.2, min_learning_rate=0.1, schedule="cosine"
)


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, 0.2),
        (1, 0.4),
        (2, 0.6),
        (3, 0.8),
        (4, 0.1 + 0.9 * (1 + math.cos(0.4 * math.pi)) / 2),
        (5, 0.1 + 0.9 / 2),
        (6, 0.1 + 0.9 * (1 - math.cos(0.4 * math.pi)) / 2),
        (9, 0.1 + 0.9 * (1 - math.cos(0.1 * math.pi)) / 2),
    ],
)
def test_cosine_rises_linearly_then_falls_by_epoch(epoch: int, expected: float) -> None:
    for step in (0, 6):
        assert learning_rate(COSINE, epoch, step, 7) == pytest.approx(expected, rel=1e-12)


def test_cosine_without_warm_up_begins_at_the_peak() -> None:
    training = Training(epochs=10, warmup_epochs=0, learning_rate=1.0, min_learning_rate=0.0, schedule="cosine")
    assert learning_rate(training, 0, 0, 7) == 1.0
    assert learning_rate(training, 5, 0, 7) == pytest.approx(0.5)


def test_constant_stays_at_the_peak() -> None:
    training = Training(epochs=10, warmup_epochs=4, learning_rate=0.3, schedule="constant")
    assert {learning_rate(training, epoch, step, 2) for epoch in range(10) for step in range(2)} == {0.3}


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_momentum_is_adams_own_elsewhere(schedule: str) -> None:
    training = Training(schedule=schedule)
    assert {momentum(training, epoch, 0, 3) for epoch in range(training.epochs)} == {0.9}


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (1, 2), (1, 3), (2, 2), (1, 10), (3, 7), (10, 13), (5, 100)])
def test_onecycle_is_torchs_at_every_step(epochs: int, steps: int) -> None:
    training = Training(epochs=epochs, warmup_epochs=0, learning_rate=0.01, schedule="onecycle")
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=epochs * steps)
    for done in range(epochs * steps):
        place = (training, *divmod(done, steps), steps)
        group = optimizer.param_groups[0]
        assert learning_rate(*place) == pytest.approx(group["lr"], rel=1e-9)
        assert momentum(*place) == pytest.approx(group["betas"][0], rel=1e-9)
        optimizer.step()
        if done + 1 < epochs * steps:
            scheduler.step()
