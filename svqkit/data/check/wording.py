"""Numbers and names as a reader wants them: few of many, runs, units that fit."""

from collections.abc import Iterable, Sequence
from pathlib import Path

SHOWN = 3  # of many names so many are shown


def some_of(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def spans(numbers: Sequence[int]) -> str:
    """ "2010-2012, 2014" of rising numbers."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def size_of(paths: Iterable[Path]) -> str:
    """ "9 files, 5.4 MB" """
    sizes = [path.stat().st_size for path in paths]
    return f"{len(sizes):,} file{'s' if len(sizes) != 1 else ''}, {in_bytes(sum(sizes))}"


def in_bytes(count: int) -> str:
    """A number of bytes in the unit that fits it."""
    for unit, size in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"
