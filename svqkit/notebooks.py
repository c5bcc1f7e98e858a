"""Notebooks as stages of the pipeline: stripped sources, checked parameters, executed copies that repeat.

    python -m svqkit.notebooks strip                      notebooks/*.ipynb without outputs → build/notebooks/
    python -m svqkit.notebooks run train -p profile sample --output executed.ipynb

Stages depend on the stripped sources, so that a notebook that somebody has opened and run is the same to DVC. The
kernel is always the interpreter that runs this module, whatever kernels the machine has registered.
"""

import argparse
import ast
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from ruamel.yaml import YAML

from svqkit import progress
from svqkit.atomic import replacing
from svqkit.choices import hint, listed
from svqkit.errors import SvqkitError

SOURCES, STRIPPED = Path("notebooks"), Path("build/notebooks")
# papermill begins the cell that it puts in with this comment.
INJECTED = "# Parameters"


def start() -> None:
    """Begin a notebook: go to the project's folder, refuse unknown parameters, keep errors of ours short.

    Raises:
        SvqkitError: papermill was given a parameter that the notebook does not have.
    """
    from IPython import get_ipython

    shell = get_ipython()
    shell.set_custom_exc((SvqkitError,), _show_briefly)
    shell.run_line_magic("matplotlib", "inline")
    warnings.filterwarnings("ignore", message="IProgress not found")  # our bars are text: they show everywhere
    os.chdir(project_root())
    refuse_unknown_parameters(shell.user_ns["In"])


def project_root(inside: Path | None = None) -> Path:
    """The nearest folder, upwards from ``inside`` or from here, that holds dvc.yaml.

    Raises:
        SvqkitError: there is none.
    """
    here = (inside or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").exists():
            return folder
    raise SvqkitError(f"No dvc.yaml in {here} or above it. Run this from inside the project's folder.")


def refuse_unknown_parameters(cells: list[str]) -> None:
    """Compare what papermill put in with the parameters cell before it; ``cells`` are the cells run so far.

    Raises:
        SvqkitError: with the unknown name, and the names that there are.
    """
    for before, cell in pairwise(cells):
        if cell.startswith(INJECTED):
            check_parameters(assigned_names(cell), assigned_names(before))


def check_parameters(given: Iterable[str], known: Iterable[str], notebook: str = "This notebook") -> None:
    """Raise SvqkitError when a given parameter is not a known one."""
    known = list(known)
    for name in given:
        if name not in known:
            raise SvqkitError(f"{notebook} has no parameter {name!r}{hint(name, known)}. It has: {listed(known)}.")


def assigned_names(source: str) -> list[str]:
    """Names that a cell assigns at its top level."""
    targets = [
        target
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
    ]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def strip(sources: Path = SOURCES, stripped: Path = STRIPPED) -> None:
    """Copy every notebook without outputs, counts and whatever else running or opening it leaves."""
    for path in sorted(sources.glob("*.ipynb")):
        with replacing(stripped / path.name) as draft:
            nbformat.write(without_traces(nbformat.read(path, as_version=4)), draft)


def without_traces(notebook: NotebookNode) -> NotebookNode:
    """A notebook with its cells' sources and tags, and nothing else."""
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def run(name: str, output: Path, parameters: Mapping[str, Any], sources: Path = STRIPPED) -> None:
    """Execute a stripped notebook with parameters and keep the executed copy at ``output``.

    Prints and progress bars of the notebook are passed through while it runs. The copy holds neither times nor
    progress, so that equal runs give equal files. A notebook that fails is kept beside, as ``*.failed.ipynb``.

    Raises:
        SvqkitError: there is no such notebook, it has no such parameter, or it failed.
    """
    from papermill import PapermillExecutionError, execute_notebook
    from papermill.engines import papermill_engines

    source = sources / f"{name}.ipynb"
    if not source.exists():
        there = [path.stem for path in sources.glob("*.ipynb")]
        raise SvqkitError(f"No notebook {name!r}{hint(name, there)} in {sources}. There are: {listed(there)}.")
    known = [
        name for cell in nbformat.read(source, 4).cells if _is_parameters(cell) for name in assigned_names(cell.source)
    ]
    check_parameters(parameters, known, str(source))
    os.environ.setdefault(progress.SECONDS, "0.5" if sys.stderr.isatty() else "10")
    # Sums over several threads differ in their last digits: with one, results don't depend on how many cores a machine
    # has, nor on how many stages run side by side, which is what its cores are better used for.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    papermill_engines.register("svqkit", _engine())
    failed = output.with_name(f"{output.stem}.failed.ipynb")
    failed.parent.mkdir(parents=True, exist_ok=True)
    try:
        executed = execute_notebook(
            str(source),
            str(failed),
            dict(parameters),
            engine_name="svqkit",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
        )
    except PapermillExecutionError as error:
        reason = error.evalue if error.ename == "SvqkitError" else f"{error.ename}: {error.evalue}"
        raise SvqkitError(f"{reason}\n(in cell {error.exec_count} of {name}.ipynb; see {failed})") from error
    with replacing(output) as draft:
        nbformat.write(_repeatable(executed), draft)
    failed.unlink()


def _is_parameters(cell: NotebookNode) -> bool:
    return "parameters" in cell.metadata.get("tags", [])


def _repeatable(executed: NotebookNode) -> NotebookNode:
    """The executed notebook without clock times, random ids and progress bars."""
    executed.metadata.pop("papermill", None)
    for number, cell in enumerate(executed.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return executed


def _engine() -> type:
    """papermill's engine with a kernel that is this very interpreter."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager
    from papermill.engines import NBClientEngine

    class ThisInterpreter(AsyncKernelManager):
        @property
        def kernel_spec(self) -> KernelSpec:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
            return KernelSpec(argv=command, display_name="Python 3", language="python")

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            options["kernel_manager_class"] = ThisInterpreter
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    return Engine


def _show_briefly(shell: Any, kind: type, error: BaseException, traceback: Any, tb_offset: int | None = None) -> None:
    """An error that is meant for the user is its message, without the way it took through the code."""
    shell._showtraceback(kind, error, [f"\033[31m{kind.__name__}\033[0m: {error}"])


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
    try:
        if options.command == "strip":
            strip()
        else:
            values = {name: YAML(typ="safe").load(value) for name, value in options.p}
            run(options.name, options.output, values)
    except SvqkitError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
