"""Evidence on accuracy: SVQ against the same model without, on each dataset, translator and share of noise."""

from collections.abc import Mapping, Sequence

from svqkit.errors import SvqkitError
from svqkit.models.translators.anatomy import ANATOMY
from svqkit.paper.claims import rules
from svqkit.paper.claims.evidence import Pair, comparisons, doubts, mean_of, mean_over_models
from svqkit.paper.claims.rules import Evidence, Finding
from svqkit.paper.results import Results
from svqkit.paper.selection import experiments_of, role, seed_scores
from svqkit.paper.tables.translators import FAMILIES

STUDIED = "weather_t2m"  # the dataset of every study but the main one
VIDEO = ("human", "kth", "kitticaltech")
# The twelve of the paper's Table 3; TAU, which is not among them, was run without SVQ only.
TWELVE = tuple(name for name in ANATOMY if name != "tau")


def beats_base(results: Results, dataset: str, size: float = 0.0) -> Evidence:
    """Gather evidence that SVQ has a lower MSE than the model without, by ``size`` (relative) if one is claimed.

    Where the two were trained with different losses, SVQ against a model without that was trained with the same one
    is shown beside.
    """
    found, missing = comparisons(results, [_against_base(dataset, "mse")])
    same_loss, _ = comparisons(results, _of_same_loss(results, dataset))
    return Evidence((*rules.effects(found, -1, size), *same_loss), tuple(missing))


def video_error(results: Results, size: float) -> Evidence:
    """Compare the MAE on the three video datasets by the mean of its changes."""
    found, missing = comparisons(results, [_against_base(dataset, "mae") for dataset in VIDEO])
    return _on_average(found, missing, "MAE", size)


def video_quality(results: Results, size: float) -> Evidence:
    """Compare LPIPS on the three video datasets by the mean of its changes: of each seed, since windows have none."""
    found, missing = [], []
    for dataset in VIDEO:
        try:
            found.append(_lpips_change(results, dataset))
        except SvqkitError as error:
            missing.append(str(error))
    return _on_average(found, missing, "LPIPS", size)


def each_translator(results: Results) -> Evidence:
    """Gather evidence that every translator has a lower MSE with SVQ."""
    pairs = _translators(results)
    found, missing = comparisons(results, pairs.values())
    return Evidence(tuple(rules.effects(found, -1)), (*_absent(TWELVE, pairs), *missing))


def translators_on_average(results: Results, family: str, size: float) -> Evidence:
    """Compare the MSE with each translator of a family, or with all (""), by the mean of its changes."""
    members = [name for name in TWELVE if family in ("", FAMILIES[ANATOMY[name].family])]
    pairs = _translators(results)
    found, missing = comparisons(results, [pairs[member] for member in members if member in pairs])
    missing = [*_absent(members, pairs), *missing]
    if missing:
        return Evidence(tuple(found), tuple(missing))
    mean = mean_over_models(found, f"{STUDIED}: mean over {len(found)} translators, MSE of SVQ against none")
    return Evidence((*rules.effects([mean], -1, size), *found))


def under_noise(results: Results) -> Evidence:
    """Gather evidence that at every share of perturbed input values SVQ has a lower MSE than the model without."""
    by_noise: dict[float, dict[str, str]] = {}
    for experiment in experiments_of(results, STUDIED, "noise"):
        by_noise.setdefault(experiment.model.noise, {})[role(experiment)] = experiment.name
    pairs = [
        Pair(STUDIED, names["svq"], names["none"])
        for noise, names in sorted(by_noise.items())
        if noise > 0 and {"svq", "none"} <= set(names)
    ]
    found, missing = comparisons(results, pairs)
    return Evidence(tuple(rules.effects(found, -1)), tuple(missing) if pairs else ("runs with noise of both kinds",))


def _against_base(dataset: str, metric: str) -> Pair:
    return Pair(dataset, f"{dataset}-svq", f"{dataset}-none", metric)


def _of_same_loss(results: Results, dataset: str) -> list[Pair]:
    """SVQ against the base of study "loss" with SVQ's loss, if the base of study "main" has another one."""
    wanted = _against_base(dataset, "mse")
    losses = {experiment.name: experiment.training.loss for experiment in experiments_of(results, dataset)}
    loss = losses.get(wanted.experiment)
    if losses.get(wanted.base) == loss:
        return []
    others = [experiment for experiment in experiments_of(results, dataset, "loss") if role(experiment) == "none"]
    return [Pair(dataset, wanted.experiment, member.name) for member in others if member.training.loss == loss]


def _on_average(found: list[Finding], missing: list[str], metric: str, size: float) -> Evidence:
    """The mean over the video datasets decides; where one is missing there is none."""
    if missing:
        return Evidence(tuple(found), tuple(missing))
    mean = mean_of(found, f"mean over {', '.join(VIDEO)}: {metric} of SVQ against SimVP")
    return Evidence((*rules.effects([mean], -1, size), *found))


def _lpips_change(results: Results, dataset: str) -> Finding:
    pair = _against_base(dataset, "lpips")
    values = {}
    if dataset in results.datasets:
        values = {
            name: part.set_index("seed")["value"]
            for name, part in seed_scores(results, dataset, "lpips").groupby("experiment")
        }
    if pair.experiment not in values or pair.base not in values:
        raise SvqkitError(f"LPIPS of {pair.experiment} and {pair.base}")
    changes = (values[pair.experiment] / values[pair.base] - 1).dropna().tolist()  # of the seeds that both have
    if not changes:
        raise SvqkitError(f"LPIPS of {pair.experiment} and {pair.base} with the same seed")
    return Finding(
        pair.words,
        *rules.mean_interval(changes),
        trainings=len(changes),
        links=pair.links(results),
        doubts=doubts(results, dataset, len(changes)),
    )


def _translators(results: Results) -> dict[str, Pair]:
    """SVQ against the same translator without, by translator."""
    names: dict[str, dict[str, str]] = {}
    for experiment in experiments_of(results, STUDIED, "translators"):
        names.setdefault(experiment.model.translator, {})[role(experiment)] = experiment.name
    return {
        translator: Pair(STUDIED, kinds["svq"], kinds["none"])
        for translator, kinds in names.items()
        if {"svq", "none"} <= set(kinds)
    }


def _absent(wanted: Sequence[str], there: Mapping[str, Pair]) -> list[str]:
    missing = [name for name in wanted if name not in there]
    return [f"runs of {', '.join(missing)} with and without SVQ"] if missing else []
