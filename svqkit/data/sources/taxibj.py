"""TaxiBJ: taxis that enter and leave each cell of Beijing in 30 minutes (Zhang et al. 2017, arXiv 1610.00081).

Two kinds of files are read; where both are there, dataset.npz is, because the published scores are made with it.

``<root>/dataset.npz`` as SimVP and OpenSTL publish it: ``X_train``, ``Y_train``, ``X_test``, ``Y_test`` of shape
(samples, 4, 2, 32, 32), inputs and targets scaled to [-1, 1]; the reference maps them to [0, 1] by (X + 1) / 2, and
so do we. Neighbouring samples overlap, and the first test samples share frames with the last training samples.
OpenSTL's X_train has 20,461 samples (its issue 39). Protocol "paper" trains on all of them and validates on the
test samples. Protocol "clean" validates on the last of the training samples, and leaves out every training sample
that has a frame of the validation or of the test, and every validation sample that has a frame of the test; frames
are compared by their values. Frames of one value everywhere, such as a night without data, tell nothing and are not
compared.

The original maximum, taxis that are 1 here, is not in the file: it is the setting ``maximum``, 1292, which public
configurations for the four original files call MAX_FLOWIO. (Their README prints 1250 for the last file alone.)

``<root>/BJ13_M32x32_T30_InOut.h5`` to ``BJ16_…`` hold ``data`` (slots, 2, 32, 32) in taxis, and
``date`` (slots,) such as b"2013070148", the day and its slot of 30 minutes, 01 to 48. As in the original
(github.com/TolicWang/DeepST, data/TaxiBJ): days without all of their 48 slots are left out, negative values are 0,
the last 28 days are the test, values are scaled by the smallest and largest value of all days before these, and
holidays stay in. There the scale is [-1, 1], here it is [0, 1]; a test value above the largest one of training is
above 1. Windows are consecutive slots, one starts at every slot, and none crosses from one split into another.

``<root>/BikeNYC_M16x8_T60.h5`` (in DeepST ``NYC14_M16x8_T60_NewEnd.h5``) is the same of bikes, with slots of 60
minutes, 01 to 24, on 16 × 8 cells.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from svqkit.data.plan import Clip, Plan, Windowing, original_range
from svqkit.data.sources.arrayfiles import NpzMember
from svqkit.data.sources.hdf5 import open_hdf5
from svqkit.data.sources.units import LARGEST, stand_ins
from svqkit.errors import SvqkitError, listed
from svqkit.settings.data import SPLITS, Split, TaxiBJData

CHANNELS = ("inflow", "outflow")
FLOWS: dict[str, Any] = {"dtype": "float32", "kind": "image", "channels": CHANNELS, "units": ("", "")}
# What is counted, by how the name of a file begins.
COUNTED = {"BJ": "taxis", "BikeNYC": "bikes", "NYC14": "bikes"}
NAME = re.compile(rf"({'|'.join(COUNTED)}).*_M\d+x\d+_T(30|60)(_\w+)?\.h5")
PIECE_BYTES = 2**24
# X in [-1, 1] is the published scale; float32 rounds it by less than this.
ROUNDING = 1e-4


def plan(data: TaxiBJData) -> Plan:
    """Plan the store of TaxiBJ: which frames form a window.

    All values are read once: which samples share frames, and how the original values are to be scaled, can't be
    told without. That takes seconds.

    Raises:
        SvqkitError: there are no files of either kind, or they do not hold what the module's docstring says.
    """
    root = Path(data.root)
    if (root / "dataset.npz").exists():
        return _plan_samples(root / "dataset.npz", data)
    records = records_in(root)
    if not records:
        raise SvqkitError(
            f"The folder {root.absolute()} has neither dataset.npz, as OpenSTL publishes it, nor the original files "
            "BJ13_M32x32_T30_InOut.h5 to BJ16_M32x32_T30_InOut.h5. Put one or the other there, or change `root`; for "
            "the bundled sample run `dvc pull`."
        )
    return plan_records(records, data)


@dataclass(frozen=True)
class Samples:
    """A part of the store: all samples of a split of dataset.npz, inputs and targets of each in a row."""

    inputs: NpzMember
    targets: NpzMember

    @property
    def count(self) -> int:
        """How many samples."""
        return self.inputs.shape[0]

    @property
    def length(self) -> int:
        """How many frames a sample has."""
        return self.inputs.shape[1] + self.targets.shape[1]

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return self.count * self.length

    def read(self) -> Iterator[np.ndarray]:
        """Yield its frames in [0, 1], (n, 2, H, W) float32, some whole samples at a time.

        Raises:
            SvqkitError: the file is damaged, or has a value that is not finite or not in [-1, 1].
        """
        frame = int(np.prod(self.inputs.shape[2:])) * max(4, self.inputs.dtype.itemsize)
        some = max(1, PIECE_BYTES // (frame * self.length))
        first = 0
        for inputs, targets in zip(_of(self.inputs, some), _of(self.targets, some), strict=True):
            both = [_to_unit(self.inputs, inputs, first), _to_unit(self.targets, targets, first)]
            yield np.concatenate(both, axis=1).reshape(-1, *inputs.shape[2:])
            first += len(inputs)


def _of(member: NpzMember, some: int) -> Iterator[np.ndarray]:
    """Samples of one array, ``some`` at a time."""
    length = member.shape[1]
    for frames in member.read(0, member.shape[0] * length, some * length):
        yield frames.reshape(-1, length, *frames.shape[1:])


def _to_unit(member: NpzMember, values: np.ndarray, first: int) -> np.ndarray:
    """From [-1, 1] to [0, 1], float32; ``first`` is the number of the first sample."""
    bad = ~(np.abs(values) <= 1 + ROUNDING)  # true for NaN as well
    if bad.any():
        sample, frame, channel, row, column = np.argwhere(bad)[0].tolist()
        raise SvqkitError(
            f"{member.path}: {member.key} has {bad.sum()} value(s) in this block that are not in [-1, 1], the first is "
            f"{values[sample, frame, channel, row, column]} in sample {first + sample}, frame {frame}, channel "
            f"{channel}, row {row}, column {column} (all from 0). The published file is scaled to [-1, 1]; scale "
            "yours so, or fill what is missing."
        )
    return np.clip((values + 1) / 2, 0, 1).astype(np.float32)


def _plan_samples(path: Path, data: TaxiBJData) -> Plan:
    train, test = open_samples(path)
    inputs, targets = train.inputs.shape[1], train.targets.shape[1]
    if data.frames_in > inputs or data.frames_out > targets:
        raise SvqkitError(
            f"{path} has samples of {inputs} + {targets} frames; frames_in: {data.frames_in}, frames_out: "
            f"{data.frames_out} asks for more. Ask for fewer, or use the original HDF5 files."
        )
    training, validation, notes = _clean_samples(train, test, data.validation_share)
    tested = np.arange(train.count, train.count + test.count)

    def windowing(*samples: np.ndarray) -> Windowing:
        begins = {split: train.length * numbers for split, numbers in zip(SPLITS, samples, strict=True)}
        clips = {split: [(start, start + train.length) for start in begins[split]] for split in SPLITS}
        # Fewer inputs than there are: the last ones, so that the targets follow.
        return Windowing.consecutive(data, clips, {split: begins[split] + inputs - data.frames_in for split in SPLITS})

    if records_in(path.parent):
        notes.append(f"{path.name} is used; the HDF5 files beside it are not")
    return Plan(
        parts=[train, test],
        frame_shape=(len(CHANNELS), train.inputs.shape[3], train.inputs.shape[4]),
        **FLOWS,
        windows={
            "clean": windowing(training, validation, tested),
            "paper": windowing(np.arange(train.count), tested, tested),
        },
        files=(path,),
        extra=original_range(0.0, data.maximum, "taxis per 30 min"),
        notes=tuple(notes),
    )


def open_samples(path: Path) -> tuple[Samples, Samples]:
    """Return training and test samples of dataset.npz, their shapes checked.

    Raises:
        SvqkitError: it is damaged, lacks an array, or holds arrays of other shapes.
    """
    there, wanted = NpzMember.keys(path), ("X_train", "Y_train", "X_test", "Y_test")
    if lacking := [key for key in wanted if key not in there]:
        raise SvqkitError(f"{path} has no {listed(lacking)}; it has {listed(there)}. Expected {', '.join(wanted)}.")
    members = [NpzMember.open(path, key) for key in wanted]
    for member in members:
        shape = member.shape
        if len(shape) != 5 or 0 in shape or shape[2] != len(CHANNELS) or member.dtype.kind != "f":
            raise SvqkitError(
                f"{path}: {member.key} has the shape {shape} in {member.dtype}, expected floats in [-1, 1] (samples, "
                "frames, 2, height, width), such as (20461, 4, 2, 32, 32); the 2 are inflow and outflow."
            )
    train, test = Samples(*members[:2]), Samples(*members[2:])
    x_train, y_train, x_test, y_test = (member.shape for member in members)
    samples_agree = (x_train[0], x_test[0]) == (y_train[0], y_test[0])
    if not samples_agree or (x_train[1:], y_train[1:]) != (x_test[1:], y_test[1:]) or x_train[2:] != y_train[2:]:
        raise SvqkitError(
            f"{path}: X_train has the shape {x_train}, Y_train {y_train}, X_test {x_test}, Y_test {y_test}. Inputs and "
            "targets need equally many samples, training and test equally many frames, and all the same grid."
        )
    return train, test


def _clean_samples(train: Samples, test: Samples, share: float) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Samples of training and validation, without those that share a frame with a later split; and notes of these."""
    digests: list[Any] = []
    lowest: dict[Any, float] = {}
    for samples in (train, test):
        for frames in samples.read():
            block = frames.reshape(-1, samples.length, *frames.shape[1:])
            parts = np.split(block, [samples.inputs.shape[1]], axis=1)
            for member, part in zip((samples.inputs, samples.targets), parts, strict=True):
                lowest[member.key] = min(lowest.get(member.key, 1), float(part.min()))
            digests += _digests(block)
    if scaled := [key for key, low in lowest.items() if low >= 0.5]:
        raise SvqkitError(
            f"{train.inputs.path}: {listed(scaled)} has no value below 0, so its scale is [0, 1]; the published file's "
            "is [-1, 1], where -1 is no taxi. Save 2 * X - 1 of each array."
        )
    border = train.count - max(1, round(train.count * share))
    tested = set().union(*digests[train.count :])
    validation = [sample for sample in range(border, train.count) if digests[sample].isdisjoint(tested)]
    held_out = tested.union(*(digests[sample] for sample in validation))
    training = [sample for sample in range(border) if digests[sample].isdisjoint(held_out)]
    notes = []
    for split, kept, count, later in (
        ("training", training, border, "validation or test"),
        ("validation", validation, train.count - border, "test"),
    ):
        if len(kept) < count:
            left_out = f"{count - len(kept):,} of {count:,} {split} samples"
            notes.append(f"protocol clean: {left_out} share a frame with the {later} and are left out")
    return np.array(training, np.int64), np.array(validation, np.int64), notes


