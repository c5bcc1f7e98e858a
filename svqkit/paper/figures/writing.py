"""Figures into a folder, each with its caption beside, and into a notebook."""

from pathlib import Path

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.paper.figures import draw
from svqkit.paper.results import Results
from svqkit.plots import save
from svqkit.plots.tablefiles import escape_markdown


def write(key: str, results: Results, folder: str | Path, **options: object) -> list[Path]:
    """Draw one figure and write each of its pictures: ``<name>.png``, ``<name>.pdf``, and its caption, ``<name>.txt``.

    Args:
        key: "f1" to "f11".
        results: what is drawn.
        folder: such as ``reports/sample/figures``; made as needed.
        options: as for :func:`svqkit.paper.figures.draw`.

    Returns:
        The paths written, picture by picture.

    Raises:
        SvqkitError: there is no such figure, or nothing for it.
    """
    written = []
    for drawn in draw(key, results, **options):
        caption = Path(folder) / f"{drawn.name}.txt"
        written += save(drawn.figure, caption.with_suffix(""))
        with replacing(caption) as draft:
            draft.write_text(f"{drawn.caption}\n", encoding="utf-8", newline="\n")
        written.append(caption)
    return written


def show(key: str, results: Results, folder: str | Path, **options: object) -> None:
    """Write one figure and show its pictures and captions in a notebook; one that can't be drawn says why."""
    from IPython.display import Image, Markdown, display

    try:
        written = write(key, results, folder, **options)
    except SvqkitError as error:
        display(Markdown(f"**{key.upper()} is not drawn.** {escape_markdown(str(error))}"))
        return
    for picture, caption in zip(written[::3], written[2::3], strict=True):
        display(Image(str(picture)), Markdown(f"> {escape_markdown(caption.read_text(encoding='utf-8'))}"))
