"""Evidence on stability: whether trainings with a quantizer go smoothly, before and after the translator."""

from svqkit.errors import SvqkitError
from svqkit.paper.claims import rules
from svqkit.paper.claims.accuracy import STUDIED
from svqkit.paper.claims.evidence import Pair, comparisons, doubts
from svqkit.paper.claims.quantizers import RIVALS
from svqkit.paper.claims.verdict import Evidence, Finding
from svqkit.paper.results import Results
from svqkit.paper.selection import experiments_of, largest_rise, role
from svqkit.settings.params import Experiment

WORST_RISE = 1.0  # a loss that comes to more than twice what it had been is no smooth one


def smooth(results: Results) -> Evidence:
    """In each training with SVQ before the translator, the training loss never rises by more than ``WORST_RISE``."""
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
    """Some other quantizer has a higher MSE after the translator than before it."""
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