def _digests(block: np.ndarray) -> list[set[bytes]]:
    """For each sample of (n, frames, 2, H, W) what tells its frames apart."""
    flat = block.reshape(*block.shape[:2], -1)
    telling = flat.min(axis=2) < flat.max(axis=2)
    return [
        {hashlib.blake2b(frame, digest_size=16).digest() for frame in sample[told]}
        for sample, told in zip(flat, telling, strict=True)
    ]


@dataclass(frozen=True)
class Record:
    """One of the original files, checked; a part of the store, its whole days scaled from [low, high] to [0, 1].

    Attributes:
        units: of its values: "taxis per 30 min".
        slots: how many a day has: 48 of 30 minutes, or 24 of 60.
        days: those with all their slots, datetime64[D], in the order of time.
        rows: of each the row of its first slot.
        incomplete: how many days have fewer.
        grid: height and width.
    """

    path: Path
    units: str
    slots: int
    days: np.ndarray
    rows: np.ndarray
    incomplete: int
    grid: tuple[int, int]
    low: float = 0.0
    high: float = 1.0

    @property
    def frames(self) -> int:
        """How many frames it gives."""
        return len(self.days) * self.slots

    def read(self) -> Iterator[np.ndarray]:
        """Yield a day at a time, (slots, 2, H, W) float32.

        Raises:
            SvqkitError: the file is damaged, or has a value that is not finite.
        """
        for values in self.values():
            yield ((values - self.low) / (self.high - self.low)).astype(np.float32)

    def values(self) -> Iterator[np.ndarray]:
        """Yield taxis or bikes, (slots, 2, H, W) float64, never negative, of each whole day.

        Raises:
            SvqkitError: the file is damaged, or has a value that is not finite.
        """
        with open_hdf5(self.path) as file:
            for day, start in zip(self.days, self.rows, strict=True):
                values = np.asarray(file["data"][start : start + self.slots], np.float64)
                bad = stand_ins(values.astype(np.float32)) | ~(np.abs(values) < LARGEST)
                if bad.any():
                    slot, channel, row, column = np.argwhere(bad)[0].tolist()
                    raise SvqkitError(
                        f"{self.path}: {bad.sum()} value(s) of {day} are NaN, infinite or never written, the first at "
                        f"slot {slot + 1:02d}, channel {channel}, row {row}, column {column}. Fill them, or cut it."
                    )
                if values.min() < 0 and values.max() <= 1:
                    raise SvqkitError(
                        f"{self.path}: the values of {day} lie between {values.min():g} and {values.max():g}, as if "
                        f"scaled to [-1, 1]; expected {self.units}. Take the original file."
                    )
                yield np.maximum(values, 0)


