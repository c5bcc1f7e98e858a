"""A table as a fragment of HTML, for the report."""

import html as signs
from pathlib import Path
from typing import TYPE_CHECKING

from svqkit.paper.tables.grid import grid
from svqkit.plots.tablefiles import Markup

if TYPE_CHECKING:
    from svqkit.paper.tables.table import Section, Table

HTML = Markup(
    signs.escape,
    lambda text: f"<b>{text}</b>",
    lambda text: f"<u>{text}</u>",
    lambda text, target: f'<a href="{signs.escape(target)}">{text}</a>',
)


def html(table: "Table", start: str | Path) -> str:
    """The table in a ``div`` with the table's key as its id; the page that takes it in gives the title and the look."""
    lines = [f'<div class="table" id="{table.key}">', f'<p class="caption">{signs.escape(table.caption)}</p>']
    for part in table.sections:
        lines += [f"<h4>{signs.escape(part.title)}</h4>", *_section(part, table.sources, start)]
    if table.sources:
        lines += ["<p>Sources of published numbers:</p>", "<ul>"]
        lines += [f"<li>[{number}] {signs.escape(source)}</li>" for number, source in enumerate(table.sources, 1)]
        lines.append("</ul>")
    return "\n".join([*lines, "</div>"]) + "\n"


def _section(part: "Section", sources: list[str], start: str | Path) -> list[str]:
    header, *rows = grid(part, sources, HTML, start)
    head = "".join(f'<th scope="col">{text}</th>' for text in header)
    body = [
        f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{text}</td>" for text in cells) + "</tr>"
        for name, *cells in rows
    ]
    opening = ['<div class="scroll">', "<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>"]
    notes = [f'<p class="note">{signs.escape(note)}</p>' for note in part.notes]
    return [*opening, *body, "</tbody>", "</table>", "</div>", *notes]
