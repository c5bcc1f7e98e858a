"""What is found of a dataset: missing files, comparisons with what is published, the whole report."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from svqkit.data.check.published import Counts, Fact
from svqkit.data.plan import Plan
from svqkit.data.sources import plan
from svqkit.errors import SvqkitError
from svqkit.settings.data import SPLITS
from svqkit.settings.params import Data, Protocol


@dataclass(frozen=True)
class Check:
    """One comparison with what is published; ``fits`` is None where nothing can be said.

    ``files`` are those that don't fit.
    """

    what: str
    expected: str
    found: str
    fits: bool | None
    source: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Missing:
    """Files that are missing, in one line, and all their names."""

    line: str
    names: tuple[str, ...]


@dataclass
class Report:
    """What is known of one dataset.

    Attributes:
        folder: its folder; None when there is none.
        found, damaged, notes: lines for a reader.
        says: what the files say of themselves.
        refusal: why the source can't make a store of them; "" when it can, or was not asked.
        frames: that the store will have, or would have of the whole dataset; None when not known.
        frame_bytes: of one of them.
        when_whole: ``frames`` are those of the whole dataset, since the files that are there make no store.
        sample: the profile in use, when all files are those of the bundled sample; else "". The look at the published
            data then says what would have to be fetched, and ``lacks`` why the sample is not enough for that profile.
        sample_size: number and size of the sample's files.
    """

    dataset: str
    folder: Path | None = None
    found: list[str] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    says: str = ""
    refusal: str = ""
    frames: int | None = None
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
    def store_bytes(self) -> int | None:
        """What its store takes on the disk, in bytes; None when not known."""
        return None if self.frames is None else self.frames * self.frame_bytes

    def expect_whole(self, frames: int, frame_bytes: int) -> None:
        """Take the store's size from the published dataset, since the files that are there make no store."""
        self.frames, self.frame_bytes, self.when_whole = frames, frame_bytes, True


UNKNOWN = "not known"


def compare_files(what: str, expected: str, values: Mapping[str, str], source: str) -> list[Check]:
    """Compare one value per file with the ``expected`` one; return no check when there is no file."""
    if not values:
        return []
    others = {name: value for name, value in values.items() if value != expected}
    tally = Counter(others.values()).most_common()
    found = f"{tally[0][0]} in {tally[0][1]} of {len(values)}" if others else expected
    found += ", others in the rest" if len(tally) > 1 else ""
    return [Check(what, expected, found, not others, source, tuple(others))]


def compare_number(what: str, fact: Fact, found: int) -> Check:
    """Compare one number with the published one."""
    return Check(what, f"{fact.numbers[0]:,}", f"{found:,}", found == fact.numbers[0], fact.source)


def try_plan(data: Data, report: Report) -> Plan | None:
    """Plan a dataset and report its frames; return None, and report the source's refusal, when it can't be planned."""
    try:
        made = plan(data)
    except (SvqkitError, OSError) as error:
        report.refusal = str(error)
        return None
    report.says = made.title
    report.notes += made.notes
    report.frames = made.frames
    report.frame_bytes = np.dtype(made.dtype).itemsize * int(np.prod(made.frame_shape))
    return made


def compare_windows(made: Plan | None, expected: Mapping[Protocol, Counts] | None, source: str) -> list[Check]:
    """Compare the number of windows of each protocol with the ``expected`` one."""
    checks = []
    for protocol in ("clean", "paper"):
        should = in_splits(expected[protocol]) if expected else UNKNOWN
        starts = made.windows[protocol].starts if made else None
        found = in_splits({split: len(starts[split]) for split in SPLITS}) if starts else "no plan"
        fits = should == found if made and expected else None
        checks.append(Check(f"windows, {protocol}", should, found, fits, source))
    return checks


def in_splits(counts: Counts) -> str:
    """Return the counts of training, validation and test as "9,034 / 1,424 / 6,007"."""
    return " / ".join(f"{counts[split]:,}" for split in SPLITS)
