"""The bundled sample, file by file: path, bytes and MD5 of each in ``bundled.csv``, to know it again anywhere."""

import csv
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from svqkit.atomic import replacing

LISTING = Path(__file__).with_name("bundled.csv")
README = "README.txt"


@dataclass(frozen=True)
class File:
    """One file of the sample: ``path`` is relative to ``data``."""

    path: str
    bytes: int
    md5: str

    def is_at(self, place: Path) -> bool:
        """Return whether ``place`` is this very file; it is read only when its size fits."""
        return place.is_file() and place.stat().st_size == self.bytes and _md5(place) == self.md5


@cache
def files() -> tuple[File, ...]:
    """Return every file of the bundled sample."""
    with LISTING.open(encoding="utf-8", newline="") as rows:
        return tuple(File(row["path"], int(row["bytes"]), row["md5"]) for row in csv.DictReader(rows))


def record(root: Path) -> None:
    """Write the listing anew, from the sample below ``root``."""
    with replacing(LISTING) as draft, draft.open("w", encoding="utf-8", newline="") as text:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["path", "bytes", "md5"])
        for path in sorted(one for one in root.rglob("*") if one.is_file()):
            rows.writerow([path.relative_to(root).as_posix(), path.stat().st_size, _md5(path)])


def _md5(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "md5").hexdigest()
