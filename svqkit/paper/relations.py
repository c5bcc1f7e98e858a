"""Which experiment another one is to be compared with, and what differs between them, as their settings say."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from itertools import groupby

from svqkit.settings.params import Experiment, as_tree


def base_of(experiment: Experiment, among: Iterable[Experiment]) -> Experiment | None:
    """The first of ``among`` with the same model and no quantizer; None where there is none, or it is that itself."""
    model = replace(experiment.model, quantize_after_translator=False)
    for other in among:
        if (
            other.quantizer.name == "none"
            and other.dataset == experiment.dataset
            and replace(other.model, quantize_after_translator=False) == model
        ):
            return None if other.name == experiment.name else other
    return None


def default_svq(among: Iterable[Experiment]) -> Experiment | None:
    """The learnable SVQ of the study "main": the one that variants are compared with."""
    for experiment in among:
        if "main" in experiment.studies and experiment.quantizer.name == "svq" and experiment.quantizer.learnable:
            return experiment
    return None


def twins(among: Iterable[Experiment]) -> list[tuple[Experiment | None, Experiment | None]]:
    """Frozen and learnable SVQ of the same settings otherwise, side by side; None for one that was not run."""
    ours = [experiment for experiment in among if experiment.quantizer.name == "svq"]

    def settings(experiment: Experiment) -> str:
        alike = replace(experiment.quantizer, learnable=True)
        return str((asdict(alike), asdict(experiment.model), asdict(experiment.training)))

    pairs = []
    for _, same in groupby(sorted(ours, key=settings), settings):
        by_kind = {member.quantizer.learnable: member for member in reversed(list(same))}
        pairs.append((by_kind.get(False), by_kind.get(True)))
    return sorted(pairs, key=lambda pair: next(one for one in pair if one).quantizer.codebook_size)


def codes(experiment: Experiment) -> int | None:
    """The size of its codebook; None where it has none to choose."""
    return getattr(experiment.quantizer, "codebook_size", None)


def differences(experiment: Experiment, reference: Experiment) -> str:
    """The settings of its model, quantizer and training that are not those of ``reference``: ``"init: kaiming"``."""
    found: list[str] = []
    for part in ("model", "quantizer", "training"):
        ours, others = (as_tree(getattr(one, part)) for one in (experiment, reference))
        if ours.get("name") != others.get("name"):
            own = {key: value for key, value in ours.items() if key not in others}
            found += [f"quantizer: {ours['name']}", *_differing(own, {})]
        else:
            found += _differing(ours, others)
    return ", ".join(found)


def _differing(ours: Mapping[str, object], others: Mapping[str, object]) -> list[str]:
    return [f"{key}: {_plain(value)}" for key, value in ours.items() if value != others.get(key)]


def _plain(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
