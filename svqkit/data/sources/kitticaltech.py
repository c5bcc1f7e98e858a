"""KittiCaltech: a model learns from KITTI's cars and is tested on Caltech Pedestrian's; ten frames in, one out.

KITTI is PredNet's processed data (Lotter et al. 2017, github.com/coxlab/prednet, process_kitti.py: the right colour
camera of the categories city, residential and road, at 128 × 160), where sources_train.hkl names the recording of each
frame of X_train.hkl; or it is folders of frames as KITTI's raw data unzip. Caltech Pedestrian (Dollár et al. 2009) is
sets 06 to 10, 30 frames a second, of which every third brings it to KITTI's ten; as .seq files, other videos, or what
the reference cached of them, blue first: data_cache.npy, (N, 128, 160, 3) bytes, and the windows' starts.

Windows end at the end of a recording and step back by their length, so that no two share a frame. (How many that makes
of the published files is told in two ways: OpenSTL's paper has 2042 for training, a user of its code got 3738, see its
issue 12.) Under both protocols all of Caltech's sets 06 to 10 is the test. "clean"
validates on X_val; under "paper" the test is the validation too, as the reference has no other.

The reference reads KITTI's frames as RGB but Caltech's through OpenCV, which gives BGR: its models are tested with
red and blue swapped. Here both are RGB; under "paper" red and blue of Caltech's frames change places before a model
sees them. The reference also keeps the fractions of the resized test frames (or cuts them off, in its cache); here they
are rounded.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, pairwise
from pathlib import Path

import numpy as np

from svqkit.data.plan import Clip, Plan, Windowing, declares_simulated, windows_from_end
from svqkit.data.sources.arrayfiles import NpyFile
from svqkit.data.sources.frames import Frames, FramesPart, plan_of_pictures, runs_of
from svqkit.data.sources.hickle_arrays import find_array, read_strings
from svqkit.data.sources.images import ImageFiles, images_in, is_uneven, refuse_narrow, scale_and_crop
from svqkit.data.sources.video import VIDEO_SUFFIXES, open_video
from svqkit.errors import SvqkitError, listed
from svqkit.settings.data import SPLITS, KittiCaltechData, Split
from svqkit.userfiles import refuse_twice

CATEGORIES = ("city", "residential", "road")
FIRST_TEST_SET = 6
CACHE = ("data_cache.npy", "indices_cache.npy")
# Without X_val.hkl this share of X_train's recordings is for validation.
HELD_OUT = 0.1
_NOT_FRAMES = ("image_00", "image_01", "image_02", "velodyne_points", "oxts")
_DRIVE = re.compile(r"\d{4}_\d\d_\d\d_drive_\d{4}_\w+")
# The .seq where one video is there in several kinds.
_KINDS = (".seq", *(suffix for suffix in VIDEO_SUFFIXES if suffix != ".seq"))


@dataclass(frozen=True)
class Kitti:
    """What there is of KITTI, each recording a part of the store.

    Attributes:
        train, validation: the recordings for each under "clean".
        paper_trains_on_both: under "paper": the reference takes all of X_train and never opens X_val.
        title: what the files say of themselves, if they do.
        names: the files that tell which frames form a recording.
    """

    train: list[FramesPart]
    validation: list[FramesPart]
    paper_trains_on_both: bool = False
    title: str = ""
    names: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CachedFrames(Frames):
    """The frames of the reference's cache, (N, H, W, 3) bytes with blue first."""

    array: NpyFile

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """See :class:`Frames`; the ``wanted`` ones follow each other."""
        for frames in self.array.read(wanted[0], wanted[-1] + 1, 1):
            yield np.ascontiguousarray(frames[0, ..., ::-1])


def plan(data: KittiCaltechData) -> Plan:
    """Look at names and headers, and say which frames form which windows.

    Raises:
        SvqkitError: a file is missing, damaged, or holds what it should not; a split has no window.
    """
    notes: list[str] = []
    learnt, test = _kitti(data, notes), _caltech(Path(data.root) / "caltech", data, notes)
    length = data.frames_in + data.frames_out
    every = learnt.train, learnt.validation, test
    long = [[recording for recording in recordings if recording.frames >= length] for recordings in every]
    if short := sum(map(len, every)) - sum(map(len, long)):
        notes.append(f"{short} recording(s) are shorter than a window of {length} frames and were left out")
    used = list(chain(*long))
    runs = iter(runs_of(used))
    train, validation, tested = ([next(runs) for _ in recordings] for recordings in long)

    def windowing(*owned: list[Clip], blue_first: tuple[Split, ...] = ()) -> Windowing:
        clips = dict(zip(SPLITS, owned, strict=True))
        starts = {split: windows_from_end(clips[split], length, length) for split in SPLITS}
        return Windowing.consecutive(data, clips, starts, blue_first=blue_first)

    seen = train + validation if learnt.paper_trains_on_both else train
    return plan_of_pictures(
        Path(data.root),
        used,
        data.size,
        True,
        learnt.names,
        windows={
            "clean": windowing(train, validation, tested),
            "paper": windowing(seen, tested, tested, blue_first=("validation", "test")),
        },
        title=learnt.title,
        simulated=declares_simulated(learnt.title),
        notes=tuple(notes),
    )


