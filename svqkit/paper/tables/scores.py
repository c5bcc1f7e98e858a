"""T1 and T2: forecasts of weather, and of video and traffic, with and without SVQ."""

from collections.abc import Iterator
from functools import partial

from svqkit.errors import SvqkitError
from svqkit.paper import published
from svqkit.paper.results import Results
from svqkit.paper.selection import base_of
from svqkit.paper.tables.sections import Measured, models_section, published_section, table_of, variables_section
from svqkit.paper.tables.table import Section, Table
from svqkit.plots.names import metric_name

WEATHER_METRICS = ("mse", "mae", "rmse", "wrmse", "acc")
_PUBLISHED_METRICS = ("mse", "mae", "rmse")
_WEATHER_WORDS = (
    "Fields in physical units; WRMSE weighs places by their area, ACC is the anomaly correlation. As published, RMSE "
    "is the root of the mean over everything (of uv10 over both components), of several variables (mv, hmv) the mean "
    "over variables of such roots."
)

VIDEO_METRICS = ("mse", "mae", "ssim", "ssim_published", "psnr", "lpips")
_VIDEO_WORDS = (
    "Frames in [0, 1]; MSE and MAE are sums over a frame, as published. SSIM has a data range of 1, SSIM (published) "
    "one of 2, with which the published ones were computed."
)


def weather_table(results: Results) -> Table:
    """Make T1: study "main" on every weather dataset, by variable where there are several, beside published scores.

    Beside the published ones stand those of study "published" too, and only what was trained on the published windows.

    Raises:
        SvqkitError: there are no scores of a weather dataset.
    """
    names = [name for name in results.datasets if results.settings.dataset(name).source == "weather"]
    if not names:
        raise SvqkitError("T1 needs scores of a weather dataset: none are there. Run `dvc repro`.")
    sections = [part for name in names for part in _weather_sections(Measured(results, name))]
    return table_of(results, "t1", "Weather: SVQ and its base", sections, names, _WEATHER_WORDS)


def _weather_sections(measured: Measured) -> Iterator[Section]:
    name, members = measured.dataset, measured.experiments("main")
    variables = measured.variables()
    several = len(variables) > 1
    over = f", {_mean_of(measured)}" * several
    yield models_section(
        measured,
        f"{name}{over}",
        members,
        WEATHER_METRICS,
        partial(base_of, among=members),
        True,
        notes=_units_note(measured),
    )
    if several:
        levels = " over its levels" * any(len(channels) > 1 for _, channels in variables.values())
        for metric in ("mae", "rmse"):
            words = f"{name}, {metric_name(metric)} of each variable{levels}"
            yield variables_section(measured, words, members, metric)
    quoted = {quote.variable for quote in published.quotes(name)}
    fields = {f"{name}{over}, beside published": [("mean", metric) for metric in _PUBLISHED_METRICS]}
    if several and quoted & set(variables):
        for metric in _PUBLISHED_METRICS:
            words = f"{name}, {metric_name(metric)} by variable, beside published"
            fields[words] = [(variable, metric) for variable in variables if variable in quoted]
    ours = [*members, *measured.experiments("published")]
    beside = (published_section(measured, words, ours, chosen) for words, chosen in fields.items())
    yield from (part for part in beside if part)


def _mean_of(measured: Measured) -> str:
    """What the channel "mean" is the mean over: variables, where scores have them, or all channels."""
    return f"mean over {'variables' if measured.has_variables else 'channels'}"


def _units_note(measured: Measured) -> list[str]:
    units = {unit for unit, _ in measured.variables().values()}
    if len(units) == 1:
        return []
    return [f"The {_mean_of(measured)} mixes quantities of different units: those with the largest numbers rule it."]


def video_table(results: Results) -> Table:
    """Make T2: study "main" on every video and traffic dataset, beside published scores.

    Raises:
        SvqkitError: there are no scores of such a dataset.
    """
    names = [name for name in results.datasets if results.settings.dataset(name).source != "weather"]
    if not names:
        raise SvqkitError("T2 needs scores of a video or traffic dataset: none are there. Run `dvc repro`.")
    sections = [part for name in names for part in _video_sections(Measured(results, name))]
    return table_of(results, "t2", "Video and traffic: SVQ and its base", sections, names, _VIDEO_WORDS)


def _video_sections(measured: Measured) -> Iterator[Section]:
    name, members = measured.dataset, measured.experiments("main")
    yield models_section(measured, name, members, VIDEO_METRICS, partial(base_of, among=members), baselines=True)
    fields = [("mean", metric) for metric in VIDEO_METRICS if metric != "ssim"]
    if beside := published_section(measured, f"{name}, beside published", members, fields):
        yield beside
