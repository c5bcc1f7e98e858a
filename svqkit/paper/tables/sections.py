"""What tables are made of: numbers of a dataset as cells, the kinds of sections, and the caption that suits them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import xarray as xr

from svqkit import plots
from svqkit.errors import SvqkitError
from svqkit.evaluation import read_notes, significance
from svqkit.paper import published
from svqkit.paper.results import Results
from svqkit.paper.selection import differences
from svqkit.paper.tables.table import Cell, Change, Column, Number, Published, Row, Section, Table, Words, section
from svqkit.plots.names import HIGHER_IS_BETTER, display_name, display_names, metric_label, metric_name
from svqkit.settings.params import Experiment

_ROOTED = frozenset({"rmse", "wrmse"})

_PLACE = "Test split, all lead times together; protocol clean where a column does not say otherwise."
_MEAN = "Mean ± standard deviation over seeds; a number without ± is of one training."
_RANK = "In each column the best of the numbers measured here is bold, the second best underlined."
_CHANGE = (
    "Changes are relative to the mean error of what is compared with (negative: better), between runs of the same seed "
    "in the same test windows; in brackets their 95 % interval, and p two-sided, by a bootstrap over seeds and over "
    "blocks of time, or whole clips (svqkit.evaluation.significance). With one seed they leave out the chance in "
    "training. Each stands for itself: of twenty such intervals one is expected to miss."
)
_SHORT = (
    "Intervals are too short where windows are few: of 300 made-up records of 361 windows they held the truth in 81 to "
    "90 % instead of 95 %."
)
_FEW_WINDOWS = 2000
_PUBLISHED = (
    "Published numbers stand in columns of their own and are not ranked; what compares with them is measured under "
    "protocol paper."
)
_NOT_ALIKE = (
    "What was measured here is not of the published size on the published data: the published numbers show where they "
    "stand, no more."
)

ERRORS = ("mse", "mae")  # the metrics whose errors are kept window by window, so that they can be tested
_MEASURES = ("codes", "perplexity", "dead_codes")


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
        """Return the experiments of a study, each once, in the order of params.yaml."""
        runs = self.results.runs(self.dataset, study)
        return list({run.experiment.name: run.experiment for run in runs}.values())

    def number(self, experiment: str, metric: str, protocol: str = "clean", channel: str = "mean") -> Number | None:
        """Return a score over all lead times; None where it was not or can't be computed."""
        return self._over_seeds(self._scores.get((experiment, protocol, channel, metric)), experiment)

    def measure(self, experiment: str, name: str) -> Number | None:
        """Return what is known of a codebook, see :data:`svqkit.plots.MEASURES`."""
        return self._over_seeds(self._measures.get((experiment, name)), experiment)

    def runs_link(self) -> str:
        """Return the folder of all runs of the dataset, for numbers that are made of several experiments."""
        return (self.results.runs_root / self.results.profile / self.dataset).as_posix()

    def change(self, experiment: str, base: str, metric: str) -> Change | None:
        """Compare the error with that of ``base`` in the same windows; None where one of them was not scored.

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
        """Return the certain ones among some published numbers that are of a metric and a variable; equal ones once."""
        found = dict.fromkeys(
            (quote.value, quote.source)
            for quote in quotes
            if (quote.metric, quote.variable) == (metric, variable) and not quote.doubtful
        )
        return Published(tuple(found)) if found else None

    def units(self, channel: str = "mean") -> Mapping[str, str]:
        """Return the units of each metric, of a variable or of all channels together."""
        if channel == "mean":
            unit = plots.units_of({"persistence": self.errors})
        else:
            unit, _ = self.variables()[channel]
        return plots.metric_units(unit, str(self.errors.attrs.get("original_units", "")))

    def column(self, metric: str, key: str = "", note: str = "", ranked: bool = True, channel: str = "mean") -> Column:
        """Return the column of a metric: ``"r: MSE, protocol paper [%²]"`` of variable r with such a note."""
        better = "higher" if metric in HIGHER_IS_BETTER else "lower"
        name, bracket, unit = metric_label(metric, self.units(channel).get(metric)).partition(" [")
        title = f"{name}, {note}{bracket}{unit}" if note else f"{name}{bracket}{unit}"
        return Column(key or metric, title if channel == "mean" else f"{channel}: {title}", better if ranked else "")

    def variables(self) -> dict[str, tuple[str, list[str]]]:
        """Return every variable with its unit and its channels: ``{"t": ("K", ["t_150", "t_500"]), …}``."""
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
        """Return a score over several channels: the mean, or of an RMSE the root of the mean square."""
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


def study_table(
    results: Results,
    key: str,
    title: str,
    studies: Iterable[str],
    sections: Callable[[Measured], Iterable[Section]],
    words: str,
) -> Table:
    """Make a table of the datasets that have runs of one of ``studies``; see :func:`table_of` for the rest.

    Raises:
        SvqkitError: there are no runs of these studies.
    """
    studies = list(studies)
    measured = [
        Measured(results, dataset)
        for dataset in results.datasets
        if any(results.runs(dataset, study) for study in studies)
    ]
    if not measured:
        wanted = " or ".join(f'"{study}"' for study in studies)
        raise SvqkitError(f"{key.upper()} needs runs of study {wanted}: none are there. Run `dvc repro`.")
    found = [section for dataset in measured for section in sections(dataset)]
    return table_of(results, key, title, found, [dataset.dataset for dataset in measured], words)


def table_of(
    results: Results, key: str, title: str, sections: Sequence[Section], datasets: Sequence[str], words: str = ""
) -> Table:
    """Make a table with the caption that suits what its sections hold; ``words`` come first in it.

    Raises:
        SvqkitError: there are no sections: of the studies that it needs nothing but the main experiments was run.
    """
    if not sections:
        raise SvqkitError(f"{key.upper()} has nothing to show yet: none of its variants is scored. Run `dvc repro`.")
    cells = [cell for part in sections for row in part.rows for cell in row.cells.values()]
    sentences = [words, _PLACE]
    if any(isinstance(cell, Number) and cell.seeds for cell in cells):
        sentences.append(_MEAN)
    if any(isinstance(cell, Number) and cell.mark for cell in cells):
        sentences.append(_RANK)
    if any(isinstance(cell, Change) and cell.seeds for cell in cells):
        sentences.append(_CHANGE)
        if any(cell.windows < _FEW_WINDOWS for cell in cells if isinstance(cell, Change) and cell.seeds):
            sentences.append(_SHORT)
    simulated = [name for name in datasets if name in results.simulated]
    if any(isinstance(cell, Published) for cell in cells):
        sentences.append(_PUBLISHED)
        if simulated or results.profile != "paper":
            sentences.append(_NOT_ALIKE)
    if simulated:
        sentences.append(f"Simulated data, no measurements: {', '.join(simulated)}.")
    return Table(key, title, " ".join(sentence for sentence in sentences if sentence), tuple(sections))


def models_section(
    measured: Measured,
    title: str,
    experiments: Sequence[Experiment],
    metrics: Sequence[str],
    base: Callable[[Experiment], Experiment | None],
    baselines: bool = False,
    codebooks: bool = False,
    reference: Experiment | None = None,
    notes: Sequence[str] = (),
) -> Section:
    """Return one row per experiment, its scores under protocol clean, and how its error differs from that of its base.

    Args:
        measured: the numbers.
        title: of the section.
        experiments: the rows.
        metrics: the scores to show, in order; those that nobody has are left out, and a note says why.
        base: what an experiment is compared with.
        baselines: persistence and climatology first.
        codebooks: add what is known of how the codebooks are used.
        reference: say of each experiment in which settings it differs from this one.
        notes: what else must be said.
    """
    names = display_names(experiment.name for experiment in experiments)
    bases = {experiment.name: base(experiment) for experiment in experiments}
    rows = [Row(display_name(name), _scores(measured, name, metrics)) for name in measured.baselines if baselines]
    for experiment in experiments:
        cells = {**about(experiment), **_scores(measured, experiment.name, metrics)}
        if other := bases[experiment.name]:
            cells |= {f"{metric}_change": measured.change(experiment.name, other.name, metric) for metric in ERRORS}
        if codebooks:
            cells |= {name: measured.measure(experiment.name, name) for name in _MEASURES}
        if reference and (different := differences(experiment, reference)):
            cells["differs"] = Words(different)
        rows.append(Row(names[experiment.name], cells))
    against = dict.fromkeys(display_name(other.name) for other in bases.values() if other)
    whom = next(iter(against)) if len(against) == 1 else "its base"
    columns = [
        *about_columns(experiments),
        *(measured.column(metric) for metric in metrics),
        *(Column(f"{metric}_change", f"{metric_name(metric)} against {whom}") for metric in ERRORS),
        *(Column(name, metric_name(name)) for name in _MEASURES),
    ]
    if reference:
        columns.append(Column("differs", f"Settings other than those of {display_name(reference.name)}"))
    said = [_windows_note(measured), *notes, *absent_notes(measured, metrics)]
    return section(title, columns, rows, notes=said)


@dataclass(frozen=True)
class Pair:
    """Two experiments side by side in a row; either may be missing. ``cells`` are what else is said of them."""

    name: str
    base: Experiment | None
    experiment: Experiment | None
    cells: Mapping[str, Cell]


def pairs_section(
    measured: Measured,
    title: str,
    pairs: Sequence[Pair],
    heads: tuple[str, str],
    row_title: str,
    columns: Sequence[Column] = (),
    more_rows: Sequence[Row] = (),
) -> Section:
    """Return one row per pair: the errors of both, and how the second's differ from the first's.

    Args:
        measured: the numbers.
        title: of the section.
        pairs: the rows.
        heads: what the first ones are, and the second ones, for the headings.
        row_title: what the rows are.
        columns: of the pairs' own cells, before the errors.
        more_rows: rows below, such as means.
    """
    rows = []
    for pair in pairs:
        cells: dict[str, Cell] = dict(pair.cells)
        for which, experiment in (("base", pair.base), ("with", pair.experiment)):
            if experiment:
                cells |= {f"{metric}_{which}": measured.number(experiment.name, metric) for metric in ERRORS}
        if pair.base and pair.experiment:
            names = (pair.experiment.name, pair.base.name)
            cells |= {f"{metric}_change": measured.change(*names, metric) for metric in ERRORS}
            cells["seeds"] = Words(_seeds_of(cells))
        rows.append(Row(pair.name, cells))
    shown = [*columns, Column("seeds", "Seeds")]
    for metric in ERRORS:
        shown.append(measured.column(metric, f"{metric}_base", heads[0]))
        shown.append(measured.column(metric, f"{metric}_with", heads[1]))
        shown.append(Column(f"{metric}_change", f"{metric_name(metric)}, {heads[1]} against {heads[0]}"))
    return section(title, shown, rows, row_title, [_windows_note(measured)], more_rows=more_rows)


def published_section(
    measured: Measured,
    title: str,
    experiments: Sequence[Experiment],
    fields: Sequence[tuple[str, str]],
    others: bool = True,
) -> Section | None:
    """Return our scores under protocol paper beside the published ones; None where nothing was published that compares.

    Args:
        measured: the numbers.
        title: of the section.
        experiments: rows of ours, but for those trained on other windows than the published ones. A published method
            that is certainly one of them stands in its row.
        fields: channel (a variable, or "mean") and metric of what is shown.
        others: baselines, and methods that are none of ours, get rows of their own; not those with a quantizer that
            none of ``experiments`` has, which another table shows.
    """
    data = measured.results.settings.dataset(measured.dataset)
    quotes = published.quotes(measured.dataset)
    if not quotes or not published.compares(measured.dataset, data):
        return None
    kinds = {"none", *(experiment.quantizer.name for experiment in experiments)}
    unlike = [display_name(experiment.name) for experiment in experiments if not experiment.trained_for("paper")]
    experiments = [experiment for experiment in experiments if experiment.trained_for("paper")]
    rows_of_ours: dict[str, list[published.Quote]] = {experiment.name: [] for experiment in experiments}
    rows_of_others: dict[str, list[published.Quote]] = {}
    for quote in quotes:
        ours = _row_of(quote, experiments)
        (rows_of_ours[ours] if ours else rows_of_others.setdefault(quote.method, [])).append(quote)
    names = display_names(rows_of_ours)
    by_name = {experiment.name: experiment for experiment in experiments}
    rows = [Row(display_name(name), _beside(measured, name, [], fields)) for name in measured.baselines if others]
    rows += [
        Row(names[name], {**about(by_name[name]), **_beside(measured, name, found, fields)})
        for name, found in rows_of_ours.items()
    ]
    if others:
        rows += [
            Row(method, cells)
            for method, found in rows_of_others.items()
            if _belongs(method, kinds) and (cells := _beside(measured, "", found, fields))
        ]
    columns = about_columns(experiments)
    for channel, metric in fields:
        for kind, note in (("paper", "protocol paper"), ("published", "published")):
            columns.append(_field_column(measured, channel, metric, kind, note))
    doubts = [
        f"Not in the table: {quote_in_words(quote)}."
        for quote in quotes
        if quote.doubtful and (quote.variable, quote.metric) in fields
    ]
    left_out = [f"Not here, since trained on other windows than the published: {', '.join(unlike)}."] if unlike else []
    said = [*left_out, *absent_notes(measured, ["protocol paper"]), *doubts]
    return section(title, columns, rows, notes=said)


def about(experiment: Experiment) -> dict[str, Cell]:
    """Return what every row of ours says of its experiment: the translator and the seeds."""
    return {"translator": Words(display_name(experiment.model.translator))}


def about_columns(experiments: Sequence[Experiment]) -> list[Column]:
    """Return the columns of :func:`about`."""
    several = len({experiment.model.translator for experiment in experiments}) > 1
    return [Column("translator", "Translator")] * several + [Column("seeds", "Seeds")]


def quote_in_words(quote: published.Quote) -> str:
    """Return ``"SimVP+SVQ, PSNR 27.37 (source)"``."""
    return f"{quote.method}, {metric_name(quote.metric)} {quote.value:.10g} ({quote.source})"


def absent_notes(measured: Measured, metrics: Sequence[str]) -> list[str]:
    """Return why some metrics, or a protocol, are not there."""
    reasons: dict[str, list[str]] = {}
    for metric, reason in read_notes(measured.results.folder(measured.dataset)).items():
        if metric in metrics:
            reasons.setdefault(reason, []).append(metric_name(metric))
    return [
        reason if reason.startswith(", ".join(named)) else f"{', '.join(named)}: {reason}"
        for reason, named in reasons.items()
    ]


def _scores(measured: Measured, name: str, metrics: Sequence[str]) -> dict[str, Cell]:
    cells: dict[str, Cell] = {metric: measured.number(name, metric) for metric in metrics}
    if seeds := _seeds_of(cells):
        cells["seeds"] = Words(seeds)
    return cells


def _seeds_of(cells: Mapping[str, Cell]) -> str:
    """How many seeds the numbers of a row rest on, such as "3"; of pairs with unlike ones "1, 3"."""
    counts = sorted({cell.seeds for cell in cells.values() if isinstance(cell, Number) and cell.seeds})
    return ", ".join(map(str, counts))


def _windows_note(measured: Measured) -> str:
    return f"{measured.windows:,} test windows. {measured.errors.attrs['data'].rstrip('.')}."


def _row_of(quote: published.Quote, experiments: Sequence[Experiment]) -> str | None:
    """The experiment of ours that a published method certainly is."""
    counterpart = published.COUNTERPARTS.get(quote.method)
    alike = (experiment.name for experiment in experiments if counterpart and counterpart.is_like(experiment))
    return next(alike, None)


def _belongs(method: str, quantizers: set[str]) -> bool:
    counterpart = published.COUNTERPARTS.get(method)
    return counterpart is None or counterpart.quantizer in quantizers


def _beside(
    measured: Measured, name: str, quotes: list[published.Quote], fields: Sequence[tuple[str, str]]
) -> dict[str, Cell]:
    """The cells of a row that are there; ``name`` is empty for a method that is none of ours."""
    cells: dict[str, Cell] = {}
    for channel, metric in fields:
        cells[f"{channel}_{metric}_paper"] = measured.number(name, metric, "paper", channel) if name else None
        cells[f"{channel}_{metric}_published"] = measured.published(quotes, metric, channel)
    cells = {key: cell for key, cell in cells.items() if cell is not None}
    if seeds := _seeds_of(cells):
        cells["seeds"] = Words(seeds)
    return cells


def _field_column(measured: Measured, channel: str, metric: str, kind: str, note: str) -> Column:
    key, ranked = f"{channel}_{metric}_{kind}", kind == "paper"
    return measured.column(metric, key, note, ranked, channel)


def variables_section(measured: Measured, title: str, experiments: Sequence[Experiment], metric: str) -> Section:
    """Return a row per variable and a column per model: an error under protocol clean, over the variable's levels."""
    names = [*measured.baselines, *(experiment.name for experiment in experiments)]
    shown = display_names(names)
    rows = [
        Row(
            plots.names.with_units(variable, unit),
            {name: measured.over_levels(name, metric, channels) for name in names},
        )
        for variable, (unit, channels) in measured.variables().items()
    ]
    columns = [Column(name, f"{metric_name(metric)}, {shown[name]}") for name in names]
    note = "Each row has units of its own; its best number is bold, the second best underlined."
    return section(title, columns, rows, "Variable", [note], rank_rows="lower")
