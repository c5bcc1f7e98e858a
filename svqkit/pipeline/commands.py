"""Notebooks from the command line, as the pipeline runs them.

python -m svqkit.pipeline strip                      notebooks/*.ipynb without outputs → build/notebooks/
python -m svqkit.pipeline run train -p profile sample --output executed.ipynb
python -m svqkit.pipeline stage train@kth-svq        the same, of a stage of dvc.yaml: its name says the rest
"""

import argparse
from pathlib import Path

from svqkit.atomic import clear_errors
from svqkit.errors import exit_status
from svqkit.pipeline import watchdog
from svqkit.settings.params import load_params
from svqkit.userfiles import parse_yaml


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 after an error that is meant for the user."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.pipeline", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("strip", help="copy the notebooks without outputs into build/notebooks")
    runner = commands.add_parser("run", help="execute a notebook")
    runner.add_argument("name", help="train, for notebooks/train.ipynb")
    runner.add_argument("--output", type=Path, required=True, help="where the executed copy goes")
    stage = commands.add_parser("stage", help="execute the notebook of a stage")
    stage.add_argument("name", help="train@kth-svq, or costs")
    for command in (runner, stage):
        command.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="a parameter")
    options = parser.parse_args(arguments)
    watchdog.watch()
    # What executes notebooks takes seconds to import; whoever started this may be killed meanwhile.
    from svqkit.pipeline.executing import strip

    return exit_status(strip if options.command == "strip" else lambda: _execute(options))


def _execute(options: argparse.Namespace) -> None:
    from svqkit.pipeline.executing import run

    values = {name: parse_yaml(value, f"-p {name}") for name, value in options.p}
    notebook, output, about = (
        what_a_stage_runs(options.name) if options.command == "stage" else (options.name, options.output, {})
    )
    with clear_errors(output):
        run(notebook, output, about | values)


def what_a_stage_runs(stage: str) -> tuple[str, Path, dict[str, str]]:
    """Return a stage's notebook, where the executed copy goes, and the parameters that say what it is about.

    Profile and dataset come from params.yaml, checked: what stands there unchecked must not reach a shell or a path.

    Raises:
        SvqkitError: params.yaml does not fit, or has no such dataset or experiment.
    """
    settings = load_params()
    # DVC puts the file's name in front when it is called from another folder.
    notebook, _, item = stage.rpartition(":")[2].partition("@")
    about = {"profile": settings.profile}
    if notebook == "train":
        about |= {"dataset": settings.experiment(item).dataset, "experiment": item}
    elif item:
        settings.dataset(item)
        about["dataset"] = item
    copy = f"{notebook}-{item}" if item else notebook
    return notebook, Path("reports", settings.profile, "notebooks", f"{copy}.ipynb"), about
