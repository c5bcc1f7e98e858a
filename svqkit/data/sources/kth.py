"""KTH actions (Schuldt, Laptev and Caputo, ICPR 2004): six actions by 25 persons in four scenes, 25 frames a second.

Two layouts are read, each in ``root`` or ``root/kth``, right there or in a folder per action:

- the videos as published, ``person01_boxing_d1_uncomp.avi``. ``00sequences.txt`` of the same page beside them says
  in which frames somebody acts; the others (an empty meadow between two runs) are left out.
- OpenSTL's folders of frames, one per video: ``boxing/person01_boxing_d1_uncomp/image_0001.jpg``.

Frames whose numbers follow each other form a run, and no window reaches beyond its run. Windows are those of the
reference: the last one of a run ends where the run ends, and each lies a stride before the next.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from svqkit.data.plan import Clip, Plan, Windowing, windows_from_end
from svqkit.data.sources.frames import FramesPart, plan_of_pictures
from svqkit.data.sources.images import ImageFiles, images_in, resize
from svqkit.data.sources.video import Video
from svqkit.errors import SvqkitError, choose
from svqkit.settings.data import KTH_ACTIONS, SPLITS, KTHData, Split
from svqkit.userfiles import read_text, reading, refuse_twice

SCENES = (1, 2, 3, 4)
FAST = ("jogging", "running")
SEQUENCES = "00sequences.txt"
# Absent from the published set, whose 00sequences.txt calls it "*missing*".
NEVER_PUBLISHED = "person13_handclapping_d3"
# The published file breaks off: so many of the 370 frames can be decoded that its header and 00sequences.txt promise.
BROKEN_OFF = {"person01_boxing_d4": 304}
LAYOUT = (
    "Expected are the published videos (person01_boxing_d1_uncomp.avi, there or in a folder per action) or "
    "OpenSTL's frames (boxing/person01_boxing_d1_uncomp/image_0001.jpg)."
)

_NAME = re.compile(rf"(person(\d\d)_({'|'.join(KTH_ACTIONS)})_d([1-4]))(?:_uncomp)?(\.avi)?", re.IGNORECASE)
_FRAME = re.compile(r"image[-_]?([0-9]{1,9})(?:\D.*)?", re.IGNORECASE)
_LINE = re.compile(r"(person\d+_\w+?_d\d)\s+(?:frames\s+(.*)|\*missing\*)", re.IGNORECASE)
_RANGE = re.compile(r"([0-9]{1,9})\s*-\s*([0-9]{1,9})")


@dataclass(frozen=True)
class Recording:
    """One person doing one action in one scene: an AVI, or a folder of frames."""

    name: str
    person: int
    action: str
    path: Path

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of frames."""
        return self.path.suffix.lower() != ".avi"


# By the name of a recording the first and last frame, counted from 1, of each of its pieces.
Listing = Mapping[str, Sequence[tuple[int, int]]]


@dataclass(frozen=True)
class Taken:
    """What is taken of a recording: its runs that are long enough for a window.

    Attributes:
        part: gives their frames.
        lengths: how many frames each run has.
        short: how many runs were too short.
    """

    recording: Recording
    part: FramesPart
    lengths: tuple[int, ...]
    short: int


def plan(data: KTHData) -> Plan:
    """Find the recordings of the wanted persons and actions, and cut their runs into windows.

    Raises:
        SvqkitError: nothing fits the layout, a recording is there twice, a video is damaged, 00sequences.txt can't be
            understood or names frames that a video lacks, or a split has no window.
    """
    for action in data.actions:
        choose(dict.fromkeys(KTH_ACTIONS), action, "action of KTH")
    root = Path(data.root)
    listing = read_listing(root)
    inspected = [_inspect(recording, listing, data) for recording in _wanted(find_recordings(root), data)]
    taken = [found for found in inspected if found.lengths]
    of_videos = bool(listing) and not all(clip.recording.is_folder for clip in taken)
    persons = {split: getattr(data, split) for split in SPLITS}
    seen = {**persons, "train": data.train + data.validation, "validation": data.test}
    return plan_of_pictures(
        root,
        [clip.part for clip in taken],
        data.size,
        data.colour,
        [found for found in [_listing_of(root)] if of_videos and found],
        windows={
            "clean": _windowing(taken, persons, data, data.slow_stride),
            "paper": _windowing(taken, seen, data, data.frames_in + data.frames_out),
        },
        notes=tuple(_notes(data, inspected, listing)),
    )


