"""Human3.6M: JPEG frames, and two lists that say which of them form a sequence.

``<root>/images/S1_Directions.54138969_000226.jpg`` is frame 226 of what camera 54138969 recorded of person S1.
A line ``images/S1_Directions.54138969_,226,296`` of ``train.txt`` or ``test.txt`` is the sequence that begins
there; it takes every 5th frame, and as many as are asked for. The last number is where the lists' authors (STRPM)
let it end; the reference does not read it. It reads the frames as blue, green, red; here they are red, green, blue,
and the weights of its models are turned to that when they are read (:mod:`svqkit.interop.openstl`).

What the published lists hold (counted in OpenSTL's tools/prepare_data/meta/human): 73,404 training and 8,582 test
sequences of 838 recordings of the persons 1, 5, 6, 7, 8, 9 and 11. In each recording a sequence of 8 frames begins
every 25 numbers, so that neighbours share 3 of their 8 frames, and the neighbours were shared out at random. Hence
8,483 of the 8,582 test sequences (98.8 %) have frames in common with training, and 45,981 of the 66,166 frames that
are tested on (69.5 %) are trained on as well; no recording is tested on that is not trained on. Protocol "paper"
uses the lists as they are, and validates on the test list. Protocol "clean" keeps the persons apart: it trains and
validates on the training list's sequences of some persons, and tests on the test list's sequences of others.

Every frame is stored once, however many sequences it belongs to: 412,444 for the published lists, all of whose
numbers are 1 more than a multiple of 5. Should the numbers of a recording lie on several such grids, each grid is
stored as a recording of its own.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from svqkit.data.plan import Clip, Plan, Windowing
from svqkit.data.sources.frames import FramesPart, plan_of_pictures
from svqkit.data.sources.images import ImageFiles, resize_bicubic
from svqkit.errors import SvqkitError, listed
from svqkit.settings.data import SPLITS, HumanData, Split
from svqkit.settings.params import Protocol
from svqkit.userfiles import read_text, refuse_escape

LISTS = ("train.txt", "test.txt")
# Which list each split is taken from under protocol "clean".
LIST_OF: dict[Split, int] = {"train": 0, "validation": 0, "test": 1}
PUBLISHED = "OpenSTL publishes it as tools/prepare_data/meta/human/{}"
LINE = "images/S1_Directions.54138969_,226,296"
SUFFIXES = (".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG")
PART_FRAMES, PART_BYTES = 32, 2**24


@dataclass(frozen=True)
class Sequences:
    """What a list says, a row for each of its sequences.

    Attributes:
        recordings: the number of its recording, (n,).
        begins: number of its first frame, (n,).
        persons: number of its person, (n,).
        lines: where it stands in the list, from 1, (n,).
        twice: how many lines stand there a second time; they count once.
    """

    path: Path
    recordings: np.ndarray
    begins: np.ndarray
    persons: np.ndarray
    lines: np.ndarray
    twice: int = 0


@dataclass(frozen=True)
class Frames:
    """The frames that the lists name, in the order of the store.

    Attributes:
        starts: per list, where in the store each of its sequences begins, (n,).
        runs: the frames [start, stop) that follow each other without a gap.
        numbers: of every frame as in its file's name, (N,).
        recordings: of every frame, (N,).
    """

    starts: tuple[np.ndarray, ...]
    runs: list[Clip]
    numbers: np.ndarray
    recordings: np.ndarray


def plan(data: HumanData) -> Plan:
    """Plan the store of Human3.6M: which frames form a sequence.

    Raises:
        SvqkitError: a list is missing, has a line that is none, or names frames that are not there; a split has no
            sequence.
    """
    root = Path(data.root)
    recordings: dict[str, int] = {}
    lists = [_read_list(root / name, recordings) for name in LISTS]
    names = list(recordings)
    length = data.frames_in + data.frames_out
    frames = frames_of_lists(lists, length, data.step)
    paths = _existing(root, lists, frames, names, length)
    per_part = max(1, min(PART_FRAMES, PART_BYTES // (3 * data.size[0] * data.size[1])))
    images = [
        ImageFiles(files=files, count=len(files), size=(0, 0), colour=True)
        for files in (paths[start : start + per_part] for start in range(0, len(paths), per_part))
    ]
    windows = {
        protocol: Windowing.consecutive(
            data,
            {split: _clips(starts[split], length, frames) for split in SPLITS},
            starts,
            blue_first=SPLITS if protocol == "paper" else (),
        )
        for protocol, starts in window_starts(data, lists, frames).items()
    }
    return plan_of_pictures(
        root,
        [FramesPart(files, range(files.count), data.size, resize_bicubic) for files in images],
        data.size,
        True,
        [sequences.path for sequences in lists],
        windows=windows,
        clip_names=[(Path(names[frames.recordings[a]]).name.rstrip("_"), a, b) for a, b in frames.runs],
        notes=_notes(data, lists, windows["paper"], length),
    )


def _read_list(path: Path, known: dict[str, int]) -> Sequences:
    """The sequences of a list; recordings that are new are added to ``known``, numbered in their order."""
    if not path.exists():
        raise SvqkitError(
            f"There is no list {path.absolute()}. {PUBLISHED.format(path.name)}; put it beside the folder images. "
            "For the bundled sample run `dvc pull`."
        )
    # A name that is not UTF-8 stays the file's.
    text = read_text(path, errors="surrogateescape")
    rows: dict[tuple[int, int, int], int] = {}
    filled = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    for number, line in filled:
        name, begin, person = _parse(line, f"{path}, line {number}")
        rows.setdefault((known.setdefault(name, len(known)), begin, person), number)
    if not rows:
        raise SvqkitError(f"{path} names no sequence; expected lines such as {LINE}. {PUBLISHED.format(path.name)}.")
    table = np.array([(*row, number) for row, number in rows.items()], dtype=np.int64)
    recordings, begins, persons, lines = table.T
    return Sequences(path, recordings, begins, persons, lines, len(filled) - len(rows))


def _parse(line: str, where: str) -> tuple[str, int, int]:
    """Recording, first frame and person of a line."""
    fields = [field.strip() for field in line.replace("\\", "/").split(",")]
    if len(fields) != 3 or not all(re.fullmatch("[0-9]{1,9}", field) for field in fields[1:]):
        raise SvqkitError(f"{where}: expected recording,begin,end such as {LINE}, got {line.strip()!r}.")
    if Path(fields[0]).is_absolute() or ".." in Path(fields[0]).parts or "\0" in fields[0]:
        raise SvqkitError(f"{where}: {fields[0]!r} leads out of the folder of the lists; expected a name as in {LINE}.")
    person = re.match(r"S([0-9]{1,9})_", Path(fields[0]).name)
    if not person:
        raise SvqkitError(
            f"{where}: a recording's name starts with its person, as in {LINE}; {fields[0]!r} names none."
        )
    if int(fields[2]) <= int(fields[1]):
        raise SvqkitError(f"{where}: the sequence ends at {fields[2]}, before it begins at {fields[1]}.")
    return os.path.normpath(fields[0]), int(fields[1]), int(person.group(1))


def frames_of_lists(lists: Sequence[Sequences], length: int, step: int) -> Frames:
    """Return every frame that a sequence uses, once."""
    last = max(int(sequences.begins.max()) for sequences in lists) // step + length
    begins = []
    for sequences in lists:
        grid = sequences.recordings * step + sequences.begins % step
        # A frame's key is its index on its grid; keys that differ by one are neighbours of one recording.
        begins.append(grid * (last + 1) + sequences.begins // step)
    keys = np.unique(np.concatenate(begins)[:, None] + np.arange(length))
    grids, indices = np.divmod(keys, last + 1)
    # The last index of a grid is never used, so keys of two grids are never neighbours.
    borders = [0, *(np.flatnonzero(np.diff(keys) != 1) + 1).tolist(), len(keys)]
    runs = list(pairwise(borders))
    starts = tuple(np.searchsorted(keys, begin) for begin in begins)
    return Frames(starts, runs, indices * step + grids % step, grids // step)


def _existing(
    root: Path, lists: Sequence[Sequences], frames: Frames, names: Sequence[str], length: int
) -> tuple[Path, ...]:
    """The file of every frame; each folder is listed once, which is quick also for half a million files."""
    there = {}
    for folder in {os.path.dirname(name) for name in names}:
        refuse_escape(root / folder, root)
        there[folder] = set(os.listdir(root / folder))
    paths, absent = [], np.zeros(len(frames.numbers), bool)
    for index, (recording, number) in enumerate(zip(frames.recordings, frames.numbers, strict=True)):
        folder, name = os.path.split(f"{names[recording]}{number:06d}")
        suffix = next((suffix for suffix in SUFFIXES if name + suffix in there[folder]), None)
        absent[index] = suffix is None
        paths.append(root / folder / f"{name}{suffix or SUFFIXES[0]}")
    for sequences, starts in zip(lists, frames.starts, strict=True):
        indices = starts[:, None] + np.arange(length)
        if absent[indices].any():
            row, frame = np.argwhere(absent[indices])[0]
            raise SvqkitError(
                f"{absent.sum():,} of the {len(paths):,} frames that {LISTS[0]} and {LISTS[1]} name are absent; the "
                f"first is {paths[indices[row, frame]]} (line {sequences.lines[row]} of {sequences.path}). Put the "
                "frames there, or take their sequences off the lists."
            )
    return tuple(paths)


def window_starts(
    data: HumanData, lists: Sequence[Sequences], frames: Frames
) -> dict[Protocol, dict[Split, np.ndarray]]:
    """Return where the windows of each protocol and split start, in the order of the store."""
    train, test = (np.sort(starts) for starts in frames.starts)
    clean: dict[Split, np.ndarray] = {
        split: np.sort(frames.starts[number][np.isin(lists[number].persons, getattr(data, split))])
        for split, number in LIST_OF.items()
    }
    return {"clean": clean, "paper": {"train": train, "validation": test, "test": test}}


def _clips(starts: np.ndarray, length: int, frames: Frames) -> list[Clip]:
    """The runs of frames that windows from ``starts`` cover; neighbours of two recordings are in two of them."""
    used = _covered(starts, length, len(frames.numbers))
    begins = [start for start, _ in frames.runs]
    breaks = np.flatnonzero(used[1:] != used[:-1]) + 1
    borders = np.unique([0, *begins, *breaks, len(used)]).tolist()
    return [(start, stop) for start, stop in pairwise(borders) if used[start]]


def _covered(starts: np.ndarray, length: int, frames: int) -> np.ndarray:
    used = np.zeros(frames, bool)
    used[starts[:, None] + np.arange(length)] = True
    return used


def _notes(data: HumanData, lists: Sequence[Sequences], paper: Windowing, length: int) -> tuple[str, ...]:
    train, test = paper.starts["train"], paper.starts["test"]
    trained = _covered(train, length, int(max(train.max(), test.max())) + length)
    shared = trained[test[:, None] + np.arange(length)].any(axis=1).sum()
    notes = [
        f"protocol paper: {shared:,} of {len(test):,} test sequences share frames with training sequences, "
        "as the lists have it"
    ]
    for sequences in lists:
        if sequences.twice:
            notes.append(f"{sequences.twice:,} line(s) of {sequences.path.name} stand there twice, and count once")
    for split, number in LIST_OF.items():
        if lacking := sorted(set(getattr(data, split)) - set(lists[number].persons.tolist())):
            notes.append(f"{LISTS[number]} has no sequence of the {split} person(s) {listed(map(str, lacking))}")
    return tuple(notes)