def plan_records(paths: Sequence[Path], data: TaxiBJData) -> Plan:
    """Plan the store of the files ``paths``: which slots form a window.

    Raises:
        SvqkitError: they do not hold what the module's docstring says, or too few whole days.
    """
    inspected = [inspect_record(path) for path in paths]
    records = sorted((record for record in inspected if len(record.days)), key=lambda record: record.days[0])
    if not records:
        slots = inspected[0].slots
        raise SvqkitError(f"{listed(map(str, paths))}: no day has all of its {slots} slots; nothing is left.")
    _check_together(records)
    days = np.concatenate([record.days for record in records])
    test = len(days) - data.test_days
    validation = test - max(1, round(test * data.validation_share))
    if validation < 1:
        raise SvqkitError(
            f"The files in {paths[0].parent} have {len(days)} whole days; {data.test_days} for the test (`test_days`), "
            "at least one for validation and one for training are needed. Add files, or lower `test_days`."
        )
    borders: dict[Split, Clip] = {"train": (0, validation), "validation": (validation, test), "test": (test, len(days))}
    low, high, above = _range_of(records, test)
    slots = records[0].slots
    clean = {split: _runs(days, slots, *borders[split]) for split in SPLITS}
    paper = {**clean, "train": _runs(days, slots, 0, test), "validation": clean["test"]}
    incomplete = sum(record.incomplete for record in inspected)
    notes = [f"{incomplete} day(s) without all of their {slots} slots were left out"] if incomplete else []
    if high <= 1:
        notes.append(
            f"no value before the test is above {high:g}: if they are scaled, errors in their own unit are too"
        )
    if above:
        notes.append(f"{above:,} test values are above the largest one before the test, hence above 1")
    return Plan(
        parts=[replace(record, low=low, high=high) for record in records],
        frame_shape=(len(CHANNELS), *records[0].grid),
        **FLOWS,
        windows={"clean": Windowing.consecutive(data, clean), "paper": Windowing.consecutive(data, paper)},
        files=tuple(record.path for record in records),
        clip_names=[
            (f"{days[a // slots]} to {days[b // slots - 1]}", a, b) for a, b in _runs(days, slots, 0, len(days))
        ],
        extra=original_range(low, high, records[0].units),
        notes=tuple(notes),
    )


