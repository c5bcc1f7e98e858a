"""Which datasets have runs of a study."""

from collections.abc import Sequence

from svqkit.errors import SvqkitError
from svqkit.paper.results import Results
from svqkit.paper.tables.measured import Measured


def measured_of(results: Results, *studies: str) -> list[Measured]:
    """The datasets with scored runs of one of some studies, in the order of params.yaml."""
    return [
        Measured(results, dataset)
        for dataset in results.datasets
        if any(results.runs(dataset, study) for study in studies)
    ]


def need(key: str, found: list[Measured], *studies: str) -> list[Measured]:
    """What was found, if anything was.

    Raises:
        SvqkitError: nothing was.
    """
    if not found:
        raise SvqkitError(f"{key} needs runs of study {_listed(studies)}: none are there. Run `dvc repro`.")
    return found


def _listed(studies: Sequence[str]) -> str:
    return " or ".join(f'"{study}"' for study in studies)
