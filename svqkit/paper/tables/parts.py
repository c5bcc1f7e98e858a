"""T5: the parts of SVQ, and our controls: what is left when one of them is taken away or replaced."""

from collections.abc import Callable
from functools import partial

from svqkit.paper.relations import base_of, default_svq
from svqkit.paper.results import Results
from svqkit.paper.tables.captions import table_of
from svqkit.paper.tables.measured import Measured
from svqkit.paper.tables.sections import models_section
from svqkit.paper.tables.studies import measured_of, need
from svqkit.paper.tables.table import Section, Table
from svqkit.settings.params import Experiment

METRICS = ("mse", "mae", "rmse")
_WORDS = (
    "Each row changes SVQ in one thing, or puts something else in its place. MLP and Linear have no codebook: SVQ with "
    "a learned codebook and no ReLU on its weights can be folded into the former."
)


def _always(_: Experiment) -> bool:
    return True


def _projection_learns(experiment: Experiment) -> bool:
    """What is frozen beyond the codebook stands in T8."""
    return getattr(experiment.quantizer, "learnable_projection", True)


PARTS: dict[str, tuple[str, Callable[[Experiment], bool]]] = {
    "controls": ("without a codebook, and with other weights", _always),
    "parts": ("frozen, learnable, after the translator", _projection_learns),
    "loss": ("training loss", _always),
    "sparsity": ("a penalty on the weights", _always),
}


def table(results: Results) -> Table:
    """Studies "controls", "parts", "loss" and "sparsity", each row against the base.

    Raises:
        SvqkitError: there are no runs of these studies.
    """
    found = need("T5", measured_of(results, *PARTS), *PARTS)
    sections = [part for measured in found for part in _sections(measured)]
    names = [measured.dataset for measured in found]
    return table_of(results, "t5", "Parts of SVQ, and controls", sections, names, _WORDS)


def _sections(measured: Measured) -> list[Section]:
    main = measured.experiments("main")
    sections = []
    for study, (words, belongs) in PARTS.items():
        members = [experiment for experiment in measured.experiments(study) if belongs(experiment)]
        if any("main" not in experiment.studies for experiment in members):
            base = partial(base_of, among=main + members)
            title = f"{measured.dataset}: {words}"
            reference = default_svq(main)
            sections.append(
                models_section(measured, title, members, METRICS, base, codebooks=True, reference=reference)
            )
    return sections
