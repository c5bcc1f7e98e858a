"""Nothing goes on unseen: a process of the pipeline ends when one of those that started it is killed.

``make`` starts the pipeline, that starts DVC, DVC a stage, a stage its kernel. Each watches those above it, up to the
outermost of make, the pipeline and DVC, and no further: the shell or terminal behind that may go, as with nohup. (A
kernel watches its parent by itself.)

    python -m svqkit.pipeline.watchdog dvc repro …     another program's module, watched like this
"""

import contextlib
import copy
import os
import re
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil

from svqkit.atomic import replacing
from svqkit.pipeline.warm import hand_over

# What starts the others, as its command line tells.
STARTERS = {"make", "gmake", "dvc", "svqkit.pipeline.run_stages", "svqkit.pipeline.warm"}
# The pipeline's process, for those below it: who finds it gone already has lost it before watching.
PIPELINE = "SVQKIT_PIPELINE"
SECONDS = 0.5
# The number of the process that this one stands for, as one forked by svqkit.pipeline.warm; 0: itself.
started_as = 0


def watch(stop: Callable[[str], object] | None = None) -> None:
    """Watch, from a thread, the processes that started this one, and call ``stop`` with a sentence when one is gone.

    Without ``stop`` the sentence is printed and the process ends. Nothing is watched where neither make nor the
    pipeline nor DVC started it.
    """
    try:
        this = psutil.Process(started_as or None)
    except psutil.NoSuchProcess:
        end("the process that this one stands for has ended: stopped.")
    parents, pipeline = this.parents(), int(os.environ.get(PIPELINE, 0))
    above = [number for number, process in enumerate(parents, 1) if is_starter(process) or process.pid == pipeline]
    watched = [process for process in parents[: max(above, default=0)] if lives(process)]
    starters = {process: f"{process.name()} (process {process.pid})" for process in watched}

    def wait() -> None:
        gone = [] if pipeline in (0, *(process.pid for process in parents)) else [f"the pipeline (process {pipeline})"]
        while not gone:
            time.sleep(SECONDS)
            gone = [name for process, name in starters.items() if not lives(process)]
        (stop or end)(f"{gone[-1]} has ended without waiting for this: stopped.")

    if starters or pipeline:
        threading.Thread(target=wait, daemon=True).start()


def is_starter(process: psutil.Process) -> bool:
    """Return whether a process is make, the pipeline or DVC."""
    with contextlib.suppress(psutil.Error):
        return not STARTERS.isdisjoint(Path(word).name for word in process.cmdline()[:4])
    return False


def lives(process: psutil.Process) -> bool:
    """Return whether a process is still there, and not only its number or what the system remembers of it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def end(sentence: str, group: bool = False) -> None:
    """Print why, and end this process at once, whatever its other threads are doing; or all processes of its group."""
    with contextlib.suppress(OSError):
        print(f"\nerror: {sentence}", file=sys.stderr, flush=True)
    if group:
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main(arguments: list[str]) -> None:
    """Run a module as ``python -m`` does, watched, with all commands that it starts; it leads a group of its own."""
    watch(partial(end, group=os.getpgid(0) == os.getpid()))
    if arguments[0] == "dvc":
        import dvc.dvcfile

        dvc.dvcfile.modify_yaml = lock_to_modify
    sys.argv = arguments
    runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)


@contextlib.contextmanager
def lock_to_modify(path: str, fs: object = None) -> Iterator[dict]:
    """Read dvc.lock, and write it when the caller has changed it; stands for DVC's own way, which writes the same.

    That way keeps comments, of which dvc.lock has none, takes more than a second, once for every stage of 165, and
    leaves half a file on a full disk. Here the text of stages that did not change is kept.
    """
    from dvc.utils.serialize import dumps_yaml, load_yaml

    lock = load_yaml(path) if os.path.exists(path) else {}
    stages = copy.deepcopy(lock.get("stages", {}))
    texts = re.findall(r"^  \S.*\n(?:   .*\n)*", Path(path).read_text("utf-8") if lock else "", re.MULTILINE)
    kept = dict(zip(stages, texts, strict=True)) if len(stages) == len(texts) else {}
    yield lock
    with replacing(path) as draft, draft.open("w", encoding="utf-8") as file:
        for key, value in lock.items():
            if key != "stages" or not value:
                file.write(dumps_yaml({key: value}))
                continue
            file.write("stages:\n")
            for name, stage in value.items():
                same = name in kept and stage == stages[name]
                file.write(kept[name] if same else dumps_yaml({key: {name: stage}}).partition("\n")[2])


if __name__ == "__main__":
    hand_over("svqkit.pipeline.watchdog:main", sys.argv[1:])
    main(sys.argv[1:])
