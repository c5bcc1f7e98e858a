"""Tables of the paper, one by one:

    python -m svqkit.paper table t4             one table: its files, and its text
    python -m svqkit.paper table all            every table that can be made, with the reason for each that can't

Files go to ``<reports>/<profile>/tables``; figures are made by notebooks/paper_figures.ipynb. Ends with 0 when
everything that was asked for was written, or, of "all", anything; else with 1.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from svqkit.errors import SvqkitError
from svqkit.paper.results import Results
from svqkit.settings.params import load_params


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    options = _parser().parse_args(arguments)
    try:
        results = _results(options)
        out = results.reports_root / results.profile / f"{options.what}s"
        known, write = _tables(results, out)
    except SvqkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    wants_all = "all" in options.keys
    failed = 0
    keys = list(known) if wants_all else options.keys
    for key in keys:
        try:
            print(write(key))
        except SvqkitError as error:
            failed += 1
            print(f"{key}: {error}" if wants_all else f"error: {error}", file=sys.stderr)
    return int(failed == len(keys) if wants_all else failed > 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m svqkit.paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["table"])
    parser.add_argument("keys", nargs="+", metavar="key", help="t1 to t9, or all")
    parser.add_argument("--params", default="params.yaml", help="the settings")
    parser.add_argument("--profile", help="sample or paper; without it the one that params.yaml names")
    for name in ("runs", "scores", "stores", "reports"):
        parser.add_argument(f"--{name}", type=Path, default=Path(name), help=f"folder of the {name}")
    parser.add_argument("--costs", type=Path, default=Path("costs"), help="folder of the measured costs")
    return parser


def _results(options: argparse.Namespace) -> Results:
    return Results(
        load_params(options.params, options.profile),
        runs_root=options.runs,
        scores_root=options.scores,
        costs_root=options.costs,
        reports_root=options.reports,
        stores_root=options.stores,
    )


def _tables(results: Results, out: Path) -> tuple[list[str], Callable[[str], str]]:
    """The keys of all tables, and what writes one and gives its files and its text."""
    from svqkit.paper.tables import TABLES, make, write
    from svqkit.paper.tables.formats import markdown

    def one(key: str) -> str:
        table = make(key, results)
        return "\n".join([*map(str, write(table, out)), "", markdown(table, out)])

    return list(TABLES), one


if __name__ == "__main__":
    sys.exit(main())
