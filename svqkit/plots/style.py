"""The look that all figures share, and writing them so that the same data gives the same bytes."""

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import pandas as pd
from matplotlib.figure import Figure

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.userfiles import escape_markdown

COLUMN_WIDTH = 3.35  # inches: one column of a two-column page
FULL_WIDTH = 7.0  # inches: both columns
PNG_DPI = 200

SEQUENTIAL = "viridis"  # amounts; evenly bright steps, readable without colour vision
ERROR = "magma"  # sizes of errors beside the amounts themselves: black where there is none, readable likewise
DIVERGING = "RdBu_r"  # signed differences; red above zero, blue below
MISSING = "#d9d9d9"  # where a map has no data

_SETTINGS = matplotlib.rc_params_from_file(Path(__file__).with_name("style.mplstyle"), use_default_template=False)


@contextmanager
def use() -> Iterator[None]:
    """Use the shared style as long as a ``with`` block lasts; the caller's own settings come back after it."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)
        yield


def new_figure(width: float = FULL_WIDTH, height: float = 2.6) -> Figure:
    """Make an empty figure of ``width`` × ``height`` inches that lays itself out without overlaps.

    It belongs to nobody's pyplot state, so it is never shown twice nor kept open. A notebook shows it when a
    cell ends with it, once ``%matplotlib inline`` has been run.
    """
    return Figure(figsize=(width, height), layout="constrained")


@contextmanager
def titled(title: str, width: float, height: float) -> Iterator[Figure]:
    """Draw on a new figure in the shared style; its heading is written when the ``with`` block ends."""
    with use():
        figure = new_figure(width, height)
        yield figure
        heading(figure, title)


def heading(figure: Figure, text: str) -> None:
    """Write what a figure shows above it, broken into lines that fit its width and are about equally long."""
    letters = int(figure.get_figwidth() * 12.5)  # of the heading's size and weight

    most = len(broken(text, letters))
    figure.suptitle(
        "\n".join(next(lines for width in range(1, letters + 1) if len(lines := broken(text, width)) <= most))
    )


def broken(text: str, letters: int) -> list[str]:
    """Return a text in lines of at most ``letters``, broken at spaces, but not between a number and its unit."""
    joined = re.sub(r"(?<=\d) (?=[%°a-zA-Z])", "\N{NO-BREAK SPACE}", text)
    lines = textwrap.wrap(joined, letters, break_long_words=False, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def marked(figure: Figure, simulated: bool, subject: str = "") -> Figure:
    """Return the figure with a heading that says what it is of, and where its data are simulated also that; once."""
    text, mark = figure.get_suptitle().replace("\n", " "), " (simulated data)" * bool(simulated)
    begin, colon, rest = text.partition(":")
    if colon and subject.endswith(begin):  # the field that the subject ends with
        text = f"{subject}:{rest}"
    elif subject not in text:
        text = f"{subject} – {text}"
    with use():
        heading(figure, text.removesuffix(mark) + mark)
    return figure


def save(figure: Figure, path_without_suffix: str | Path, caption: str = "") -> list[Path]:
    """Write ``figure`` as PNG (200 dots per inch) and PDF; the same figure gives the same bytes each time.

    Args:
        figure: what one of the functions of this package returned.
        path_without_suffix: folder and name, such as ``reports/bias``; folders are made as needed.
        caption: what is to be said of it; goes into a file of its own.

    Returns:
        The paths written: ``[….png, ….pdf]``, and ``….txt`` with the caption.
    """
    stem = Path(path_without_suffix)
    # without these entries the files hold no date and no program version
    metadata = {"png": {"Software": None}, "pdf": {"CreationDate": None, "Producer": None, "Creator": None}}
    written, dpi, layout = [], figure.get_dpi(), figure.get_layout_engine()
    with use():
        # Laid out and measured once: savefig would do both for each file, which takes as long as drawing them.
        figure.set_dpi(PNG_DPI)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        box = figure.get_tightbbox().padded(0.04)
        for kind, entries in metadata.items():
            written.append(stem.with_name(f"{stem.name}.{kind}"))
            with replacing(written[-1]) as draft:
                figure.savefig(draft, format=kind, dpi=PNG_DPI, metadata=entries, bbox_inches=box)
    figure.set_dpi(dpi)
    figure.set_layout_engine(layout)
    if caption:
        written.append(stem.with_name(f"{stem.name}.txt"))
        with replacing(written[-1]) as draft:
            draft.write_text(f"{caption}\n", encoding="utf-8", newline="\n")
    return written


def save_and_show(figure: Figure, path_without_suffix: str | Path, caption: str = "") -> None:
    """Write a figure with its caption, see :func:`save`, and show both in a notebook."""
    from IPython.display import Image, Markdown, display

    display(Image(str(save(figure, path_without_suffix, caption)[0])))
    if caption:
        display(Markdown(f"> {escape_markdown(caption)}"))


@contextmanager
def or_say_why(what: str) -> Iterator[None]:
    """Show in one line of a notebook why ``what`` is not there, when the block raises an SvqkitError; then go on."""
    from IPython.display import Markdown, display

    try:
        yield
    except SvqkitError as error:
        display(Markdown(escape_markdown(f"{what} is not drawn. {error}")))


def by_dataset(table: pd.DataFrame, otherwise: str) -> list[tuple[str, pd.DataFrame]]:
    """Return the rows of each dataset, in the order in which they come.

    Raises:
        SvqkitError: there is no row; the message says that there is nothing to draw, since ``otherwise``.
    """
    if table.empty:
        raise SvqkitError(f"There is nothing to draw: {otherwise}. Train and score such experiments: `dvc repro`.")
    return list(table.groupby("dataset", sort=False))
