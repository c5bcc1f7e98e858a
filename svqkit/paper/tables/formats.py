"""A table as text: Markdown, LaTeX, a fragment of HTML; and as tidy rows for further work with pandas."""

import html as signs
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from svqkit.paper.tables.table import Cell, Change, Number, Published, Row, Section, Table, Words, values_of
from svqkit.plots.table import (
    LATEX,
    MARKDOWN,
    Markup,
    decimals_of,
    escape_latex,
    escape_markdown,
    number_text,
    pipe_table,
)

Formatter = Callable[[float, float], str]
_PLAIN = (1e-3, 1e6)  # numbers that are typically smaller or larger are written with an exponent

HTML = Markup(
    signs.escape,
    lambda text: f"<b>{text}</b>",
    lambda text: f"<u>{text}</u>",
    lambda text, target: f'<a href="{signs.escape(target)}">{text}</a>',
)

_WIDE = 7  # columns that fit a page at the size of its text

COLUMNS = (
    *("table", "section", "row", "column", "heading", "kind", "value", "std", "seeds", "mark", "low", "high"),
    *("p_value", "windows", "base", "source", "link", "text"),
)


def grid(section: Section, sources: Sequence[str], markup: Markup, start: str | Path = ".") -> list[list[str]]:
    """Return the heading and the rows of a section as text, cell by cell.

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
    """Return the link from the folder ``start`` to a path as seen from the project's folder."""
    return Path(os.path.relpath(target, start)).as_posix()


def change_text(change: Change) -> str:
    """Return ``"−12.3 % [−15.0, −9.1], p = 0.004"``."""
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


def markdown(table: Table, start: str | Path = ".", level: int = 1) -> str:
    """Return a table as Markdown: its sections below their titles, notes and sources at their ends.

    Args:
        table: what is written.
        start: the folder that links are seen from.
        level: of the heading that its title is.
    """
    sharps = "#" * level
    lines = [f"{sharps} {table.key.upper()}. {escape_markdown(table.title)}", "", escape_markdown(table.caption)]
    for part in table.sections:
        lines += ["", f"{sharps}# {escape_markdown(part.title)}", "", *_markdown_section(part, table.sources, start)]
    if table.sources:
        lines += ["", "Sources of published numbers:", ""]
        lines += [f"- [{number}] {escape_markdown(source)}" for number, source in enumerate(table.sources, 1)]
    return "\n".join(lines) + "\n"


def _markdown_section(part: Section, sources: list[str], start: str | Path) -> list[str]:
    header, *rows = grid(part, sources, MARKDOWN, start)
    return [*pipe_table(header, rows), *(line for note in part.notes for line in ("", escape_markdown(note)))]


def html(table: Table, start: str | Path = "reports") -> str:
    """Return a table as a ``div`` whose id is the table's key; the page that takes it in gives the title and the look.

    Args:
        table: what is written.
        start: the folder of that page, which links are seen from.
    """
    lines = [f'<div class="table" id="{table.key}">', f'<p class="caption">{signs.escape(table.caption)}</p>']
    for part in table.sections:
        lines += [f"<h4>{signs.escape(part.title)}</h4>", *_html_section(part, table.sources, start)]
    if table.sources:
        lines += ["<p>Sources of published numbers:</p>", "<ul>"]
        lines += [f"<li>[{number}] {signs.escape(source)}</li>" for number, source in enumerate(table.sources, 1)]
        lines.append("</ul>")
    return "\n".join([*lines, "</div>"]) + "\n"


def _html_section(part: Section, sources: list[str], start: str | Path) -> list[str]:
    header, *rows = grid(part, sources, HTML, start)
    head = "".join(f'<th scope="col">{text}</th>' for text in header)
    body = [
        f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{text}</td>" for text in cells) + "</tr>"
        for name, *cells in rows
    ]
    opening = ['<div class="scroll">', "<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    notes = [f'<p class="note">{signs.escape(note)}</p>' for note in part.notes]
    return [*opening, *body, "</tbody>", "</table>", "</div>", *notes]


def latex(table: Table) -> str:
    r"""Return a table as LaTeX: one ``table`` per section, as wide as the page at most.

    The document needs ``\usepackage{booktabs}`` and ``\usepackage{graphicx}``. The first section has the whole
    caption. What a row was made from stands behind it as a comment.
    """
    lines = []
    for number, part in enumerate(table.sections):
        caption = f"{table.title}. {table.caption}" if number == 0 else f"{table.title}, continued."
        sources = _sources(part, table.sources)
        words = " ".join([caption, f"{part.title}.", *part.notes, *sources])
        lines += _latex_section(part, words, f"tab:{table.key}-{number + 1}", table.sources)
    return "\n".join(lines) + "\n"


def _latex_section(part: Section, caption: str, label: str, sources: list[str]) -> list[str]:
    header, *rows = grid(part, sources, LATEX)
    tabular = [
        rf"\begin{{tabular}}{{l{'r' * len(part.columns)}}}",
        r"\toprule",
        _latex_line(header),
        r"\midrule",
        *(_latex_line(cells) + _origin(row) for cells, row in zip(rows, part.rows, strict=True)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if len(header) > _WIDE:
        tabular = [r"\resizebox{\textwidth}{!}{%", *tabular[:-1], r"\end{tabular}}"]
    return [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{{label}}}",
        *tabular,
        r"\end{table}",
    ]


def _latex_line(cells: list[str]) -> str:
    text = " & ".join(cells) + r" \\"
    return f"{{}}{text}" if text.startswith(("[", "*")) else text  # not options of the line before


def _origin(row: Row) -> str:
    links = dict.fromkeys(cell.link for cell in row.cells.values() if isinstance(cell, Number) and cell.link)
    return f"  % {', '.join(links)}" if links else ""


def _sources(part: Section, sources: list[str]) -> list[str]:
    """What the numbers in brackets of this section stand for."""
    own = Table("", "", "", (part,)).sources
    return [f"[{number}] {source}." for number, source in enumerate(sources, 1) if source in own]


def tidy(table: Table) -> pd.DataFrame:
    """Return one row for each cell that is not empty, for published cells one for each source.

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
