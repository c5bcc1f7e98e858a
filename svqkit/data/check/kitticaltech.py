"""KittiCaltech: KITTI to train (HKL files or folders of frames), Caltech Pedestrian to test (videos or a cache)."""

import re
from collections.abc import Sequence
from pathlib import Path

from svqkit.data.check.published import CALTECH_SETS, FACTS, HICKLES, caltech_videos
from svqkit.data.check.report import Check, Missing, Report, compare_files, compare_windows, try_plan
from svqkit.data.check.text import size_of, some_of
from svqkit.data.sources.hickle_arrays import find_array
from svqkit.data.sources.seq import read_header
from svqkit.data.sources.video import size_text
from svqkit.errors import SvqkitError
from svqkit.settings.data import KittiCaltechData


def inspect(data: KittiCaltechData, folder: Path, report: Report) -> None:
    """Look at both in ``folder``, and write what is found into ``report``."""
    report.folder = folder
    _kitti(data, folder, report)
    _caltech(folder, report)
    made = try_plan(data, report)
    report.checks += compare_windows(made, None, "no count of these files is published")
    fact = FACTS["kitticaltech published windows"]
    report.notes.append(f"published: {fact.numbers[0]:,} and {fact.numbers[1]:,} ({fact.source})")


def _kitti(data: KittiCaltechData, folder: Path, report: Report) -> None:
    """Look at ``kitti_hkl`` or ``kitti`` in ``folder``, and write what is found into ``report``."""
    hickles = [folder / "kitti_hkl" / name for name in HICKLES]
    if (folder / "kitti").is_dir() and not hickles[0].exists():
        _frames(data, folder / "kitti", report)
    else:
        _hickles(hickles, report)


def _frames(data: KittiCaltechData, folder: Path, report: Report) -> None:
    images = [path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
    report.found.append(f"kitti: {size_of(images)}")
    expected, found = _held_out(KittiCaltechData(root=data.root)), _held_out(data)
    report.checks.append(Check("held out", expected, found, expected == found, "PredNet, process_kitti.py"))


def _held_out(data: KittiCaltechData) -> str:
    """The drives for validation, and those that are left out, by their numbers: 0005 / 0104, 0079, 0070."""
    names = [", ".join(map(_drive_number, drives)) for drives in (data.validation, data.unused)]
    return f"{names[0]} / {names[1]}"


def _drive_number(recording: str) -> str:
    """0005 of city-2011_09_26_drive_0005_sync; a name of another kind as it is."""
    drive = re.search(r"_drive_(\d+)_", recording)
    return drive[1] if drive else recording


def _hickles(files: Sequence[Path], report: Report) -> None:
    report.found.append(f"kitti_hkl: {size_of([path for path in files if path.exists()])}")
    lacking = [f"kitti_hkl/{path.name}" for path in files if not path.exists()]
    if lacking:
        report.missing.append(Missing(f"{', '.join(lacking)} (from PredNet's kitti_data.zip)", tuple(lacking)))
    sizes = {}
    for path in (path for path in files if path.name.startswith("X_") and path.exists()):
        try:
            array = find_array(path)
        except SvqkitError as error:
            report.damaged.append(str(error))
            continue
        sizes[path.name] = size_text(array.shape[1:3])
        report.found.append(f"{path.name}: {array.shape[0]:,} frames")
    fact = FACTS["kitti size"]
    report.checks += compare_files("frames of KITTI", size_text(fact.numbers), sizes, fact.source)


def _caltech(folder: Path, report: Report) -> None:
    """Look at ``caltech`` in ``folder``, and write what is found into ``report``."""
    folder = folder / "caltech"
    if (folder / "data_cache.npy").exists() and not any((folder / name).exists() for name in CALTECH_SETS):
        _cache(folder, report)
    else:
        _videos(folder, report)


def _cache(folder: Path, report: Report) -> None:
    files = [folder / name for name in ("data_cache.npy", "indices_cache.npy")]
    report.found.append(f"caltech: {size_of([path for path in files if path.exists()])}, OpenSTL's cache")
    if not files[1].exists():
        report.missing.append(Missing("caltech/indices_cache.npy (from OpenSTL)", ("caltech/indices_cache.npy",)))


def _videos(folder: Path, report: Report) -> None:
    every = caltech_videos()
    published = {name: folder / name for name in every if (folder / name).exists()}
    # As others have them: converted, or in folders of their own.
    others = {
        f"{path.parent.name}/{path.stem}.seq": path
        for name in CALTECH_SETS
        for path in sorted((folder / name).rglob("*"))
        if path.suffix.lower() in (".seq", ".avi", ".mp4")
    }
    there = {**others, **published}
    report.found.append(f"caltech: {size_of(there.values())} of {len(every)} videos of sets 06 to 10")
    lacking = [name for name in every if name not in there]
    for name in CALTECH_SETS:
        if of_set := [f"caltech/{video}" for video in lacking if video.startswith(name)]:
            report.missing.append(Missing(f"{some_of(of_set)} (from {name} of data_and_labels.zip)", tuple(of_set)))
    count, size = FACTS["caltech videos"], FACTS["caltech size"]
    report.checks.append(Check("videos of Caltech", f"{len(every)}", f"{len(there)}", not lacking, count.source))
    sizes = {}
    for name, path in published.items():
        try:
            header = read_header(path)
            sizes[name] = size_text((header.height, header.width))
        except SvqkitError as error:
            report.damaged.append(str(error))
    report.checks += compare_files("frames of Caltech", size_text(size.numbers), sizes, size.source)
