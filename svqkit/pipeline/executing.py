"""Notebooks as stages of the pipeline: stripped sources, executed copies that repeat.

Stages depend on the stripped sources, so that a notebook that somebody has opened and run is the same to DVC. The
kernel is always the interpreter that runs this module, whatever kernels the machine has registered.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from papermill import PapermillExecutionError, execute_notebook
from papermill.engines import papermill_engines

from svqkit import progress
from svqkit.atomic import replacing
from svqkit.errors import SvqkitError, hint, listed
from svqkit.pipeline import assigned_names, check_parameters
from svqkit.pipeline.engine import Engine

SOURCES, STRIPPED = Path("notebooks"), Path("build/notebooks")


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
        tags = cell.metadata.get("tags")  # papermill leaves empty ones
        cell.metadata = {"tags": tags} if tags else {}
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
    papermill_engines.register("svqkit", Engine)
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
