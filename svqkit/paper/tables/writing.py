"""Tables into a folder, and into a notebook."""

from pathlib import Path

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError, choose
from svqkit.paper.results import Results
from svqkit.paper.tables import TABLES
from svqkit.paper.tables.table import Table
from svqkit.plots.tablefiles import escape_markdown


def make(key: str, results: Results) -> Table:
    """One table.

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
        "md": table.markdown(folder),
        "csv": table.tidy().to_csv(index=False, lineterminator="\n"),
        "tex": table.latex(),
    }
    written = []
    for suffix, text in texts.items():
        target = Path(folder) / f"{table.key}.{suffix}"
        with replacing(target) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
        written.append(target)
    return written


def show(key: str, results: Results, folder: str | Path) -> None:
    """Write one table and show it in a notebook; one that can't be made says why."""
    from IPython.display import Markdown, display

    try:
        table = make(key, results)
    except SvqkitError as error:
        display(Markdown(f"**{key.upper()} is not made.** {escape_markdown(str(error))}"))
        return
    write(table, folder)
    display(Markdown(table.markdown(folder, level=3)))
