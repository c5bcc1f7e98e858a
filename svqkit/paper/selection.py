"""Which experiments and scores figures and claims are made of: read from settings, never from lists of names."""

import json
from collections.abc import Collection, Iterable

import pandas as pd

from svqkit.errors import SvqkitError
from svqkit.paper.relations import base_of
from svqkit.paper.results import Results
from svqkit.settings.params import Experiment, as_tree

BASE = "none"  # the quantizer of the base


def experiments_of(results: Results, dataset: str, study: str | None = None) -> list[Experiment]:
    """The scored experiments on a dataset, of one study or of all, in the order of params.yaml."""
    return list({run.experiment.name: run.experiment for run in results.runs(dataset, study)}.values())


def datasets_with(results: Results, studies: Collection[str]) -> list[str]:
    """The datasets on which experiments of any of ``studies`` were scored.

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
    """The name of the quantizer, of SVQ with whether its codebook learns: none, svq, svq_frozen, vq, …"""
    quantizer = experiment.quantizer
    return f"{quantizer.name}_frozen" if getattr(quantizer, "learnable", True) is False else quantizer.name


def pairs_of(results: Results, dataset: str) -> list[tuple[Experiment, Experiment]]:
    """Each base of the main table with the SVQ of the same model."""
    main = experiments_of(results, dataset, "main")
    return [(base, svq) for svq in main if role(svq) == "svq" and (base := base_of(svq, main)) is not None]


def families(experiments: Iterable[Experiment], varied: Collection[str] = ()) -> dict[str, list[Experiment]]:
    """Experiments whose quantizers and models are alike but for the settings ``varied``, by role.

    Where several families have one role, each goes by the name of its first member.
    """
    alike: dict[tuple[str, str], list[Experiment]] = {}
    for experiment in experiments:
        parts = [as_tree(part) for part in (experiment.quantizer, experiment.model)]
        settings = [{key: value for key, value in part.items() if key not in varied} for part in parts]
        alike.setdefault((role(experiment), json.dumps(settings, sort_keys=True)), []).append(experiment)
    roles = [key[0] for key in alike]
    return {key[0] if roles.count(key[0]) == 1 else members[0].name: members for key, members in alike.items()}


def seed_scores(results: Results, dataset: str, metric: str = "mse", protocol: str = "clean") -> pd.DataFrame:
    """Scores over all leads and channels: experiment, seed (-1: a baseline), value."""
    scores = results.scores
    chosen = scores[
        (scores["dataset"] == dataset)
        & (scores["metric"] == metric)
        & (scores["protocol"] == protocol)
        & (scores["channel"] == "mean")
        & (scores["lead"] == 0)
    ]
    return chosen[["experiment", "seed", "value"]].dropna()


def one_unit(results: Results, dataset: str) -> bool:
    """Whether all channels of a dataset are in one unit, so that a mean over them means something."""
    return len(set(results.errors_of_persistence(dataset)["unit"].to_numpy().tolist())) == 1
