"""All that the kit has measured under one profile: what the paper's tables, figures and claims are made from."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pandas as pd
import xarray as xr

from svqkit import evaluation
from svqkit.data.plan import declares_simulated
from svqkit.errors import SvqkitError
from svqkit.settings.params import Params
from svqkit.training.paths import run_path, scores_path
from svqkit.training.runs import Run, open_run
from svqkit.userfiles import refuse_special


@dataclass(frozen=True, eq=False)
class Results:
    """Runs and scores of a profile, read when they are asked for.

    Not every dataset need be there: whoever has the real files of one only gets the tables with that one in it.

    Attributes:
        settings: params.yaml.
        runs_root, scores_root, costs_root, reports_root, stores_root: where stages of the pipeline leave their
            results.
    """

    settings: Params
    runs_root: Path = Path("runs")
    scores_root: Path = Path("scores")
    costs_root: Path = Path("costs")
    reports_root: Path = Path("reports")
    stores_root: Path = Path("stores")

    @property
    def profile(self) -> str:
        """sample or paper."""
        return self.settings.profile

    @cached_property
    def datasets(self) -> list[str]:
        """The datasets that have scores, in the order of params.yaml.

        Raises:
            SvqkitError: none has.
        """
        there = [name for name in self.settings.datasets if (self.folder(name) / "scores.csv").exists()]
        if not there:
            raise SvqkitError(f"No scores of profile {self.profile!r} in {self.scores_root}. Run `dvc repro` first.")
        return there

    def folder(self, dataset: str) -> Path:
        """Return where the scores of a dataset are."""
        return scores_path(self.profile, dataset, self.scores_root)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Tidy: dataset, experiment, seed (-1: a baseline), protocol, channel, metric, lead (0: all), value."""
        return self._joined(evaluation.read_scores)

    @cached_property
    def measures(self) -> pd.DataFrame:
        """What is known of codebooks, tidy like the scores, without a channel."""
        return self._joined(evaluation.read_measures)

    def _joined(self, read: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
        return pd.concat([read(self.folder(name)).assign(dataset=name) for name in self.datasets], ignore_index=True)

    def runs(self, dataset: str, study: str | None = None) -> list[Run]:
        """Return the scored runs on a dataset, of one study or of all, in the order of params.yaml."""
        rows = self.scores[self.scores["dataset"] == dataset]
        scored = set(zip(rows["experiment"], rows["seed"], strict=True))
        return [
            open_run(run_path(experiment, seed, self.runs_root)).as_part_of(experiment)
            for experiment in self.settings.of_dataset(dataset)
            if study is None or study in experiment.studies
            for seed in experiment.seeds
            if (experiment.name, seed) in scored
        ]

    def windows(self, dataset: str) -> xr.Dataset:
        """Return errors window by window, see :func:`svqkit.evaluation.read_windows`."""
        return _windows(self.folder(dataset))

    def errors(self, dataset: str) -> dict[str, xr.Dataset]:
        """Return error fields of the baselines and of the runs of study "main", by name of the run."""
        return evaluation.read_errors(self.folder(dataset))

    def forecasts(self, dataset: str) -> dict[str, xr.Dataset]:
        """Return the sample forecast of the baselines and of the runs of study "main", by name of the run."""
        return evaluation.read_forecasts(self.folder(dataset))

    def usage(self, dataset: str) -> dict[str, dict[str, object]]:
        """Return how each run uses its codebook, see :func:`svqkit.evaluation.read_usage`."""
        return evaluation.read_usage(self.folder(dataset))

    @cached_property
    def costs(self) -> pd.DataFrame:
        """What models cost, see :mod:`svqkit.paper.costs`.

        Raises:
            SvqkitError: that was not measured.
        """
        path = self.costs_root / f"{self.profile}.csv"
        if not path.exists():
            raise SvqkitError(f"No measured costs at {path}. Run the stage that measures them: `dvc repro costs`.")
        refuse_special(path)
        return pd.read_csv(path)

    def data_note(self, dataset: str) -> str:
        """Return what the raw files of a dataset say of themselves."""
        return str(self.errors_of_persistence(dataset).attrs["data"])

    def errors_of_persistence(self, dataset: str) -> xr.Dataset:
        """Return the error fields of persistence, which every dataset has: units and coordinates are taken from it."""
        return xr.load_dataset(self.folder(dataset) / "errors" / "persistence.nc", engine="netcdf4")

    @cached_property
    def simulated(self) -> list[str]:
        """The datasets whose raw files say that they are simulated."""
        return [name for name in self.datasets if _is_simulated(self.errors_of_persistence(name))]

    def run_link(self, experiment: str) -> str:
        """Return the folder of an experiment's runs, from the project's folder."""
        return run_path(self.settings.experiment(experiment), 0, self.runs_root).parent.as_posix()


def _is_simulated(errors: xr.Dataset) -> bool:
    """Return whether scores are of simulated data; those of earlier versions have only the title of the data."""
    return bool(errors.attrs.get("simulated", declares_simulated(errors.attrs["data"])))


@cache
def _windows(folder: Path) -> xr.Dataset:
    return evaluation.read_windows(folder)
