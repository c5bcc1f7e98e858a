"""Notebooks as stages of the pipeline: stripped sources, executed copies that repeat.

Stages depend on the stripped sources, so that a notebook that somebody has opened and run is the same to DVC. The
kernel is always the interpreter that runs this module, whatever kernels the machine has registered; it is started until
it answers.
"""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode
from papermill import PapermillExecutionError, engines, execute_notebook
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import papermill_engines
from papermill.log import logger

from svqkit import progress
from svqkit.atomic import replacing
from svqkit.errors import SvqkitError, hint, listed
from svqkit.pipeline import assigned_values, check_parameters
from svqkit.pipeline.clean_notebook import without_traces
from svqkit.pipeline.kernel import private_folder, socket_path

# How often a kernel is started that ends before it has answered.
TRIES = 5
# Seconds that a living kernel is waited for: on a busy machine it may take minutes.
PATIENCE = 600

SOURCES, STRIPPED = Path("notebooks"), Path("build/notebooks")


class ThisInterpreter(AsyncKernelManager):
    """A kernel that is this very interpreter, whatever kernels are registered."""

    @classmethod
    def listening_in(cls, folder: Path, transport: str) -> "ThisInterpreter":
        """Return the manager of a kernel that will listen in ``folder``, over ``ipc``, or else on ports of TCP."""
        where = {"ip": socket_path(folder)} if transport == "ipc" else {}
        return cls(transport=transport, connection_file=str(folder / "kernel.json"), **where)

    @property
    def kernel_spec(self) -> KernelSpec:
        """How it is started."""
        command = [sys.executable, "-m", "svqkit.pipeline.kernel", "-f", "{connection_file}", "--log-level=ERROR"]
        return KernelSpec(argv=command, display_name="Python 3", language="python")

    async def shutdown_kernel(self, now: bool = False, restart: bool = False) -> None:
        """End the kernel; ``now`` without the interrupt that comes before otherwise, of which it would print a word."""
        if now:
            await self.signal_kernel(signal.SIGKILL)
        await super().shutdown_kernel(now, restart)

    def ending(self) -> str:
        """Return how the kernel ended; an empty text while it lives, or when it was ended from here."""
        code = self.provisioner.process.poll() if self.has_kernel else None
        if code is None:
            return ""
        if code >= 0:
            return f"it ended with exit code {code}"
        likely = ", most likely because memory ran out" if code == -signal.SIGKILL else ""
        return f"it was ended by {signal.Signals(-code).name}{likely}"


class Engine(engines.Engine):
    """Executes notebooks in such kernels, which are not asked to tidy up at the end: that takes torch a second."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: engines.NotebookExecutionManager,
        kernel_name: str,
        start_timeout: int = PATIENCE,
        execution_timeout: int | None = None,
        **options: Any,
    ) -> None:
        """Execute a notebook that papermill holds.

        Raises:
            SvqkitError: the kernel could not be started, did not answer, or died in a cell.
        """
        options.pop("input_path", None)
        for attempt in range(1, TRIES + 1):
            with private_folder() as (folder, transport), (folder / "stderr").open("wb") as stderr:
                client = PapermillNotebookClient(
                    nb_man,
                    kernel_name=kernel_name,
                    startup_timeout=max(start_timeout, PATIENCE),
                    iopub_timeout=PATIENCE,
                    timeout=execution_timeout,
                    shutdown_kernel="immediate",
                    log=logger,
                    **options,
                )
                client.km = kernel = ThisInterpreter.listening_in(folder, transport)
                try:
                    client.execute(stderr=stderr)
                    return
                except RuntimeError as error:
                    ending = kernel.ending()
                    if not ending:
                        raise SvqkitError(f"The notebook's kernel lives but fails: {error}.") from error
                    printed = _end_of(folder / "stderr")
                    if client.code_cells_executed:
                        raise SvqkitError(
                            f"The kernel died in cell {client.code_cells_executed}: {ending}{printed}\n"
                            f"What was done so far is in {nb_man.output_path}; the same command goes on."
                        ) from error
                    logger.warning(f"Start {attempt} of a kernel failed: {ending}{printed}")
        raise SvqkitError(f"The notebook's kernel did not start, tried {TRIES} times. The last time {ending}{printed}")


def _end_of(path: Path, lines: int = 10) -> str:
    """The last lines of what a kernel printed, as the end of a sentence."""
    last = path.read_text(errors="replace").strip().splitlines()[-lines:]
    return ". It printed:\n" + "\n".join(last) if last else ", without a word."


def strip(sources: Path = SOURCES, stripped: Path = STRIPPED) -> None:
    """Copy every notebook without outputs, counts and whatever else running or opening it leaves."""
    for path in sorted(sources.glob("*.ipynb")):
        with replacing(stripped / path.name) as draft:
            nbformat.write(without_traces(nbformat.read(path, as_version=4)), draft)


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
        name for cell in nbformat.read(source, 4).cells if _is_parameters(cell) for name in assigned_values(cell.source)
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
