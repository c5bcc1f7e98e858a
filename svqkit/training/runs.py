"""Runs: the folder that a training leaves, how it is written, found and opened again.

``<root>/<profile>/<dataset>/<experiment>/seed<seed>/`` holds
    config.json         the experiment with all its settings, the seed, channels and size of frames, what these frames
                        are (svqkit.data.domain: statistics, units, coordinates, spacing), versions of the libraries,
                        digests of the data and the code that it was made from and of the other files
    best.safetensors    weights of the epoch with the lowest validation loss
    last.safetensors    weights of the last epoch
    log.csv             one row per epoch: epoch, learning_rate, train_loss, validation_loss
    steps.csv           one row per reading of the loss: step, train_loss (mean since the reading before)
    README.md           the model card: its data, training, licence and limits in words; yours to add to
The folder is all that a forecast needs: copied to another machine it works there, without store, params.yaml or raw
files. Nothing in it depends on the clock or the machine's name, so equal runs are equal files.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Self, get_args

import pandas as pd
import pydantic.dataclasses
from pydantic import ConfigDict

from svqkit import models
from svqkit.data.domain import Domain
from svqkit.data.plan import declares_simulated
from svqkit.errors import SvqkitError, shown
from svqkit.ownfiles import read_table, read_tree
from svqkit.settings.params import Experiment, Study, as_tree, experiment_from_tree
from svqkit.settings.types import STRICT, Names, Natural, Size, checked
from svqkit.training.checkpoint import load_weights
from svqkit.training.fingerprint import counted, with_uncounted
from svqkit.training.paths import run_path

CONFIG, CARD = "config.json", "README.md"
# Goes up when config.json says something in another way; ``read_config`` then turns the earlier way into the new one.
FORMAT = 2
# Columns of log.csv and steps.csv.
LOG = {"epoch": int, "learning_rate": float, "train_loss": float, "validation_loss": float}
STEPS = {"step": int, "train_loss": float}
PACKAGES = ("svqkit", "torch", "numpy", "timm", "vector-quantize-pytorch", "accelerate", "xarray", "zarr")


@dataclass(frozen=True)
class Run:
    """One finished training.

    Attributes:
        path: its folder.
        experiment: the settings that it was trained with.
        seed: of its training.
        channels: their names.
        size: height and width of frames.
    """

    path: Path
    experiment: Experiment
    seed: int
    channels: tuple[str, ...]
    size: tuple[int, int]

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Return the run in folder ``path``; of an experiment's folder that of its lowest seed, and say so.

        Raises:
            SvqkitError: there is no finished run, there are runs of several experiments (the message lists them), or it
                was made by a version with other settings.
        """
        path = Path(path)
        if not (path / CONFIG).exists():
            path = _lowest_seed(path)
        if not (path / CONFIG).exists():
            raise SvqkitError(f"No finished run at {path}. Train it first, e.g. with `dvc repro`.")
        config = read_config(path)
        experiment = experiment_from_tree(config.experiment, str(path / CONFIG))
        return cls(path, experiment, config.seed, config.channels, config.size)

    @property
    def name(self) -> str:
        """``<experiment>-seed<seed>``."""
        return f"{self.experiment.name}-seed{self.seed}"

    def as_part_of(self, experiment: Experiment) -> Self:
        """Return this run with what its training did not depend on, such as its studies, as ``experiment`` has it."""
        return replace(self, experiment=with_uncounted(self.experiment, experiment))

    @cached_property
    def _config(self) -> "Config":
        return read_config(self.path)

    @property
    def domain(self) -> Domain:
        """What its frames are: statistics, units, coordinates, spacing.

        Raises:
            SvqkitError: the run was made before these were kept, or they don't fit.
        """
        tree = {**self._config.domain, "channels": self.channels, "size": self.size}
        if missing := [known.name for known in fields(Domain) if known.name not in tree]:
            raise SvqkitError(
                f"{self.path} keeps no {missing[0]!r} of its training data, which a forecast needs: it was made by an "
                "earlier version of svqkit. Train it again, e.g. with `dvc repro`."
            )
        return checked(Domain, tree, f"The domain in {self.path / CONFIG}")

    @property
    def versions(self) -> dict[str, str]:
        """Versions of svqkit and of what it was trained with."""
        return self._config.versions

    @property
    def has_codebook(self) -> bool:
        """Whether its quantizer has codes to look at."""
        return resolve_name(self.experiment.quantizer.layer).has_codebook

    def model(self, weights: str = "best") -> models.SimVP:
        """Return the trained model in eval mode, with its "best" or "last" weights.

        Raises:
            SvqkitError: the weights are missing, damaged or of another model.
        """
        path, frame_shape = self.path / f"{weights}.safetensors", (len(self.channels), *self.size)
        trained = self.experiment
        if path.is_file():
            size = path.stat().st_size
            models.refuse_larger(trained.model, trained.quantizer, trained.data.frames_in, frame_shape, size, path)
        model = models.build(trained, frame_shape)
        load_weights(model, path)
        return model.eval()

    def log(self) -> pd.DataFrame:
        """Return one row per epoch: epoch, learning_rate, train_loss, validation_loss."""
        return read_table(self.path / "log.csv", LOG)

    def steps(self) -> pd.DataFrame:
        """Return step, train_loss: the mean training loss since the row before; no rows where it was not kept."""
        path = self.path / "steps.csv"
        empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in STEPS.items()})
        # A training of no step leaves a file without even a header.
        return read_table(path, STEPS) if path.exists() and path.stat().st_size != 1 else empty


@pydantic.dataclasses.dataclass(frozen=True, config=STRICT | ConfigDict(extra="ignore"))
class Config:
    """What config.json of a run says, in today's format; the experiment and the domain are checked by themselves."""

    experiment: dict[str, Any]
    seed: Natural
    channels: Names
    size: Size
    versions: dict[str, str] = field(default_factory=dict)
    domain: dict[str, Any] = field(default_factory=dict)
    made_from: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


