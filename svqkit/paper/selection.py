"""Which experiments and scores tables, figures and claims are made of, as their settings say."""

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from itertools import groupby

import pandas as pd

from svqkit.errors import SvqkitError
from svqkit.paper.results import Results
from svqkit.settings.params import Experiment, as_tree

BASE = "none"  # the quantizer of the base


def base_of(experiment: Experiment, among: Iterable[Experiment]) -> Experiment | None:
    """Return the first of ``among`` with the same model but no quantizer; None if there is no other one."""
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
    """Return the learnable SVQ of the study "main": the one that variants are compared with."""
    for experiment in among:
        if "main" in experiment.studies and experiment.quantizer.name == "svq" and experiment.quantizer.learnable:
            return experiment
    return None


def pair_frozen_and_learnable(among: Iterable[Experiment]) -> list[tuple[Experiment | None, Experiment | None]]:
    """Return frozen and learnable SVQ of the same settings otherwise, side by side; None for one that was not run."""
    ours = [experiment for experiment in among if experiment.quantizer.name == "svq"]

    def settings(experiment: Experiment) -> str:
        alike = replace(experiment.quantizer, learnable=True)
        return str((asdict(alike), asdict(experiment.model), asdict(experiment.training)))

    pairs = []
    for _, same in groupby(sorted(ours, key=settings), settings):
        by_kind = {member.quantizer.learnable: member for member in reversed(list(same))}
        pairs.append((by_kind.get(False), by_kind.get(True)))
    return sorted(pairs, key=lambda pair: next(experiment for experiment in pair if experiment).quantizer.codebook_size)


def codes(experiment: Experiment) -> int | None:
    """Return the size of its codebook; None where it has none to choose."""
    return getattr(experiment.quantizer, "codebook_size", None)


def differences(experiment: Experiment, reference: Experiment) -> str:
    """Return the settings of model, quantizer and training that ``reference`` does not have: ``"init: kaiming"``."""
    found: list[str] = []
    for part in ("model", "quantizer", "training"):
        ours, others = (as_tree(getattr(member, part)) for member in (experiment, reference))
        if ours.get("name") != others.get("name"):
            own = {key: value for key, value in ours.items() if key not in others}
            found += [f"quantizer: {ours['name']}", *_differing(own, {})]
        else:
            found += _differing(ours, others)
    return ", ".join(found)


def _differing(ours: Mapping[str, object], others: Mapping[str, object]) -> list[str]:
    return [f"{key}: {_yes_or_no(value)}" for key, value in ours.items() if value != others.get(key)]


def _yes_or_no(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def experiments_of(results: Results, dataset: str, study: str | None = None) -> list[Experiment]:
    """Return the scored experiments on a dataset, of one study or of all, in the order of params.yaml."""
    return list({run.experiment.name: run.experiment for run in results.runs(dataset, study)}.values())


def datasets_with(results: Results, studies: Collection[str]) -> list[str]:
    """Return the datasets on which experiments of any of ``studies`` were scored.

    Raises:
        SvqkitError: there is none.
    """
    there = [
        name
        for name in results.datasets
        if any(set(run.experiment.studies) & set(studies) for run in results.runs(name))
    ]
    if not there:
        raise SvqkitError(
            f"No scores of profile {results.profile!r} are of study {' or '.join(studies)}, so there is nothing to "
            f"draw. Train and score such experiments of params.yaml: `dvc repro`. There are scores of: "
            f"{', '.join(results.datasets)}."
        )
    return there


def role(experiment: Experiment) -> str:
    """Return the name of the quantizer, of SVQ with whether its codebook learns: none, svq, svq_frozen, vq, …"""
    quantizer = experiment.quantizer
    return f"{quantizer.name}_frozen" if getattr(quantizer, "learnable", True) is False else quantizer.name


def pairs_of(results: Results, dataset: str) -> list[tuple[Experiment, Experiment]]:
    """Return each base of the main table with the SVQ of the same model."""
    main = experiments_of(results, dataset, "main")
    return [(base, svq) for svq in main if role(svq) == "svq" and (base := base_of(svq, main)) is not None]


def families(experiments: Iterable[Experiment], varied: Collection[str] = ()) -> dict[str, list[Experiment]]:
    """Return experiments whose quantizers and models are alike but for the settings ``varied``, by role.

    Where several families have one role, each goes by the name of its first member.
    """
    alike: dict[tuple[str, str], list[Experiment]] = {}
    for member in experiments:
        parts = [as_tree(part) for part in (member.quantizer, member.model)]
        settings = [{key: value for key, value in part.items() if key not in varied} for part in parts]
        alike.setdefault((role(member), json.dumps(settings, sort_keys=True)), []).append(member)
    roles = [key[0] for key in alike]
    return {key[0] if roles.count(key[0]) == 1 else members[0].name: members for key, members in alike.items()}


def seed_scores(results: Results, dataset: str, metric: str = "mse") -> pd.DataFrame:
    """Return scores over all leads and channels: experiment, seed (-1: a baseline), value."""
    scores = results.scores
    chosen = scores[
        (scores["dataset"] == dataset)
        & (scores["metric"] == metric)
        & (scores["protocol"] == "clean")
        & (scores["channel"] == "mean")
        & (scores["lead"] == 0)
    ]
    return chosen[["experiment", "seed", "value"]].dropna()


def one_unit(results: Results, dataset: str) -> bool:
    """Return whether all channels of a dataset are in one unit, so that a mean over them means something."""
    return len(set(results.errors_of_persistence(dataset)["unit"].to_numpy().tolist())) == 1


def largest_rise(losses: pd.Series) -> float:
    """Return the max over t of l_t / min(l_1 … l_t) − 1: 0 for a loss that only falls, infinite if one is not finite.

    It means something for losses that are positive throughout.
    """
    if not losses.map(math.isfinite).all():
        return math.inf
    return float((losses / losses.cummin()).max() - 1)
