"""KTH: which recordings of which persons are there, as videos or as folders of frames."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from svqkit.data.check import published
from svqkit.data.check.published import FACTS, kth_archive, kth_recordings
from svqkit.data.check.report import Check, Missing, Report, compare_files, compare_windows, try_plan
from svqkit.data.check.text import size_of, some_of, spans
from svqkit.data.sources.kth import BROKEN_OFF, NEVER_PUBLISHED, SEQUENCES
from svqkit.data.sources.video import inspect_video, size_text
from svqkit.errors import SvqkitError
from svqkit.settings.data import KTH_ACTIONS, KTHData

_RECORDING = re.compile(r"(person\d\d_[a-z]+_d\d)(?:_uncomp)?(?:\.avi)?", re.IGNORECASE)


def inspect(data: KTHData, folder: Path, report: Report) -> None:
    """Look at the recordings in ``folder`` and at their list, and write what is found into ``report``."""
    there = dict(_recordings(folder))
    listing = next((path for path in (folder / SEQUENCES, folder / "kth" / SEQUENCES) if path.is_file()), None)
    if not there and listing is None:
        return
    report.folder = folder
    videos = [path for path in there.values() if path.is_file()]
    folders = len(there) - len(videos)
    every = kth_recordings(range(1, 26), data.actions)
    lacking = [name for name in every if name not in there]
    persons = sorted({int(name[6:8]) for name in there})
    if videos:
        report.found.append(f"{size_of(videos)} (AVI)")
    if folders:
        report.found.append(f"{folders} folders of frames, as OpenSTL has them")
    report.found.append(f"persons {spans(persons) or 'none'}; {SEQUENCES}: {'there' if listing else 'not there'}")
    _missing_recordings(lacking, persons, bool(folders), report)
    if videos and listing is None:
        line = f"{SEQUENCES}, of the videos' own page: without it frames without a person are used as well"
        report.missing.append(Missing(line, (SEQUENCES,)))
    # Whether the folders of frames are as many as the videos is not known.
    whole = not lacking or (None if folders else False)
    source = FACTS["kth videos"].source
    report.checks.append(Check("recordings", f"{len(every)}", f"{len(every) - len(lacking)}", whole, source))
    _sizes(videos, report)
    _persons(data, report)
    _windows(data, bool(folders), report)


def _recordings(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and path of every recording, in the places where :mod:`svqkit.data.sources.kth` looks."""
    for base in (folder, folder / "kth"):
        folders = [base, *(entry for entry in sorted(base.glob("*")) if entry.name.lower() in KTH_ACTIONS)]
        for path in (path for folder in folders for path in sorted(folder.glob("person*"))):
            if name := _RECORDING.fullmatch(path.name):
                yield name[1].lower(), path


def _missing_recordings(lacking: Sequence[str], persons: Sequence[int], folders: bool, report: Report) -> None:
    """Persons of whom nothing is there, and the videos that are missing, by the archives that hold them."""
    if absent := [person for person in range(1, 26) if person not in persons]:
        report.missing.append(Missing(f"persons {spans(absent)} altogether", ()))
    archives: dict[str, list[str]] = {}
    for name in lacking:
        archives.setdefault(kth_archive(name), []).append(f"{name}_uncomp.avi")
    if folders and lacking:
        report.notes.append(f"of these recordings there is no folder: {some_of(lacking)}")
        archives = {}
    for archive, names in archives.items():
        report.missing.append(Missing(f"{some_of(names)} (from {archive})", tuple(names)))
    report.notes.append(f"{NEVER_PUBLISHED} is missing in the published set itself")


def _persons(data: KTHData, report: Report) -> None:
    """The reference trains on the persons that are here for training or validation."""
    expected, found = "1-16 / 17-25", f"{spans(sorted(data.train + data.validation))} / {spans(sorted(data.test))}"
    source = "OpenSTL, dataloader_kth.py (training / test)"
    report.checks.append(Check("persons", expected, found, expected == found, source))


def _sizes(videos: Sequence[Path], report: Report) -> None:
    """The size of every video's frames; what can't be opened is damaged."""
    sizes = {}
    for path in videos:
        try:
            video = inspect_video(path, whole=not any(name in path.name for name in BROKEN_OFF))
            sizes[path.name] = size_text(video.size)
        except SvqkitError as error:
            report.damaged.append(str(error))
    fact = FACTS["kth size"]
    report.checks += compare_files("frame size", size_text(fact.numbers), sizes, fact.source)


def _windows(data: KTHData, folders: bool, report: Report) -> None:
    """The windows of the videos, which can be computed; those of folders of frames are not known."""
    made = try_plan(data, report)
    fact = FACTS["kth published windows"]
    others = "here are such folders" if folders else "from the videos they can't be had"
    report.notes.append(
        f"published: {fact.numbers[0]:,} and {fact.numbers[1]:,} windows ({fact.source}), of PredRNN's frames; {others}"
    )
    if folders:
        report.checks += compare_windows(made, None, "no count of these frames is known to be right")
        return
    report.checks += compare_windows(made, published.kth_windows(data), "computed from 00sequences.txt")
    if made is None and (frames := published.KTH_FRAMES.get(data.frames_out)):
        report.expect_whole(frames, (3 if data.colour else 1) * data.size[0] * data.size[1])
