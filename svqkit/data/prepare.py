"""Raw files → store: streamed block by block, so that memory does not grow with the length of the record."""

from pathlib import Path
from typing import get_args

import numpy as np
import zarr

from svqkit.atomic import replacing
from svqkit.config import Data, Split, as_tree
from svqkit.data import store as stores
from svqkit.data import weather
from svqkit.data.statistics import ChannelStatistics
from svqkit.data.store import Clip, Store
from svqkit.errors import SvqkitError
from svqkit.progress import progress

BLOCK_BYTES = 2**25
SPLITS: tuple[Split, ...] = get_args(Split)


def prepare(data: Data, target: str | Path, again: bool = False) -> Store:
    """Write the store of a dataset, or open the one that is there when it was made from the same.

    "The same" are the settings and the names and sizes of the raw files; ``again`` rewrites it in any case.

    Raises:
        SvqkitError: the raw files do not fit (see :func:`svqkit.data.weather.open_record`), a split is shorter
            than one window, or the disk is full; the earlier store, if there was one, stays as it was.
    """
    target = Path(target)
    record = weather.open_record(data)
    made_from = _settings(data, record)
    if not again and target.exists() and _is_same(target, made_from):
        return Store.open(target)
    splits = {split: _clips(record, data, split) for split in SPLITS}
    shape = (len(record.times), len(record.channels), len(record.lat), len(record.lon))
    with replacing(target) as draft:
        axes = {"time": record.times.astype("datetime64[h]").astype(np.int64), "lat": record.lat, "lon": record.lon}
        group = stores.create(draft, shape, axes)
        statistics = _copy_frames(record, group["frames"], splits)
        weeks = _write_climatology(group, splits["train"], record.times, 24 // np.gcd(24, data.hours_per_frame))
        group.attrs.update(
            title=record.title,
            channels=record.channels,
            units=record.units,
            splits=splits,
            statistics=statistics,
            weeks=weeks,
            settings=made_from,
        )
    return Store.open(target)


def _settings(data: Data, record: weather.Record) -> dict:
    files = sorted({piece.path for pieces in record.pieces.values() for piece in pieces})
    # Through lists, as JSON gives them back.
    return {"data": as_tree(data), "files": [[path.name, path.stat().st_size] for path in files]}


def _is_same(target: Path, made_from: dict) -> bool:
    try:
        return Store.open(target).settings == made_from
    except SvqkitError:
        return False


def _clips(record: weather.Record, data: Data, split: Split) -> list[Clip]:
    inside = weather.in_period(record.times, getattr(data, split))
    clips = stores.split_at_gaps(record.times, inside, data.hours_per_frame)
    window = data.frames_in + data.frames_out
    longest = max(stop - start for start, stop in clips)
    if longest < window:
        raise SvqkitError(
            f"The {split} period {list(getattr(data, split))} has no window: one needs {data.frames_in} + "
            f"{data.frames_out} = {window} frames in a row, the longest run there has {longest}. "
            "Lengthen the period, or ask for fewer frames."
        )
    return clips


def _copy_frames(record: weather.Record, frames: zarr.Array, splits: dict[Split, list[Clip]]) -> dict:
    """Fill ``frames`` and return the statistics of each split, with and without its last frame."""
    gathered = {split: (ChannelStatistics(), ChannelStatistics()) for split in splits}
    # Whole chunks at a time, so that none is written twice.
    per_block = frames.chunks[0] * max(1, BLOCK_BYTES // (4 * int(np.prod(frames.chunks))))
    start = 0
    with progress(total=frames.shape[0], what="prepare", unit="frame") as bar:
        for _, block in record.blocks(per_block):
            stop = start + len(block)
            frames[start:stop] = block
            for split, (whole, without_last) in gathered.items():
                for first, last in splits[split]:
                    whole.add(block[max(0, first - start) : max(0, last - start)])
                    end = last - 1 if (first, last) == splits[split][-1] else last
                    without_last.add(block[max(0, first - start) : max(0, end - start)])
            start = stop
            bar.update(len(block))
    return {
        split: {
            name: {"mean": statistics.mean.tolist(), "std": statistics.std.tolist()}
            for name, statistics in zip(("all", "without_last"), pair, strict=True)
        }
        for split, pair in gathered.items()
    }


def _write_climatology(group: zarr.Group, train: list[Clip], times: np.ndarray, slots: int) -> list[int]:
    """Write the training mean by week and time of day for every week that occurs, and return those weeks.

    A week that training does not cover gets the mean over all training frames at that time of day.
    """
    frames = group["frames"]
    weeks = stores.week_of_year(times)
    slot = stores.slot_of_day(times, slots)
    occurring = np.unique(weeks)
    in_train = np.zeros(len(times), bool)
    for start, stop in train:
        in_train[start:stop] = True
    shape = (len(occurring), slots, *frames.shape[1:])
    dimensions = ("week", "slot", "channel", "lat", "lon")
    climatology = group.create_array(
        "climatology", shape=shape, dtype="float32", chunks=(1, *shape[1:]), dimension_names=dimensions
    )
    overall, overall_count = np.zeros(shape[1:]), np.zeros(slots)
    uncovered = []
    for place, week in enumerate(occurring):
        total, count = np.zeros(shape[1:]), np.zeros(slots)
        for run in _runs(np.flatnonzero(in_train & (weeks == week)), frames.chunks[0]):
            np.add.at(total, slot[run], frames[run[0] : run[-1] + 1].astype(np.float64))
            np.add.at(count, slot[run], 1)
        overall += total
        overall_count += count
        if (count > 0).all():
            climatology[place] = total / count[:, None, None, None]
        else:
            uncovered.append((place, total, count))
    fallback = overall / np.maximum(overall_count, 1)[:, None, None, None]
    fallback[overall_count == 0] = overall.sum(axis=0) / overall_count.sum()
    for place, total, count in uncovered:
        covered = (count > 0)[:, None, None, None]
        climatology[place] = np.where(covered, total / np.maximum(count, 1)[:, None, None, None], fallback)
    return occurring.tolist()


def _runs(places: np.ndarray, longest: int) -> list[np.ndarray]:
    """``places`` cut into runs of neighbours of at most ``longest``."""
    runs = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)
    return [run[i : i + longest] for run in runs if len(run) for i in range(0, len(run), longest)]
