"""``python -m svqkit.data check data``: are the published raw files all there, and are they what the paper used?

Datasets of which the folder holds the bundled sample are said to, in a line each: it is enough for profile sample.
Ends with 0 when at least one dataset is there and all that are there are complete, with 1 when one is not (or one
that was named is not there), with 2 when the folder, a dataset's name or params.yaml is wrong.
"""

import argparse
import sys
from pathlib import Path

from svqkit.data.check import as_text, check
from svqkit.errors import exit_status
from svqkit.settings.params import load_params


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m svqkit.data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["check"], help="look at raw files, without preparing them")
    parser.add_argument(
        "root",
        type=Path,
        nargs="?",
        default=Path("data"),
        help="folder with weather, kth, kitticaltech, human, taxibj, or one of them (data)",
    )
    parser.add_argument("datasets", nargs="*", help="some of the ten, such as weather_t2m kth; without any: all")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="its profile paper is compared with")
    parser.add_argument(
        "--profile", help="what the bundled sample is to be enough for; else the one that params.yaml names"
    )
    parser.add_argument("--stores", type=Path, default=Path("stores"), help="where prepare will write")
    parser.add_argument("--names", action="store_true", help="every missing file by its name")
    parser.add_argument("-v", "--verbose", action="store_true", help="the bundled sample beside the published data")
    options = parser.parse_intermixed_args(arguments)
    return exit_status(lambda: _check(options), failed=2)


def _check(options: argparse.Namespace) -> int:
    used, published = load_params(options.params, options.profile), load_params(options.params, "paper")
    reports = check(options.root, published, options.datasets, used)
    print(as_text(reports, options.stores, options.names, options.verbose or options.names))
    there = [report for report in reports if report.folder or report.dataset in options.datasets]
    return 0 if there and all(report.complete for report in there) else 1


if __name__ == "__main__":
    sys.exit(main())
