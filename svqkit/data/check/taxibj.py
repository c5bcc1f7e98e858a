"""TaxiBJ: dataset.npz, or the original HDF5 files; only their headers and dates are read."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from svqkit.data.check.published import FACTS, TAXIBJ_KEYS, TAXIBJ_RECORDS
from svqkit.data.check.report import UNKNOWN, Check, Missing, Report, compare_files, compare_number, in_splits
from svqkit.data.check.text import size_of
from svqkit.data.sources.arrayfiles import NpzMember
from svqkit.data.sources.hdf5 import open_hdf5
from svqkit.data.sources.video import size_text
from svqkit.errors import SvqkitError
from svqkit.settings.data import TaxiBJData


def inspect(data: TaxiBJData, folder: Path, report: Report) -> None:
    """Look at the files of either kind in ``folder``, and write what is found into ``report``."""
    report.folder = folder
    records = [folder / name for name in TAXIBJ_RECORDS if (folder / name).exists()]
    if (folder / "dataset.npz").exists():
        _inspect_samples(folder / "dataset.npz", report)
        if records:
            report.notes.append("dataset.npz is used; the HDF5 files beside it are not")
    else:
        _inspect_records(folder, records, report)


def _inspect_samples(path: Path, report: Report) -> None:
    report.found.append(f"dataset.npz: {size_of([path])}")
    lacking = [key for key in TAXIBJ_KEYS if key not in NpzMember.keys(path)]
    if lacking:
        report.missing.append(Missing(f"the arrays {', '.join(lacking)} of dataset.npz", tuple(lacking)))
        return
    shapes = {key: NpzMember.open(path, key, only_header=True).shape for key in TAXIBJ_KEYS}
    samples = {key: size_text(shape[1:]) for key, shape in shapes.items()}
    fact = FACTS["taxibj sample"]
    report.checks += compare_files("sample", size_text(fact.numbers), samples, fact.source)
    if any(len(shape) != len(shapes["X_train"]) or len(shape) < 2 for shape in shapes.values()):
        return
    train, test = shapes["X_train"][0], shapes["X_test"][0]
    report.checks.append(compare_number("training samples", FACTS["taxibj training samples"], train))
    report.checks.append(Check("test samples", UNKNOWN, f"{test:,}", None, "no count found in public"))
    for key, count in (("Y_train", train), ("Y_test", test)):
        if shapes[key][0] != count:
            report.damaged.append(f"{path}: {key} has {shapes[key][0]:,} samples, X{key[1:]} has {count:,}.")
    paper = {"train": train, "validation": test, "test": test}
    source = "the samples; of clean only prepare tells, which compares all values"
    report.checks.append(Check("windows, paper", UNKNOWN, in_splits(paper), None, source))
    report.frames = (train + test) * (shapes["X_train"][1] + shapes["Y_train"][1])
    report.frame_bytes = 4 * int(np.prod(shapes["X_train"][2:]))


def _inspect_records(folder: Path, records: Sequence[Path], report: Report) -> None:
    report.found.append(f"the original files: {size_of(records)}")
    lacking = tuple(name for name in TAXIBJ_RECORDS if not (folder / name).exists())
    if lacking:
        report.missing.append(Missing(f"{', '.join(lacking)} (DeepST, data/TaxiBJ)", lacking))
    grids, days, slots = {}, 0, {}
    for path in records:
        try:
            with open_hdf5(path) as file:
                grids[path.name] = size_text(file["data"].shape[1:])
                slots[path.name] = file["data"].shape[0]
                per_day = Counter(stamp[:8] for stamp in file["date"][()].tolist())
        except (SvqkitError, OSError, KeyError, AttributeError, TypeError) as error:
            report.damaged.append(f"{path} can't be read as one of TaxiBJ's files ({error}). Fetch it again.")
            continue
        days += sum(count == 48 for count in per_day.values())
    frame = size_text(FACTS["taxibj sample"].numbers[1:])
    report.checks += compare_files("values", frame, grids, "DeepST, data/TaxiBJ/README.md")
    if TAXIBJ_RECORDS[-1] in slots:
        last = slots[TAXIBJ_RECORDS[-1]]
        report.checks.append(compare_number("slots of BJ16", FACTS["taxibj slots of 2016"], last))
    report.found.append(f"{days} days with all of their 48 slots")
    report.notes.append("the published scores are made with dataset.npz, not with these files")
    report.frames, report.frame_bytes = days * 48, 4 * int(np.prod(FACTS["taxibj sample"].numbers[1:]))
