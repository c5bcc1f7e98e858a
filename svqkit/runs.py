"""Runs: the folder that a training leaves, and how to open it again.

``<root>/<profile>/<dataset>/<experiment>/seed<seed>/`` holds
    config.json         the experiment with all its settings, the seed, channels and size of frames, version of the kit
    best.safetensors    weights of the epoch with the lowest validation loss
    last.safetensors    weights of the last epoch
    log.csv             one row per epoch: epoch, learning_rate, train_loss, validation_loss
Nothing in it depends on the machine's clock, so equal runs are equal files.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import get_args

import pandas as pd
from torch import nn

from svqkit import __version__, models
from svqkit.checkpoint import load_weights
from svqkit.config import Experiment, Study, as_tree, experiment_from_tree
from svqkit.errors import SvqkitError
from svqkit.paths import run_path


@dataclass(frozen=True)
class Run:
    """One finished training."""

    path: Path
    experiment: Experiment
    seed: int
    channels: tuple[str, ...]
    size: tuple[int, int]

    @property
    def name(self) -> str:
        """``<experiment>-seed<seed>``."""
        return f"{self.experiment.name}-seed{self.seed}"

    @property
    def has_codebook(self) -> bool:
        """Whether its quantizer has codes to look at."""
        return resolve_name(self.experiment.quantizer.layer).has_codebook

    def model(self, weights: str = "best") -> nn.Module:
        """The trained model in eval mode, with its "best" or "last" weights.

        Raises:
            SvqkitError: the weights are missing, damaged or of another model.
        """
        model = models.build(self.experiment, (len(self.channels), *self.size))
        load_weights(model, self.path / f"{weights}.safetensors")
        return model.eval()

    def log(self) -> pd.DataFrame:
        """One row per epoch."""
        return pd.read_csv(self.path / "log.csv")


def write_config(
    path: Path, experiment: Experiment, seed: int, channels: tuple[str, ...], size: tuple[int, int]
) -> None:
    """Write config.json into a run's folder; ``size`` is the height and width of frames."""
    tree = {"svqkit": __version__, "experiment": as_tree(experiment), "seed": seed, "channels": channels, "size": size}
    (path / "config.json").write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")


def open_run(path: str | Path) -> Run:
    """The run in folder ``path``.

    Raises:
        SvqkitError: there is no finished run, or it was made by a version with other settings.
    """
    path = Path(path)
    try:
        tree = json.loads((path / "config.json").read_text(encoding="utf-8"))
        experiment = experiment_from_tree(tree["experiment"], str(path / "config.json"))
        return Run(path, experiment, int(tree["seed"]), tuple(tree["channels"]), tuple(tree["size"]))
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise SvqkitError(f"No finished run at {path} ({error!r}). Train it first, e.g. with `dvc repro`.") from error


def find_runs(experiments: list[Experiment], root: str | Path = "runs") -> list[Run]:
    """The finished runs of ``experiments``, all seeds, in the order of params.yaml.

    Raises:
        SvqkitError: one is not there.
    """
    return [open_run(run_path(experiment, seed, root)) for experiment in experiments for seed in experiment.seeds]


def by_study(runs: list[Run]) -> dict[str, list[Run]]:
    """The runs of each study that has some, the main one first."""
    return {
        study: members
        for study in get_args(Study)
        if (members := [run for run in runs if study in run.experiment.studies])
    }


def any_run(root: str | Path = "runs", with_codebook: bool = False, dataset: str = "*") -> Run:
    """The first finished run below ``root``, of a dataset or of any, for looking around.

    Raises:
        SvqkitError: there is none.
    """
    for path in sorted(Path(root).glob(f"*/{dataset}/*/seed*")):
        run = open_run(path)
        if not with_codebook or run.has_codebook:
            return run
    what = f" of {dataset}" * (dataset != "*") + " with a codebook" * with_codebook
    raise SvqkitError(f"No finished run{what} in {root}. Train one: `dvc repro`.")
