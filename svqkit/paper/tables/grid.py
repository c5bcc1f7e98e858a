"""The cells of a section as text, row by row, in one kind of markup."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from svqkit.paper.tables.cells import Cell, Change, Number, Published, Words
from svqkit.paper.tables.table import Section, values_of
from svqkit.plots.tablefiles import Markup, decimals_of, number_text

Formatter = Callable[[float, float], str]
_PLAIN = (1e-3, 1e6)  # numbers that are typically smaller or larger are written with an exponent


def grid(section: Section, sources: Sequence[str], markup: Markup, start: str | Path = ".") -> list[list[str]]:
    """The heading and the rows of a section as text, cell by cell.

    Args:
        section: what is written.
        sources: of published numbers, by whose place they are named.
        markup: how words, marks and links are written.
        start: the folder that links are seen from.
    """
    by_column = [_formatter([row.cells.get(column.key) for row in section.rows]) for column in section.columns]
    lines = [[markup.plain(text) for text in (section.row_title, *(column.heading for column in section.columns))]]
    for row in section.rows:
        cells = [row.cells.get(column.key) for column in section.columns]
        formatters = [_formatter(cells)] * len(cells) if section.digits == "row" else by_column
        texts = [_text(cell, number, sources, markup, start) for cell, number in zip(cells, formatters, strict=True)]
        lines.append([markup.plain(row.name), *texts])
    return lines


def link_from(start: str | Path, target: str) -> str:
    """The link from the folder ``start`` to a path as seen from the project's folder."""
    return Path(os.path.relpath(target, start)).as_posix()


def change_text(change: Change) -> str:
    """``"−12.3 % [−15.0, −9.1], p = 0.004"``."""
    text = f"{_percent(change.relative)} %"
    if np.isfinite(change.low) and np.isfinite(change.high):
        text += f" [{_percent(change.low)}, {_percent(change.high)}]"
    if np.isfinite(change.p_value):
        text += ", p < 0.001" if change.p_value < 0.001 else f", p = {change.p_value:.3f}"
    return text


def _percent(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")


def _formatter(cells: Sequence[Cell]) -> Formatter:
    """How numbers beside each other are written: with the same decimals, or with an exponent."""
    values = values_of(cells)
    sizes = values.abs()
    typical = sizes[(sizes > 0) & np.isfinite(sizes)].median()
    whole = all(float(value).is_integer() for value in values if np.isfinite(value))
    if not whole and not _PLAIN[0] <= typical < _PLAIN[1] and np.isfinite(typical):
        return lambda mean, spread: f"{mean:.3e}" if np.isnan(spread) else f"{mean:.3e} ± {spread:.1e}"
    decimals = 0 if whole else decimals_of(values)
    return lambda mean, spread: number_text(mean, spread, decimals)


def _text(cell: Cell, number: Formatter, sources: Sequence[str], markup: Markup, start: str | Path) -> str:
    match cell:
        case Number(mean, std, _, link, mark):
            text = markup.plain(number(mean, np.nan if std is None else std))
            return markup.marked(markup.link(text, link_from(start, link)) if link else text, mark)
        case Published(quotes):
            named = (f"{value:.10g} [{sources.index(source) + 1}]" for value, source in quotes)
            return markup.plain(", ".join(named))
        case Change():
            return markup.plain(change_text(cell))
        case Words(text):
            return markup.plain(text)
        case None:
            return ""
