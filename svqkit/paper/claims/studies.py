"""Evidence from the studies on one dataset: rival quantizers, codebook sizes, stable training, sparse weights."""

import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from scipy import stats

from svqkit.errors import SvqkitError
from svqkit.paper.claims import rules
from svqkit.paper.claims.accuracy import STUDIED
from svqkit.paper.claims.evidence import Pair, comparisons, doubts, measure, measured
from svqkit.paper.claims.rules import Evidence, Finding
from svqkit.paper.results import Results
from svqkit.paper.selection import experiments_of, largest_rise, role
from svqkit.settings.params import Experiment

SVQ, BASE, FROZEN = f"{STUDIED}-svq", f"{STUDIED}-none", f"{STUDIED}-svq_frozen"
# The quantizers that the paper compares with; others of study "quantizers" are not in it.
RIVALS = ("vq", "multihead_vq", "residual_vq", "grouped_residual_vq", "lfq", "residual_lfq", "residual_fsq")

Judge = Callable[[list[Finding]], list[Finding]]
_lower: Judge = partial(rules.effects, sign=-1)
_higher: Judge = partial(rules.effects, sign=1)

WORST_RISE = 1.0  # a loss that comes to more than twice what it had been is no smooth one

LEAST_KURTOSIS = 6.0  # "well above" the 3 of a normal distribution: twice that
LEAST_SHARE = 0.5  # of the weights below 1 % of the largest of their place


def beats_rivals(results: Results) -> Evidence:
    """Gather evidence that SVQ has a lower MSE than each of the others."""
    rivals = _rivals(results)
    return _of_pairs(results, [(SVQ, member.name) for member in rivals], _lower, _absent(rivals))


def rivals_harm(results: Results) -> Evidence:
    """Gather evidence that each of the others has a higher MSE than the model without a quantizer."""
    rivals = _rivals(results)
    return _of_pairs(results, [(member.name, BASE) for member in rivals], _higher, _absent(rivals))


def frozen_as_good(results: Results) -> Evidence:
    """Gather evidence that a frozen codebook has the same MSE as one that learns."""
    return _of_pairs(results, [(FROZEN, SVQ)], rules.equivalent)


def large_no_worse(results: Results) -> Evidence:
    """Gather evidence that SVQ's largest codebook has no higher MSE than any smaller one."""
    pairs = _largest_against_smaller(results, "svq")
    return _of_pairs(results, pairs, rules.no_worse, [] if pairs else ["runs of SVQ with codebooks of two sizes"])


def rival_grows_worse(results: Results) -> Evidence:
    """Gather evidence that grouped residual VQ's largest codebook has a higher MSE than some smaller one."""
    pairs = _largest_against_smaller(results, "grouped_residual_vq")
    missing = [] if pairs else ["runs of grouped residual VQ with codebooks of two sizes"]
    found = _of_pairs(results, pairs, _higher, missing)
    return Evidence(found.findings, found.missing, "any")


def beats_mlp(results: Results) -> Evidence:
    """Gather evidence that SVQ has a lower MSE than its two layers alone, without a codebook."""
    controls = [experiment for experiment in experiments_of(results, STUDIED, "controls") if role(experiment) == "mlp"]
    pairs = [(SVQ, member.name) for member in controls]
    return _of_pairs(results, pairs, _lower, [] if pairs else ["runs of the MLP without a codebook"])


def _rivals(results: Results) -> list[Experiment]:
    return [experiment for experiment in experiments_of(results, STUDIED, "quantizers") if role(experiment) in RIVALS]


def _absent(rivals: list[Experiment]) -> list[str]:
    missing = [name for name in RIVALS if name not in {role(member) for member in rivals}]
    return [f"runs of {', '.join(missing)}"] if missing else []


def _largest_against_smaller(results: Results, kind: str) -> list[tuple[str, str]]:
    """The experiment with the largest codebook of a quantizer in study "codebook_size", beside each smaller one."""
    found = [experiment for experiment in experiments_of(results, STUDIED, "codebook_size") if role(experiment) == kind]
    *smaller, largest = sorted(found, key=lambda experiment: experiment.quantizer.codebook_size) or [None]
    return [(largest.name, member.name) for member in smaller]


def _of_pairs(
    results: Results, names: list[tuple[str, str]], judge: Judge, missing: list[str] | None = None
) -> Evidence:
    found, absent = comparisons(results, [Pair(STUDIED, experiment, base) for experiment, base in names])
    return Evidence(tuple(judge(found)), (*(missing or []), *absent))


def smooth(results: Results) -> Evidence:
    """Gather evidence that the loss never rises by more than ``WORST_RISE`` with SVQ before the translator.

    Raises:
        SvqkitError: there are no such runs of study "stability", or they kept no losses by step.
    """
    members = [
        experiment
        for experiment in _stability(results)
        if role(experiment) == "svq" and not experiment.model.quantize_after_translator
    ]
    if not members:
        raise SvqkitError("runs of study stability with SVQ before the translator")
    findings = [
        Finding(
            f"{STUDIED}: {member.name}, largest rise of the training loss in any of its trainings",
            worst := max(rises),
            worst,
            worst,
            trainings=len(rises),
            links=(results.run_link(member.name),),
            doubts=doubts(results, STUDIED, len(rises)),
        )
        for member in members
        if (rises := _rises(results, member))
    ]
    if not findings:
        raise SvqkitError("steps.csv of the runs of study stability")
    return Evidence(tuple(rules.below(finding, WORST_RISE) for finding in findings))


def unstable_after_translator(results: Results) -> Evidence:
    """Gather evidence that some other quantizer has a higher MSE after the translator than before it.

    Raises:
        SvqkitError: there are no such runs of study "stability".
    """
    by_place: dict[str, dict[bool, str]] = {}
    for experiment in _stability(results):
        by_place.setdefault(role(experiment), {})[experiment.model.quantize_after_translator] = experiment.name
    pairs = [
        Pair(STUDIED, names[True], names[False])
        for kind, names in by_place.items()
        if kind in RIVALS and len(names) == 2
    ]
    if not pairs:
        raise SvqkitError("runs of study stability with other quantizers before and after the translator")
    found, missing = comparisons(results, pairs)
    return Evidence(tuple(rules.effects(found, 1)), tuple(missing), "any")


def _rises(results: Results, experiment: Experiment) -> list[float]:
    """The largest rise of each training that kept its loss by steps."""
    losses = [
        run.steps()["train_loss"]
        for run in results.runs(STUDIED, "stability")
        if run.experiment.name == experiment.name
    ]
    return [largest_rise(loss) for loss in losses if len(loss)]


def _stability(results: Results) -> list[Experiment]:
    return experiments_of(results, STUDIED, "stability")


def sparse(results: Results) -> Evidence:
    """Gather evidence that most weights are near zero and few are large: kurtosis and share are above their limits."""
    kurtosis, share = (measure(results, STUDIED, SVQ, name) for name in ("kurtosis", "near_zero_0.01"))
    return Evidence((rules.above(kurtosis, LEAST_KURTOSIS), rules.above(share, LEAST_SHARE)))


def mae_is_better(results: Results) -> Evidence:
    """Gather evidence that SVQ trained with MAE has a lower MSE than SVQ trained with MSE."""
    names = _by_loss(results)
    found, missing = comparisons(results, [Pair(STUDIED, names["mae"], names["mse"])])
    return Evidence(tuple(rules.effects(found, -1)), tuple(missing))


def mae_is_sparser(results: Results) -> Evidence:
    """Gather evidence that the kurtosis of the weights is higher after training with MAE than with MSE."""
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
