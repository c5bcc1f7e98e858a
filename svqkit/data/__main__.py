"""``python -m svqkit.data check data``: are the published raw files all there, and are they what the paper used?

Ends with 0 when at least one dataset is there and all that are there are complete, with 1 when one is not (or one
that was named is not there), with 2 when the folder, a dataset's name or params.yaml is wrong.
"""

import argparse
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from svqkit import config
from svqkit.data.check import Check, Report, check, in_bytes, some_of
from svqkit.errors import SvqkitError

WIDTH = 120


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m svqkit.data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="look at raw files, without preparing them")
    checking.add_argument(
        "root", type=Path, help="folder with weather, kth, kitticaltech, human, taxibj, or one of them"
    )
    checking.add_argument("datasets", nargs="*", help="some of the ten, such as weather_t2m kth; without any: all")
    checking.add_argument("--params", type=Path, default=Path("params.yaml"), help="its profile paper is looked at")
    checking.add_argument("--stores", type=Path, default=Path("stores"), help="where prepare will write")
    checking.add_argument("--names", action="store_true", help="every missing file by its name")
    options = parser.parse_args(arguments)
    try:
        reports = check(options.root, config.load(options.params, "paper"), options.datasets)
    except SvqkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(as_text(reports, options.stores, options.names))
    there = [report for report in reports if report.place or report.dataset in options.datasets]
    return 0 if there and all(report.complete for report in there) else 1


def as_text(reports: Sequence[Report], stores: Path, names: bool = False) -> str:
    """The reports as they are printed; ``names`` lists every missing file."""
    free = _free(stores)
    there = [report for report in reports if report.place]
    texts = [_one(report, stores, free, names) for report in there]
    if absent := [f"{report.dataset:<14}not there: {report.notes[0]}" for report in reports if not report.place]:
        texts.append("\n".join(absent))
    needed = sum(report.store_bytes or 0 for report in there)
    whole = sum(report.complete for report in there)
    texts.append(
        f"{len(there)} of {len(reports)} datasets are there, {whole} of them complete. All their stores together need "
        f"{in_bytes(needed)}; {in_bytes(free)} are free. (ok: as expected, NO: not so, ?: nothing to compare with.)"
    )
    return "\n\n".join(texts)


def _one(report: Report, stores: Path, free: int, names: bool) -> str:
    state = "complete" if report.complete else "NOT COMPLETE"
    missing = [line for one in report.missing for line in (one.line, *(one.names if names else ()))]
    prose = {
        "says": [report.says] if report.says else [],
        "found": report.found,
        "missing": missing,
        "damaged": report.damaged,
        "refused": [report.refusal] if report.refusal else [],
        "notes": report.notes,
        "disk": [_disk(report, stores, free)],
    }
    groups = {title: [line for text in texts for line in _wrapped(text)] for title, texts in prose.items()}
    order = ("says", "found", "missing", "damaged", "refused", "checked", "notes", "disk")
    groups["checked"] = _table(report.checks)
    lines = [f"{report.dataset:<14}{state}, in {report.place}"]
    for title in order:
        lines += [f"  {title if number == 0 else '':<10}{text}" for number, text in enumerate(groups[title])]
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 12, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _table(checks: Sequence[Check]) -> list[str]:
    marks = {True: "ok", False: "NO", None: "?"}
    rows = [("", "expected", "found", "", "source")]
    rows += [(one.what, one.expected, one.found, marks[one.fits], one.source) for one in checks]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*map(str.ljust, row[:4], widths), row[4]]) for row in rows]
    for place, one in reversed(list(enumerate(checks, start=2))):
        if one.files:
            lines.insert(place, f"  {some_of(one.files)}")
    return lines if checks else []


def _disk(report: Report, stores: Path, free: int) -> str:
    if report.store_bytes is None:
        return "what the store will need can't be told before the files are whole"
    enough = "enough" if report.store_bytes < free else "NOT ENOUGH"
    when = " when whole" if report.when_whole else ""
    return (
        f"{in_bytes(report.store_bytes)} in {stores}/{when}: {report.frames:,} frames of {report.frame_bytes:,} bytes; "
        f"{in_bytes(free)} are free: {enough}"
    )


def _free(stores: Path) -> int:
    """Bytes that are free where the stores will lie, whether the folder is there yet or not."""
    place = stores.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


if __name__ == "__main__":
    sys.exit(main())
