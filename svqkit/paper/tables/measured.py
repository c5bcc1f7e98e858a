"""The numbers of one dataset as cells: what was measured, how it differs from a base, what was published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import xarray as xr

from svqkit import plots
from svqkit.evaluation import significance
from svqkit.paper import published
from svqkit.paper.results import Results
from svqkit.paper.tables.cells import Change, Number, Published
from svqkit.paper.tables.table import Column
from svqkit.plots.names import HIGHER_IS_BETTER, metric_label
from svqkit.settings.params import Experiment

_ROOTED = frozenset({"rmse", "wrmse"})


@dataclass(frozen=True, eq=False)
class Measured:
    """What there is of one dataset."""

    results: Results
    dataset: str

    @cached_property
    def errors(self) -> xr.Dataset:
        """The error fields of persistence: units, count of windows, what the data are."""
        return self.results.errors_of_persistence(self.dataset)

    @property
    def windows(self) -> int:
        """How many windows of the test split were scored."""
        return int(self.errors.attrs["windows"])

    @cached_property
    def baselines(self) -> list[str]:
        """The forecasts without training that were scored: persistence, and climatology where there is one."""
        scores = self.results.scores
        own = scores[(scores["dataset"] == self.dataset) & (scores["seed"] < 0)]
        return list(own["experiment"].unique())

    def experiments(self, study: str) -> list[Experiment]:
        """The experiments of a study, each once, in the order of params.yaml."""
        runs = self.results.runs(self.dataset, study)
        return list({run.experiment.name: run.experiment for run in runs}.values())

    def number(self, experiment: str, metric: str, protocol: str = "clean", channel: str = "mean") -> Number | None:
        """A score over all lead times; None where it was not or can't be computed."""
        return self._over_seeds(self._scores.get((experiment, protocol, channel, metric)), experiment)

    def measure(self, experiment: str, name: str) -> Number | None:
        """What is known of a codebook, see :data:`svqkit.plots.MEASURES`."""
        return self._over_seeds(self._measures.get((experiment, name)), experiment)

    def runs_link(self) -> str:
        """The folder of all runs of the dataset, for numbers that are made of several experiments."""
        return (self.results.runs_root / self.results.profile / self.dataset).as_posix()

    def change(self, experiment: str, base: str, metric: str) -> Change | None:
        """How the error differs from that of ``base`` in the same windows; None where one of them was not scored.

        Raises:
            SvqkitError: the errors window by window are not there.
        """
        if experiment == base or not all(
            (name, "clean", "mean", metric) in self._scores for name in (experiment, base)
        ):
            return None
        found = significance.compare(self.results.windows(self.dataset), experiment, base, metric)
        return Change(found.relative, found.low, found.high, found.p_value, int(found.seeds), int(found.windows), base)

    def published(self, quotes: list[published.Quote], metric: str, variable: str = "mean") -> Published | None:
        """The certain ones among some published numbers that are of a metric and a variable; equal ones once."""
        found = dict.fromkeys(
            (quote.value, quote.source)
            for quote in quotes
            if (quote.metric, quote.variable) == (metric, variable) and not quote.doubtful
        )
        return Published(tuple(found)) if found else None

    def units(self, channel: str = "mean") -> Mapping[str, str]:
        """The units of each metric, of a variable or of all channels together."""
        if channel == "mean":
            unit = plots.units_of({"persistence": self.errors})
        else:
            unit, _ = self.variables()[channel]
        return plots.metric_units(unit, str(self.errors.attrs.get("original_units", "")))

    def column(self, metric: str, key: str = "", note: str = "", ranked: bool = True, channel: str = "mean") -> Column:
        """The column of a metric: ``"r: MSE, protocol paper [%²]"`` with ``note`` "protocol paper", of a variable."""
        better = "higher" if metric in HIGHER_IS_BETTER else "lower"
        name, bracket, unit = metric_label(metric, self.units(channel).get(metric)).partition(" [")
        title = f"{name}, {note}{bracket}{unit}" if note else f"{name}{bracket}{unit}"
        return Column(key or metric, title if channel == "mean" else f"{channel}: {title}", better if ranked else "")

    def variables(self) -> dict[str, tuple[str, list[str]]]:
        """Every variable with its unit and its channels: ``{"t": ("K", ["t_150", "t_500"]), …}``."""
        found: dict[str, tuple[str, list[str]]] = {}
        for channel, unit in zip(
            self.errors["channel"].values.tolist(), self.errors["unit"].values.tolist(), strict=True
        ):
            variable, _, level = channel.rpartition("_")
            name = variable if variable and level.isdecimal() else channel
            found.setdefault(name, (unit, []))[1].append(channel)
        return found

    @property
    def has_variables(self) -> bool:
        """Whether scores are there for each variable, over its channels, and their channel "mean" is over those."""
        scored = {channel for _, _, channel, _ in self._scores}
        return set(self.variables()) <= scored

    def over_levels(self, experiment: str, metric: str, channels: Sequence[str]) -> Number | None:
        """A score over several channels: the mean, or of an RMSE the root of the mean square, as over lead times."""
        found = [self._scores.get((experiment, "clean", channel, metric)) for channel in channels]
        if any(values is None for values in found):
            return None
        values = pd.concat(found, axis=1)
        rooted = metric in _ROOTED
        mean = (values**2).mean(axis=1) ** 0.5 if rooted else values.mean(axis=1)
        return self._over_seeds(mean, experiment)

    def _over_seeds(self, values: pd.Series | None, experiment: str) -> Number | None:
        if values is None or values.isna().all():
            return None
        seeds = int((values.index >= 0).sum())
        spread = float(values.std(ddof=1)) if len(values) > 1 else None
        return Number(float(values.mean()), spread, seeds, self._link(experiment))

    def _link(self, experiment: str) -> str:
        """The folder of an experiment's runs; a baseline has none: the folder of the scores."""
        if experiment in self.baselines:
            return self.results.folder(self.dataset).as_posix()
        return self.results.run_link(experiment)

    @cached_property
    def _scores(self) -> dict[tuple[str, str, str, str], pd.Series]:
        """Values by seed, of each experiment, protocol, channel and metric."""
        scores = self.results.scores
        own = scores[(scores["dataset"] == self.dataset) & (scores["lead"] == 0)].set_index("seed")
        groups = own.groupby(["experiment", "protocol", "channel", "metric"], sort=False)["value"]
        return {key: groups.get_group(key) for key in groups.groups}

    @cached_property
    def _measures(self) -> dict[tuple[str, str], pd.Series]:
        measures = self.results.measures
        own = measures[measures["dataset"] == self.dataset].set_index("seed")
        groups = own.groupby(["experiment", "metric"], sort=False)["value"]
        return {key: groups.get_group(key) for key in groups.groups}
