"""Learning rate (and Adam's momentum) as a function of the step: no state, so nothing to save or to lose."""

import math

from svqkit.settings.params import Training


def learning_rate(training: Training, epoch: int, step: int, steps_per_epoch: int) -> float:
    """Compute the learning rate at ``step`` of ``epoch``, both counted from 0.

    cosine: per epoch; linear from ``warmup_learning_rate`` over ``warmup_epochs``, then
    floor + (peak − floor)·(1 + cos(π·epoch / epochs)) / 2 (as timm's scheduler, which the reference uses, does).
    onecycle: per step; a cosine from peak / 25 up to the peak over the first 30 % of steps, then one down to
    peak / 250,000 (as torch's OneCycleLR). constant: the peak.
    """
    peak, floor = training.learning_rate, training.min_learning_rate
    if training.schedule == "constant":
        return peak
    if training.schedule == "onecycle":
        return _one_cycle(training, epoch, step, steps_per_epoch, peak / 25, peak, peak / 25e4)
    if epoch < training.warmup_epochs:
        start = training.warmup_learning_rate
        return start + (peak - start) * epoch / training.warmup_epochs
    return floor + (peak - floor) * (1 + math.cos(math.pi * epoch / training.epochs)) / 2


def momentum(training: Training, epoch: int, step: int, steps_per_epoch: int) -> float:
    """Compute Adam's β₁: 0.9, but under onecycle from 0.95 down to 0.85 at the peak and back, as torch has it."""
    if training.schedule != "onecycle":
        return 0.9
    return _one_cycle(training, epoch, step, steps_per_epoch, 0.95, 0.85, 0.95)


def _one_cycle(
    training: Training, epoch: int, step: int, steps_per_epoch: int, start: float, peak: float, end: float
) -> float:
    total = training.epochs * steps_per_epoch
    done = epoch * steps_per_epoch + step
    top = 0.3 * total - 1
    if done <= top:
        return _anneal(start, peak, done / top if top else 1.0)
    return _anneal(peak, end, (done - top) / (total - 1 - top))


def _anneal(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
