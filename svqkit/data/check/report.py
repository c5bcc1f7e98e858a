"""What is found of a dataset: missing files, comparisons with what is published, and how all of it is printed."""

import shutil
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from svqkit.data.check.published import UNKNOWN, Counts, Fact
from svqkit.data.sources.images import size_text
from svqkit.data.sources.kth import find_runs
from svqkit.errors import SvqkitError
from svqkit.settings.params import Protocol

WIDTH = 120
SHOWN = 3  # of many names so many are shown


class Check(NamedTuple):
    """One comparison with what is published, and the ``files`` that don't fit."""

    fact: Fact
    found: str
    files: Sequence[str] = ()

    @property
    def fits(self) -> bool | None:
        """Whether both agree; None where one of them is not known."""
        return None if UNKNOWN in (self.fact.expected, self.found) else self.fact.expected == self.found


@dataclass
class Report:
    """What is known of one dataset.

    Attributes:
        folder: its folder; None when there is none.
        missing: names of files, by the archives that hold them.
        found, damaged, notes: lines for a reader.
        says: what the files say of themselves.
        refusal: why the source can't make a store of them; "" when it can, or was not asked.
        frames: that the store will have, or would have of the whole dataset; 0 when not known.
        frame_bytes: of one of them.
        when_whole: ``frames`` are those of the whole dataset, since the files that are there make no store.
        sample: the profile in use, when all files are those of the bundled sample; else "". The look at the published
            data then says what would have to be fetched, and ``lacks`` why the sample is not enough for that profile.
        sample_size: number and size of the sample's files.
    """

    dataset: str
    folder: Path | None = None
    found: list[str] = field(default_factory=list)
    missing: dict[str, list[str]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    says: str = ""
    refusal: str = ""
    frames: int = 0
    frame_bytes: int = 0
    when_whole: bool = False
    sample: str = ""
    sample_size: str = ""
    lacks: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether it is there, whole, as published (or the bundled sample), and can be made into a store."""
        if self.sample:
            return not self.lacks
        wrong = self.missing or self.damaged or self.refusal or any(check.fits is False for check in self.checks)
        return self.folder is not None and not wrong

    @property
    def store_bytes(self) -> int:
        """What its store takes on the disk, in bytes; 0 when not known."""
        return self.frames * self.frame_bytes

    def expect(self, frames: int, frame_bytes: int, when_whole: bool = False) -> None:
        """Take the size of the store from these numbers."""
        self.frames, self.frame_bytes, self.when_whole = frames, frame_bytes, when_whole

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
        others = {name: size for name, size in sizes.items() if size != fact.expected}
        tally = Counter(others.values()).most_common(SHOWN)
        found = ", ".join(f"{size} in {count} of {len(sizes)}" for size, count in tally) or fact.expected
        if sizes:
            self.checks.append(Check(fact, found, [*others]))

    def compare_files(self, archives: Mapping[str, Sequence[str]], there: Collection[str]) -> None:
        """Compare the files of the published ``archives`` with those that are ``there``, and name what is missing."""
        lacking = {archive: [name for name in names if name not in there] for archive, names in archives.items()}
        self.missing = {archive: names for archive, names in lacking.items() if names}
        count = sum(map(len, archives.values()))
        found = count - sum(map(len, lacking.values()))
        self.compare(Fact("files", f"{count:,}", "the published archives"), f"{found:,}")

    def compare_windows(
        self, expected: Mapping[Protocol, Counts], found: Mapping[Protocol, Counts], source: str
    ) -> None:
        """Compare the number of windows of each protocol and split; one that is left out is not known."""
        for protocol in ("clean", "paper"):
            fact = Fact(f"windows, {protocol}", _in_splits(expected.get(protocol)), source)
            self.compare(fact, _in_splits(found.get(protocol)))


def _in_splits(counts: Counts | None) -> str:
    """The counts of training, validation and test as "9,034 / 1,424 / 6,007"."""
    return " / ".join(f"{count:,}" for count in counts) if counts else UNKNOWN


def as_text(reports: Sequence[Report], stores: Path, names: bool = False, verbose: bool = True) -> str:
    """Return the reports as they are printed.

    Args:
        reports: of the datasets that were looked at.
        stores: where prepare will write.
        names: list every missing file.
        verbose: also say of the bundled sample what it has, and what the published data have more.
    """
    there = [report for report in reports if report.folder]
    if not there:
        return (
            f"0 of {len(reports)} datasets are there: `make data` fetches the bundled sample into data, "
            "and docs/data.md says where to get the real files."
        )
    free = _free_bytes(stores)
    samples = [report for report in there if report.sample]
    texts = [_sample_text(samples, verbose)] if samples else []
    compared = [_report_text(report, stores, free, names) for report in there if verbose or not report.sample]
    texts += compared
    if absent := [f"{report.dataset:<14}not there: {report.notes[0]}" for report in reports if not report.folder]:
        texts.append("\n".join(absent))
    needed = sum(report.store_bytes for report in there)
    whole = sum(report.complete for report in there)
    legend = " (ok: as expected, NO: not so, ?: nothing to compare with.)" if compared else ""
    texts.append(
        f"{len(there)} of {len(reports)} datasets are there, {whole} of them complete. All their stores together need "
        f"{in_bytes(needed)}; {in_bytes(free)} are free.{legend}"
    )
    return "\n\n".join(texts)


def _sample_text(reports: Sequence[Report], verbose: bool) -> str:
    """What to say first: which datasets are the bundled sample, and whether that is enough for the profile in use."""
    more = "" if verbose else "; -v: what the published data have more"
    state = "complete" if all(report.complete for report in reports) else "NOT COMPLETE"
    lines = [f"The bundled sample (simulated, no measurements), {state} for profile {reports[0].sample}{more}:"]
    for report in reports:
        what = "; ".join(report.lacks) or f"{report.frames:,} frames"
        state = "complete" if report.complete else "NOT COMPLETE"
        lines += _wrapped(f"{report.dataset:<14}{state}: {report.sample_size}; {what}", WIDTH, 14)
    return "\n".join(lines)


def _report_text(report: Report, stores: Path, free: int, names: bool) -> str:
    state = "complete" if report.complete else "NOT COMPLETE"
    if report.sample:
        state = f"the bundled sample, {state} for profile {report.sample}; beside the published data"
    groups = {
        "says": [report.says],
        "found": report.found,
        "missing": [
            line
            for archive, files in report.missing.items()
            for line in (f"{some_of(files, most=1)} (from {archive})", *(files if names else ()))
        ],
        "damaged": report.damaged,
        "refused": [report.refusal] if report.refusal not in report.damaged else [],
        "checked": _table(report.checks),
        "notes": report.notes,
        "disk": [_disk_line(report, stores, free)],
    }
    lines = [f"{report.dataset:<14}{state}, in {report.folder}"]
    for title, texts in groups.items():
        wrapped = texts if title == "checked" else [line for text in texts for line in _wrapped(text, WIDTH - 12, 2)]
        lines += [f"  {title if number == 0 else '':<10}{text}" for number, text in enumerate(wrapped)]
    return "\n".join(lines)


def _wrapped(text: str, width: int, indent: int) -> list[str]:
    return textwrap.wrap(text, width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False)


def _table(checks: Sequence[Check]) -> list[str]:
    marks = {True: "ok", False: "NO", None: "?"}
    rows = [("", "expected", "found", "", "source")]
    rows += [(*check.fact[:2], check.found, marks[check.fits], check.fact.source) for check in checks]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = []
    for row, files in zip(rows, [(), *(check.files for check in checks)], strict=True):
        lines.append("  ".join([*map(str.ljust, row[:4], widths), row[4]]))
        lines += [f"  {some_of(files)}"] if files else []
    return lines if checks else []


def _disk_line(report: Report, stores: Path, free: int) -> str:
    """What the store of a dataset will need in ``stores``, beside the bytes that are ``free`` there."""
    if not report.store_bytes:
        return "what the store will need can't be told before the files are whole"
    enough = "enough" if report.store_bytes < free else "NOT ENOUGH"
    when = " when whole" if report.when_whole else ""
    return (
        f"{in_bytes(report.store_bytes)} in {stores}/{when}: {report.frames:,} frames of {report.frame_bytes:,} bytes; "
        f"{in_bytes(free)} are free: {enough}"
    )


def _free_bytes(stores: Path) -> int:
    """The bytes that are free where the stores will lie, whether the folder is there yet or not."""
    there = next(folder for folder in (stores / "kth").absolute().parents if folder.exists())
    return shutil.disk_usage(there).free


def some_of(names: Sequence[str], most: int = SHOWN) -> str:
    """Return the first of many names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def spans(numbers: Iterable[int]) -> str:
    """Return numbers as "2010-2012, 2014", none of them as "none"."""
    runs = find_runs(numbers)
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs) or "none"


def size_of(paths: Iterable[Path]) -> str:
    """Return the number and size of files as "9 files, 5.4 MB"."""
    sizes = [path.stat().st_size for path in paths]
    return f"{len(sizes):,} file{'s' if len(sizes) != 1 else ''}, {in_bytes(sum(sizes))}"


def in_bytes(count: int) -> str:
    """Return a number of bytes in the unit that fits it."""
    power = min(4, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"
