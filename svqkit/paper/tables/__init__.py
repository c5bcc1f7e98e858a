"""The tables of the paper, from what was measured.

``TABLES`` is the registry: key → a function that makes the table of some :class:`svqkit.paper.results.Results`, or
raises an SvqkitError that says what is missing. ``write`` writes them.
"""

from collections.abc import Callable

from svqkit.paper.results import Results
from svqkit.paper.tables import (
    codebook_size,
    costs,
    noise,
    parts,
    quantizers,
    translators,
    variants,
    video,
    weather,
)
from svqkit.paper.tables.table import Table

TABLES: dict[str, Callable[[Results], Table]] = {
    "t1": weather.table,
    "t2": video.table,
    "t3": translators.table,
    "t4": quantizers.table,
    "t5": parts.table,
    "t6": codebook_size.table,
    "t7": noise.table,
    "t8": variants.table,
    "t9": costs.table,
}

__all__ = ["TABLES", "Table"]
