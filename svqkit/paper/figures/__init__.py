"""The paper's figures: drawn by their keys, written into a folder, shown in a notebook."""

from pathlib import Path
from pkgutil import resolve_name

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError, choose
from svqkit.paper.figures.captions import CaptionedFigure
from svqkit.paper.results import Results
from svqkit.plots import save
from svqkit.plots.table import escape_markdown

# Strings, so that asking for one figure doesn't import what the others need.
FIGURES = {
    "f1": "svqkit.paper.figures.improvement:draw",
    "f2": "svqkit.paper.figures.frames:draw",
    "f3": "svqkit.paper.figures.maps:draw",
    "f4": "svqkit.paper.figures.lead_time:draw",
    "f5": "svqkit.paper.figures.sweeps:draw_codebook_size",
    "f6": "svqkit.paper.figures.stability:draw",
    "f7": "svqkit.paper.figures.weights:draw",
    "f8": "svqkit.paper.figures.codebook:draw",
    "f9": "svqkit.paper.figures.cost:draw",
    "f10": "svqkit.paper.figures.sweeps:draw_noise",
    "f11": "svqkit.paper.figures.leak:draw",
}


def draw(key: str, results: Results, **options: object) -> list[CaptionedFigure]:
    """Draw the pictures of one figure, each with its caption.

    Args:
        key: "f1" to "f11".
        results: what is drawn.
        options: handed to the figure's own function; most have none.

    Raises:
        SvqkitError: there is no such figure, or nothing was measured that it could show; the message says which.
    """
    return resolve_name(choose(FIGURES, key, "figure"))(results, **options)


def write(key: str, results: Results, folder: str | Path, **options: object) -> list[Path]:
    """Draw one figure and write each of its pictures: ``<name>.png``, ``<name>.pdf``, and its caption, ``<name>.txt``.

    Args:
        key: "f1" to "f11".
        results: what is drawn.
        folder: such as ``reports/sample/figures``; made as needed.
        options: as for :func:`draw`.

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
