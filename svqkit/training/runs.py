"""Runs: the folder that a training leaves, and how to open it again.

``<root>/<profile>/<dataset>/<experiment>/seed<seed>/`` holds
    config.json         the experiment with all its settings, the seed, channels and size of frames, what these frames
                        are (svqkit.data.domain: statistics, units, coordinates, spacing), versions of the libraries,
                        digests of the data and the code that it was made from and of the other files
    best.safetensors    weights of the epoch with the lowest validation loss
    last.safetensors    weights of the last epoch
    log.csv             one row per epoch: epoch, learning_rate, train_loss, validation_loss
    steps.csv           one row per look at the loss: step, train_loss (mean since the look before)
The folder is all that a forecast needs: copied to another machine it works there, without store, params.yaml or raw
files. Nothing in it depends on the clock or the machine's name, so equal runs are equal files.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, get_args
from warnings import warn

import pandas as pd
import pydantic.dataclasses
import torch
from torch import nn

from svqkit import models
from svqkit.data.domain import Domain
from svqkit.errors import SvqkitError
from svqkit.settings.params import Experiment, Study, experiment_from_tree
from svqkit.settings.types import STRICT, Names, Natural, Size, checked
from svqkit.training.checkpoint import load_weights
from svqkit.training.fingerprint import with_uncounted
from svqkit.training.paths import run_path
from svqkit.userfiles import read_json, refuse_special


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

    def as_part_of(self, experiment: Experiment) -> "Run":
        """Return this run with what its training did not depend on, such as its studies, as ``experiment`` has it."""
        return replace(self, experiment=with_uncounted(self.experiment, experiment))

    @cached_property
    def _config(self) -> dict[str, Any]:
        return read_json(self.path / "config.json")

    @property
    def domain(self) -> Domain:
        """What its frames are: statistics, units, coordinates, spacing.

        Raises:
            SvqkitError: the run was made before these were kept.
        """
        try:
            return Domain.from_tree({**self._config["domain"], "channels": self.channels, "size": self.size})
        except KeyError as error:
            raise SvqkitError(
                f"{self.path} keeps no {error} of its training data, which a forecast needs: it was made by an earlier "
                "version of svqkit. Train it again, e.g. with `dvc repro`."
            ) from error

    @property
    def versions(self) -> dict[str, str]:
        """Of svqkit and of what it was trained with."""
        return checked(dict[str, str], self._config.get("versions", {}), f"{self.path}: versions")

    def forecast(self, x: Any, frames: int | None = None, device: str | torch.device | None = None) -> Any:
        """What comes after ``x``, in the same form; see :func:`svqkit.forecasting.forecast`.

        What a user should know of how ``x`` was taken is said by warnings.
        """
        from svqkit.forecasting import forecast

        made = forecast(self, x, frames, device)
        for note in made.notes:
            warn(f"{self.name}: {note}", stacklevel=2)
        return made.result

    @property
    def has_codebook(self) -> bool:
        """Whether its quantizer has codes to look at."""
        return resolve_name(self.experiment.quantizer.layer).has_codebook

    def model(self, weights: str = "best") -> nn.Module:
        """The trained model in eval mode, with its "best" or "last" weights.

        Raises:
            SvqkitError: the weights are missing, damaged or of another model.
        """
        path, frame_shape = self.path / f"{weights}.safetensors", (len(self.channels), *self.size)
        if path.is_file():
            one = self.experiment
            models.refuse_larger(one.model, one.quantizer, one.data.frames_in, frame_shape, path.stat().st_size, path)
        model = models.build(self.experiment, frame_shape)
        load_weights(model, path)
        return model.eval()

    def log(self) -> pd.DataFrame:
        """One row per epoch."""
        refuse_special(self.path / "log.csv")
        return pd.read_csv(self.path / "log.csv")

    def steps(self) -> pd.DataFrame:
        """step, train_loss: the mean training loss since the row before; without rows where it was not kept."""
        path = self.path / "steps.csv"
        refuse_special(path)
        empty = pd.DataFrame({"step": pd.Series(dtype=int), "train_loss": pd.Series(dtype=float)})
        # A training of no step leaves a file without even a header.
        return pd.read_csv(path) if path.exists() and path.stat().st_size > 1 else empty


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT)
class _Frames:
    """What config.json says beside the experiment, to be checked as that is."""

    seed: Natural
    channels: Names
    size: Size


def open_run(path: str | Path) -> Run:
    """Return the run in folder ``path``; of an experiment's folder that of its lowest seed, and say so.

    Raises:
        SvqkitError: there is no finished run, there are runs of several experiments (the message lists them), or it
            was made by a version with other settings.
    """
    path = Path(path)
    if not (path / "config.json").exists():
        path = _lowest_seed(path)
    try:
        tree = read_json(path / "config.json")
        experiment = experiment_from_tree(tree["experiment"], str(path / "config.json"))
        frames = {name: tree[name] for name in ("seed", "channels", "size")}
    except (OSError, KeyError, TypeError) as error:
        raise SvqkitError(f"No finished run at {path} ({error!r}). Train it first, e.g. with `dvc repro`.") from error
    frames = checked(_Frames, frames, str(path / "config.json"))
    return Run(path, experiment, frames.seed, frames.channels, frames.size)


def finished_seeds(folder: str | Path) -> list[Path]:
    """Return the folders of an experiment's finished runs, the lowest seed first."""
    found = [path.parent for path in Path(folder).glob("seed*/config.json")]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _lowest_seed(folder: Path) -> Path:
    """The finished run of an experiment's folder with the lowest seed; ``folder`` itself when it holds no runs.

    Raises:
        SvqkitError: it holds the runs of several experiments, as the folder of a dataset or a profile does.
    """
    if seeds := finished_seeds(folder):
        others = f"others there: {', '.join(path.name for path in seeds[1:])}" if seeds[1:] else "the only one there"
        print(f"note: {folder} is an experiment's folder; its {seeds[0].name} is opened ({others})")
        return seeds[0]
    inside = sorted(
        {path.parents[1] for depth in ("*", "*/*", "*/*/*") for path in folder.glob(f"{depth}/seed*/config.json")}
    )
    if inside:
        listed = "; ".join(
            f"{one.relative_to(folder)} ({', '.join(path.name for path in finished_seeds(one))})" for one in inside
        )
        raise SvqkitError(
            f"{folder} holds the runs of {len(inside)} experiment(s): name one of them, such as {inside[0]}. "
            f"There are {listed}."
        )
    return folder


def find_runs(experiments: list[Experiment], root: str | Path = "runs") -> list[Run]:
    """The finished runs of ``experiments``, all seeds, in the order of params.yaml; says which are not there.

    A training that failed thus keeps no other from being scored. Their studies are those of ``experiments``: a run
    that was trained before it became part of one is not trained again for it.

    Raises:
        SvqkitError: none is there.
    """
    wanted = {run_path(experiment, seed, root): experiment for experiment in experiments for seed in experiment.seeds}
    finished = [path for path in wanted if (path / "config.json").exists()]
    if wanted and not finished:
        raise SvqkitError(
            f"No finished run at {next(iter(wanted))}, nor any other. Train first, e.g. with `dvc repro`."
        )
    for path in wanted:
        if path not in finished:
            print(f"Left out, since it is not trained: {path}")
    return [open_run(path).as_part_of(wanted[path]) for path in finished]


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
