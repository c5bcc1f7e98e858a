"""The paper's figures: each a function of the results, found by its key."""

from pkgutil import resolve_name

from svqkit.errors import choose
from svqkit.paper.drawn import Drawn
from svqkit.paper.results import Results

# Strings, so that asking for one figure doesn't import what the others need.
FIGURES = {
    "f1": "svqkit.paper.figures.improvement:draw",
    "f2": "svqkit.paper.figures.frames:draw",
    "f3": "svqkit.paper.figures.maps:draw",
    "f4": "svqkit.paper.figures.lead_time:draw",
    "f5": "svqkit.paper.figures.codebook_size:draw",
    "f6": "svqkit.paper.figures.stability:draw",
    "f7": "svqkit.paper.figures.weights:draw",
    "f8": "svqkit.paper.figures.codebook:draw",
    "f9": "svqkit.paper.figures.cost:draw",
    "f10": "svqkit.paper.figures.noise:draw",
    "f11": "svqkit.paper.figures.leak:draw",
}


def draw(key: str, results: Results, **options: object) -> list[Drawn]:
    """The pictures of one figure, each with its caption.

    Args:
        key: "f1" to "f11".
        results: what is drawn.
        options: handed to the figure's own function; most have none.

    Raises:
        SvqkitError: there is no such figure, or nothing was measured that it could show; the message says which.
    """
    return resolve_name(choose(FIGURES, key, "figure"))(results, **options)
