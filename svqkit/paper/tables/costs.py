"""T9: what every translator costs without a quantizer and with SVQ, folded and plain."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import pandas as pd

from svqkit.errors import SvqkitError
from svqkit.paper.costs import measured_where, translator_cases
from svqkit.paper.results import Results
from svqkit.paper.tables.table import Cell, Change, Column, Number, Row, Section, Table, section
from svqkit.plots import display_name


class _Quantity(NamedTuple):
    """A column of the costs, how a section on it is called, and what its numbers are divided by."""

    column: str
    title: str
    divisor: float


_QUANTITIES = (
    _Quantity("step_seconds", "Training step [ms]", 1e-3),
    _Quantity("forward_seconds", "Forecast of a batch [ms]", 1e-3),
    _Quantity("peak_bytes", "Peak memory of a training step [MB]", 1e6),
    _Quantity("flops", "FLOPs of a forecast of one sample [10⁹]", 1e9),
    _Quantity("parameters", "Parameters [10³]", 1e3),
)
_COLUMNS = (
    Column("none", "SimVP"),
    Column("folded", "with SVQ, folded"),
    Column("folded_change", "change"),
    Column("plain", "with SVQ, plain"),
    Column("plain_change", "change"),
)
_MEDIAN = "Median"


def costs_table(results: Results) -> Table:
    """Make T9, of the translators of the measured dataset.

    Raises:
        SvqkitError: no costs were measured, or of none of these models.
    """
    costs = results.costs
    dataset = str(costs["dataset"].iloc[0])
    rows = costs.set_index(["experiment", "form"])
    by_translator = {
        translator: [rows.loc[key] for case in cases if (key := (case.experiment.name, case.form)) in rows.index]
        for translator, cases in translator_cases(results.settings, dataset).items()
    }
    missing = [translator for translator, found in by_translator.items() if not found]
    by_translator = {translator: found for translator, found in by_translator.items() if found}
    if not by_translator:
        raise SvqkitError(
            f"The measured costs are of no experiment of study 'translators' on {dataset}. Measure them anew: "
            "notebooks/costs.ipynb."
        )
    notes = [*_notes(by_translator), *([f"Not measured: {', '.join(map(display_name, missing))}."] if missing else [])]
    sections = [_section(quantity, by_translator) for quantity in _QUANTITIES]
    sections[-1] = replace(sections[-1], notes=(*sections[-1].notes, *notes))
    caption = (
        f"What SVQ adds to the cost of SimVP with each translator; {measured_where(costs)}. Folded: svqkit's layer. "
        "Plain: the published computation, which holds a weight for every position and code. A change is against the "
        "same translator without a quantizer."
    )
    return Table("t9", "Cost with and without SVQ", caption, tuple(sections))


def _section(quantity: _Quantity, by_translator: dict[str, list[pd.Series]]) -> Section:
    rows = [Row(display_name(translator), _cells(quantity, found)) for translator, found in by_translator.items()]
    changes = {column.key: _median_change(rows, column.key) for column in _COLUMNS if column.key.endswith("_change")}
    median = [Row(_MEDIAN, changes)] if len(rows) > 1 and any(changes.values()) else []
    return section(quantity.title, _COLUMNS, [*rows, *median], row_title="Translator")


def _cells(quantity: _Quantity, measured: list[pd.Series]) -> dict[str, Cell]:
    """The numbers of one translator, and how those with SVQ differ from the one without."""
    values = {row.name[1]: float(row[quantity.column]) for row in measured if pd.notna(row[quantity.column])}
    cells: dict[str, Cell] = {form: Number(value / quantity.divisor) for form, value in values.items()}
    for form in ("folded", "plain"):
        if "none" in values and form in values:
            base = next(row.name[0] for row in measured if row.name[1] == "none")
            cells[f"{form}_change"] = Change(values[form] / values["none"] - 1, base=base)
    return cells


def _median_change(rows: list[Row], key: str) -> Change | None:
    changes = [cell.relative for row in rows if isinstance(cell := row.cells.get(key), Change)]
    return Change(float(pd.Series(changes).median())) if changes else None


def _notes(by_translator: dict[str, list[pd.Series]]) -> Iterator[str]:
    """Why some models have no numbers."""
    for translator, found in by_translator.items():
        for row in found:
            if isinstance(row["note"], str) and row["note"]:
                yield f"{display_name(translator)}, {row.name[1]}: {row['note']}."