def _windowing(
    taken: Sequence[Taken], persons: Mapping[Split, Sequence[int]], data: KTHData, slow_stride: int
) -> Windowing:
    clips: dict[Split, list[Clip]] = {}
    starts: dict[Split, np.ndarray] = {}
    stops = np.cumsum([frames for clip in taken for frames in clip.lengths]).tolist()
    recordings = [clip.recording for clip in taken for _ in clip.lengths]
    for split in SPLITS:
        runs = zip(recordings, pairwise([0, *stops]), strict=True)
        own = [(recording, run) for recording, run in runs if recording.person in persons[split]]
        clips[split] = [run for _, run in own]
        strides = [data.fast_stride if recording.action in FAST else slow_stride for recording, _ in own]
        starts[split] = windows_from_end(clips[split], data.frames_in + data.frames_out, strides)
    return Windowing.consecutive(data, clips, starts)


def _inspect(recording: Recording, listing: Listing | None, data: KTHData) -> Taken:
    if recording.is_folder:
        frames = _frames(recording.path)
        numbers = set(frames)
    else:
        # Of a video that breaks off all that is known is how far it can be decoded.
        video = Video.open(recording.path, data.colour, whole=recording.name not in BROKEN_OFF)
        numbers = listed_frames(recording, listing, video.count)
    every = find_runs(numbers)
    runs = [run for run in every if len(run) >= data.frames_in + data.frames_out]
    wanted = tuple(chain(*runs))
    if recording.is_folder:
        images = ImageFiles.open([frames[number] for number in wanted], data.colour)
        part = FramesPart(images, range(images.count), data.size, resize, recording.name)
    else:
        part = FramesPart(video, tuple(number - 1 for number in wanted), data.size, resize, recording.name)
    return Taken(recording, part, tuple(map(len, runs)), len(every) - len(runs))


def find_runs(numbers: Iterable[int]) -> list[range]:
    """Return numbers that follow each other as ranges, in rising order."""
    ordered = np.array(sorted(numbers), np.int64)
    runs = np.split(ordered, np.flatnonzero(np.diff(ordered) != 1) + 1)
    return [range(run[0], run[-1] + 1) for run in runs if len(run)]


def listed_frames(recording: Recording, listing: Listing | None, there: int) -> set[int]:
    """Return the numbers, from 1, of the frames of a video in which somebody acts.

    Raises:
        SvqkitError: the listing names frames that the video lacks.
    """
    last = min(there, BROKEN_OFF.get(recording.name, there))
    ranges = (listing or {}).get(recording.name, [(1, last)])
    named = max(stop for _, stop in ranges)
    if named > last and recording.name not in BROKEN_OFF:
        raise SvqkitError(
            f"{SEQUENCES} lists frame {named} of {recording.name}, but {recording.path} has {last} frames. "
            "Fetch the video again, or correct its line."
        )
    return {number for start, stop in ranges for number in range(start, min(stop, last) + 1)}


def find_recordings(root: Path) -> list[Recording]:
    """Find every recording below ``root``, in either layout.

    Raises:
        SvqkitError: there is none.
    """
    if not root.is_dir():
        raise SvqkitError(f"There is no folder {root.absolute()}. {LAYOUT} Put it there, or change `root`.")
    found, seen = [], []
    for path in _entries(root):
        seen.append(str(path.relative_to(root)))
        name = _NAME.fullmatch(path.name)
        if name and (name[5] or path.is_dir()):
            found.append(Recording(name[1].lower(), int(name[2]), name[3].lower(), path))
    if not found:
        there = ", ".join(seen[:5]) + (", …" if len(seen) > 5 else "") if seen else "nothing"
        raise SvqkitError(f"No recording of KTH in {root.absolute()}, which holds {there}. {LAYOUT}")
    return found


def _entries(root: Path) -> Iterator[Path]:
    """What lies in ``root`` and ``root/kth``, and there in a folder per action."""
    for base in (root, root / "kth"):
        there = sorted(base.iterdir()) if base.is_dir() else []
        yield from (path for path in there if path.name[0] != ".")
        for folder in there:
            if folder.name.lower() in KTH_ACTIONS and folder.is_dir():
                yield from sorted(folder.iterdir())


