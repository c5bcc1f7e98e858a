"""Mean and standard deviation of each channel, gathered block by block."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class ChannelStatistics:
    """Running mean and standard deviation per channel over time and space, in float64.

    Blocks are merged by the parallel formula of Chan, Golub and LeVeque (1979), so that nothing cancels when the
    mean is large beside the spread (temperature in K).
    """

    count: int = 0
    mean: np.ndarray = field(default_factory=lambda: np.zeros(()))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(()))

    def add(self, block: np.ndarray) -> None:
        """Take in frames (n, C, H, W)."""
        count = block.shape[0] * block.shape[2] * block.shape[3]
        if count == 0:
            return
        wide = block.astype(np.float64)
        mean = wide.mean(axis=(0, 2, 3))
        squares = np.square(wide - mean[:, None, None]).sum(axis=(0, 2, 3))
        total, delta = self.count + count, mean - self.mean
        self.squares = self.squares + squares + delta**2 * self.count * count / total
        self.mean = self.mean + delta * count / total
        self.count = total

    @property
    def std(self) -> np.ndarray:
        """Standard deviation (C,), with the number of values as divisor."""
        return np.sqrt(self.squares / self.count)
