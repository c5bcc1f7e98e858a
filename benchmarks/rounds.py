"""Contestants that take turns, so that what slows the machine down for a while slows all alike."""

import gc
from collections.abc import Callable, Mapping
from random import Random
from statistics import median

from svqkit.paper.costs import now
from svqkit.progress import progress


def take_turns(
    contestants: Mapping[str, Callable[[], None]], repeats: int, device: str, what: str
) -> dict[str, list[float]]:
    """Seconds of each contestant in each of ``repeats`` rounds; a round before them, which warms up, is not counted.

    In each round they come in another order.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    with progress((repeats + 1) * len(contestants), what, "turn") as bar:
        for number in range(repeats + 1):
            for name in Random(number).sample(list(contestants), len(contestants)):
                gc.collect()
                begun = now(device)
                contestants[name]()
                if number:
                    seconds[name].append(now(device) - begun)
                bar.update()
    return seconds


def ratio(of: list[float], to: list[float]) -> tuple[float, float, float]:
    """The median over the rounds of ``of`` / ``to``, with the smallest and the largest."""
    ratios = [one / other for one, other in zip(of, to, strict=True)]
    return median(ratios), min(ratios), max(ratios)
