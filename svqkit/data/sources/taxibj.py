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

``<root>/BJ13_M32x32_T30_InOut.h5`` to ``BJ16_…``, the original files, or New York's bikes in their layout: see
:mod:`svqkit.data.sources.taxibj_records`.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from svqkit.data.plan import Plan, Windowing
from svqkit.data.sources.arrayfiles import NpzMember
from svqkit.data.sources.taxibj_records import CHANNELS, original_range, plan_records, records_in
from svqkit.errors import SvqkitError, listed
from svqkit.settings.data import SPLITS, Split, TaxiBJData

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
        for samples in self.samples():
            yield samples.reshape(-1, *samples.shape[2:])

    def samples(self) -> Iterator[np.ndarray]:
        """Yield the same, (n, frames, 2, H, W)."""
        frame = int(np.prod(self.inputs.shape[2:])) * max(4, self.inputs.dtype.itemsize)
        some = max(1, PIECE_BYTES // (frame * self.length))
        first = 0
        for inputs, targets in zip(_of(self.inputs, some), _of(self.targets, some), strict=True):
            both = [_to_unit(self.inputs, inputs, first), _to_unit(self.targets, targets, first)]
            yield np.concatenate(both, axis=1)
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
    clean, notes = _clean_samples(train, test, data.validation_share)
    tested = np.arange(train.count, train.count + test.count)
    paper = {"train": np.arange(train.count), "validation": tested, "test": tested}

    def windowing(samples: dict[Split, np.ndarray]) -> Windowing:
        clips = {split: [(start, start + train.length) for start in train.length * samples[split]] for split in SPLITS}
        # Fewer inputs than there are: the last ones, so that the targets follow.
        starts = {split: samples[split] * train.length + inputs - data.frames_in for split in SPLITS}
        return Windowing.consecutive(data, clips, starts)

    if records_in(path.parent):
        notes.append(f"{path.name} is used; the HDF5 files beside it are not")
    return Plan(
        parts=[train, test],
        frame_shape=train.inputs.shape[2:],
        dtype="float32",
        kind="image",
        channels=CHANNELS,
        units=("", ""),
        windows={"clean": windowing(clean), "paper": windowing(paper)},
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
    pairs = [(train.inputs, train.targets, 0), (test.inputs, test.targets, 0)]  # that must agree in an axis
    pairs += [(train.inputs, test.inputs, 1), (train.targets, test.targets, 1)]
    pairs += [(members[0], other, slice(2, None)) for other in members[1:]]
    for one, other, axis in pairs:
        if one.shape[axis] != other.shape[axis]:
            raise SvqkitError(
                f"{path}: {one.key} has the shape {one.shape}, {other.key} {other.shape}. Inputs and targets need "
                "equally many samples, training and test equally many frames, and all the same grid."
            )
    return train, test


def _clean_samples(train: Samples, test: Samples, share: float) -> tuple[dict[Split, np.ndarray], list[str]]:
    """Samples of each split, without those that share a frame with a later split."""
    digests, lowest = [], {}
    for samples in (train, test):
        for block in samples.samples():
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
    clean: dict[Split, np.ndarray] = {
        "train": np.array(training, np.int64),
        "validation": np.array(validation, np.int64),
        "test": np.arange(train.count, train.count + test.count),
    }
    return clean, notes


def _digests(block: np.ndarray) -> list[set[bytes]]:
    """For each sample of (n, frames, 2, H, W) what tells its frames apart."""
    flat = block.reshape(*block.shape[:2], -1)
    telling = flat.min(axis=2) < flat.max(axis=2)
    return [
        {hashlib.blake2b(frame, digest_size=16).digest() for frame in sample[told]}
        for sample, told in zip(flat, telling, strict=True)
    ]
