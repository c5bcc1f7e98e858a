"""The bundled sample, file by file, to know it again anywhere.

``bundled.csv`` has path, bytes and MD5 of each; ``python -m tests.simulated data --bundle`` writes it.
"""

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

LISTING = Path(__file__).with_name("bundled.csv")
README = "README.txt"


@dataclass(frozen=True)
class BundledFile:
    """One file of the sample: ``path`` is relative to ``data``."""

    path: str
    bytes: int
    md5: str

    def is_at(self, path: Path) -> bool:
        """Return whether ``path`` is this very file; it is read only when its size fits."""
        return path.is_file() and path.stat().st_size == self.bytes and md5(path) == self.md5


@cache
def bundled_files() -> tuple[BundledFile, ...]:
    """Return every file of the bundled sample."""
    with LISTING.open(encoding="utf-8", newline="") as rows:
        return tuple(BundledFile(row["path"], int(row["bytes"]), row["md5"]) for row in csv.DictReader(rows))


def files_of(source: str) -> dict[PurePosixPath, BundledFile]:
    """Return the files of a source, such as "kth", by their paths below its folder."""
    below = {PurePosixPath(file.path): file for file in bundled_files()}
    return {path.relative_to(source): file for path, file in below.items() if path.parts[0] == source}


def md5(path: Path) -> str:
    """Return the MD5 of a file in hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "md5").hexdigest()


def is_left_over(readme: Path, source: str) -> bool:
    """Return whether ``readme`` is the bundled sample's of a source, while no other file of the sample is beside it."""
    files = files_of(source)
    own = files.pop(PurePosixPath(README), None)
    if own is None or not own.is_at(readme):
        return False
    return not any(file.is_at(readme.parent / path) for path, file in files.items())
