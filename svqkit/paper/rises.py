"""How far a training loss rises: the number that stands for stability in the kit's figure and claim."""

import math

import pandas as pd


def largest_rise(losses: pd.Series) -> float:
    """max over t of l_t / min(l_1 … l_t) − 1: 0 for a loss that only falls, infinite for one that is not finite.

    It means something for losses that are positive throughout.
    """
    if not losses.map(math.isfinite).all():
        return math.inf
    return float((losses / losses.cummin()).max() - 1)