open_run = Run.open


def write_config(
    path: Path,
    experiment: Experiment,
    seed: int,
    channels: tuple[str, ...],
    size: tuple[int, int],
    domain: Domain | None = None,
    fingerprint: Mapping[str, Any] | None = None,
) -> None:
    """Write config.json into a run's folder, after all other files; ``size`` is the height and width of frames.

    Without a ``domain`` the run can be evaluated on a store, but not asked for forecasts of its own. Without the
    ``fingerprint`` of its training (see :func:`.loop.fingerprint`) nobody can tell what it was made from.
    """
    tree = {
        "format": FORMAT,
        "versions": versions(),
        "experiment": as_tree(experiment),
        "seed": seed,
        "channels": channels,
        "size": size,
    }
    if domain:
        tree["domain"] = {name: value for name, value in asdict(domain).items() if name not in tree}
    if fingerprint:
        tree["made_from"] = {part: fingerprint[part] for part in ("data", "code")}
        tree["files"] = _digests(path)
    (path / CONFIG).write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")


def read_config(path: Path) -> Config:
    """Return what config.json of a run's folder says, in today's format, whatever version of svqkit has written it.

    Format 1 has no number, and may lack ``versions``, ``domain``, ``made_from`` and ``files``, which came one by one.
    Its domain has only a title to tell whether the data are simulated.

    Raises:
        SvqkitError: there is none, it does not fit, or it is of a later format.
    """
    tree = read_tree(path / CONFIG, dict[str, Any])
    if tree.get("format", 1) not in (1, FORMAT):
        raise SvqkitError(
            f"{path / CONFIG} has format {shown(tree['format'])}, this version of svqkit reads formats up to {FORMAT}: "
            "it was written by a later one. Update svqkit."
        )
    config = checked(Config, tree, str(path / CONFIG))
    simulated = declares_simulated(str(config.domain.get("title", "")))
    return replace(config, domain={"simulated": simulated, **config.domain} if config.domain else {})


def versions() -> dict[str, str]:
    """Return the versions that a result depends on most."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def made_from(path: Path) -> dict[str, Any]:
    """Return what a run was made from: the fingerprint of its training; of an old run the settings only.

    Raises:
        SvqkitError: there is no config.json, or it does not fit.
    """
    config = read_config(path)
    return {"settings": {**counted(config.experiment), "seed": config.seed}, **config.made_from}


def is_run_of(path: Path, fingerprint: Mapping[str, Any]) -> bool:
    """Return whether a finished run with this fingerprint is at ``path``, its files as its training left them."""
    try:
        return made_from(path) == fingerprint and read_config(path).files == _digests(path)
    except (OSError, KeyError, TypeError, SvqkitError):
        return False


def _digests(path: Path) -> dict[str, str]:
    """Return by name the SHA-256 of each file of a run but config.json and the card, to which people may add."""
    digests = {}
    for file in sorted(path.iterdir()):
        if file.is_file() and file.name not in (CONFIG, CARD):
            with file.open("rb") as content:
                digests[file.name] = hashlib.file_digest(content, "sha256").hexdigest()
    return digests


def finished_seeds(folder: str | Path) -> list[Path]:
    """Return the folders of an experiment's finished runs, the lowest seed first."""
    found = [path.parent for path in Path(folder).glob(f"seed*/{CONFIG}")]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def _lowest_seed(folder: Path) -> Path:
    """Return the finished run of an experiment's folder with the lowest seed; ``folder`` itself when it has no runs.

    Raises:
        SvqkitError: it holds the runs of several experiments, as the folder of a dataset or a profile does.
    """
    if seeds := finished_seeds(folder):
        others = f"others there: {', '.join(path.name for path in seeds[1:])}" if seeds[1:] else "the only one there"
        print(f"note: {folder} is an experiment's folder; its {seeds[0].name} is opened ({others})")
        return seeds[0]
    experiments = sorted(
        {path.parents[1] for depth in ("*", "*/*", "*/*/*") for path in folder.glob(f"{depth}/seed*/{CONFIG}")}
    )
    if experiments:
        runs = "; ".join(
            f"{path.relative_to(folder)} ({', '.join(seed.name for seed in finished_seeds(path))})"
            for path in experiments
        )
        raise SvqkitError(
            f"{folder} holds the runs of {len(experiments)} experiment(s): name one of them, such as {experiments[0]}. "
            f"There are {runs}."
        )
    return folder


def find_runs(experiments: list[Experiment], root: str | Path = "runs") -> list[Run]:
    """Return the finished runs of ``experiments``, all seeds, in the order of params.yaml; say which are not there.

    A training that failed thus keeps no other from being scored. Their studies are those of ``experiments``: a run
    that was trained before it became part of one is not trained again for it.

    Raises:
        SvqkitError: none is there.
    """
    wanted = {run_path(experiment, seed, root): experiment for experiment in experiments for seed in experiment.seeds}
    finished = [path for path in wanted if (path / CONFIG).exists()]
    if wanted and not finished:
        raise SvqkitError(
            f"No finished run at {next(iter(wanted))}, nor any other. Train first, e.g. with `dvc repro`."
        )
    for path in wanted:
        if path not in finished:
            print(f"Left out, since it is not trained: {path}")
    return [open_run(path).as_part_of(wanted[path]) for path in finished]


def by_study(runs: list[Run]) -> dict[str, list[Run]]:
    """Return the runs of each study that has some, the main one first."""
    members = {study: [run for run in runs if study in run.experiment.studies] for study in get_args(Study)}
    return {study: found for study, found in members.items() if found}
