"""Evidence on SVQ among other quantizers, and on the size of its codebook."""

from collections.abc import Callable
from functools import partial

from svqkit.paper.claims import rules
from svqkit.paper.claims.accuracy import STUDIED
from svqkit.paper.claims.evidence import Pair, comparisons
from svqkit.paper.claims.verdict import Evidence, Finding
from svqkit.paper.results import Results
from svqkit.paper.selection import experiments_of, role
from svqkit.settings.params import Experiment

SVQ, BASE, FROZEN = f"{STUDIED}-svq", f"{STUDIED}-none", f"{STUDIED}-svq_frozen"
# The quantizers that the paper compares with; others of study "quantizers" are not in it.
RIVALS = ("vq", "multihead_vq", "residual_vq", "grouped_residual_vq", "lfq", "residual_lfq", "residual_fsq")

Judge = Callable[[list[Finding]], list[Finding]]
_lower: Judge = partial(rules.effects, sign=-1)
_higher: Judge = partial(rules.effects, sign=1)


def beats_rivals(results: Results) -> Evidence:
    """SVQ has a lower MSE than each of the others."""
    rivals = _rivals(results)
    return _of_pairs(results, [(SVQ, member.name) for member in rivals], _lower, _absent(rivals))


def rivals_harm(results: Results) -> Evidence:
    """Each of the others has a higher MSE than the model without a quantizer."""
    rivals = _rivals(results)
    return _of_pairs(results, [(member.name, BASE) for member in rivals], _higher, _absent(rivals))


def frozen_as_good(results: Results) -> Evidence:
    """A frozen codebook has the same MSE as one that learns."""
    return _of_pairs(results, [(FROZEN, SVQ)], rules.equivalent)


def large_no_worse(results: Results) -> Evidence:
    """SVQ's largest codebook has no higher MSE than any smaller one."""
    pairs = _largest_against_smaller(results, "svq")
    return _of_pairs(results, pairs, rules.no_worse, [] if pairs else ["runs of SVQ with codebooks of two sizes"])


def rival_grows_worse(results: Results) -> Evidence:
    """Grouped residual VQ's largest codebook has a higher MSE than some smaller one."""
    pairs = _largest_against_smaller(results, "grouped_residual_vq")
    missing = [] if pairs else ["runs of grouped residual VQ with codebooks of two sizes"]
    found = _of_pairs(results, pairs, _higher, missing)
    return Evidence(found.findings, found.missing, "any")


def beats_mlp(results: Results) -> Evidence:
    """SVQ has a lower MSE than its two layers alone, without a codebook."""
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
