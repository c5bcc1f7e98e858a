"""Human3.6M: the images of each person, and OpenSTL's two lists of sequences."""

import os
import re
from pathlib import Path

from svqkit.data.check.published import FACTS, human_windows
from svqkit.data.check.report import Check, Missing, Report, compare_number, compare_windows, try_plan
from svqkit.data.check.text import in_bytes, spans
from svqkit.data.sources.human import LISTS
from svqkit.data.sources.video import image_size, size_text
from svqkit.errors import SvqkitError
from svqkit.settings.data import HumanData


def inspect(data: HumanData, folder: Path, report: Report) -> None:
    """Look at the images and lists in ``folder``, and write what is found into ``report``."""
    report.folder = folder
    first = _images(folder / "images", report)
    _lists(folder, report)
    if first:
        _size_of_image(first, report)
    made = try_plan(data, report)
    frames = FACTS["human frames"]
    if made:
        report.checks.append(compare_number("frames of the lists", frames, made.frames))
    else:
        report.expect_whole(frames.numbers[0], 3 * data.size[0] * data.size[1])
    report.checks += compare_windows(made, human_windows(data), FACTS["human sequences"].source)


def _images(folder: Path, report: Report) -> Path | None:
    """How many images there are, and of whom; the first of them."""
    count = total = 0
    persons: set[int] = set()
    first = None
    if folder.is_dir():
        with os.scandir(folder) as entries:
            for entry in entries:
                if match := re.match(r"S(\d+)_", entry.name):
                    persons.add(int(match[1]))
                    count, total, first = count + 1, total + entry.stat().st_size, first or Path(entry.path)
    report.found.append(f"{count:,} images, {in_bytes(total)}; persons {spans(sorted(persons)) or 'none'}")
    if lacking := [person for person in FACTS["human persons"].numbers if person not in persons]:
        archives = ", ".join(f"S{person}.tar" for person in lacking)
        report.missing.append(Missing(f"images of persons {spans(lacking)} (from {archives})", ()))
    return first


def _lists(folder: Path, report: Report) -> None:
    """How many sequences each list has."""
    fact = FACTS["human sequences"]
    for name, expected in zip(LISTS, fact.numbers, strict=True):
        if (folder / name).is_file():
            found = sum(1 for line in (folder / name).read_bytes().splitlines() if line.strip())
            report.checks.append(Check(name, f"{expected:,}", f"{found:,}", found == expected, fact.source))
        else:
            report.missing.append(Missing(f"{name} (OpenSTL's tools/prepare_data/meta/human/{name})", (name,)))


def _size_of_image(path: Path, report: Report) -> None:
    """The size of one image; the others are taken to have it too."""
    fact = FACTS["human size"]
    try:
        size = size_text(image_size(path))
    except SvqkitError as error:
        report.damaged.append(str(error))
        return
    # Images of another size are resized when they are read, as the reference does.
    expected = size_text(fact.numbers)
    report.checks.append(Check("image size", expected, size, size == expected or None, fact.source))
