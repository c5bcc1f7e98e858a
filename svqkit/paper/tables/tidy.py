"""A table as tidy rows, one for each cell, for further work with pandas."""

from typing import TYPE_CHECKING

import pandas as pd

from svqkit.paper.tables.cells import Cell, Change, Number, Published, Words

if TYPE_CHECKING:
    from svqkit.paper.tables.table import Table

COLUMNS = (
    *("table", "section", "row", "column", "heading", "kind", "value", "std", "seeds", "mark", "low", "high"),
    *("p_value", "windows", "base", "source", "link", "text"),
)


def tidy(table: "Table") -> pd.DataFrame:
    """One row for each cell that is not empty, published cells one for each source.

    Returns:
        Columns ``COLUMNS``. ``kind`` is "measured" (``value`` ± ``std`` over ``seeds``, from ``link``), "published"
        (``value`` from ``source``), "change" (``value``: the relative change against ``base``, with its 95 % interval
        ``low`` to ``high``, ``p_value``, pairs of ``seeds``, ``windows``) or "text". ``column`` is the column's key.
    """
    rows = [
        {
            "table": table.key,
            "section": part.title,
            "row": row.name,
            "column": column.key,
            "heading": column.title,
            **entry,
        }
        for part in table.sections
        for row in part.rows
        for column in part.columns
        for entry in _entries(row.cells.get(column.key))
    ]
    counts = {"seeds": "Int64", "windows": "Int64"}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(counts)


def _entries(cell: Cell) -> list[dict[str, object]]:
    match cell:
        case Number(mean, std, seeds, link, mark):
            return [{"kind": "measured", "value": mean, "std": std, "seeds": seeds, "link": link, "mark": mark}]
        case Published(quotes):
            return [{"kind": "published", "value": value, "source": source} for value, source in quotes]
        case Change(relative, low, high, p_value, seeds, windows, base):
            test = {"low": low, "high": high, "p_value": p_value}
            return [{"kind": "change", "value": relative, **test, "seeds": seeds, "windows": windows, "base": base}]
        case Words(text):
            return [{"kind": "text", "text": text}]
        case None:
            return []
