"""The tables of the paper, from what was measured: made, written into a folder, shown in a notebook."""

from collections.abc import Callable
from pathlib import Path

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError, choose
from svqkit.paper.results import Results
from svqkit.paper.tables.costs import costs_table
from svqkit.paper.tables.formats import latex, markdown, tidy
from svqkit.paper.tables.scores import video_table, weather_table
from svqkit.paper.tables.studies import (
    codebook_size_table,
    noise_table,
    parts_table,
    quantizers_table,
    variants_table,
)
from svqkit.paper.tables.table import Table
from svqkit.paper.tables.translators import translators_table
from svqkit.plots.table import escape_markdown, write_texts

# Each raises an SvqkitError that says what is missing where nothing was measured for it.
TABLES: dict[str, Callable[[Results], Table]] = {
    "t1": weather_table,
    "t2": video_table,
    "t3": translators_table,
    "t4": quantizers_table,
    "t5": parts_table,
    "t6": codebook_size_table,
    "t7": noise_table,
    "t8": variants_table,
    "t9": costs_table,
}


def make(key: str, results: Results) -> Table:
    """Make one table.

    Raises:
        SvqkitError: there is no such table, or nothing was measured for it; the message says what is missing.
    """
    return choose(TABLES, key, "table")(results)


def write(table: Table, folder: str | Path) -> list[Path]:
    """Write a table as ``<key>.md`` and ``<key>.tex`` for readers, and as ``<key>.csv`` with all digits.

    Args:
        table: what is written.
        folder: such as ``reports/sample/tables``; made as needed. Links in Markdown are as seen from it.

    Returns:
        The paths written.
    """
    texts = {
        "md": markdown(table, folder),
        "csv": tidy(table).to_csv(index=False, lineterminator="\n"),
        "tex": latex(table),
    }
    return write_texts(Path(folder) / table.key, texts)


def show(key: str, results: Results, folder: str | Path) -> None:
    """Write one table and show it in a notebook; one that can't be made says why."""
    from IPython.display import Markdown, display

    try:
        table = make(key, results)
    except SvqkitError as error:
        display(Markdown(f"**{key.upper()} is not made.** {escape_markdown(str(error))}"))
        return
    write(table, folder)
    display(Markdown(markdown(table, folder, level=3)))
