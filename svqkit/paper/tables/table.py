"""A table of the paper: sections of rows and columns, and writing it as Markdown, CSV, LaTeX and HTML."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from svqkit.paper.tables.cells import Cell, Number, Published
from svqkit.plots.tablefiles import best_and_second


@dataclass(frozen=True)
class Column:
    """One column: the key of its cells, its heading, and which of our numbers in it are better, if any are."""

    key: str
    title: str
    better: Literal["lower", "higher", ""] = ""

    @property
    def heading(self) -> str:
        """The title, with an arrow to where better numbers are."""
        return self.title + {"lower": " ↓", "higher": " ↑", "": ""}[self.better]


@dataclass(frozen=True)
class Row:
    """One row: its name, and its cells by key of their column; a key that is not there is an empty cell."""

    name: str
    cells: Mapping[str, Cell]


@dataclass(frozen=True)
class Section:
    """A part of a table with columns of its own.

    Attributes:
        title: what it is about, such as the dataset.
        columns, rows: as they are shown.
        row_title: what the rows are, the heading of the first column.
        notes: what must be said of it, such as what is missing and why.
        digits: numbers have as many decimals as suit their "column" or their "row".
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    row_title: str = "Model"
    notes: tuple[str, ...] = ()
    digits: Literal["column", "row"] = "column"


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    Attributes:
        key: ``"t1"`` to ``"t9"``; files and anchors are called by it.
        title: a few words.
        caption: plain text: which data, protocol, seeds, windows; what ± means, how tests were made.
        sections: its parts.
    """

    key: str
    title: str
    caption: str
    sections: tuple[Section, ...]

    @property
    def sources(self) -> list[str]:
        """Where its published numbers are from, in the order in which they come; cells name them by [number]."""
        cells = (row.cells.get(column.key) for part in self.sections for row in part.rows for column in part.columns)
        quotes = (quote for cell in cells if isinstance(cell, Published) for quote in cell.quotes)
        return list(dict.fromkeys(source for _, source in quotes))

    def markdown(self, start: str | Path = ".", level: int = 1) -> str:
        """As Markdown, with links as seen from the folder ``start``, its title a heading of ``level``."""
        from svqkit.paper.tables.markdown import markdown

        return markdown(self, start, level)

    def html(self, start: str | Path = "reports") -> str:
        """As a fragment of HTML, with links as seen from the folder ``start`` of the page that takes it in."""
        from svqkit.paper.tables.html import html

        return html(self, start)

    def latex(self) -> str:
        r"""As LaTeX; the document needs ``\\usepackage{booktabs}`` and ``\\usepackage{graphicx}``."""
        from svqkit.paper.tables.latex import latex

        return latex(self)

    def tidy(self) -> pd.DataFrame:
        """One row for each cell, with all digits, see :func:`svqkit.paper.tables.tidy.tidy`."""
        from svqkit.paper.tables.tidy import tidy

        return tidy(self)


def section(
    title: str,
    columns: Iterable[Column],
    rows: Iterable[Row],
    row_title: str = "Model",
    notes: Sequence[str] = (),
    rank_rows: Literal["lower", "higher", ""] = "",
    more_rows: Iterable[Row] = (),
) -> Section:
    """A section without its empty columns, and with the best two of our numbers marked.

    Args:
        title, columns, rows, row_title, notes: see :class:`Section`.
        rank_rows: numbers of a row are ranked among each other, and share their decimals, instead of those of a
            column: for rows that are quantities and columns that are models.
        more_rows: rows below that are not ranked, such as means of those above.
    """
    rows, more = tuple(rows), tuple(more_rows)
    columns = tuple(column for column in columns if any(row.cells.get(column.key) is not None for row in rows + more))
    if rank_rows:
        rows = tuple(replace(row, cells=_ranked(row.cells, rank_rows)) for row in rows)
    else:
        for column in columns:
            rows = _ranked_column(rows, column)
    return Section(title, columns, rows + more, row_title, tuple(notes), "row" if rank_rows else "column")


def _ranked_column(rows: tuple[Row, ...], column: Column) -> tuple[Row, ...]:
    if not column.better:
        return rows
    there = {number: row.cells[column.key] for number, row in enumerate(rows) if column.key in row.cells}
    cells = _ranked(there, column.better)
    return tuple(
        replace(row, cells={**row.cells, column.key: cells[number]}) if number in cells else row
        for number, row in enumerate(rows)
    )


def _ranked(cells: Mapping, better: str) -> dict:
    """The same cells with a mark on the best and the second best number of ours."""
    ours = {key: cell.mean for key, cell in cells.items() if isinstance(cell, Number)}
    values = pd.Series(ours, dtype=float, index=list(ours))
    marks = best_and_second(values, better == "higher") if values.nunique() > 1 else values.map(lambda _: "")
    return {key: replace(cell, mark=marks[key]) if key in marks else cell for key, cell in cells.items()}


def values_of(cells: Iterable[Cell]) -> pd.Series:
    """All numbers of some cells, ours and published, by whose size decimals are chosen."""
    found: list[float] = []
    for cell in cells:
        if isinstance(cell, Number):
            found.append(cell.mean)
        elif isinstance(cell, Published):
            found.extend(value for value, _ in cell.quotes)
    return pd.Series(found or [np.nan], dtype=float)
