"""Contestants that take turns, so that what slows the machine down for a while slows all alike."""

import gc
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from random import Random
from statistics import median

from svqkit.paper.costs import now
from svqkit.progress import progress
from svqkit.training.allocation import freed_memory_kept


def take_turns(
    contestants: Mapping[str, Callable[[], None]],
    repeats: int,
    device: str,
    what: str,
    within: Callable[[str], AbstractContextManager] = lambda name: nullcontext(),
) -> dict[str, list[float]]:
    """Seconds of each contestant in each of ``repeats`` rounds.

    In each round they come in another order. At its turn each works twice, and the second time is counted: the first
    one warms up caches and memory after the others.

    Args:
        contestants: what to measure.
        repeats: rounds.
        device: "cpu" or "cuda".
        what: for the progress bar.
        within: gives the context in which the contestant of this name works.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    with progress(repeats * len(contestants), what, "turn") as bar:
        for number in range(repeats):
            for name in Random(number).sample(list(contestants), len(contestants)):
                gc.collect()
                with within(name):
                    contestants[name]()
                    begun = now(device)
                    contestants[name]()
                    seconds[name].append(now(device) - begun)
                bar.update()
    return seconds


def as_each_runs(name: str) -> AbstractContextManager:
    """Where a contestant works: ours where train() and evaluate() do, the published one as Python leaves it."""
    return freed_memory_kept() if name.startswith("svqkit") else nullcontext()


def ratio(of: list[float], to: list[float]) -> tuple[float, float, float]:
    """The median over the rounds of ``of`` / ``to``, with the smallest and the largest."""
    ratios = [one / other for one, other in zip(of, to, strict=True)]
    return median(ratios), min(ratios), max(ratios)
