"""T4: SVQ and other kinds of vector quantization, with what is known of how they use their codes."""

from functools import partial

from svqkit.paper.relations import base_of
from svqkit.paper.results import Results
from svqkit.paper.tables.captions import table_of
from svqkit.paper.tables.measured import Measured
from svqkit.paper.tables.sections import models_section, published_section
from svqkit.paper.tables.studies import measured_of, need
from svqkit.paper.tables.table import Section, Table

METRICS = ("mse", "mae", "rmse")
_WORDS = (
    "Perplexity: the effective number of codes that are ever the strongest at a place; dead codes never are. Of SVQ, "
    "which mixes codes, these tell how its strongest ones are spread, not how much it can say."
)


def table(results: Results) -> Table:
    """Studies "quantizers" and "stability", the former also beside published numbers.

    Raises:
        SvqkitError: there are no runs of these studies.
    """
    found = need("T4", measured_of(results, "quantizers", "stability"), "quantizers", "stability")
    sections = [part for measured in found for part in _sections(measured)]
    names = [measured.dataset for measured in found]
    return table_of(results, "t4", "Kinds of vector quantization", sections, names, _WORDS)


def _sections(measured: Measured) -> list[Section]:
    name, sections = measured.dataset, []
    if members := measured.experiments("quantizers"):
        base = partial(base_of, among=members)
        sections.append(models_section(measured, name, members, METRICS, base, codebooks=True))
        fields = [("mean", metric) for metric in METRICS]
        beside = published_section(measured, f"{name}, beside published", members, fields, others=False)
        sections += [beside] if beside else []
    if members := measured.experiments("stability"):
        plain = partial(base_of, among=measured.experiments("main"))
        title = f"{name}, before and after the translator"
        sections.append(models_section(measured, title, members, METRICS, plain, codebooks=True))
    return sections
