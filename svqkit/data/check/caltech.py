"""Caltech Pedestrian: the videos of the test sets, or OpenSTL's cache of their frames."""

from pathlib import Path

from svqkit.data.check.comparing import compare
from svqkit.data.check.filenames import CALTECH_SETS, caltech_videos
from svqkit.data.check.findings import Check, Missing, Report
from svqkit.data.check.published import FACTS
from svqkit.data.check.wording import size_of, some_of
from svqkit.data.sources.seq import read_header
from svqkit.data.sources.video import by
from svqkit.errors import SvqkitError


def look(place: Path, report: Report) -> None:
    """Look at ``caltech`` in ``place``, and write what is found into ``report``."""
    folder = place / "caltech"
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
        if of_set := [f"caltech/{one}" for one in lacking if one.startswith(name)]:
            report.missing.append(Missing(f"{some_of(of_set)} (from {name} of data_and_labels.zip)", tuple(of_set)))
    count, size = FACTS["caltech videos"], FACTS["caltech size"]
    report.checks.append(Check("videos of Caltech", f"{len(every)}", f"{len(there)}", not lacking, count.source))
    sizes = {}
    for name, path in published.items():
        try:
            header = read_header(path)
            sizes[name] = by((header.height, header.width))
        except SvqkitError as error:
            report.damaged.append(str(error))
    report.checks += compare("frames of Caltech", by(size.numbers), sizes, size.source)
