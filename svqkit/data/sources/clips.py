"""Clips of your own: video files, or folders with one image file per frame.

``root`` holds the clips, which are then shared out to the splits in the natural order of their names (clip2 before
clip10); or it holds the folders train, validation and test, and the clips lie in these. One or two clips can't be
shared out: of each the time is, the first part for training, the next for validation, the last for the test.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from svqkit.data.plan import Clip, Plan, Windowing, share_out
from svqkit.data.sources.frames import Frames, FramesPart, plan_of_pictures, runs_of, size_text
from svqkit.data.sources.images import SUFFIXES, ImageFiles, images_in, is_uneven, natural_key, resize
from svqkit.data.sources.video import VIDEO_SUFFIXES, open_video
from svqkit.errors import SvqkitError, listed
from svqkit.settings.data import SPLITS, ClipsData, Shares, Split
from svqkit.userfiles import refuse_twice

_LAYOUT = (
    f"expected video files ({', '.join(VIDEO_SUFFIXES)}) or folders of numbered images ({', '.join(SUFFIXES)}), or "
    "the folders train, validation and test with such in each"
)


def plan(data: ClipsData) -> Plan:
    """Find the clips below ``data.root`` and share them out.

    Raises:
        SvqkitError: there is no clip, or only some of the folders train, validation and test; a video is damaged;
            clips differ in size and no size is set; there are too few clips to share out; a split has no window.
    """
    root = Path(data.root)
    length = data.frames_in + data.frames_out
    by_split = _folders_of_splits(root)
    notes: list[str] = []
    folders: dict[Any, Path] = {**by_split} if by_split else {"": root}
    found = [(split, clip) for split, folder in folders.items() for clip in _find_clips(folder, data, notes)]
    every = [clip for _, clip in found]
    _refuse_twice(every)
    size = data.size or _one_size(every)
    usable = [(split, clip) for split, clip in found if clip.frames >= length]
    parts = [replace(clip, size=size, name=f"{split}/{clip.name}".lstrip("/")) for split, clip in usable]
    runs = runs_of(parts)
    if by_split:
        owned = {split: [run for run, (of, _) in zip(runs, usable, strict=True) if of == split] for split in SPLITS}
    elif len(parts) >= len(SPLITS):
        shared = share_out(len(parts), data.shares, f"clips in {root}")
        owned = {split: runs[start:stop] for split, (start, stop) in shared.items()}
    else:
        owned = _time_shared(runs, data.shares, root)
        notes += [f"{len(parts)} clip(s) can't be shared out, so the time of each is split"] if parts else []
    if short := len(every) - len(parts):
        notes.append(f"{short} clip(s) are shorter than a window of {length} frames and were skipped")
    if holed := [clip for clip in parts if is_uneven(clip.source.files)]:
        notes.append(
            f"the frames of {len(holed)} clip(s), the first {_path(holed[0])}, are not numbered evenly; they were "
            "taken as if they followed each other"
        )
    windowing = Windowing.consecutive(data, owned, stride=data.stride or length)
    return plan_of_pictures(
        root,
        parts,
        size,
        data.colour,
        (),
        windows={"clean": windowing, "paper": windowing},
        notes=tuple(notes),
    )


def _clip(frames: Frames, data: ClipsData, name: str) -> FramesPart:
    return FramesPart(frames, range(0, frames.count, data.step), frames.size, resize, name)


def _path(clip: FramesPart) -> Path:
    """Its video, or the folder of its images."""
    return clip.source.path.parent if isinstance(clip.source, ImageFiles) else clip.source.path


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


def _find_clips(folder: Path, data: ClipsData, notes: list[str]) -> list[FramesPart]:
    """Every clip that lies in ``folder``, or the one that it is, in natural order."""
    if not folder.exists():
        raise SvqkitError(f"There is no folder {folder.absolute()}; {_LAYOUT}. Put the clips there, or change `root`.")
    entries = [path for path in folder.iterdir() if path.name[0] != "."] if folder.is_dir() else [folder]
    entries.sort(key=lambda path: natural_key(path.name))
    clips, empty = [], []
    for path in entries:
        images = images_in(path) if path.is_dir() else []
        if images:
            clips.append(_clip(ImageFiles.open(images, data.colour, data.size is None), data, path.name))
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            video = open_video(path, data.colour)
            notes += video.notes
            clips.append(_clip(video, data, path.stem))
        elif path.is_dir():
            empty.append(path.name)
    if not clips and folder.is_dir() and (images := images_in(folder)):
        clips = [_clip(ImageFiles.open(images, data.colour, data.size is None), data, folder.name)]
    if not clips:
        names = ", ".join(path.name for path in entries[:5]) + ("" if len(entries) <= 5 else ", …")
        raise SvqkitError(f"There is no clip in {folder.absolute()}, which holds {names or 'nothing'}; {_LAYOUT}.")
    if empty:
        notes.append(f"{len(empty)} folder(s) in {folder} hold no frame, the first is {empty[0]}")
    return clips


def _refuse_twice(clips: Sequence[FramesPart]) -> None:
    """One clip under two names (a link) would be in two splits."""
    stats = [(path.stat(), path) for path in map(_path, clips)]
    refuse_twice(
        (((stat.st_dev, stat.st_ino), path) for stat, path in stats),
        lambda _, both: f"{both} are one and the same: a model would be tested on what it has seen.",
    )


def _one_size(clips: Sequence[FramesPart]) -> tuple[int, int]:
    for clip in clips[1:]:
        if clip.size != clips[0].size:
            raise SvqkitError(
                f"Clips differ in size: {_path(clips[0])} has {size_text(clips[0].size)} pixels, {_path(clip)} "
                f"{size_text(clip.size)}. Set `size: [height, width]` to bring all to one size, or leave clips "
                "out."
            )
    return clips[0].size


def _time_shared(runs: Sequence[Clip], shares: Shares, root: Path) -> dict[Split, list[Clip]]:
    """The first part of each run for training, the next for validation, the last for the test."""
    owned: dict[Split, list[Clip]] = {split: [] for split in SPLITS}
    for start, stop in runs:
        for split, (first, end) in share_out(stop - start, shares, f"frames of a clip in {root}").items():
            owned[split].append((start + first, start + end))
    return owned
