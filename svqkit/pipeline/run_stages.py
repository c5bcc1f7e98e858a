"""``python -m svqkit.pipeline.run_stages --jobs 2``: the pipeline with several stages side by side.

Leaves the same files as ``dvc repro``. Of each dataset raw, prepare, train, evaluate and figures follow each other, of
different datasets they run beside each other, in so many processes; what joins all of them comes at the end, after
costs, which are measured and have the machine for themselves. On a machine with several GPUs there is one process for
each, and it sees that one only. A stage that fails stops no other: what could be trained is scored and drawn, and the
end says what failed and why. Stopped and started again, it goes on; a second one beside it waits. It ends when what
started it, or any process between, is killed (see :mod:`svqkit.pipeline.watchdog`).
"""

import argparse
import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import psutil

from svqkit.atomic import alone
from svqkit.errors import exit_status
from svqkit.pipeline import watchdog
from svqkit.pipeline.stage_settings import TRAININGS, update_trainings
from svqkit.settings.params import load_params

# What every other stage needs.
FIRST = ("settings", "notebooks")
# What joins the datasets, and what each comes after.
LAST = {
    "costs": (),
    "tables": ("costs",),
    "paper_figures": ("costs",),
    "report": ("tables", "paper_figures"),
}
# The trainings of a dataset come in lots, so many for each process, none of fewer stages: each costs a start of DVC.
LOTS, FEWEST = 4, 4
# Where DVC notes which files are in use, and what one pipeline holds at a time.
IN_USE, HELD = Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/pipeline")
_FAILED = re.compile(r"failed to reproduce '([^']+)'")
_RUNNING = re.compile(r"Running stage '([^']+)'")


@dataclass(frozen=True)
class Task:
    """Stages for one process, and the stages that must have been tried before them."""

    stages: tuple[str, ...]
    after: frozenset[str] = frozenset()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0 when every stage is up to date."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.pipeline.run_stages", description=__doc__)
    parser.add_argument("--jobs", type=int, default=0, help="stages at a time; 0: one per GPU, without any two")
    parser.add_argument("--only", nargs="+", metavar="STAGE", help="these alone, one after the other")
    options, devices = parser.parse_args(arguments), gpus()
    jobs = options.jobs or max(2, len(devices))
    with alone(HELD, "running the pipeline here; it is stopped with `kill` and its number") as held:
        return exit_status(lambda: run(jobs, devices, held, options.only))


def run(jobs: int, devices: Sequence[str], held: int, only: Sequence[str] | None = None) -> int:
    """Run every stage that is out of date, or those of ``only``; return 0 when none failed.

    Children keep the lock ``held`` while they live.

    Raises:
        SvqkitError: params.yaml does not fit.
    """
    workers = Workers(jobs, devices, held)
    # A pipeline that is stopped must not leave trainings behind that nobody sees.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: (workers.stop(), os._exit(128 + number)))
    watchdog.watch(lambda sentence: (workers.stop(), watchdog.end(sentence)))
    forget_the_dead(IN_USE)
    settings = load_params()
    if changes := update_trainings(settings):
        print(f"{TRAININGS}: {changes}")
    datasets = {name: experiment.dataset for name, experiment in settings.experiments.items()}
    stages = stage_names()
    workers.run([Task(tuple(only or (name for name in stages if name in FIRST)))])
    if not workers.failures and not only:
        workers.run(plan(stages, datasets, jobs))
        workers.run([Task((name,), frozenset(LAST[name])) for name in stages if name in LAST])
    if workers.failures:
        print(f"\n{len(workers.failures)} stage(s) failed:")
        for name, reason in workers.failures.items():
            print(f"  {name}: {reason}")
        return 1
    return 0


def forget_the_dead(in_use: Path) -> None:
    """Remove DVC's note of files in use when all of its processes were killed: it may be half written, or name others.

    DVC itself takes any process that has got the number of a dead one for the one that holds the files.
    """
    for _ in range(3):
        try:
            noted = json.loads(in_use.read_text(encoding="utf-8"))
            holders = [*itertools.chain(*noted["read"].values()), *noted["write"].values()]
            if not any(_is_starter(holder["pid"]) for holder in holders):
                in_use.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError):
            time.sleep(0.3)  # a DVC may be writing it just now
    in_use.unlink(missing_ok=True)


