"""The kinds of sections that tables are made of: models, pairs of models, ours beside published, variables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from svqkit import plots
from svqkit.evaluation import read_notes
from svqkit.paper import published
from svqkit.paper.relations import differences
from svqkit.paper.tables.cells import Cell, Number, Words
from svqkit.paper.tables.measured import Measured
from svqkit.paper.tables.table import Column, Row, Section, section
from svqkit.plots.names import display_name, display_names, metric_name
from svqkit.settings.params import Experiment

ERRORS = ("mse", "mae")  # the metrics whose errors are kept window by window, so that they can be tested
_MEASURES = ("codes", "perplexity", "dead_codes")


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
    """One row per experiment, its scores under protocol clean, and how its error differs from that of its base.

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
    """One row per pair: the errors of both, and how the second's differ from the first's.

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
    notes: Sequence[str] = (),
) -> Section | None:
    """Our scores under protocol paper beside the published ones; None where nothing was published that compares.

    Args:
        measured: the numbers.
        title: of the section.
        experiments: rows of ours, but for those trained on other windows than the published ones. A published method
            that is certainly one of them stands in its row.
        fields: channel (a variable, or "mean") and metric of what is shown.
        others: baselines, and methods that are none of ours, get rows of their own; not those with a quantizer that
            none of ``experiments`` has, which another table shows.
        notes: what else must be said.
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
    said = [*notes, *left_out, *absent_notes(measured, ["protocol paper"]), *doubts]
    return section(title, columns, rows, notes=said)


def about(experiment: Experiment) -> dict[str, Cell]:
    """What every row of ours says of its experiment: the translator and the seeds."""
    return {"translator": Words(display_name(experiment.model.translator))}


def about_columns(experiments: Sequence[Experiment]) -> list[Column]:
    """The columns of :func:`about`."""
    several = len({experiment.model.translator for experiment in experiments}) > 1
    return [Column("translator", "Translator")] * several + [Column("seeds", "Seeds")]


def quote_in_words(quote: published.Quote) -> str:
    """``"SimVP+SVQ, PSNR 27.37 (source)"``."""
    return f"{quote.method}, {metric_name(quote.metric)} {quote.value:.10g} ({quote.source})"


def absent_notes(measured: Measured, metrics: Sequence[str]) -> list[str]:
    """Why some metrics, or a protocol, are not there."""
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
    """One row per variable, one column per model: an error under protocol clean, over all levels of the variable."""
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
