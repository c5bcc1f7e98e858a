"""KITTI's recordings, to train on: PredNet's HKL files, or folders of frames as KITTI's raw data unzip.

PredNet (Lotter et al. 2017, github.com/coxlab/prednet, process_kitti.py) took the right colour camera (image_03) of
the categories city, residential and road, at 128 × 160. Beside the frames X_train.hkl lies sources_train.hkl, which
names the recording of each frame, such as "city-2011_09_26_drive_0005_sync".
"""

import os
import re
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from svqkit.data.sources.driving import HickleFrames, ImageFrames, Recording
from svqkit.data.sources.hickle_arrays import HickleArray, find_array, read_strings
from svqkit.data.sources.images import SUFFIXES, refuse_narrow
from svqkit.data.sources.video import image_size
from svqkit.errors import SvqkitError, listed
from svqkit.settings.data import KittiCaltechData

CATEGORIES = ("city", "residential", "road")
CAMERA = "image_03"
_NOT_FRAMES = ("image_00", "image_01", "image_02", "velodyne_points", "oxts")
_DRIVE = re.compile(r"\d{4}_\d\d_\d\d_drive_\d{4}_\w+")
# Without X_val.hkl this share of X_train's recordings is for validation.
HELD_OUT = 0.1


@dataclass(frozen=True)
class Kitti:
    """What there is of KITTI.

    Attributes:
        train, validation: the recordings for each under "clean".
        paper_train: those to train on under "paper": the reference takes all of X_train and never opens X_val.
        notes: what a reader should know.
        title: what the files say of themselves, if they do.
    """

    train: list[Recording]
    validation: list[Recording]
    paper_train: list[Recording]
    notes: list[str]
    title: str = ""


def kitti(data: KittiCaltechData) -> Kitti:
    """Find the recordings of KITTI, from HKL files where there are some, else from folders of frames.

    Raises:
        SvqkitError: neither HKL files nor frames are there, or they don't hold what they should.
    """
    hickles, frames = Path(data.root) / "kitti_hkl", Path(data.root) / "kitti"
    if (hickles / "X_train.hkl").exists() or (hickles.is_dir() and not frames.is_dir()):
        return _of_hickles(hickles, data)
    if frames.is_dir():
        return _of_frames(frames, data)
    raise SvqkitError(
        f"No KITTI in {Path(data.root).absolute()}: expected kitti_hkl/X_train.hkl and kitti_hkl/sources_train.hkl "
        "(PredNet's processed data), or kitti/<category>/<date>/<recording>/image_03/data/*.png (KITTI's raw data). "
        "For the bundled sample run `dvc pull`; for your own data see docs/data.md."
    )


def _of_hickles(folder: Path, data: KittiCaltechData) -> Kitti:
    every, title = _hickle_recordings(folder, "train", data)
    if (folder / "X_val.hkl").exists() or (folder / "sources_val.hkl").exists():
        validation, _ = _hickle_recordings(folder, "val", data)
        shared = {recording.name for recording in every} & {recording.name for recording in validation}
        if shared:
            raise SvqkitError(
                f"{folder}: X_train.hkl and X_val.hkl both have frames of {listed(shared)}: a model would be "
                "validated on what it was trained on. Take them out of one of the two."
            )
        return Kitti(every, validation, every, [], title)
    names = list(dict.fromkeys(recording.name for recording in every))
    held = set(names[len(names) - max(1, round(HELD_OUT * len(names))) :])
    if len(held) == len(names):
        raise SvqkitError(
            f"{folder} has no X_val.hkl, and X_train.hkl has a single recording, {names[0]}: none is left for "
            "validation. Add X_val.hkl and sources_val.hkl."
        )
    train = [recording for recording in every if recording.name not in held]
    validation = [recording for recording in every if recording.name in held]
    note = f"there is no X_val.hkl: under clean the last {len(held)} of {len(names)} recordings are for validation"
    return Kitti(train, validation, every, [note], title)