def records_in(root: Path) -> list[Path]:
    """Return the files in a folder that are called as the original ones are."""
    return sorted(path for path in root.glob("*.h5") if NAME.fullmatch(path.name))


def inspect_record(path: Path) -> Record:
    """Read the dates of one of the original files, and check its shapes.

    Raises:
        SvqkitError: it can't be opened, or does not hold what the module's docstring says.
    """
    named = NAME.fullmatch(path.name)
    assert named, path  # records_in takes no others
    count = 24 * 60 // int(named[2])
    with open_hdf5(path) as file:
        lacking = [key for key in ("data", "date") if not isinstance(file.get(key), h5py.Dataset)]
        if lacking:
            raise SvqkitError(f"{path} has no dataset {listed(lacking)}; it has {listed(file)}. Expected data, date.")
        shape, kind = file["data"].shape, file["data"].dtype.kind
        if len(shape) != 4 or shape[1] != len(CHANNELS) or kind not in "iuf":
            raise SvqkitError(
                f"{path}: data is {file['data'].dtype} of shape {shape}, expected numbers (slots, 2, height, width); "
                "the 2 are inflow and outflow."
            )
        if file["date"].shape != shape[:1]:
            raise SvqkitError(
                f"{path}: data has {shape[0]:,} slots, date the shape {file['date'].shape}; each slot needs one date."
            )
        written = file["date"][()].tolist()
    dates = pd.Series([date.decode("ascii", "replace") if isinstance(date, bytes) else str(date) for date in written])
    of_day = pd.to_datetime(dates.str[:8], format="%Y%m%d", errors="coerce")
    of_slot = pd.to_numeric(dates.str[8:], errors="coerce")
    bad = ~dates.str.fullmatch("[0-9]{10}") | of_day.isna() | ~of_slot.between(1, count)
    if bad.any():
        first = int(bad.argmax())
        raise SvqkitError(
            f"{path}, date {first}: expected a day and its slot, 01 to {count}, as in 2013070148, got {dates[first]!r}."
        )
    days, slots = of_day.to_numpy("datetime64[D]"), of_slot.to_numpy(int)
    # A day is whole where its slots follow each other.
    rows = np.flatnonzero(slots[: max(0, len(slots) - count + 1)] == 1)
    following = rows[:, None] + np.arange(count)
    is_whole = (slots[following] == np.arange(1, count + 1)) & (days[following] == days[rows, None])
    rows = rows[is_whole.all(axis=1)]
    units = f"{COUNTED[named[1]]} per {named[2]} min"
    return Record(path, units, count, days[rows], rows, len(np.setdiff1d(days, days[rows])), shape[2:])


