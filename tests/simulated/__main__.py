"""Write the bundled samples anew: ``python -m tests.simulated data`` (they are simulated, in the published formats)."""

import argparse
import csv
import sys
from pathlib import Path

from svqkit.atomic import replacing
from svqkit.data.bundled import LISTING, md5
from svqkit.errors import SvqkitError, choose

from . import human, kitticaltech, kth, taxibj, weather

WRITERS = {
    "weather": weather.write,
    "kth": kth.write,
    "kitticaltech": kitticaltech.write,
    "human": human.write,
    "taxibj": taxibj.write,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulated", description=__doc__)
    parser.add_argument("root", type=Path, help="folder of the raw data, such as data")
    parser.add_argument("--only", nargs="+", default=list(WRITERS), help=f"some of: {', '.join(WRITERS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundle", action="store_true", help="they are now the bundled ones: note their digests")
    options = parser.parse_args(arguments)
    try:
        for name in options.only:
            files = choose(WRITERS, name, "sample")(options.root / name, options.seed)
            print(f"{name}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.2f} MB")
        if options.bundle:
            _record(options.root)
    except SvqkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _record(root: Path) -> None:
    """Write the listing of the bundled sample anew, from the files below ``root``."""
    with replacing(LISTING) as draft, draft.open("w", encoding="utf-8", newline="") as text:
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow(["path", "bytes", "md5"])
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            rows.writerow([path.relative_to(root).as_posix(), path.stat().st_size, md5(path)])


if __name__ == "__main__":
    sys.exit(main())
