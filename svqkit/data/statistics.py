"""Mean and standard deviation of each channel, gathered block by block; and the climatology of weather."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr

from svqkit.data import store as stores
from svqkit.data.plan import Clip, Plan
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
        earlier = state or [{} for _ in self.distinct]
        arrays: list[dict[str, Any]] = [{key: np.array(part) for key, part in one.items()} for one in earlier]
        self.gathered = [ChannelStatistics(**one) for one in arrays]

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
        return [{key: np.asarray(part).tolist() for key, part in vars(split).items()} for split in self.gathered]

    def result(self, scale: float = 1.0) -> dict[Protocol, dict[Split, dict[str, list[float]]]]:
        """Return mean and standard deviation of each split, times ``scale``."""
        done = {
            key: {"mean": (scale * split.mean).tolist(), "std": (scale * split.std).tolist()}
            for key, split in zip(self.distinct, self.gathered, strict=True)
        }
        return {
            protocol: {split: done[self._key(owned)] for split, owned in splits.items()}
            for protocol, splits in self.clips.items()
        }

    @staticmethod
    def _key(clips: Sequence[Clip]) -> tuple[Clip, ...]:
        return tuple(sorted((int(start), int(stop)) for start, stop in clips))


def write_climatology(group: zarr.Group, plan: Plan) -> list[int]:
    """Write the training mean by week and time of day for every week that occurs, and return those weeks.

    A week that training does not cover gets the mean over all training frames at that time of day.
    """
    frames, times = group["frames"], plan.axes["time"]
    slots = 24 // np.gcd(24, plan.lead_step)
    weeks = stores.week_of_year(times)
    slot = stores.slot_of_day(times, slots)
    occurring = np.unique(weeks)
    in_train = np.zeros(len(times), bool)
    for start, stop in plan.windows["clean"].clips["train"]:
        in_train[start:stop] = True
    shape = (len(occurring), slots, *frames.shape[1:])
    if "climatology" in group:
        del group["climatology"]  # of a call that was stopped here
    climatology = group.create_array(
        "climatology",
        shape=shape,
        dtype="float32",
        chunks=(1, *shape[1:]),
        dimension_names=("week", "slot", "channel", "lat", "lon"),
    )
    overall, overall_count = np.zeros(shape[1:]), np.zeros(slots)
    uncovered = []
    for index, week in enumerate(occurring):
        total, count = np.zeros(shape[1:]), np.zeros(slots)
        for run in _runs(np.flatnonzero(in_train & (weeks == week)), frames.chunks[0]):
            np.add.at(total, slot[run], frames[run[0] : run[-1] + 1].astype(np.float64))
            np.add.at(count, slot[run], 1)
        overall += total
        overall_count += count
        if (count > 0).all():
            climatology[index] = total / count[:, None, None, None]
        else:
            uncovered.append((index, total, count))
    fallback = overall / np.maximum(overall_count, 1)[:, None, None, None]
    fallback[overall_count == 0] = overall.sum(axis=0) / overall_count.sum()
    for index, total, count in uncovered:
        covered = (count > 0)[:, None, None, None]
        climatology[index] = np.where(covered, total / np.maximum(count, 1)[:, None, None, None], fallback)
    return occurring.tolist()


def _runs(indices: np.ndarray, longest: int) -> list[np.ndarray]:
    """Cut ``indices`` into runs of neighbours of at most ``longest``."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return [run[i : i + longest] for run in runs if len(run) for i in range(0, len(run), longest)]
