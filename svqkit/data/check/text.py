"""Reports as they are printed, and words for numbers and names."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from svqkit.data.check.report import Check, Report

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
    there = [report for report in reports if report.folder]
    if not there:
        return (
            f"0 of {len(reports)} datasets are there: `make data` fetches the bundled sample into data, "
            "and docs/data.md says where to get the real files."
        )
    texts = _sample_text([report for report in there if report.sample], verbose)
    compared = [_report_text(report, stores, free, names) for report in there if verbose or not report.sample]
    texts += compared
    if absent := [f"{report.dataset:<14}not there: {report.notes[0]}" for report in reports if not report.folder]:
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


def _report_text(report: Report, stores: Path, free: int, names: bool) -> str:
    state = "complete" if report.complete else "NOT COMPLETE"
    if report.sample:
        state = f"the bundled sample, {state} for profile {report.sample}; beside the published data"
    missing = [line for files in report.missing for line in (files.line, *(files.names if names else ()))]
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
    lines = [f"{report.dataset:<14}{state}, in {report.folder}"]
    for title in order:
        lines += [f"  {title if number == 0 else '':<10}{text}" for number, text in enumerate(groups[title])]
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 12, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _table(checks: Sequence[Check]) -> list[str]:
    marks = {True: "ok", False: "NO", None: "?"}
    rows = [("", "expected", "found", "", "source")]
    rows += [(check.what, check.expected, check.found, marks[check.fits], check.source) for check in checks]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join([*map(str.ljust, row[:4], widths), row[4]]) for row in rows]
    for row, check in reversed(list(enumerate(checks, start=2))):
        if check.files:
            lines.insert(row, f"  {some_of(check.files)}")
    return lines if checks else []


def disk_line(report: Report, stores: Path, free: int) -> str:
    """Return what the store of a dataset will need in ``stores``, beside the bytes that are ``free`` there."""
    if report.store_bytes is None:
        return "what the store will need can't be told before the files are whole"
    enough = "enough" if report.store_bytes < free else "NOT ENOUGH"
    when = " when whole" if report.when_whole else ""
    return (
        f"{in_bytes(report.store_bytes)} in {stores}/{when}: {report.frames:,} frames of {report.frame_bytes:,} bytes; "
        f"{in_bytes(free)} are free: {enough}"
    )


def free_bytes(stores: Path) -> int:
    """Return the bytes that are free where the stores will lie, whether the folder is there yet or not."""
    folder = stores.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


SHOWN = 3  # of many names so many are shown


def some_of(names: Sequence[str]) -> str:
    """Return the first of many names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def spans(numbers: Sequence[int]) -> str:
    """Return rising numbers as "2010-2012, 2014"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def size_of(paths: Iterable[Path]) -> str:
    """Return the number and size of files as "9 files, 5.4 MB"."""
    sizes = [path.stat().st_size for path in paths]
    return f"{len(sizes):,} file{'s' if len(sizes) != 1 else ''}, {in_bytes(sum(sizes))}"


def in_bytes(count: int) -> str:
    """Return a number of bytes in the unit that fits it."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"
