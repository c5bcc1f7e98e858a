"""What is found of a dataset: comparisons with what is published, missing files, the whole report."""

from dataclasses import dataclass, field
from pathlib import Path


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
        place: its folder; None when there is none.
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
    place: Path | None = None
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
        return self.place is not None and not wrong

    @property
    def store_bytes(self) -> int | None:
        """What its store takes on the disk; None when not known."""
        return None if self.frames is None else self.frames * self.frame_bytes

    def expect_whole(self, frames: int, frame_bytes: int) -> None:
        """Take the store's size from the published dataset, since the files that are there make no store."""
        self.frames, self.frame_bytes, self.when_whole = frames, frame_bytes, True