def _wanted(found: Sequence[Recording], data: KTHData) -> list[Recording]:
    """Those of the persons and actions in the settings, each once, in order of person, action and scene."""
    persons = {*data.train, *data.validation, *data.test}
    chosen = [recording for recording in found if recording.person in persons and recording.action in data.actions]
    named = ((recording.name, recording.path) for recording in chosen)
    refuse_twice(named, lambda name, both: f"{name} is there twice: {both}.")
    return sorted(chosen, key=lambda recording: recording.name)


def _frames(folder: Path) -> dict[int, Path]:
    """The frames of a folder by their numbers, in natural order."""
    numbered = [(int(named[1]), path) for path in images_in(folder) if (named := _FRAME.fullmatch(path.stem))]
    refuse_twice(numbered, lambda number, both: f"{folder} has two frames number {number}: {both}.")
    return dict(numbered)


def read_listing(root: Path) -> Listing | None:
    """Read 00sequences.txt, if it is there: one line per video, its ranges separated by commas, more text around them.

    Ranges of the published file overlap here and there, or stand out of order: all their frames are meant.

    Raises:
        SvqkitError: it can't be read or understood.
    """
    path = _listing_of(root)
    if path is None:
        return None
    ranges: dict[str, list[tuple[int, int]]] = {}
    with reading(path):
        lines = read_text(path, errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not re.match(r"\s*person\d+_", line, re.IGNORECASE):
            continue
        fields = _LINE.fullmatch(line.strip())
        texts = re.split(r"\s*,\s*", fields[2].strip().rstrip(", ")) if fields and fields[2] is not None else []
        pieces = [(int(piece[1]), int(piece[2])) for piece in map(_RANGE.fullmatch, texts) if piece]
        if fields is None or len(pieces) < len(texts) or not all(1 <= start <= stop for start, stop in pieces):
            raise SvqkitError(
                f"{path}, line {number}: {line.strip()!r} can't be understood; expected e.g. "
                "'person01_boxing_d1 frames 1-95, 96-185'. Fetch the file again, or correct the line."
            )
        name = fields[1].lower()
        if name in ranges:
            raise SvqkitError(f"{path}, line {number}: {name} stands there a second time. Remove one of its lines.")
        if pieces:
            ranges[name] = pieces
    if not ranges:
        raise SvqkitError(f"{path} names no recording in UTF-8 text. Fetch it again, or remove it.")
    return ranges


def _listing_of(root: Path) -> Path | None:
    return next((path for path in (root / SEQUENCES, root / "kth" / SEQUENCES) if os.path.lexists(path)), None)


def _notes(data: KTHData, inspected: Sequence[Taken], listing: Listing | None) -> list[str]:
    videos = [clip.recording.name for clip in inspected if not clip.recording.is_folder]
    notes = [note for clip in inspected if clip.recording.name in videos for note in clip.part.source.notes]
    there = {clip.recording.name for clip in inspected if clip.lengths or clip.short}
    persons = sorted({*data.train, *data.validation, *data.test})
    whole = [f"person{p:02}_{action}_d{scene}" for p in persons for action in data.actions for scene in SCENES]
    expected = [name for name in whole if name != NEVER_PUBLISHED]
    if missing := [name for name in expected if name not in there]:
        notes.append(f"{len(missing)} of {len(expected)} recordings are missing, the first: {missing[0]}")
    for name in BROKEN_OFF.keys() & set(videos):
        notes.append(f"{name} breaks off in the published set: no more than {BROKEN_OFF[name]} frames of it are taken")
    if listing and (unlisted := [name for name in videos if name not in listing]):
        notes.append(f"{len(unlisted)} video(s) not in {SEQUENCES} were taken whole, the first: {unlisted[0]}")
    if listing and len(videos) < len(inspected):
        notes.append(f"{SEQUENCES} is about the videos; folders of frames were taken as they are")
    if short := sum(clip.short for clip in inspected):
        length = data.frames_in + data.frames_out
        notes.append(f"{short} run(s) of frames are shorter than a window of {length} and were skipped")
    return notes
