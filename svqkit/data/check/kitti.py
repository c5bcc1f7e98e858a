"""KITTI: PredNet's HKL files, or folders of frames."""

import re
from collections.abc import Sequence
from pathlib import Path

from svqkit.data.check.comparing import compare
from svqkit.data.check.filenames import HICKLES
from svqkit.data.check.findings import Check, Missing, Report
from svqkit.data.check.published import FACTS
from svqkit.data.check.wording import size_of
from svqkit.data.sources.hickle_arrays import find_array
from svqkit.data.sources.video import by
from svqkit.errors import SvqkitError
from svqkit.settings.data import KittiCaltechData


def look(data: KittiCaltechData, place: Path, report: Report) -> None:
    """Look at ``kitti_hkl`` or ``kitti`` in ``place``, and write what is found into ``report``."""
    hickles = [place / "kitti_hkl" / name for name in HICKLES]
    if (place / "kitti").is_dir() and not hickles[0].exists():
        _frames(data, place / "kitti", report)
    else:
        _hickles(hickles, report)


def _frames(data: KittiCaltechData, folder: Path, report: Report) -> None:
    images = [path for path in folder.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
    report.found.append(f"kitti: {size_of(images)}")
    expected, found = _held_out(KittiCaltechData(root=data.root)), _held_out(data)
    report.checks.append(Check("held out", expected, found, expected == found, "PredNet, process_kitti.py"))


def _held_out(data: KittiCaltechData) -> str:
    """The drives for validation, and those that are left out, by their numbers: 0005 / 0104, 0079, 0070."""
    names = [", ".join(_number(one) for one in some) for some in (data.validation, data.unused)]
    return f"{names[0]} / {names[1]}"


def _number(recording: str) -> str:
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
        sizes[path.name] = by(array.shape[1:3])
        report.found.append(f"{path.name}: {array.shape[0]:,} frames")
    fact = FACTS["kitti size"]
    report.checks += compare("frames of KITTI", by(fact.numbers), sizes, fact.source)
