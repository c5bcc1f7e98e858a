"""A table as Markdown, for reading in an editor or on a code-hosting site."""

from pathlib import Path
from typing import TYPE_CHECKING

from svqkit.paper.tables.grid import grid
from svqkit.plots.tablefiles import MARKDOWN, escape_markdown

if TYPE_CHECKING:
    from svqkit.paper.tables.table import Section, Table


def markdown(table: "Table", start: str | Path, level: int) -> str:
    """The table under its title, every section under its own one level below, notes and sources at their ends."""
    sharps = "#" * level
    lines = [f"{sharps} {table.key.upper()}. {escape_markdown(table.title)}", "", escape_markdown(table.caption)]
    for part in table.sections:
        lines += ["", f"{sharps}# {escape_markdown(part.title)}", "", *_section(part, table.sources, start)]
    if table.sources:
        lines += ["", "Sources of published numbers:", ""]
        lines += [f"- [{number}] {escape_markdown(source)}" for number, source in enumerate(table.sources, 1)]
    return "\n".join(lines) + "\n"


def _section(part: "Section", sources: list[str], start: str | Path) -> list[str]:
    header, *rows = grid(part, sources, MARKDOWN, start)
    ruler = [":--", *["--:"] * (len(header) - 1)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, ruler, *rows)]
    return [*lines, *(line for note in part.notes for line in ("", escape_markdown(note)))]
