"""What differs between translators: where each looks, and what it is made of."""

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from svqkit.plots.style import FULL_WIDTH, MISSING, SEQUENTIAL, titled

if TYPE_CHECKING:
    from svqkit.models.translators.anatomy import Anatomy

_COLUMNS = 5
_SCALE = LogNorm(1e-4, 1)
_LETTERS = 27  # of the small text, on a line as wide as a panel


def receptive_fields_figure(
    fields: Mapping[str, Mapping[str, np.ndarray]],
    parameters: Mapping[str, int],
    title: str = "Where each translator looks",
) -> Figure:
    """Draw for each translator where its middle block looks (above) and where all of it looks (below).

    Colours are logarithmic, relative to the place that counts most; grey places don't count at all. Translators stand
    by family, whose name is written above each; one that is not in ``ANATOMY`` stands at the end, without a
    description.

    Args:
        fields: per translator "block" and "translator", (H', W'), not negative: as
            :func:`svqkit.models.receptive_field.receptive_fields` gives them.
        parameters: per translator the number of its parameters.
        title: what the figure shows.
    """
    names = sorted(fields, key=lambda name: _anatomy(name)[0])
    height, width = next(iter(fields.values()))["block"].shape
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    panel = FULL_WIDTH / _COLUMNS
    colours = colormaps[SEQUENTIAL].with_extremes(bad=MISSING)
    size = max(columns * panel, 3.0), 0.8 + rows * (2 * panel * height / width + 0.95)
    with titled(title, *size) as figure:
        grid = figure.subplots(2 * rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for number, name in enumerate(names):
            row, column = divmod(number, columns)
            above, below = grid[2 * row : 2 * row + 2, column]
            for axes, what in ((above, "block"), (below, "translator")):
                field = fields[name][what]
                axes.imshow(np.ma.masked_equal(field / field.max(), 0), cmap=colours, norm=_SCALE)
            about = _anatomy(name)[1]
            above.set_title(f"{about.family.upper()}\n{name}  {parameters[name] / 1e6:.1f} M", loc="left", size=7)
            lines = [*textwrap.wrap(about.mixes, _LETTERS), " · ".join(filter(None, (about.norm, about.mlp)))]
            below.set_xlabel("\n".join(lines), size=6, loc="left")
            if column == 0:
                above.set_ylabel("one block", size=6.5)
                below.set_ylabel("all blocks", size=6.5)
        label = "|∂ output in the middle / ∂ input here|, relative to the largest (grey: not at all)"
        bar = {"location": "bottom", "extend": "min", "aspect": 60, "fraction": 0.03, "shrink": 0.8}
        figure.colorbar(ScalarMappable(_SCALE, SEQUENTIAL), ax=list(grid.flat), label=label, **bar)
    return figure


def _anatomy(name: str) -> tuple[int, "Anatomy"]:
    """Return a translator's rank in the figure, and what it is made of."""
    # Not at the top: torch, which comes along, takes seconds, and most figures need none.
    from svqkit.models.translators.anatomy import ANATOMY, UNKNOWN

    return list(ANATOMY).index(name) if name in ANATOMY else len(ANATOMY), ANATOMY.get(name, UNKNOWN)
