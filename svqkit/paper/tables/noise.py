"""T7: noise on the input while training, with and without SVQ."""

from svqkit.paper.relations import base_of
from svqkit.paper.results import Results
from svqkit.paper.tables.captions import table_of
from svqkit.paper.tables.cells import Words
from svqkit.paper.tables.measured import Measured
from svqkit.paper.tables.sections import Pair, pairs_section
from svqkit.paper.tables.studies import measured_of, need
from svqkit.paper.tables.table import Column, Table
from svqkit.plots.names import display_name
from svqkit.settings.params import Experiment

_WORDS = (
    "While training, a random share of the input values is multiplied by factors drawn from −2 to 2; test inputs are "
    "clean. Each row compares models of the same share."
)


def table(results: Results) -> Table:
    """Study "noise": one row per share of noise and quantizer.

    Raises:
        SvqkitError: there are no runs of that study.
    """
    found = need("T7", measured_of(results, "noise"), "noise")
    columns = [Column("quantizer", "Quantizer")]
    sections = [
        pairs_section(one, one.dataset, _pairs(one), ("without a quantizer", "with"), "Share of noise", columns)
        for one in found
    ]
    names = [measured.dataset for measured in found]
    return table_of(results, "t7", "Noise on the input, with and without SVQ", sections, names, _WORDS)


def _pairs(measured: Measured) -> list[Pair]:
    """Each experiment with a quantizer beside its base at the same share; bases that have none alone."""
    members = measured.experiments("noise")
    bases = {one.name: base_of(one, members) for one in members if one.quantizer.name != "none"}
    taken = {base.name for base in bases.values() if base}
    found: list[tuple[float, Pair]] = []
    for one in members:
        cells = {"quantizer": Words(display_name(one.quantizer.name))}
        if one.name in bases:
            found.append((one.model.noise, Pair(_share(one), bases[one.name], one, cells)))
        elif one.name not in taken:
            found.append((one.model.noise, Pair(_share(one), one, None, {})))
    return [pair for _, pair in sorted(found, key=lambda item: item[0])]


def _share(experiment: Experiment) -> str:
    return f"{100 * experiment.model.noise:g} %"