def _kitti(data: KittiCaltechData, notes: list[str]) -> Kitti:
    """KITTI's recordings, from HKL files where there are some, else from folders of frames."""
    hickles, frames = Path(data.root) / "kitti_hkl", Path(data.root) / "kitti"
    if (hickles / "X_train.hkl").exists() or (hickles.is_dir() and not frames.is_dir()):
        return _of_hickles(hickles, data, notes)
    if frames.is_dir():
        return _of_frames(frames, data, notes)
    raise SvqkitError(
        f"No KITTI in {Path(data.root).absolute()}: expected kitti_hkl/X_train.hkl and kitti_hkl/sources_train.hkl "
        "(PredNet's processed data), or kitti/<category>/<date>/<recording>/image_03/data/*.png (KITTI's raw data). "
        "For the bundled sample run `dvc pull`; for your own data see docs/data.md."
    )


def _of_hickles(folder: Path, data: KittiCaltechData, notes: list[str]) -> Kitti:
    every, title = _hickle_recordings(folder, "train", data)
    named = (folder / "sources_train.hkl",)
    if (folder / "X_val.hkl").exists() or (folder / "sources_val.hkl").exists():
        validation, _ = _hickle_recordings(folder, "val", data)
        shared = {recording.name for recording in every} & {recording.name for recording in validation}
        if shared:
            raise SvqkitError(
                f"{folder}: X_train.hkl and X_val.hkl both have frames of {listed(shared)}: a model would be "
                "validated on what it was trained on. Take them out of one of the two."
            )
        return Kitti(every, validation, False, title, (*named, folder / "sources_val.hkl"))
    names = list(dict.fromkeys(recording.name for recording in every))
    held = set(names[len(names) - max(1, round(HELD_OUT * len(names))) :])
    if len(held) == len(names):
        raise SvqkitError(
            f"{folder} has no X_val.hkl, and X_train.hkl has a single recording, {names[0]}: none is left for "
            "validation. Add X_val.hkl and sources_val.hkl."
        )
    train = [recording for recording in every if recording.name not in held]
    validation = [recording for recording in every if recording.name in held]
    last = f"the last {len(held)} of {len(names)} recordings"
    notes.append(f"there is no X_val.hkl: under clean {last} are for validation")
    return Kitti(train, validation, True, title, named)


def _hickle_recordings(folder: Path, which: str, data: KittiCaltechData) -> tuple[list[FramesPart], str]:
    """A recording is a run of frames with the same source."""
    paths = folder / f"X_{which}.hkl", folder / f"sources_{which}.hkl"
    array, sources = find_array(paths[0]), read_strings(paths[1])
    _refuse_other_arrays(paths[0], array.shape, array.dtype)
    if len(sources) != array.count:
        raise SvqkitError(
            f"{paths[1]} names the recordings of {len(sources)} frames, {paths[0]} has {array.count}. They don't "
            "belong together; fetch both again."
        )
    recordings, start = [], 0
    for name, run in groupby(sources):
        stop = start + sum(1 for _ in run)
        recordings.append(_recording(name, array, range(start, stop), data))
        start = stop
    return recordings, array.title


def _recording(name: str, source: Frames, wanted: range, data: KittiCaltechData) -> FramesPart:
    """The ``wanted`` frames, scaled and cropped; refused where they are too narrow for that."""
    refuse_narrow(source.size, data.size, source.path)
    return FramesPart(source, wanted, data.size, scale_and_crop, name)


