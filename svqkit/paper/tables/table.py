"""A table of the paper: sections of rows and columns, and what can stand in a cell: a number of ours, published ones, a
comparison, words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from svqkit.plots.table import best_and_second

Mark = Literal["best", "second", ""]


@dataclass(frozen=True)
class Number:
    """What we measured.

    Attributes:
        mean: over seeds.
        std: sample standard deviation over seeds; None for fewer than two.
        seeds: how many; 0 where there is no training behind it.
        link: the folder or file that it was made from, seen from the project's folder.
        mark: its place among our numbers of the same column (or row), set by :func:`svqkit.paper.tables.table.section`.
    """

    mean: float
    std: float | None = None
    seeds: int = 0
    link: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class Published:
    """What others reported: each value with its source. It is never ranked with ours."""

    quotes: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Change:
    """How an experiment's error differs from its base's.

    Attributes:
        relative: (mean of the experiment − mean of the base) / mean of the base; negative is better.
        low, high: its 95 % interval; NaN where there is none, as for a mean of changes.
        p_value: two-sided; NaN likewise.
        seeds: pairs of runs compared.
        windows: test windows that each pair was compared in.
        base: what it is compared with.
    """

    relative: float
    low: float = float("nan")
    high: float = float("nan")
    p_value: float = float("nan")
    seeds: int = 0
    windows: int = 0
    base: str = ""


@dataclass(frozen=True)
class Words:
    """Plain text."""

    text: str


Cell = Number | Published | Change | Words | None


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


def section(
    title: str,
    columns: Iterable[Column],
    rows: Iterable[Row],
    row_title: str = "Model",
    notes: Sequence[str] = (),
    rank_rows: Literal["lower", "higher", ""] = "",
    more_rows: Iterable[Row] = (),
) -> Section:
    """Return a section without its empty columns, and with the best two of our numbers marked.

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
    """Return all numbers of some cells, ours and published, by whose size decimals are chosen."""
    found: list[float] = []
    for cell in cells:
        if isinstance(cell, Number):
            found.append(cell.mean)
        elif isinstance(cell, Published):
            found.extend(value for value, _ in cell.quotes)
    return pd.Series(found or [np.nan], dtype=float)
