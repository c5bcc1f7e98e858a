"""What can stand in a cell of a table: a number of ours, published ones, a comparison, words."""

from dataclasses import dataclass
from typing import Literal

Mark = Literal["best", "second", ""]


@dataclass(frozen=True)
class Number:
    """What we measured.

    Attributes:
        mean: over seeds.
        std: sample standard deviation over seeds; None for fewer than two.
        seeds: how many; 0 where there is no training behind it.
        link: the folder or file that it was made from, seen from the project's folder.
        mark: its place among our numbers of the same column (or row), set by :func:`svqkit.paper.tables.table.section`.
    """

    mean: float
    std: float | None = None
    seeds: int = 0
    link: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class Published:
    """What others reported: each value with its source. It is never ranked with ours."""

    quotes: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Change:
    """How an experiment's error differs from its base's.

    Attributes:
        relative: (mean of the experiment − mean of the base) / mean of the base; negative is better.
        low, high: its 95 % interval; NaN where there is none, as for a mean of changes.
        p_value: two-sided; NaN likewise.
        seeds: pairs of runs compared.
        windows: test windows that each pair was compared in.
        base: what it is compared with.
    """

    relative: float
    low: float = float("nan")
    high: float = float("nan")
    p_value: float = float("nan")
    seeds: int = 0
    windows: int = 0
    base: str = ""


@dataclass(frozen=True)
class Words:
    """Plain text."""

    text: str


Cell = Number | Published | Change | Words | None
