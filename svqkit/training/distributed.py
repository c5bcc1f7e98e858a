"""Several processes that train as one: which samples, and which random numbers, belong to each.

Each process has a run of neighbouring samples of every batch. What a step draws at random, all processes draw for the
whole batch, from the same seed, and each takes its own rows (see also :mod:`svqkit.models.whole_batch`). So the losses
of two processes are those of one, but for the last digits, and a training can go on with another number of processes.
"""

from collections.abc import Callable
from typing import TypeVar

from torch import Tensor, distributed

from svqkit.errors import SvqkitError

Many = TypeVar("Many")


def rank_and_count() -> tuple[int, int]:
    """The number of this process, and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def share(many: Many, rank: int, count: int) -> Many:
    """The part of a sequence that belongs to process ``rank``: a run of neighbours, of even length where it can be."""
    return many[len(many) * rank // count : len(many) * (rank + 1) // count]


def own_rows(draw: Callable[[int], Tensor], rows: int) -> Tensor:
    """``rows`` rows of random numbers: those of this process, out of what ``draw`` gives for all processes together."""
    rank, count = rank_and_count()
    return share(draw(rows * count), rank, count)


def refuse_uneven(what: str, samples: int, count: int) -> None:
    """Raise SvqkitError when a batch can't be shared evenly: its gradient would not be the mean over samples."""
    if samples % count:
        raise SvqkitError(
            f"{what} {samples} can't be shared evenly by {count} processes; choose a multiple, or another number of "
            "processes."
        )
