"""What differs between translators: where each looks, and what it is made of."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from svqkit.plots.style import MISSING, SEQUENTIAL, heading, new_figure, use

if TYPE_CHECKING:
    from svqkit.models.translators.anatomy import Anatomy

_COLUMNS = 5
_SCALE = LogNorm(1e-4, 1)
_LETTERS = 31  # of the small text, on a line as wide as a panel
# inches
_PANEL, _GAP, _LEFT, _RIGHT = 1.42, 0.13, 0.22, 0.08
_ABOVE, _BETWEEN, _BELOW = 0.36, 0.05, 0.42  # names above a pair of panels, its anatomy below
_HEADING, _BAR = 0.3, 0.55


def receptive_fields_figure(
    fields: Mapping[str, Mapping[str, np.ndarray]], parameters: Mapping[str, int], title: str | None = None
) -> Figure:
    """Draw for each translator where its middle block looks (above) and where all of it looks (below).

    Colours are logarithmic, relative to the place that counts most; grey places don't count at all. Translators are
    grouped by family; one that is not in ``ANATOMY`` stands among the others, without a description.

    Args:
        fields: per translator "block" and "translator", (H', W'), not negative: as
            :func:`svqkit.models.receptive_field.receptive_fields` gives them.
        parameters: per translator the number of its parameters.
        title: what the figure shows.
    """
    rows = list(_rows(list(fields)))
    height, width = next(iter(fields.values()))["block"].shape
    high = _PANEL * height / width
    cell = _ABOVE + 2 * high + _BETWEEN + _BELOW
    with use():
        columns = max(map(len, rows))
        figure = new_figure(_LEFT + columns * (_PANEL + _GAP) - _GAP + _RIGHT, _HEADING + len(rows) * cell + 0.1 + _BAR)
        figure.set_layout_engine("none")  # every panel is as large as every other, whatever is written around it
        named = set()
        for (row, column), name in _places(rows):
            left, top = _LEFT + column * (_PANEL + _GAP), _HEADING + row * cell + _ABOVE
            above = _panel(figure, left, top, high, fields[name]["block"])
            below = _panel(figure, left, top + high + _BETWEEN, high, fields[name]["translator"])
            _describe(above, below, name, parameters[name])
            if column == 0:
                above.set_ylabel("one block", size=6.5)
                below.set_ylabel("all blocks", size=6.5)
            family = _anatomy(name)[1].family
            if family not in named:
                _name_family(above, family)
                named.add(family)
        _bar(figure)
        heading(figure, title or "Where each translator looks")
    return figure


def _places(rows: Sequence[Sequence[str]]) -> Iterator[tuple[tuple[int, int], str]]:
    for row, names in enumerate(rows):
        for column, name in enumerate(names):
            yield (row, column), name


def _rows(names: Sequence[str]) -> Iterator[list[str]]:
    """The names row by row; a family begins a new row unless all of it fits into what is left of the last one."""
    row: list[str] = []
    ranked = sorted(names, key=lambda name: _anatomy(name)[0])
    for _, family in groupby(ranked, lambda name: _anatomy(name)[1].family):
        members = list(family)
        if row and len(row) + len(members) > _COLUMNS:
            yield row
            row = []
        while len(row) + len(members) > _COLUMNS:
            yield members[:_COLUMNS]
            members = members[_COLUMNS:]
        row += members
    if row:
        yield row


def _anatomy(name: str) -> tuple[int, "Anatomy"]:
    """Return a translator's rank in the figure, and what it is made of."""
    # Not at the top: torch, which comes along, takes seconds, and most figures need none.
    from svqkit.models.translators.anatomy import ANATOMY, UNKNOWN

    return list(ANATOMY).index(name) if name in ANATOMY else len(ANATOMY), ANATOMY.get(name, UNKNOWN)


def _panel(figure: Figure, left: float, top: float, high: float, field: np.ndarray) -> Axes:
    """A panel ``left`` and ``top`` inches from the figure's corner, with a field in it."""
    wide, tall = figure.get_size_inches()
    axes = figure.add_axes((left / wide, 1 - (top + high) / tall, _PANEL / wide, high / tall))
    colours = colormaps[SEQUENTIAL].with_extremes(bad=MISSING)
    axes.imshow(np.ma.masked_equal(field / field.max(), 0), cmap=colours, norm=_SCALE, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def _bar(figure: Figure) -> None:
    tall = figure.get_figheight()
    axes = figure.add_axes((0.15, (_BAR - 0.1) / tall, 0.7, 0.09 / tall))
    label = "|∂ output in the middle / ∂ input here|, relative to the largest (grey: not at all)"
    figure.colorbar(ScalarMappable(_SCALE, SEQUENTIAL), cax=axes, orientation="horizontal", extend="min", label=label)


def _describe(above: Axes, below: Axes, name: str, parameters: int) -> None:
    above.set_title(name, loc="left", weight="bold", pad=3)
    above.set_title(f"{parameters / 1e6:.1f} M", loc="right", size=6.5, pad=3)
    _, about = _anatomy(name)
    lines = [*textwrap.wrap(about.mixes, _LETTERS), " · ".join(filter(None, (about.norm, about.mlp)))]
    below.set_xlabel("\n".join(lines), size=6, loc="left", labelpad=2)


def _name_family(axes: Axes, family: str) -> None:
    axes.annotate(
        family.upper(),
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(0, 14),
        textcoords="offset points",
        size=6.5,
        color="#666666",
        annotation_clip=False,
    )
