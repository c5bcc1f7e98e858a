"""What is found of a dataset: missing files, comparisons with what is published, and how all of it is printed."""

import shutil
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from svqkit.data.check.published import UNKNOWN, Fact
from svqkit.data.sources.frames import size_text
from svqkit.errors import SvqkitError

WIDTH, INDENT = 120, 14
SHOWN = 3  # of many names so many are shown
LEGEND = "(ok: as expected, NO: not so, ?: nothing to compare with.)"


class Check(NamedTuple):
    """One comparison with what is published."""

    fact: Fact
    found: str

    @property
    def fits(self) -> bool | None:
        """Whether both agree; None where one of them is not known."""
        return None if UNKNOWN in (self.fact.expected, self.found) else self.fact.expected == self.found


@dataclass
class Report:
    """What is known of one dataset.

    Attributes:
        folder: its folder; None when there is none.
        found: number and size of its files.
        missing: names of files, by the archives that hold them.
        damaged, notes: lines for a reader.
        says: what the files say of themselves.
        refusal: why the source can't make a store of them; "" when it can, or was not asked.
        frames: that the store will have, or would have of the whole dataset; 0 when not known.
        frame_bytes: of one of them.
        sample: the profile in use, when all files are those of the bundled sample; else "". The look at the published
            data then says what would have to be fetched, and ``lacks`` why the sample is not enough for that profile.
    """

    dataset: str
    folder: Path | None = None
    found: str = ""
    missing: dict[str, list[str]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    says: str = ""
    refusal: str = ""
    frames: int = 0
    frame_bytes: int = 0
    sample: str = ""
    lacks: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether it is there, whole, as published (or the bundled sample), and can be made into a store."""
        if self.sample:
            return not self.lacks
        wrong = self.missing or self.damaged or self.refusal or any(check.fits is False for check in self.checks)
        return self.folder is not None and not wrong

    @property
    def state(self) -> str:
        """The same in words."""
        return "complete" if self.complete else "NOT COMPLETE"

    @property
    def store_bytes(self) -> int:
        """What its store takes on the disk, in bytes; 0 when not known."""
        return self.frames * self.frame_bytes

    def compare(self, fact: Fact, found: str) -> None:
        """Compare what was found with what is published."""
        self.checks.append(Check(fact, found))

    def compare_sizes(self, fact: Fact, files: Mapping[str, Path], read: Callable[[Path], Sequence[int]]) -> None:
        """Compare the size that ``read`` finds in each file with the published one; what can't be read is damaged."""
        sizes = {}
        for name, path in files.items():
            try:
                sizes[name] = size_text(read(path))
            except (SvqkitError, OSError) as error:
                self.damaged.append(str(error))
        others = [name for name, size in sizes.items() if size != fact.expected]
        if sizes:
            self.compare(fact, ", ".join(dict.fromkeys(sizes[name] for name in others)) or fact.expected)
        if others:
            count = f"{len(others)} of {len(sizes)}"
            self.notes.append(f"{fact.what}: not {fact.expected} in {count}, {some_of(others)}")

    def compare_files(self, archives: Mapping[str, Sequence[str]], there: Collection[str]) -> None:
        """Compare the files of the published ``archives`` with those that are ``there``, and name what is missing."""
        lacking = {archive: [name for name in names if name not in there] for archive, names in archives.items()}
        self.missing = {archive: names for archive, names in lacking.items() if names}
        count, absent = (sum(map(len, names.values())) for names in (archives, lacking))
        self.compare(Fact("files", f"{count:,}", "the published archives"), f"{count - absent:,}")


def as_text(reports: Sequence[Report], stores: Path, names: bool = False, verbose: bool = True) -> str:
    """Return the reports as they are printed.

    Args:
        reports: of the datasets that were looked at.
        stores: where prepare will write.
        names: list every missing file.
        verbose: also say of the bundled sample what it has, and what the published data have more.
    """
    there = [report for report in reports if report.folder]
    samples = [report for report in there if report.sample]
    texts = [_sample_text(samples, verbose)] if samples else []
    texts += [_report_text(report, names) for report in there if verbose or not report.sample]
    if absent := [f"{report.dataset:<{INDENT}}not there: {report.notes[0]}" for report in reports if not report.folder]:
        texts.append("\n".join(absent))
    whole = sum(report.complete for report in there)
    end = f"{len(there)} of {len(reports)} datasets are there, {whole} of them complete."
    if not there:
        end += " `make data` fetches the bundled sample into data; docs/data.md says where to get the real files."
        return "\n\n".join([*texts, end])
    needed = sum(report.store_bytes for report in there)
    parent = next(folder for folder in (stores / "kth").absolute().parents if folder.exists())
    free = shutil.disk_usage(parent).free
    enough = "" if needed < free else ": NOT ENOUGH"
    end += f" All their stores together need {in_bytes(needed)} in {stores}/; {in_bytes(free)} are free{enough}."
    return "\n\n".join([*texts, f"{end} {LEGEND}" if verbose or len(samples) < len(there) else end])


def _sample_text(reports: Sequence[Report], verbose: bool) -> str:
    """What to say first: which datasets are the bundled sample, and whether that is enough for the profile in use."""
    more = "" if verbose else "; -v: what the published data have more"
    state = "complete" if all(report.complete for report in reports) else "NOT COMPLETE"
    lines = [f"The bundled sample (simulated, no measurements), {state} for profile {reports[0].sample}{more}:"]
    for report in reports:
        what = "; ".join(report.lacks) or f"{report.frames:,} frames"
        lines.append(_wrapped(f"{report.dataset:<{INDENT}}{report.state}: {report.found}; {what}", INDENT))
    return "\n".join(lines)


def _report_text(report: Report, names: bool) -> str:
    of_sample = f"the bundled sample, {report.state} for profile {report.sample}; beside the published data"
    lines = [f"{report.dataset:<{INDENT}}{of_sample if report.sample else report.state}, in {report.folder}"]
    missing = []
    for archive, files in report.missing.items():
        missing += [f"{some_of(files, most=1)} (from {archive})", *(files if names else ())]
    need = f"{in_bytes(report.store_bytes)}: {report.frames:,} frames of {report.frame_bytes:,} bytes"
    groups = {
        "says": [report.says],
        "found": [report.found],
        "missing": missing,
        "damaged": report.damaged,
        "refused": [report.refusal] if report.refusal not in report.damaged else [],
        "checked": _table(report.checks),
        "notes": report.notes,
        "disk": [need if report.store_bytes else "what the store will need can't be told before the files are whole"],
    }
    for title, texts in groups.items():
        for number, text in enumerate(text for text in texts if text):
            line = f"  {title if number == 0 else '':<10}{text}"
            lines.append(line if title == "checked" else _wrapped(line, INDENT))
    return "\n".join(lines)


def _wrapped(text: str, indent: int) -> str:
    return textwrap.fill(text, WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def _table(checks: Sequence[Check]) -> list[str]:
    marks = {True: "ok", False: "NO", None: "?"}
    rows = [(*check.fact[:2], check.found, marks[check.fits], check.fact.source) for check in checks]
    headers = ("", "expected", "found", "", "source")
    return tabulate(rows, headers, tablefmt="plain", disable_numparse=True).splitlines() if rows else []


def some_of(names: Sequence[str], most: int = SHOWN) -> str:
    """Return the first of many names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def size_of(paths: Iterable[Path]) -> str:
    """Return the number and size of files as "9 files, 5.4 MB"."""
    sizes = [path.stat().st_size for path in paths]
    return f"{len(sizes):,} file{'s' if len(sizes) != 1 else ''}, {in_bytes(sum(sizes))}"


def in_bytes(count: int) -> str:
    """Return a number of bytes in the unit that fits it."""
    power = min(4, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"
