"""How our notebooks are executed by papermill: in a kernel that is this very interpreter, started until it answers."""

import signal
import sys
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from papermill import engines
from papermill.clientwrap import PapermillNotebookClient
from papermill.log import logger

from svqkit.errors import SvqkitError
from svqkit.pipeline.sockets import private_folder, socket_path

# How often a kernel is started that ends before it has answered.
TRIES = 5
# Seconds that a living kernel is waited for: on a busy machine it may take minutes.
PATIENCE = 600


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
