"""A picture of the paper with its caption, and what every caption says of its data."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from svqkit.paper.results import Results
from svqkit.settings.params import Experiment


@dataclass(frozen=True)
class CaptionedFigure:
    """One picture and what is to be said of it.

    Attributes:
        name: the file's name without suffix, beginning with the figure's key: ``"f2_kth"``.
        figure: the picture.
        caption: plain text: what is shown, of which data, over how many seeds and windows.
    """

    name: str
    figure: Figure
    caption: str


def titled(results: Results, datasets: Sequence[str], title: str) -> str:
    """Return a title that says so where the data it is about are simulated, or which of them are."""
    simulated = [name for name in datasets if name in results.simulated]
    if not simulated:
        return title
    which = "simulated data" if len(simulated) == len(datasets) else f"simulated: {', '.join(simulated)}"
    return f"{title} ({which})"


def about_data(results: Results, datasets: Sequence[str]) -> str:
    """Return what the raw files say of themselves, a sentence for all datasets that say the same."""
    notes: dict[str, list[str]] = {}
    for name in datasets:
        notes.setdefault(results.data_note(name).rstrip("."), []).append(name)
    return " ".join(f"{', '.join(names)}: {note}." for note, names in notes.items())


def about_windows(results: Results, datasets: Sequence[str]) -> str:
    """Return how many windows of each dataset are tested on."""
    counts = [f"{name} {int(results.errors_of_persistence(name).attrs['windows']):,}" for name in datasets]
    return f"Test split, protocol clean; windows: {', '.join(counts)}."


def about_seeds(experiments: Iterable[Experiment]) -> str:
    """Return ``"1 seed"``, ``"3 seeds"``, or ``"1 to 3 seeds"`` where experiments differ."""
    counts = sorted({len(experiment.seeds) for experiment in experiments})
    if len(counts) > 1:
        return f"{counts[0]} to {counts[-1]} seeds"
    return f"{counts[0]} seed{'s' * (counts[0] > 1)}"


def sentences(*parts: str) -> str:
    """Return the parts that say something, with a space between them."""
    return " ".join(part.strip() for part in parts if part.strip())
