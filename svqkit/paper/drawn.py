"""A picture of the paper, ready to be written into a report."""

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Drawn:
    """One picture and what is to be said of it.

    Attributes:
        name: the file's name without suffix, beginning with the figure's key: ``"f2_kth"``.
        figure: the picture.
        caption: plain text: what is shown, of which data, over how many seeds and windows.
    """

    name: str
    figure: Figure
    caption: str
