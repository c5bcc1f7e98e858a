"""By how much one experiment is better than another, in percent: over test windows with an interval, and by seed."""

from dataclasses import dataclass

import pandas as pd

from svqkit.evaluation import significance
from svqkit.paper.results import Results
from svqkit.paper.selection import seed_scores
from svqkit.settings.params import Experiment

EXPLANATION = (
    "Improvement: 100 · (MSE of the other − MSE) / MSE of the other, over all lead times; above 0 is better. Bars: "
    "95 % interval of a bootstrap over seeds and over stretches of test windows, paired. Hollow marks: one seed only, "
    "so that the bar leaves out the chance in training. Dots: single seeds."
)

HOLLOW = "hollow: one seed, so the bar leaves out the chance in training"


@dataclass(frozen=True)
class Gain:
    """An improvement in MSE in percent; positive is better.

    Attributes:
        value: 100 · (b − m) / b for the mean MSE m of the experiment and b of the other one.
        low, high: 95 % interval of ``value``, see :func:`svqkit.evaluation.significance.compare`.
        by_seed: the same for every seed that both have: 100 · (b_s − m_s) / b. Where they share none, each seed of
            the experiment against the other's mean.
        pairs: how many trainings of both were compared; of one, the interval leaves out the chance in training.
    """

    value: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    pairs: int

    @property
    def filling(self) -> str | None:
        """What the mark of it is filled with, for matplotlib: nothing where there is but one training."""
        return "white" if self.pairs == 1 else None

    @property
    def words(self) -> str:
        """``"+6.4 % [+5.1, +7.7]"``"""
        value, low, high = (f"{number:+z.1f}".replace("-", "−") for number in (self.value, self.low, self.high))
        return f"{value} % [{low}, {high}]"


def gain(results: Results, experiment: Experiment, base: Experiment) -> Gain:
    """Return the improvement of ``experiment`` over ``base``, which are of one dataset.

    Raises:
        SvqkitError: there are no errors by window of one of them.
    """
    found = significance.compare(results.windows(experiment.dataset), experiment.name, base.name)
    scores = seed_scores(results, experiment.dataset).set_index(["experiment", "seed"])["value"]
    seeds = gains_by_seed(scores[experiment.name], scores[base.name])
    # a fall of the error is a gain, so the interval's ends change places
    return Gain(-100 * found.relative, -100 * found.high, -100 * found.low, seeds, found.seeds)


def gains_by_seed(ours: pd.Series, theirs: pd.Series) -> tuple[float, ...]:
    """Return the improvement of each seed in percent of the base's mean; without shared seeds against that mean."""
    shared = ours.index.intersection(theirs.index)
    if len(shared):
        ours, theirs = ours[shared], theirs[shared]
        return tuple((100 * (theirs - ours) / theirs.mean()).tolist())
    return tuple((100 * (theirs.mean() - ours) / theirs.mean()).tolist())
