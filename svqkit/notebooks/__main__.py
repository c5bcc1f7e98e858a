"""Notebooks from the command line, as the pipeline runs them.

python -m svqkit.notebooks strip                      notebooks/*.ipynb without outputs → build/notebooks/
python -m svqkit.notebooks run train -p profile sample --output executed.ipynb
"""

import argparse
import sys
from pathlib import Path

from ruamel.yaml import YAML

from svqkit import watchdog
from svqkit.atomic import clear_errors
from svqkit.errors import SvqkitError


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 after an error that is meant for the user."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.notebooks", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("strip", help="copy the notebooks without outputs into build/notebooks")
    runner = commands.add_parser("run", help="execute a notebook")
    runner.add_argument("name", help="train, for notebooks/train.ipynb")
    runner.add_argument("--output", type=Path, required=True, help="where the executed copy goes")
    runner.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a parameter")
    options = parser.parse_args(arguments)
    watchdog.watch()
    # What executes notebooks takes seconds to import; whoever started this may be killed meanwhile.
    from svqkit.notebooks.executing import run, strip

    try:
        if options.command == "strip":
            strip()
        else:
            values = {name: YAML(typ="safe").load(value) for name, value in options.p}
            with clear_errors(options.output):
                run(options.name, options.output, values)
    except SvqkitError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
