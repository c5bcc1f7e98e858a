"""Comparisons that every dataset has: one value of many files, a number, the windows of its plan."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from svqkit.data.check.findings import Check, Report
from svqkit.data.check.published import Counts, Fact
from svqkit.data.plan import Plan
from svqkit.data.sources import plan
from svqkit.errors import SvqkitError
from svqkit.settings.data import SPLITS
from svqkit.settings.params import Data, Protocol

UNKNOWN = "not known"


def compare(what: str, expected: str, values: Mapping[str, str], source: str) -> list[Check]:
    """One value per file, all of which should be ``expected``; nothing when there is no file."""
    if not values:
        return []
    others = {name: value for name, value in values.items() if value != expected}
    tally = Counter(others.values()).most_common()
    found = f"{tally[0][0]} in {tally[0][1]} of {len(values)}" if others else expected
    found += ", others in the rest" if len(tally) > 1 else ""
    return [Check(what, expected, found, not others, source, tuple(others))]


def number(what: str, fact: Fact, found: int) -> Check:
    """One number beside the published one."""
    return Check(what, f"{fact.numbers[0]:,}", f"{found:,}", found == fact.numbers[0], fact.source)


def try_plan(data: Data, report: Report) -> Plan | None:
    """The plan of a dataset, its frames told in the report; or None, and there the source's refusal."""
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


def windows(made: Plan | None, expected: Mapping[Protocol, Counts] | None, source: str) -> list[Check]:
    """How many windows each protocol has, beside how many it should have."""
    checks = []
    for protocol in ("clean", "paper"):
        should = in_splits(expected[protocol]) if expected else UNKNOWN
        starts = made.windows[protocol].starts if made else None
        found = in_splits({split: len(starts[split]) for split in SPLITS}) if starts else "no plan"
        fits = should == found if made and expected else None
        checks.append(Check(f"windows, {protocol}", should, found, fits, source))
    return checks


def in_splits(counts: Counts) -> str:
    """ "9,034 / 1,424 / 6,007": training, validation, test."""
    return " / ".join(f"{counts[split]:,}" for split in SPLITS)