def _hickle_recordings(folder: Path, which: str, data: KittiCaltechData) -> tuple[list[Recording], str]:
    """A recording is a run of frames with the same source."""
    paths = folder / f"X_{which}.hkl", folder / f"sources_{which}.hkl"
    array, sources = find_array(paths[0]), read_strings(paths[1])
    _check_frames(array, data.size)
    if len(sources) != array.shape[0]:
        raise SvqkitError(
            f"{paths[1]} names the recordings of {len(sources)} frames, {paths[0]} has {array.shape[0]}. They don't "
            "belong together; fetch both again."
        )
    recordings, start = [], 0
    for name, run in groupby(sources):
        stop = start + sum(1 for _ in run)
        recordings.append(Recording(name, HickleFrames(array, start, stop, data.size), paths))
        start = stop
    return recordings, array.title


def _check_frames(array: HickleArray, size: tuple[int, int]) -> None:
    if len(array.shape) != 4 or array.shape[3] != 3 or array.dtype != np.uint8:
        raise SvqkitError(
            f"{array.path}: expected frames (N, height, width, 3) in uint8, got {array.shape} in {array.dtype}. "
            "Write them as PredNet's process_kitti.py does."
        )
    if 0 in array.shape:
        raise SvqkitError(f"{array.path} is empty: its array has shape {array.shape}. Fetch it again.")
    if array.shape[1:3] != size:
        refuse_narrow(array.shape[1:3], size, array.path)


def _of_frames(folder: Path, data: KittiCaltechData) -> Kitti:
    found = _frame_folders(folder)
    recordings = [Recording(name, ImageFrames(paths, data.size), paths) for name, paths in sorted(found.items())]
    wanted = {_drive(name) for name in data.validation}
    absent = wanted - {_drive(recording.name) for recording in recordings}
    if absent:
        raise SvqkitError(
            f"{folder} lacks the validation recording(s) {listed(absent)}; it has {listed(found)}. Add them, or "
            "name others in `validation`."
        )
    left_out = {_drive(name) for name in data.unused}
    used = [recording for recording in recordings if _drive(recording.name) not in left_out]
    for recording in used:
        refuse_narrow(image_size(recording.files[0]), data.size, recording.files[0].parent)
    notes = []
    if holes := [recording.name for recording in used if _has_hole(recording.files)]:
        notes.append(f"frames are missing in {len(holes)} recording(s), e.g. {holes[0]}; windows run across the hole")
    if len(used) < len(recordings):
        notes.append(f"{len(recordings) - len(used)} recording(s) named in `unused` were left out")
    train = [recording for recording in used if _drive(recording.name) not in wanted]
    validation = [recording for recording in used if _drive(recording.name) in wanted]
    return Kitti(train, validation, train, notes)


def _frame_folders(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Name of each recording → its image files in order."""
    found: dict[str, tuple[Path, ...]] = {}
    found_in: dict[str, Path] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_FRAMES)
        images = [Path(parent) / name for name in files if Path(name).suffix.lower() in SUFFIXES]
        if not images:
            continue
        name = _name(Path(parent).relative_to(folder))
        if name in found:
            raise SvqkitError(
                f"Two folders hold frames of {name}: {found_in[name]} and {parent}. Remove one of them, or a model "
                "would see the recording twice."
            )
        found[name] = tuple(sorted(images, key=lambda path: (frame_number(path), path.name)))
        found_in[name] = Path(parent)
    if not found:
        raise SvqkitError(
            f"{folder.absolute()} has no image files; expected <category>/<date>/<recording>/{CAMERA}/data/*.png "
            "or <recording>/*.png."
        )
    return found


def _name(folder: Path) -> str:
    """The name that PredNet gives a recording: its category (if the folders tell it) and its drive."""
    drives = [part for part in folder.parts if _DRIVE.fullmatch(part)]
    if not drives:
        return folder.as_posix()
    category = next((part for part in folder.parts if part in CATEGORIES), None)
    return f"{category}-{drives[-1]}" if category else drives[-1]


def _drive(name: str) -> str:
    """A recording's name without its category."""
    category, _, drive = name.partition("-")
    return drive if category in CATEGORIES else name


def frame_number(path: Path) -> int:
    """Return the number that a file's name ends with, or -1."""
    digits = re.search(r"\d+$", path.stem)
    return int(digits.group()) if digits else -1


def _has_hole(paths: tuple[Path, ...]) -> bool:
    return len(paths) > 1 and len(set(np.diff([frame_number(path) for path in paths]).tolist())) > 1
