"""What stands above a table: which data, protocol and seeds, what its marks mean, how tests were made."""

from collections.abc import Sequence

from svqkit.errors import SvqkitError
from svqkit.paper.results import Results
from svqkit.paper.tables.cells import Change, Number, Published
from svqkit.paper.tables.table import Section, Table

_PLACE = "Test split, all lead times together; protocol clean where a column does not say otherwise."
_MEAN = "Mean ± standard deviation over seeds; a number without ± is of one training."
_RANK = "In each column the best of the numbers measured here is bold, the second best underlined."
_CHANGE = (
    "Changes are relative to the mean error of what is compared with (negative: better), between runs of the same seed "
    "in the same test windows; in brackets their 95 % interval, and p two-sided, by a bootstrap over seeds and over "
    "blocks of time, or whole clips (svqkit.evaluation.significance). With one seed they leave out the chance in "
    "training. Each stands for itself: of twenty such intervals one is expected to miss."
)
_SHORT = (
    "Intervals are too short where windows are few: of 300 made-up records of 361 windows they held the truth in 81 to "
    "90 % instead of 95 %."
)
_FEW_WINDOWS = 2000
_PUBLISHED = (
    "Published numbers stand in columns of their own and are not ranked; what compares with them is measured under "
    "protocol paper."
)
_NOT_ALIKE = (
    "What was measured here is not of the published size on the published data: the published numbers show where they "
    "stand, no more."
)


def table_of(
    results: Results, key: str, title: str, sections: Sequence[Section], datasets: Sequence[str], words: str = ""
) -> Table:
    """A table with the caption that suits what its sections hold; ``words`` come first in it.

    Raises:
        SvqkitError: there are no sections: of the studies that it needs nothing but the main experiments was run.
    """
    if not sections:
        raise SvqkitError(f"{key.upper()} has nothing to show yet: none of its variants is scored. Run `dvc repro`.")
    cells = [cell for part in sections for row in part.rows for cell in row.cells.values()]
    sentences = [words, _PLACE]
    if any(isinstance(cell, Number) and cell.seeds for cell in cells):
        sentences.append(_MEAN)
    if any(isinstance(cell, Number) and cell.mark for cell in cells):
        sentences.append(_RANK)
    if any(isinstance(cell, Change) and cell.seeds for cell in cells):
        sentences.append(_CHANGE)
        if any(cell.windows < _FEW_WINDOWS for cell in cells if isinstance(cell, Change) and cell.seeds):
            sentences.append(_SHORT)
    simulated = [name for name in datasets if name in results.simulated]
    if any(isinstance(cell, Published) for cell in cells):
        sentences.append(_PUBLISHED)
        if simulated or results.profile != "paper":
            sentences.append(_NOT_ALIKE)
    if simulated:
        sentences.append(f"Simulated data, no measurements: {', '.join(simulated)}.")
    return Table(key, title, " ".join(sentence for sentence in sentences if sentence), tuple(sections))
