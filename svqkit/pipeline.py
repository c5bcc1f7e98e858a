"""``python -m svqkit.pipeline --jobs 2``: the pipeline with several stages side by side.

Leaves the same files as ``dvc repro``. Kinds of stages follow each other (prepare, train, evaluate, figures, then
whatever is left, one by one, since the stage of costs measures times); those of one kind don't depend on each other
and are shared out among so many processes. On a machine with several GPUs there is one process for each, and it sees
that one only. A stage that fails stops no other: what could be trained is scored and drawn, and the end says what
failed and why. Stopped and started again, it goes on.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

# Stages of one kind are named <kind>@<item>; they run in this order, all others before them or after.
FIRST, KINDS = ("notebooks", "settings"), ("prepare", "train", "evaluate", "figures")
# Each process is given its stages in so many lots: a lot costs a start of DVC, and few lots end unevenly.
LOTS = 4
_FAILED = re.compile(r"failed to reproduce '([^']+)'")
_RUNNING = re.compile(r"Running stage '([^']+)'")


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 when every stage is up to date."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.pipeline", description=__doc__)
    parser.add_argument("--jobs", type=int, default=0, help="stages at a time; 0: one per GPU, without any two")
    devices = gpus()
    jobs = parser.parse_args(arguments).jobs or max(2, len(devices))
    # A stopped `make` must not leave trainings behind that nobody sees.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    workers = Workers(jobs, devices)
    stages = stage_names()
    grouped = [[name for name in stages if name.startswith(f"{kind}@")] for kind in KINDS]
    last = [name for name in stages if name not in FIRST and not any(name in group for group in grouped)]
    try:
        workers.run([[name for name in stages if name in FIRST]])
        # With settings that can't be read there is nothing to go on with.
        if not workers.failures:
            for group in grouped:
                workers.run(lots(group, jobs))
            workers.run([last])
    finally:
        workers.stop()
    if workers.failures:
        print(f"\n{len(workers.failures)} stage(s) failed:")
        for name, reason in workers.failures.items():
            print(f"  {name}: {reason}")
        return 1
    return 0


class Workers:
    """So many processes of ``dvc repro`` at a time.

    Attributes:
        failures: by stage the reason, as far as it was printed.
    """

    def __init__(self, jobs: int, devices: Sequence[str]) -> None:
        self.jobs = jobs
        self.failures: dict[str, str] = {}
        self._free: SimpleQueue[str | None] = SimpleQueue()
        for number in range(jobs):
            self._free.put(devices[number % len(devices)] if devices else None)
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()

    def run(self, groups: Sequence[Sequence[str]]) -> None:
        """Bring groups of stages up to date, side by side; returns when all are done."""
        with ThreadPoolExecutor(self.jobs) as pool:
            for done in [pool.submit(self._repro, group) for group in groups if group]:
                done.result()

    def stop(self) -> None:
        """End what is still running."""
        with self._lock:
            for process in self._running:
                process.terminate()

    def _repro(self, stages: Sequence[str]) -> None:
        device = self._free.get()
        command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--keep-going", "--single-item", *stages]
        seen = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
        process = subprocess.Popen(
            command, env=os.environ | seen, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
        )
        with self._lock:
            self._running.add(process)
        printed = passed_on(process)
        with self._lock:
            self._running.discard(process)
            self.failures |= failures(printed)
            if process.returncode and not failures(printed):
                self.failures[", ".join(stages)] = last_line(printed)
        self._free.put(device)


def passed_on(process: subprocess.Popen) -> str:
    """What a process prints, passed on as it comes (bars redraw themselves without ending a line)."""
    printed = bytearray()
    while chunk := os.read(process.stdout.fileno(), 2**16):
        printed += chunk
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    process.wait()
    return printed.decode(errors="replace")


def failures(printed: str) -> dict[str, str]:
    """The stages that failed and, of each, the error that its command printed."""
    reasons: dict[str, str] = {}
    stage = ""
    for line in printed.splitlines():
        if started := _RUNNING.search(line):
            stage = started.group(1)
        if line.startswith("error: "):
            reasons.setdefault(stage, line.removeprefix("error: "))
    return {name: reasons.get(name, "see above") for name in dict.fromkeys(_FAILED.findall(printed))}


def last_line(printed: str) -> str:
    """The last line that says something."""
    return next((line for line in reversed(printed.splitlines()) if line.strip()), "it printed nothing")


def lots(stages: Sequence[str], jobs: int) -> list[list[str]]:
    """Stages in lots; neighbours, which cost about the same, come into different ones."""
    count = min(len(stages), jobs * LOTS if jobs > 1 else 1)
    return [list(stages[first::count]) for first in range(count)]


def gpus() -> list[str]:
    """What CUDA_VISIBLE_DEVICES can be set to, one entry per GPU that this process may use."""
    if (allowed := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [device.strip() for device in allowed.split(",") if device.strip() not in ("", "-1")]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def stage_names() -> list[str]:
    """The stages of dvc.yaml, in its order."""
    command = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


if __name__ == "__main__":
    sys.exit(main())
