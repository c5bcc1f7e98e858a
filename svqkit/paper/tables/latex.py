r"""A table as LaTeX: one ``table`` per section, as wide as the page at most.

The document needs ``\usepackage{booktabs}`` and ``\usepackage{graphicx}``. What a row was made from stands behind it
as a comment.
"""

from typing import TYPE_CHECKING

from svqkit.paper.tables.cells import Number
from svqkit.paper.tables.grid import grid
from svqkit.plots.tablefiles import LATEX, escape_latex

if TYPE_CHECKING:
    from svqkit.paper.tables.table import Row, Section, Table

_WIDE = 7  # columns that fit a page at the size of its text


def latex(table: "Table") -> str:
    """The sections one after the other: the first has the whole caption, the others say what they continue."""
    lines = []
    for number, part in enumerate(table.sections):
        caption = f"{table.title}. {table.caption}" if number == 0 else f"{table.title}, continued."
        sources = _sources(part, table.sources)
        words = " ".join([caption, f"{part.title}.", *part.notes, *sources])
        lines += _section(part, words, f"tab:{table.key}-{number + 1}", table.sources)
    return "\n".join(lines) + "\n"


def _section(part: "Section", caption: str, label: str, sources: list[str]) -> list[str]:
    header, *rows = grid(part, sources, LATEX)
    tabular = [
        rf"\begin{{tabular}}{{l{'r' * len(part.columns)}}}",
        r"\toprule",
        _line(header),
        r"\midrule",
        *(_line(cells) + _origin(row) for cells, row in zip(rows, part.rows, strict=True)),
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


def _line(cells: list[str]) -> str:
    text = " & ".join(cells) + r" \\"
    return f"{{}}{text}" if text.startswith(("[", "*")) else text  # not options of the line before


def _origin(row: "Row") -> str:
    links = dict.fromkeys(cell.link for cell in row.cells.values() if isinstance(cell, Number) and cell.link)
    return f"  % {', '.join(links)}" if links else ""


def _sources(part: "Section", sources: list[str]) -> list[str]:
    """What the numbers in brackets of this section stand for."""
    from svqkit.paper.tables.table import Table

    own = Table("", "", "", (part,)).sources
    return [f"[{number}] {source}." for number, source in enumerate(sources, 1) if source in own]
