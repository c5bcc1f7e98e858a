"""Numbers for claims: comparisons of experiments, levels of measures, ratios of costs, with what is to be doubted."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from svqkit.errors import SvqkitError
from svqkit.evaluation.significance import Comparison, compare
from svqkit.paper.claims.rules import FEWEST_TRAININGS, SIMULATED, Finding, mean_interval
from svqkit.paper.results import Results
from svqkit.plots.names import display_name, metric_name

PUBLISHED = "paper"  # the profile with the published settings
OTHER_SETTINGS = "not the published sizes and trainings"
ONE_TRAINING = f"fewer than {FEWEST_TRAININGS} seeds"


@dataclass(frozen=True)
class Pair:
    """An experiment and what it is compared with."""

    dataset: str
    experiment: str
    base: str
    metric: str = "mse"

    @property
    def words(self) -> str:
        """``"weather_t2m: MSE of SVQ against SimVP"``."""
        names = f"{display_name(self.experiment)} against {display_name(self.base)}"
        return f"{self.dataset}: {metric_name(self.metric)} of {names}"

    def links(self, results: Results) -> tuple[str, str]:
        """Return the folders of the runs of both."""
        return results.run_link(self.experiment), results.run_link(self.base)


def comparisons(results: Results, pairs: Iterable[Pair]) -> tuple[list[Finding], list[str]]:
    """Compare the errors of each pair, and name what is missing.

    Raises:
        SvqkitError: the errors of the windows were not written.
    """
    found, missing = [], []
    for pair in pairs:
        if pair.dataset not in results.datasets:
            missing.append(f"scores of {pair.dataset}")
            continue
        there = set(results.scores.loc[results.scores["dataset"] == pair.dataset, "experiment"])
        absent = [name for name in (pair.experiment, pair.base) if name not in there]
        if absent:
            missing.append(f"runs of {' and '.join(absent)}")
        else:
            found.append(_comparison(results, pair))
    return found, list(dict.fromkeys(missing))


def _comparison(results: Results, pair: Pair) -> Finding:
    result = _compare(results, pair)
    return Finding(
        pair.words,
        result.relative,
        result.low,
        result.high,
        result.p_value,
        trainings=result.seeds,
        windows=result.windows,
        links=pair.links(results),
        doubts=doubts(results, pair.dataset, result.seeds),
    )


@cache
def _compare(results: Results, pair: Pair) -> Comparison:
    """Computed once: several claims look at the same comparison."""
    return compare(results.windows(pair.dataset), pair.experiment, pair.base, pair.metric)


def doubts(results: Results, dataset: str, trainings: int) -> tuple[str, ...]:
    """Return why numbers of a dataset with so many trainings can't settle a claim."""
    there = {
        SIMULATED: dataset in results.simulated,
        OTHER_SETTINGS: results.profile != PUBLISHED,
        ONE_TRAINING: trainings < FEWEST_TRAININGS,
    }
    return tuple(doubt for doubt, holds in there.items() if holds)


def mean_of(findings: Sequence[Finding], what: str) -> Finding:
    """Return the mean of changes on different data, whose intervals are independent of each other.

    The standard error of each is (high − low) / 3.92, that of their mean the root of the sum of squares over n; the
    interval and p are those of a normal distribution.
    """
    count = len(findings)
    value = math.fsum(finding.value for finding in findings) / count
    error = math.sqrt(math.fsum((finding.high - finding.low) ** 2 for finding in findings)) / count / 3.92
    p_value = math.erfc(abs(value) / error / math.sqrt(2)) if error else float(value == 0)
    low, high = value - 1.96 * error, value + 1.96 * error
    return _joined(findings, what, (value, low, high, p_value), min(finding.trainings for finding in findings))


def mean_over_models(findings: Sequence[Finding], what: str) -> Finding:
    """Return the mean change of models that were each trained, with a t-interval over the models.

    Each model is one training of each kind, so that the chance in training is in the interval.
    """
    found = _joined(findings, what, mean_interval([finding.value for finding in findings]), len(findings))
    others = tuple(doubt for doubt in found.doubts if doubt != ONE_TRAINING)
    too_few = (ONE_TRAINING,) * (len(findings) < FEWEST_TRAININGS)
    return replace(found, counted="model", doubts=others + too_few)


def _joined(
    findings: Sequence[Finding], what: str, numbers: tuple[float, float, float, float], trainings: int
) -> Finding:
    return Finding(
        what,
        *numbers,
        trainings=trainings,
        windows=max(finding.windows for finding in findings),
        links=tuple(dict.fromkeys(link for finding in findings for link in finding.links)),
        doubts=tuple(dict.fromkeys(doubt for finding in findings for doubt in finding.doubts)),
    )


def measured(results: Results, dataset: str, experiment: str, metric: str) -> list[float]:
    """Return a measure of an experiment's codebook, of each seed.

    Raises:
        SvqkitError: it was not measured; the message names it, for a list of what is missing.
    """
    table = results.measures
    chosen = table[(table["dataset"] == dataset) & (table["experiment"] == experiment) & (table["metric"] == metric)]
    values = chosen.sort_values("seed")["value"].dropna().tolist()
    if not values:
        raise SvqkitError(f"{metric_name(metric)} of {experiment}")
    return values


def measure(results: Results, dataset: str, experiment: str, metric: str) -> Finding:
    """Return the mean of a measure over seeds, with a t-interval.

    Raises:
        SvqkitError: as :func:`measured`.
    """
    values = measured(results, dataset, experiment, metric)
    value, low, high, _ = mean_interval(values)
    return Finding(
        f"{dataset}: {metric_name(metric)} of {display_name(experiment)}",
        value,
        low,
        high,
        relative=False,
        trainings=len(values),
        links=(results.run_link(experiment),),
        doubts=doubts(results, dataset, len(values)),
    )
