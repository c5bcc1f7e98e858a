"""Write the bundled samples anew: ``python -m svqkit.samples data`` (they are simulated, in the published formats)."""

import argparse
import importlib
import sys
from pathlib import Path

from svqkit.data import simulation
from svqkit.errors import SvqkitError, choose
from svqkit.samples import bundled

SAMPLES = {name: name for name in ("weather", "kth", "kitticaltech", "human", "taxibj")}


def write(root: Path, name: str, seed: int = 0) -> list[Path]:
    """Write one sample below ``root``; the files' paths."""
    files = importlib.import_module(f"svqkit.samples.{name}").write(root / name, seed)
    return [*simulation.write(root / name, seed=seed), *files] if name == "weather" else files


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.samples", description=__doc__)
    parser.add_argument("root", type=Path, help="folder of the raw data, such as data")
    parser.add_argument("--only", nargs="+", default=list(SAMPLES), help=f"some of: {', '.join(SAMPLES)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bundle", action="store_true", help="they are now the bundled ones: note their digests")
    options = parser.parse_args(arguments)
    try:
        for name in options.only:
            files = write(options.root, choose(SAMPLES, name, "sample"), options.seed)
            print(f"{name}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.2f} MB")
        if options.bundle:
            bundled.record(options.root)
    except SvqkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
