"""T2: forecasts of video and traffic, with and without SVQ."""

from collections.abc import Iterator
from functools import partial

from svqkit.errors import SvqkitError
from svqkit.paper.relations import base_of
from svqkit.paper.results import Results
from svqkit.paper.tables.captions import table_of
from svqkit.paper.tables.measured import Measured
from svqkit.paper.tables.sections import models_section, published_section
from svqkit.paper.tables.table import Section, Table

METRICS = ("mse", "mae", "ssim", "ssim_published", "psnr", "lpips")
_WORDS = (
    "Frames in [0, 1]; MSE and MAE are sums over a frame, as published. SSIM has a data range of 1, SSIM (published) "
    "one of 2, with which the published ones were computed."
)


def table(results: Results) -> Table:
    """Scores of study "main" on every video and traffic dataset, beside published ones.

    Raises:
        SvqkitError: there are no scores of such a dataset.
    """
    names = [name for name in results.datasets if results.settings.dataset(name).source != "weather"]
    if not names:
        raise SvqkitError("T2 needs scores of a video or traffic dataset: none are there. Run `dvc repro`.")
    sections = [part for name in names for part in _sections(Measured(results, name))]
    return table_of(results, "t2", "Video and traffic: SVQ and its base", sections, names, _WORDS)


def _sections(measured: Measured) -> Iterator[Section]:
    name, members = measured.dataset, measured.experiments("main")
    yield models_section(measured, name, members, METRICS, partial(base_of, among=members), baselines=True)
    fields = [("mean", metric) for metric in METRICS if metric != "ssim"]
    if beside := published_section(measured, f"{name}, beside published", members, fields):
        yield beside
