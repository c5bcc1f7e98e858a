"""T1: forecasts of weather, with and without SVQ."""

from collections.abc import Iterator
from functools import partial

from svqkit.errors import SvqkitError
from svqkit.paper import published
from svqkit.paper.relations import base_of
from svqkit.paper.results import Results
from svqkit.paper.tables.captions import table_of
from svqkit.paper.tables.measured import Measured
from svqkit.paper.tables.sections import models_section, published_section, variables_section
from svqkit.paper.tables.table import Section, Table
from svqkit.plots.names import metric_name

METRICS = ("mse", "mae", "rmse", "wrmse", "acc")
_PUBLISHED = ("mse", "mae", "rmse")
_WORDS = (
    "Fields in physical units; WRMSE weighs places by their area, ACC is the anomaly correlation. As published, RMSE "
    "is the root of the mean over everything (of uv10 over both components), of several variables (mv, hmv) the mean "
    "over variables of such roots."
)


def table(results: Results) -> Table:
    """Scores of study "main" on every weather dataset, by variable where there are several, beside published ones.

    Beside the published ones stand those of study "published" too, and only what was trained on the published windows.

    Raises:
        SvqkitError: there are no scores of a weather dataset.
    """
    names = [name for name in results.datasets if results.settings.dataset(name).source == "weather"]
    if not names:
        raise SvqkitError("T1 needs scores of a weather dataset: none are there. Run `dvc repro`.")
    sections = [part for name in names for part in _sections(Measured(results, name))]
    return table_of(results, "t1", "Weather: SVQ and its base", sections, names, _WORDS)


def _sections(measured: Measured) -> Iterator[Section]:
    name, members = measured.dataset, measured.experiments("main")
    variables = measured.variables()
    several = len(variables) > 1
    over = f", {_mean_of(measured)}" * several
    yield models_section(
        measured, f"{name}{over}", members, METRICS, partial(base_of, among=members), True, notes=_units_note(measured)
    )
    if several:
        levels = " over its levels" * any(len(channels) > 1 for _, channels in variables.values())
        for metric in ("mae", "rmse"):
            words = f"{name}, {metric_name(metric)} of each variable{levels}"
            yield variables_section(measured, words, members, metric)
    quoted = {quote.variable for quote in published.quotes(name)}
    fields = {f"{name}{over}, beside published": [("mean", metric) for metric in _PUBLISHED]}
    if several and quoted & set(variables):
        for metric in _PUBLISHED:
            words = f"{name}, {metric_name(metric)} by variable, beside published"
            fields[words] = [(variable, metric) for variable in variables if variable in quoted]
    ours = [*members, *measured.experiments("published")]
    beside = (published_section(measured, words, ours, some) for words, some in fields.items())
    yield from (part for part in beside if part)


def _mean_of(measured: Measured) -> str:
    """What the channel "mean" is the mean over: variables, where scores have them, or all channels."""
    return f"mean over {'variables' if measured.has_variables else 'channels'}"


def _units_note(measured: Measured) -> list[str]:
    units = {unit for unit, _ in measured.variables().values()}
    if len(units) == 1:
        return []
    return [f"The {_mean_of(measured)} mixes quantities of different units: those with the largest numbers rule it."]
