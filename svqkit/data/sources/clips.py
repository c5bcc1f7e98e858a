"""Clips of your own: video files, or folders with one image file per frame.

``root`` holds the clips, which are then shared out to the splits in the natural order of their names (clip2 before
clip10); or it holds the folders train, validation and test, and the clips lie in these. One or two clips can't be
shared out: of each the time is, the first part for training, the next for validation, the last for the test.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from svqkit.data.plan import Clip, Plan, Windowing, every_window, share_out
from svqkit.data.sources.images import SUFFIXES
from svqkit.data.sources.video import VIDEO_SUFFIXES, FramesPart, VideoPart, image_size, inspect_video, size_text
from svqkit.errors import SvqkitError, listed
from svqkit.settings.data import SPLITS, ClipsData, Shares, Split

_LAYOUT = (
    f"expected video files ({', '.join(VIDEO_SUFFIXES)}) or folders of numbered images ({', '.join(SUFFIXES)}), or "
    "the folders train, validation and test with such in each"
)


@dataclass(frozen=True)
class Source:
    """A clip as it lies on the disk, looked at but not decoded.

    Attributes:
        name: of the file or folder, without the suffix.
        path: the video file, or the folder of frames.
        files: the image files in order; none for a video.
        frames: how many it has.
        size: (height, width) of its frames, of the first one for a folder.
    """

    name: str
    path: Path
    files: tuple[Path, ...]
    frames: int
    size: tuple[int, int]


def plan(data: ClipsData) -> Plan:
    """Find the clips below ``data.root`` and share them out.

    Raises:
        SvqkitError: there is no clip, or only some of the folders train, validation and test; a video is damaged;
            clips differ in size and no size is set; there are too few clips to share out; a split has no window.
    """
    root = Path(data.root)
    length = data.frames_in + data.frames_out
    by_split = _folders_of_splits(root)
    folders = by_split or {None: root}
    found = {split: _find_clips(folder) for split, folder in folders.items()}
    _refuse_twice([clip for clips in found.values() for clip in clips])
    size = data.size or _one_size([clip for clips in found.values() for clip in clips])

    parts, names, owned, notes = [], [], {split: [] for split in SPLITS}, []
    usable = {split: [clip for clip in clips if _taken(clip, data) >= length] for split, clips in found.items()}
    start = 0
    for split, clips in usable.items():
        for number, clip in enumerate(clips):
            stop = start + _taken(clip, data)
            parts.append(_part(clip, size, data))
            names.append((f"{split}/{clip.name}" if split else clip.name, start, stop))
            shares = {split: (start, stop)} if split else _shared((start, stop), number, len(clips), data.shares)
            for owner, frames in shares.items():
                owned[owner].append(frames)
            start = stop
    if not by_split and 0 < len(usable[None]) < len(SPLITS):
        notes.append(f"{len(usable[None])} clip(s) can't be shared out, so the time of each is split")
    notes += _notes(found, usable, length)
    notes += [note for split, folder in folders.items() for note in _empty_folders(folder, found[split])]

    windowing = Windowing(
        inputs=tuple(range(data.frames_in)),
        targets=tuple(range(data.frames_in, length)),
        starts={split: every_window(owned[split], length, data.stride or length) for split in SPLITS},
        clips=owned,
    )
    channels = ("red", "green", "blue") if data.colour else ("grey",)
    return Plan(
        parts=parts,
        frame_shape=(len(channels), *size),
        dtype="uint8",
        kind="image",
        channels=channels,
        units=("",) * len(channels),
        windows={"clean": windowing, "paper": windowing},
        files=tuple(path for clips in usable.values() for clip in clips for path in clip.files or (clip.path,)),
        scale=1 / 255,
        clip_names=names,
        notes=tuple(notes),
    )


def natural_key(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Return a key that sorts names by the numbers in them: frame9 before frame10, numbers before letters."""
    pieces = re.findall(r"\d+|\D+", name)
    keys = [(False, int(piece), "") if piece.isdecimal() else (True, 0, piece.lower()) for piece in pieces]
    return keys, name


def _folders_of_splits(root: Path) -> dict[Split, Path] | None:
    """The folders train, validation and test, if ``root`` has them; all or none."""
    there = [split for split in SPLITS if (root / split).is_dir()]
    if not there:
        return None
    if len(there) < len(SPLITS):
        folders = listed(path.name for path in root.iterdir() if path.is_dir())
        raise SvqkitError(
            f"{root.absolute()} has the folders {folders}. Either all of train, validation and test must be there, or "
            "none of them (clips are then shared out in the order of their names): add or rename what lacks."
        )
    return {split: root / split for split in SPLITS}