def _refuse_other_arrays(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if len(shape) != 4 or shape[3] != 3 or 0 in shape or dtype != np.uint8:
        raise SvqkitError(
            f"{path}: expected frames (N, height, width, 3) in uint8, got {shape} in {dtype}. Write them as PredNet's "
            "process_kitti.py or OpenSTL's loader does, or fetch the file again."
        )


def _of_frames(folder: Path, data: KittiCaltechData, notes: list[str]) -> Kitti:
    found = _frame_folders(folder)
    wanted, left_out = ({_drive(name) for name in names} for names in (data.validation, data.unused))
    if absent := wanted - set(map(_drive, found)):
        raise SvqkitError(
            f"{folder} lacks the validation recording(s) {listed(absent)}; it has {listed(found)}. Add them, or "
            "name others in `validation`."
        )
    used = {name: files for name, files in sorted(found.items()) if _drive(name) not in left_out}
    if holes := [name for name, files in used.items() if is_uneven(files)]:
        notes.append(f"frames are missing in {len(holes)} recording(s), e.g. {holes[0]}; windows run across the hole")
    if len(used) < len(found):
        notes.append(f"{len(found) - len(used)} recording(s) named in `unused` were left out")
    recordings = [
        _recording(name, ImageFiles.open(files, colour=True), range(len(files)), data) for name, files in used.items()
    ]
    train = [recording for recording in recordings if _drive(recording.name) not in wanted]
    return Kitti(train, [recording for recording in recordings if _drive(recording.name) in wanted])


def _frame_folders(folder: Path) -> dict[str, list[Path]]:
    """Name of each recording → its image files in order."""
    found: list[tuple[str, Path, list[Path]]] = []
    for parent, folders, _ in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NOT_FRAMES and name[0] != ".")
        if images := images_in(Path(parent)):
            found.append((_name(Path(parent).relative_to(folder)), Path(parent), images))
    refuse_twice(
        ((name, parent) for name, parent, _ in found), lambda name, both: f"Two folders hold frames of {name}: {both}."
    )
    if not found:
        raise SvqkitError(
            f"{folder.absolute()} has no image files; expected <category>/<date>/<recording>/image_03/data/*.png "
            "or <recording>/*.png."
        )
    return {name: images for name, _, images in found}


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


def _caltech(folder: Path, data: KittiCaltechData, notes: list[str]) -> list[FramesPart]:
    """The test recordings: from the videos of the test's sets, else from the cache."""
    number = re.compile(r"set(\d+)", re.IGNORECASE)
    sets = [path for path in sorted(folder.glob("*")) if path.is_dir() and number.fullmatch(path.name)]
    tested = [path for path in sets if int(path.name[len("set") :]) >= FIRST_TEST_SET]
    if len(tested) < len(sets):
        notes.append(f"Caltech's {', '.join(path.name for path in sets if path not in tested)} are not of its test")
    recordings = []
    for name, video in ((path.name, video) for path in tested for video in _videos(path, notes)):
        source = open_video(video, colour=True)
        notes += source.notes
        # Counted from 1 as the reference does: 3, 6, 9, …
        wanted = range(data.step - 1, source.count // data.step * data.step, data.step)
        recordings.append(_recording(f"{name}/{video.stem}", source, wanted, data))
    if recordings:
        return recordings
    if (folder / CACHE[0]).exists():
        return _cached(folder, data, notes)
    raise SvqkitError(
        f"No Caltech Pedestrian test set in {folder.absolute()}: expected set06/V000.seq to set10 "
        f"(or the same as {', '.join(_KINDS[1:3])} …), or OpenSTL's {' and '.join(CACHE)}."
    )


def _videos(folder: Path, notes: list[str]) -> list[Path]:
    """The videos of a set, one of each name: the .seq where there is one."""
    found: dict[str, Path] = {}
    videos = [path for path in folder.rglob("*") if path.suffix.lower() in _KINDS and path.name[0] != "."]
    for path in sorted(videos, key=lambda path: (path.stem, _KINDS.index(path.suffix.lower()))):
        if (taken := found.setdefault(path.stem, path)) != path:
            notes.append(f"{path.name} of {folder.name} was left out: {taken.name} is there too")
    return list(found.values())


def _cached(folder: Path, data: KittiCaltechData, notes: list[str]) -> list[FramesPart]:
    """The windows of the cache, each a recording of its own: the cache doesn't tell where a video ends.

    Within a video its windows follow each other, so the least distance of two starts is a window's length.
    """
    paths = tuple(folder / name for name in CACHE)
    frames, starts = NpyFile.open(paths[0]), NpyFile.open(paths[1])
    _refuse_other_arrays(paths[0], frames.shape, frames.dtype)
    if len(starts.shape) != 1 or starts.dtype.kind not in "iu" or starts.shape[0] == 0:
        raise SvqkitError(f"{paths[1]}: expected a list of whole numbers, got {starts.shape} in {starts.dtype}.")
    ordered = sorted(np.load(paths[1], allow_pickle=False).tolist())
    length = min([frames.shape[0] - ordered[-1], *(after - before for before, after in pairwise(ordered))])
    if ordered[0] < 0 or length < 1:
        raise SvqkitError(
            f"{paths[1]} has window starts from {ordered[0]} to {ordered[-1]}; expected each once, within the "
            f"{frames.shape[0]} frames of {CACHE[0]}. The two don't belong together; fetch both again."
        )
    notes.append(f"Caltech comes from OpenSTL's cache, in windows of {length} frames")
    source = CachedFrames(files=paths, count=frames.shape[0], size=(frames.shape[1], frames.shape[2]), array=frames)
    return [_recording(f"cache/{start}", source, range(start, start + length), data) for start in ordered]
