"""``python -m svqkit.pipeline --jobs 2``: the pipeline with several trainings side by side.

Does what ``dvc repro`` does, and leaves the same files: first the stores, then the train stages, shared out among so
many processes, then whatever is still out of date. Every process has its share of the machine's cores. A stage that
fails does not stop the others; the end says which failed.
"""

import argparse
import os
import subprocess
import sys


def main(arguments: list[str] | None = None) -> int:
    """The command line; 0 when every stage is up to date."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.pipeline", description=__doc__)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    jobs = max(1, parser.parse_args(arguments).jobs)
    if jobs > 1:
        # Processes that each use every core slow each other down many times over.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // jobs)))
        stages = stage_names()
        repro([name for name in stages if name.startswith(("notebooks", "prepare@"))])
        trainings = [name for name in stages if name.startswith("train@")]
        # Neighbours cost about the same, so that every process gets some of each kind.
        processes = [start(["--single-item", *trainings[first::jobs]]) for first in range(jobs)]
        for process in processes:
            process.wait()
    return repro([])


def stage_names() -> list[str]:
    """The stages of dvc.yaml, in its order."""
    command = [sys.executable, "-m", "dvc", "stage", "list", "--name-only"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def repro(targets: list[str]) -> int:
    """``dvc repro`` of some stages, without any of all; its exit status."""
    return start(targets).wait()


def start(arguments: list[str]) -> subprocess.Popen:
    """``dvc repro`` in a process of its own, which waits where another one holds DVC's lock."""
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro", "--keep-going", *arguments]
    return subprocess.Popen(command)


if __name__ == "__main__":
    sys.exit(main())
