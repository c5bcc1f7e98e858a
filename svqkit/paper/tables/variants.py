"""T8: variants of SVQ: how its codebook begins, where it has ReLUs, what of it is frozen."""

from collections.abc import Callable

from svqkit.paper.relations import default_svq
from svqkit.paper.results import Results
from svqkit.paper.tables.captions import table_of
from svqkit.paper.tables.measured import Measured
from svqkit.paper.tables.sections import models_section
from svqkit.paper.tables.studies import measured_of, need
from svqkit.paper.tables.table import Section, Table
from svqkit.settings.params import Experiment

METRICS = ("mse", "mae", "rmse")
VARIANTS = {"init": "initial codebook", "relu": "ReLU", "parts": "what is frozen"}
_WORDS = "Each row changes SVQ as it stands in the main table; what is changed is said in the last column."


def table(results: Results) -> Table:
    """Studies "init", "relu" and "parts", each row against the SVQ of the main table.

    Raises:
        SvqkitError: there are no runs of these studies.
    """
    found = need("T8", measured_of(results, *VARIANTS), *VARIANTS)
    sections = [part for measured in found for part in _sections(measured)]
    names = [measured.dataset for measured in found]
    return table_of(results, "t8", "Variants of SVQ", sections, names, _WORDS)


def _sections(measured: Measured) -> list[Section]:
    default = default_svq(measured.experiments("main"))
    sections = []
    for study, words in VARIANTS.items():
        # what stands after the translator is in T5
        members = [one for one in measured.experiments(study) if not one.model.quantize_after_translator]
        if any("main" not in one.studies for one in members):
            title = f"{measured.dataset}: {words}"
            sections.append(
                models_section(measured, title, members, METRICS, _to(default), codebooks=True, reference=default)
            )
    return sections


def _to(default: Experiment | None) -> Callable[[Experiment], Experiment | None]:
    """The default itself is compared with nothing."""
    return lambda experiment: None if default is None or experiment.name == default.name else default
