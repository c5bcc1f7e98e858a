"""Small multiples: many plots of one kind, in rows that are about equally long, with labels only at the edges."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svqkit.plots.style import FULL_WIDTH, new_figure

_MOST_COLUMNS = 4


def small_multiples(
    count: int, row_height: float, x_label: str, y_label: str, share_x: bool = True, share_y: bool = True
) -> tuple[Figure, list[Axes]]:
    """A figure as wide as a page with ``count`` plots, at most four in a row.

    The x-axis is labelled below the lowest plot of each column, the y-axis left of each row.

    Args:
        count: how many, at least 1.
        row_height: of one row with its titles, inches.
        x_label, y_label: of all plots.
        share_x, share_y: whether all plots have the same limits.
    """
    rows = -(-count // _MOST_COLUMNS)
    columns = -(-count // rows)
    figure = new_figure(FULL_WIDTH, 0.8 + row_height * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=share_x, sharey=share_y)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    for column in range(columns):
        lowest = grid[(count - 1 - column) // columns, column]
        lowest.set_xlabel(x_label)
        lowest.tick_params(labelbottom=True)
    for row in grid:
        row[0].set_ylabel(y_label)
    return figure, list(grid.flat[:count])