def _find_clips(folder: Path) -> list[Source]:
    """Every clip that lies in ``folder``, or the one that it is, in natural order."""
    if not folder.exists():
        raise SvqkitError(f"There is no folder {folder.absolute()}; {_LAYOUT}. Put the clips there, or change `root`.")
    if folder.is_file():
        return [_video(folder)]
    entries = [path for path in folder.iterdir() if path.name[0] != "."]
    entries.sort(key=lambda path: natural_key(path.name))
    clips = []
    for path in entries:
        if path.is_dir():
            clips += _frames(path)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            clips.append(_video(path))
    clips = clips or _frames(folder)
    if not clips:
        names = ", ".join(path.name for path in entries[:5]) + ("" if len(entries) <= 5 else ", …")
        raise SvqkitError(f"There is no clip in {folder.absolute()}, which holds {names or 'nothing'}; {_LAYOUT}.")
    return clips


def _video(path: Path) -> Source:
    video = inspect_video(path)
    return Source(path.stem, path, (), video.frames, video.size)


def _frames(folder: Path) -> list[Source]:
    """The clip whose frames lie in ``folder``, if any do."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.name[0] != "." and entry.is_file()]
    names = sorted((name for name in names if Path(name).suffix.lower() in SUFFIXES), key=natural_key)
    if not names:
        return []
    files = tuple(folder / name for name in names)
    return [Source(folder.name, folder, files, len(files), image_size(files[0]))]


def _refuse_twice(clips: Sequence[Source]) -> None:
    """One clip under two names (a link) would be in two splits."""
    seen: dict[tuple[int, int], Path] = {}
    for clip in clips:
        stat = clip.path.stat()
        other = seen.setdefault((stat.st_dev, stat.st_ino), clip.path)
        if other != clip.path:
            raise SvqkitError(
                f"{other} and {clip.path} are one and the same: a model would be tested on what it has seen. "
                "Remove one of them."
            )


def _one_size(clips: Sequence[Source]) -> tuple[int, int]:
    for clip in clips[1:]:
        if clip.size != clips[0].size:
            raise SvqkitError(
                f"Clips differ in size: {clips[0].path} has {size_text(clips[0].size)} pixels, {clip.path} "
                f"{size_text(clip.size)}. Set `size: [height, width]` to bring all to one size, or leave clips out."
            )
    return clips[0].size


def _taken(clip: Source, data: ClipsData) -> int:
    """How many frames are left of a clip when every ``step``-th one is taken, from the first."""
    return -(-clip.frames // data.step)


def _part(clip: Source, size: tuple[int, int], data: ClipsData) -> VideoPart | FramesPart:
    if clip.files:
        return FramesPart(clip.files[:: data.step], size, data.colour, exact=data.size is None)
    return VideoPart(clip.path, (range(0, clip.frames, data.step),), clip.frames, size, data.colour)


def _shared(frames: Clip, number: int, clips: int, shares: Shares) -> dict[Split, Clip]:
    """Which split owns which of the ``frames`` of clip ``number``; with fewer clips than splits, each a part."""
    if clips >= len(SPLITS):
        return {split: frames for split, run in share_out(clips, shares).items() if number in range(*run)}
    start, stop = frames
    parts = share_out(stop - start, shares, "frames")
    return {split: (start + first, start + end) for split, (first, end) in parts.items()}


def _notes(found: Mapping, usable: Mapping, length: int) -> list[str]:
    notes = []
    short = sum(map(len, found.values())) - sum(map(len, usable.values()))
    if short:
        notes.append(f"{short} clip(s) are shorter than a window of {length} frames and were skipped")
    holed = [clip for clips in usable.values() for clip in clips if _has_hole(clip)]
    if holed:
        notes.append(
            f"the frames of {len(holed)} clip(s), the first {holed[0].path}, are not numbered evenly; they were taken "
            "as if they followed each other"
        )
    return notes


def _empty_folders(folder: Path, clips: Sequence[Source]) -> list[str]:
    """A note that tells of folders beside the ``clips`` that hold no frame, if there are any."""
    if folder.is_file():
        return []
    taken = {clip.path for clip in clips}
    empty = [path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "." and path not in taken]
    first = min(empty, key=natural_key, default="")
    return [f"{len(empty)} folder(s) in {folder} hold no frame, the first is {first}"] if empty else []


def _has_hole(clip: Source) -> bool:
    numbers = [re.findall(r"\d+", path.stem)[-1:] for path in clip.files]
    steps = {int(after[0]) - int(before[0]) for before, after in pairwise(numbers) if before and after}
    return len(steps) > 1
