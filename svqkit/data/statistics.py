"""Mean and standard deviation of each channel, gathered block by block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from svqkit.data.plan import Clip
from svqkit.settings.params import Protocol, Split


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


class SplitStatistics:
    """The statistics of every split under every protocol, from blocks of frames that come in order.

    ``state`` is what a stopped preparation has gathered so far; see :meth:`state`.
    """

    def __init__(
        self, clips: Mapping[Protocol, Mapping[Split, Sequence[Clip]]], state: list[dict[str, Any]] | None = None
    ) -> None:
        self.clips = clips
        # Protocols mostly agree on a split: what is the same is computed once.
        self.distinct = sorted({self._key(owned) for splits in clips.values() for owned in splits.values()})
        self.frames = [np.concatenate([np.arange(*clip) for clip in key]) for key in self.distinct]
        self.gathered = [
            ChannelStatistics(entry["count"], np.array(entry["mean"]), np.array(entry["squares"]))
            for entry in state or []
        ] or [ChannelStatistics() for _ in self.distinct]

    def add(self, block: np.ndarray, start: int) -> None:
        """Take in the frames (n, C, H, W) from ``start`` on."""
        for frames, statistics in zip(self.frames, self.gathered, strict=True):
            first, last = np.searchsorted(frames, [start, start + len(block)])
            if last - first == len(block):
                statistics.add(block)
            elif last > first:
                statistics.add(block[frames[first:last] - start])

    def state(self) -> list[dict[str, Any]]:
        """Return what has been gathered, exactly, ready for JSON."""
        return [
            {"count": split.count, "mean": split.mean.tolist(), "squares": split.squares.tolist()}
            for split in self.gathered
        ]

    def result(self, scale: float = 1.0) -> dict[Protocol, dict[Split, dict[str, list[float]]]]:
        """Return mean and standard deviation of each split, times ``scale``."""
        by_key = dict(zip(self.distinct, self.gathered, strict=True))
        return {
            protocol: {
                split: {
                    "mean": (scale * by_key[self._key(owned)].mean).tolist(),
                    "std": (scale * by_key[self._key(owned)].std).tolist(),
                }
                for split, owned in splits.items()
            }
            for protocol, splits in self.clips.items()
        }

    @staticmethod
    def _key(clips: Sequence[Clip]) -> tuple[Clip, ...]:
        return tuple(sorted((int(start), int(stop)) for start, stop in clips))
