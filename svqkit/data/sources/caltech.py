"""Caltech Pedestrian's sets 06 to 10, to test on: .seq files, other videos, or what the reference cached of them.

Dollár et al. 2009. 30 frames a second, 640 × 480; every third frame brings it to KITTI's ten a second. The cache is
data_cache.npy, (N, 128, 160, 3) bytes, and indices_cache.npy, the windows' starts. Blue comes first in it, as the
reference's loader stores what OpenCV gives; a cache that was made in another way would have to be checked.
"""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from svqkit.data.sources.driving import CachedFrames, Recording, VideoFrames
from svqkit.data.sources.images import refuse_narrow
from svqkit.data.sources.seq import count_seq_frames, read_header
from svqkit.data.sources.video import VIDEO_SUFFIXES, inspect_video
from svqkit.errors import SvqkitError
from svqkit.settings.data import KittiCaltechData
from svqkit.userfiles import refuse_special

SUFFIXES = (".seq", *VIDEO_SUFFIXES)
FIRST_TEST_SET = 6
_SET = re.compile(r"set(\d+)", re.IGNORECASE)
Found = tuple[list[Recording], list[str]]


def caltech(data: KittiCaltechData) -> Found:
    """Find the test recordings; return them, and notes.

    Raises:
        SvqkitError: there are neither videos nor a cache, or a header tells of something else.
    """
    folder = Path(data.root) / "caltech"
    sets = [path for path in sorted(folder.glob("*")) if path.is_dir() and _SET.fullmatch(path.name)]
    tested = [path for path in sets if int(_SET.fullmatch(path.name)[1]) >= FIRST_TEST_SET]
    notes = []
    if len(tested) < len(sets):
        notes.append(f"Caltech's {', '.join(path.name for path in sets if path not in tested)} are not of its test")
    videos = [video for path in tested for video in _videos(path, notes)]
    if videos:
        return [_recording(path, folder, data) for path in videos], notes
    if (folder / "data_cache.npy").exists():
        recordings, of_cache = _cached(folder, data)
        return recordings, [*notes, *of_cache]
    raise SvqkitError(
        f"No Caltech Pedestrian test set in {folder.absolute()}: expected set06/V000.seq to set10 "
        f"(or the same as {', '.join(SUFFIXES[1:3])} …), or OpenSTL's data_cache.npy and indices_cache.npy."
    )


def _videos(folder: Path, notes: list[str]) -> list[Path]:
    """The videos of a set, one of each name: the .seq where there is one."""
    found: dict[str, Path] = {}
    videos = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
    for path in sorted(videos, key=lambda path: (path.stem, SUFFIXES.index(path.suffix.lower()))):
        if path.stem in found:
            notes.append(f"{path.name} of {folder.name} was left out: {found[path.stem].name} is there too")
        else:
            found[path.stem] = path
    return list(found.values())


def _recording(path: Path, folder: Path, data: KittiCaltechData) -> Recording:
    if path.suffix.lower() == ".seq":
        header = read_header(path)
        stored, shape = count_seq_frames(path), (header.height, header.width)
    else:
        video = inspect_video(path)
        stored, shape = video.frames, video.size
    refuse_narrow(shape, data.size, path)
    name = path.relative_to(folder)
    return Recording(f"{name.parts[0]}/{path.stem}", VideoFrames(path, stored, data.step, data.size), (path,))


def _cached(folder: Path, data: KittiCaltechData) -> Found:
    """The windows of the cache, each a recording of its own: the cache doesn't tell where a video ends.

    Within a video its windows follow each other, so the least distance of two starts is a window's length.
    """
    paths = folder / "data_cache.npy", folder / "indices_cache.npy"
    frames, starts = (_load(path) for path in paths)
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise SvqkitError(
            f"{paths[0]}: expected frames (N, height, width, 3) in uint8, got {frames.shape} in {frames.dtype}. "
            "Remove it and put Caltech's .seq files there."
        )
    refuse_narrow(frames.shape[1:3], data.size, paths[0])
    if starts.ndim != 1 or starts.dtype.kind not in "iu" or len(starts) == 0:
        raise SvqkitError(f"{paths[1]}: expected a list of whole numbers, got {starts.shape} in {starts.dtype}.")
    ordered = sorted(int(start) for start in starts)
    length = min([len(frames) - ordered[-1], *(after - before for before, after in pairwise(ordered))])
    if ordered[0] < 0 or length < 1:
        raise SvqkitError(
            f"{paths[1]} has window starts from {ordered[0]} to {ordered[-1]}; expected each once, within the "
            f"{len(frames)} frames of {paths[0].name}. The two don't belong together; fetch both again."
        )
    note = f"Caltech comes from OpenSTL's cache, in windows of {length} frames"
    return [
        Recording(f"cache/{start}", CachedFrames(paths[0], start, start + length, data.size), paths)
        for start in ordered
    ], [note]


def _load(path: Path) -> np.ndarray:
    refuse_special(path)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SvqkitError(
            f"{path} can't be read as a plain NumPy array ({error}). It is missing, truncated or another kind of "
            "file; fetch it again."
        ) from error
