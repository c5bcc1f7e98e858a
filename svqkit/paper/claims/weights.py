"""Evidence on SVQ's weights: whether they are sparse, and what the training loss has to do with it."""

import statistics
from dataclasses import replace

from scipy import stats

from svqkit.errors import SvqkitError
from svqkit.paper.claims import rules
from svqkit.paper.claims.accuracy import STUDIED
from svqkit.paper.claims.evidence import Pair, comparisons, doubts, measure, measured
from svqkit.paper.claims.verdict import Evidence, Finding
from svqkit.paper.results import Results
from svqkit.paper.selection import experiments_of, role

LEAST_KURTOSIS = 6.0  # "well above" the 3 of a normal distribution: twice that
LEAST_SHARE = 0.5  # of the weights below 1 % of the largest of their place
SVQ = f"{STUDIED}-svq"


def sparse(results: Results) -> Evidence:
    """Most weights are near zero and few are large: kurtosis and share near zero are above their limits."""
    kurtosis, share = (measure(results, STUDIED, SVQ, name) for name in ("kurtosis", "near_zero_0.01"))
    return Evidence((rules.above(kurtosis, LEAST_KURTOSIS), rules.above(share, LEAST_SHARE)))


def mae_is_better(results: Results) -> Evidence:
    """SVQ trained with MAE has a lower MSE than SVQ trained with MSE."""
    names = _by_loss(results)
    found, missing = comparisons(results, [Pair(STUDIED, names["mae"], names["mse"])])
    return Evidence(tuple(rules.effects(found, -1)), tuple(missing))


def mae_is_sparser(results: Results) -> Evidence:
    """The kurtosis of the weights is higher after training with MAE than after training with MSE."""
    names = _by_loss(results)
    difference = _difference(results, names["mae"], names["mse"], "kurtosis")
    levels = [measure(results, STUDIED, names[loss], "kurtosis") for loss in ("mae", "mse")]
    return Evidence((*rules.effects([difference], 1), *levels))


def _by_loss(results: Results) -> dict[str, str]:
    """SVQ's experiments by training loss.

    Raises:
        SvqkitError: there are not both.
    """
    names = {
        experiment.training.loss: experiment.name
        for experiment in experiments_of(results, STUDIED, "loss")
        if role(experiment) == "svq"
    }
    if not {"mae", "mse"} <= set(names):
        raise SvqkitError("runs of SVQ trained with MAE and trained with MSE")
    return names


def _difference(results: Results, experiment: str, base: str, metric: str) -> Finding:
    """How much larger a measure is, relative to the base's mean, with the interval and p of Welch's t-test."""
    ours, theirs = (measured(results, STUDIED, name, metric) for name in (experiment, base))
    mean = statistics.fmean(theirs)
    found = Finding(
        Pair(STUDIED, experiment, base, metric).words,
        statistics.fmean(ours) / mean - 1,
        trainings=min(len(ours), len(theirs)),
        links=Pair(STUDIED, experiment, base, metric).links(results),
        doubts=doubts(results, STUDIED, min(len(ours), len(theirs))),
    )
    if found.trainings < 2:
        return found
    test = stats.ttest_ind(ours, theirs, equal_var=False)
    low, high = test.confidence_interval()
    return replace(found, low=low / mean, high=high / mean, p_value=float(test.pvalue))
