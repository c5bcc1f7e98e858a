"""Reports as they are printed."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from svqkit.data.check.disk import disk_line, free_bytes
from svqkit.data.check.findings import Check, Report
from svqkit.data.check.wording import in_bytes, some_of

WIDTH = 120


def as_text(reports: Sequence[Report], stores: Path, names: bool = False) -> str:
    """The reports as they are printed; ``names`` lists every missing file."""
    free = free_bytes(stores)
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
        "disk": [disk_line(report, stores, free)],
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
