"""What a Dask worker does: stages in processes of their own, forked from a server that has the libraries already."""

import contextlib
import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from distributed import WorkerPlugin, get_worker

from svqkit.pipeline import watchdog
from svqkit.pipeline.kernel import private_folder
from svqkit.pipeline.warm import SOCKET, kill

# What stands for the exit code of a command that took longer than it may.
TOO_LONG = 1000


class WarmServer(WorkerPlugin):
    """Gives a worker a server that forks Pythons which have their libraries already, see svqkit.pipeline.warm."""

    def setup(self, worker: object) -> None:
        """Start it, unless the environment names one, or none: SVQKIT_WARM= has every process start by itself."""
        self.stack = contextlib.ExitStack()
        if SOCKET in os.environ:
            return
        folder, _ = self.stack.enter_context(private_folder())
        os.environ[SOCKET] = str(folder / "warm")
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # libraries read that when they are imported
        command = [sys.executable, "-m", "svqkit.pipeline.warm", os.environ[SOCKET]]
        process = subprocess.Popen(command, stdin=subprocess.PIPE)
        self.stack.callback(process.wait)
        self.stack.callback(process.stdin.close)

    def teardown(self, worker: object) -> None:
        """End it, with all that was started through it."""
        self.stack.close()


def reproduce(stage: str, earlier: dict[str, str], needed: Sequence[str], devices: Sequence[str], limit: float) -> str:
    """Bring one stage up to date, in a process of its own; return why it failed, or an empty text.

    Args:
        stage: its name.
        earlier: the outcomes of those that it comes after.
        needed: which of them it can't do without.
        devices: the GPUs that workers share out by their numbers; none: this one sees what its environment says.
        limit: seconds that it may take; 0: any number.
    """
    if failed := [name for name in needed if earlier[name]]:
        return f"not tried, since it needs {', '.join(failed)}"
    environment = os.environ | {watchdog.PIPELINE: str(os.getpid())}
    if devices:
        environment["CUDA_VISIBLE_DEVICES"] = devices[int(get_worker().name) % len(devices)]
    # DVC, asked to wait, waits for others to read its files, but not for a killed one's stage that is just ending.
    for _ in range(10):
        code, printed = run_dvc(["--wait-for-lock", "repro", "--single-item", stage], environment, limit)
        if not code:
            return ""
        if "it is being blocked by" not in printed:
            break
        time.sleep(1)
    if code == TOO_LONG:
        return f"stopped after {limit:g} s, which is the limit that was given"
    errors = [line.removeprefix("error: ") for line in printed.splitlines() if line.startswith("error: ")]
    return errors[0] if errors else "see above" if "failed to reproduce" in printed else last_line(printed)


def run_dvc(arguments: list[str], environment: dict[str, str], limit: float) -> tuple[int, str]:
    """Run a command of DVC's in a process group of its own; return its exit code and what it printed, as it came."""
    process = subprocess.Popen(
        [sys.executable, "-m", "svqkit.pipeline.watchdog", "dvc", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,
    )
    stopped = []
    timer = threading.Timer(limit or threading.TIMEOUT_MAX, lambda: (stopped.append(1), kill(process.pid)))
    timer.daemon = True
    timer.start()
    printed = bytearray()
    while chunk := os.read(process.stdout.fileno(), 2**16):  # bars redraw themselves without ending a line
        printed += chunk
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    timer.cancel()
    process.stdout.close()
    return process.wait() and (TOO_LONG if stopped else process.returncode), printed.decode(errors="replace")


def last_line(printed: str) -> str:
    """Return the last line that says something."""
    return next((line for line in reversed(printed.splitlines()) if line.strip()), "it printed nothing")


def code_version() -> str:
    """Return the version of the code that this process would run, with a digest of it."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return f"{version('svqkit')} ({digest.hexdigest()[:12]})"
