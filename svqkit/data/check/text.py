"""Reports as they are printed."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from svqkit.data.check.disk import disk_line, free_bytes
from svqkit.data.check.findings import Check, Report
from svqkit.data.check.wording import in_bytes, some_of

WIDTH = 120
_HANGING = {"subsequent_indent": " " * 14, "break_long_words": False, "break_on_hyphens": False}


def as_text(reports: Sequence[Report], stores: Path, names: bool = False, verbose: bool = True) -> str:
    """Return the reports as they are printed.

    Args:
        reports: of the datasets that were looked at.
        stores: where prepare will write.
        names: list every missing file.
        verbose: also say of the bundled sample what it has, and what the published data have more.
    """
    free = free_bytes(stores)
    there = [report for report in reports if report.place]
    if not there:
        return (
            f"0 of {len(reports)} datasets are there: `make data` fetches the bundled sample into data, "
            "and docs/data.md says where to get the real files."
        )
    texts = _sample_text([report for report in there if report.sample], verbose)
    compared = [_one(report, stores, free, names) for report in there if verbose or not report.sample]
    texts += compared
    if absent := [f"{report.dataset:<14}not there: {report.notes[0]}" for report in reports if not report.place]:
        texts.append("\n".join(absent))
    needed = sum(report.store_bytes or 0 for report in there)
    whole = sum(report.complete for report in there)
    texts.append(
        f"{len(there)} of {len(reports)} datasets are there, {whole} of them complete. All their stores together need "
        f"{in_bytes(needed)}; {in_bytes(free)} are free."
        + " (ok: as expected, NO: not so, ?: nothing to compare with.)"
        * bool(compared)
    )
    return "\n\n".join(texts)


def _sample_text(reports: Sequence[Report], verbose: bool) -> list[str]:
    """What to say first: which datasets are the bundled sample, and whether that is enough for the profile in use."""
    if not reports:
        return []
    wrong = [report for report in reports if not report.complete]
    lines = [
        f"The bundled sample (simulated, no measurements), {'NOT COMPLETE' if wrong else 'complete'} for profile "
        f"{reports[0].sample}{'' if verbose else '; -v: what the published data have more'}:"
    ]
    for report in reports:
        what = "; ".join(report.lacks) or f"{report.frames:,} frames"
        state = "NOT COMPLETE" if report.lacks else "complete"
        lines += textwrap.wrap(f"{report.dataset:<14}{state}: {report.sample_size}; {what}", WIDTH, **_HANGING)
    return ["\n".join(lines)]


def _one(report: Report, stores: Path, free: int, names: bool) -> str:
    state = "complete" if report.complete else "NOT COMPLETE"
    if report.sample:
        state = f"the bundled sample, {state} for profile {report.sample}; beside the published data"
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