def _is_starter(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return watchdog.is_starter(psutil.Process(pid))
    return False


def plan(stages: Sequence[str], datasets: Mapping[str, str], jobs: int) -> list[Task]:
    """Return the stages of each dataset as tasks; the dataset with the most trainings comes first.

    Args:
        stages: names such as train@kth-svq and evaluate@kth; those without an @ are left out.
        datasets: of each experiment its dataset.
        jobs: processes.
    """
    by_dataset: dict[str, list[str]] = {}
    for stage in stages:
        kind, at, item = stage.partition("@")
        if at:
            by_dataset.setdefault(datasets[item] if kind == "train" else item, []).append(stage)
    tasks = []
    for dataset, members in sorted(by_dataset.items(), key=lambda entry: -len(entry[1])):
        trainings = [name for name in members if name.startswith("train@")]
        prepare = tuple(name for name in (f"raw@{dataset}", f"prepare@{dataset}") if name in members)
        scored = (f"evaluate@{dataset}", f"figures@{dataset}")
        count = min(len(trainings) // FEWEST, LOTS * jobs)
        if count > 1:
            tasks.append(Task(prepare))
            # Neighbours, which cost about the same, come into different lots.
            tasks += [Task(tuple(trainings[first::count]), frozenset(prepare)) for first in range(count)]
        else:
            tasks.append(Task((*prepare, *trainings)))
        # A process of its own: in that of the trainings DVC would leave it out when one of them fails.
        tasks.append(Task(scored, frozenset([*prepare, *trainings])))
    return tasks


class Workers:
    """So many processes of ``dvc repro`` at a time.

    Attributes:
        failures: by stage the reason, as far as it was printed.
    """

    def __init__(self, jobs: int, devices: Sequence[str], held: int | None = None) -> None:
        self.jobs, self.held = jobs, held
        self.failures: dict[str, str] = {}
        self._free: SimpleQueue[str | None] = SimpleQueue()
        for number in range(jobs):
            self._free.put(devices[number % len(devices)] if devices else None)
        self._running: set[subprocess.Popen] = set()
        self._lock = threading.Lock()

    def run(self, tasks: Sequence[Task]) -> None:
        """Bring the stages of all tasks up to date; a task waits for those that it comes after."""
        waiting = [task for task in tasks if task.stages]
        running: dict[Future[None], Task] = {}
        with ThreadPoolExecutor(self.jobs) as pool:
            while waiting or running:
                ahead = {stage for task in (*waiting, *running.values()) for stage in task.stages}
                ready = [task for task in waiting if not task.after & ahead][: self.jobs - len(running)]
                for task in ready:
                    waiting.remove(task)
                    running[pool.submit(self._repro, task.stages)] = task
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    running.pop(done)
                    done.result()

    def stop(self) -> None:
        """End what is running, with everything that it has started."""
        for process in set(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)

    def _repro(self, stages: Sequence[str]) -> None:
        device = self._free.get()
        repro = ["dvc", "--wait-for-lock", "repro", "--keep-going", "--single-item", *stages]
        process = subprocess.Popen(
            [sys.executable, "-m", "svqkit.pipeline.watchdog", *repro],
            env=os.environ
            | {watchdog.PIPELINE: str(os.getpid())}
            | ({} if device is None else {"CUDA_VISIBLE_DEVICES": device}),
            pass_fds=[] if self.held is None else [self.held],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,  # a group of its own, to be ended as a whole
        )
        with self._lock:
            self._running.add(process)
        printed = passed_on(process)
        failed = failures(printed)
        if process.returncode and not failed:
            failed = {", ".join(stages): last_line(printed)}
        with self._lock:
            self._running.discard(process)
            self.failures |= failed
        self._free.put(device)


def passed_on(process: subprocess.Popen) -> str:
    """Print what a process prints as it comes, and return it (bars redraw themselves without ending a line)."""
    printed = bytearray()
    while chunk := os.read(process.stdout.fileno(), 2**16):
        printed += chunk
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    process.wait()
    return printed.decode(errors="replace")


def failures(printed: str) -> dict[str, str]:
    """Return the stages that failed and, of each, the error that its command printed."""
    reasons: dict[str, str] = {}
    stage = ""
    for line in printed.splitlines():
        if started := _RUNNING.search(line):
            stage = started.group(1)
        if line.startswith("error: "):
            reasons.setdefault(stage, line.removeprefix("error: "))
    return {name: reasons.get(name, "see above") for name in dict.fromkeys(_FAILED.findall(printed))}


def last_line(printed: str) -> str:
    """Return the last line that says something."""
    return next((line for line in reversed(printed.splitlines()) if line.strip()), "it printed nothing")


def gpus() -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES can be set to, one entry per GPU that this process may use."""
    if (allowed := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [device.strip() for device in allowed.split(",") if device.strip() not in ("", "-1")]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def stage_names() -> list[str]:
    """Return the stages of dvc.yaml, in its order."""
    command = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


if __name__ == "__main__":
    sys.exit(main())