def _check_together(records: Sequence[Record]) -> None:
    for record in records[1:]:
        if (record.grid, record.units) != (records[0].grid, records[0].units):
            raise SvqkitError(
                f"The files differ: {records[0].path} has {records[0].units} on {records[0].grid}, "
                f"{record.path} {record.units} on {record.grid}. Give each kind a folder of its own."
            )
    all_days = [(day, record.path) for record in records for day in record.days]
    for (day, path), (later, other) in pairwise(all_days):
        if later <= day:
            raise SvqkitError(
                f"{other}: {later} comes after {day} (of {path.name}); days must rise, each once. "
                "Remove what is double."
            )


def _range_of(records: Sequence[Record], training_days: int) -> tuple[float, float, int]:
    """Smallest and largest value before the test, and how many test values are larger."""
    low, high, above = np.inf, -np.inf, 0
    for day, values in enumerate(values for record in records for values in record.values()):
        if day < training_days:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
        else:
            above += int((values > high).sum())
    if not low < high:
        raise SvqkitError(f"{records[0].path}: every value before the test is {low:g}; there is nothing to scale by.")
    return low, high, above


def _runs(days: np.ndarray, slots: int, first: int, stop: int) -> list[Clip]:
    """Runs of frames [start, stop) of days that follow each other, from day ``first`` to ``stop``."""
    apart = np.diff(days[first:stop]) != np.timedelta64(1, "D")
    cuts = [first, *(np.flatnonzero(apart) + first + 1).tolist(), stop]
    return [(a * slots, b * slots) for a, b in pairwise(cuts)]
