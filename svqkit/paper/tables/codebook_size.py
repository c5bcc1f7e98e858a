"""T6: frozen against learnable codebooks over their size, and other quantizers over theirs."""

from functools import partial

from svqkit.paper import published
from svqkit.paper.relations import base_of, codes, twins
from svqkit.paper.results import Results
from svqkit.paper.tables.captions import table_of
from svqkit.paper.tables.cells import Cell, Words
from svqkit.paper.tables.measured import Measured
from svqkit.paper.tables.sections import ERRORS, Pair, models_section, pairs_section
from svqkit.paper.tables.studies import measured_of, need
from svqkit.paper.tables.table import Column, Row, Section, Table, section
from svqkit.plots.names import display_name
from svqkit.settings.params import Experiment

KINDS = ("frozen", "learnable")
_WORDS = "SVQ with a frozen and with a learnable codebook of K codes, all else equal."


def table(results: Results) -> Table:
    """Study "codebook_size": one row per size, frozen and learnable side by side; below, other quantizers.

    Raises:
        SvqkitError: there are no runs of that study.
    """
    found = need("T6", measured_of(results, "codebook_size"), "codebook_size")
    sections = [part for measured in found for part in _sections(measured)]
    names = [measured.dataset for measured in found]
    return table_of(results, "t6", "Frozen against learnable codebooks over their size", sections, names, _WORDS)


def _sections(measured: Measured) -> list[Section]:
    members = measured.experiments("codebook_size")
    pairs = [_pair(frozen, learnable) for frozen, learnable in twins(members)]
    sections = []
    if pairs:
        columns = [Column("k", "K")]
        sections.append(pairs_section(measured, measured.dataset, pairs, KINDS, "Codebook", columns))
        sections += _beside_published(measured, pairs)
    if others := [experiment for experiment in members if experiment.quantizer.name not in ("svq", "none")]:
        others = sorted(others, key=lambda experiment: (experiment.quantizer.name, codes(experiment) or 0))
        base = partial(base_of, among=measured.experiments("main"))
        title = f"{measured.dataset}, other quantizers"
        sections.append(models_section(measured, title, others, ERRORS, base, codebooks=True))
    return sections


def _pair(frozen: Experiment | None, learnable: Experiment | None) -> Pair:
    one = next(each for each in (learnable, frozen) if each)
    return Pair(display_name(one.name), frozen, learnable, {"k": Words(f"{codes(one):,}")})


def _beside_published(measured: Measured, pairs: list[Pair]) -> list[Section]:
    """The MSE by size under protocol paper beside the published one, or nothing where none was published."""
    cells = _published(measured)
    if not cells:
        return []
    for pair in pairs:
        for kind, experiment in zip(KINDS, (pair.base, pair.experiment), strict=True):
            if experiment and experiment.trained_for("paper"):
                here = measured.number(experiment.name, "mse", "paper")
                cells.setdefault(codes(experiment) or 0, {}).setdefault(f"{kind}_paper", here)
    columns = []
    for kind in KINDS:
        columns.append(measured.column("mse", f"{kind}_paper", f"{kind}, protocol paper"))
        columns.append(measured.column("mse", f"{kind}_published", f"{kind}, published", ranked=False))
    rows = [Row(f"{size:,}", row) for size, row in sorted(cells.items())]
    return [section(f"{measured.dataset}, beside published", columns, rows, "K")]


def _published(measured: Measured) -> dict[int, dict[str, Cell]]:
    """Published cells by size of the codebook."""
    found: dict[int, dict[str, Cell]] = {}
    if not published.compares(measured.dataset, measured.results.settings.dataset(measured.dataset)):
        return found
    quotes = published.quotes(measured.dataset)
    for method in dict.fromkeys(quote.method for quote in quotes):
        ours = published.COUNTERPARTS.get(method)
        if ours and ours.quantizer == "svq" and ours.codebook_size:
            kind = KINDS[ours.learnable]
            cell = measured.published([quote for quote in quotes if quote.method == method], "mse")
            found.setdefault(ours.codebook_size, {})[f"{kind}_published"] = cell
    return found
