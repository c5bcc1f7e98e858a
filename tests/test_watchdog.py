"""Whatever is killed of make, pipeline, DVC, stage and kernel: nothing goes on unseen, and the next command goes on."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from dvc.utils.serialize import dumps_yaml, modify_yaml
from hypothesis import given
from hypothesis import strategies as st
from projectcopy import Project

from svqkit.pipeline import watchdog

MAKEFILE = "repro:\n\t@{python} -m svqkit.pipeline.run_stages --jobs 1; echo ended with $$?\n"
STAGES = """
stages:
  notebooks:
    cmd: {python} -m svqkit.pipeline run slow --output out/slow.ipynb
    outs: [out/slow.ipynb]
"""
SLOW = "import time; from pathlib import Path\nPath('runs').touch()\nwhile Path('slow').exists():\n    time.sleep(0.1)"
# Of the libraries that are imported ahead, which takes seconds, those that such a stage needs.
LIBRARIES = ["torch", "numpy", "papermill", "ipykernel.kernelapp", "dvc.cli", "dvc.repo.reproduce"]
# The processes below each other, by what stands in their command lines.
LINKS = [
    "make",
    "svqkit.pipeline.run_stages",
    "svqkit.pipeline.warm",
    "watchdog dvc",
    "svqkit.pipeline run",
    "svqkit.pipeline.kernel",
]


def family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def member(processes: list[psutil.Process], link: str) -> psutil.Process | None:
    for process in processes:
        try:
            words = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if link in words and not words.startswith(("/bin/sh", "sh ", "/bin/bash", "bash")):
            return process
    return None


def until(true: object, seconds: float = 120) -> bool:
    """Wait for a condition; whether it came true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.1)
    return bool(true())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project with one stage, whose notebook runs as long as there is a file ``slow``."""
    folder = Project(tmp_path / "project").folder
    warm = folder / "svqkit/pipeline/warm.py"
    warm.write_text(re.sub(r"^LIBRARIES = \[.*?\]$", f"LIBRARIES = {LIBRARIES}", warm.read_text(), flags=re.M | re.S))
    (folder / "Makefile").write_text(MAKEFILE.format(python=sys.executable))
    (folder / "dvc.yaml").write_text(STAGES.format(python=sys.executable))
    (folder / "build/notebooks").mkdir(parents=True)
    cell = nbformat.v4.new_code_cell(SLOW)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / "build/notebooks/slow.ipynb")
    (folder / "slow").touch()
    return folder


def begin(project: Path, log: Path) -> psutil.Process:
    environment = os.environ | {"PYTHONPATH": str(project), "CUDA_VISIBLE_DEVICES": ""}
    with log.open("w") as file:
        started = subprocess.Popen(
            ["make", "--no-print-directory", "repro"],
            cwd=project,
            env=environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    return psutil.Process(started.pid)


@pytest.mark.slow
def test_whatever_is_killed_the_rest_ends_the_next_command_goes_on_and_a_second_one_waits(
    project: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    for link in LINKS:
        (project / "runs").unlink(missing_ok=True)
        make = begin(project, log)
        assert until((project / "runs").exists), log.read_text()  # a kernel that ends before is only started again
        everyone = family(make)
        victim = member(everyone, link)
        assert victim is not None, link
        victim.send_signal(signal.SIGKILL)
        assert until(lambda everyone=everyone: not any(map(watchdog.lives, everyone)), 60), (
            link,
            [process.cmdline() for process in everyone if watchdog.lives(process)],
        )

    # The next command goes on; a second one beside it says for whom it waits, and then runs.
    first = begin(project, tmp_path / "first")
    assert until(lambda: member(family(first), LINKS[-1])), (tmp_path / "first").read_text()
    pipeline = member(family(first), "svqkit.pipeline.run_stages")
    second = begin(project, tmp_path / "second")
    assert until(lambda: f"Waiting for process {pipeline.pid}" in (tmp_path / "second").read_text())
    (project / "slow").unlink()
    assert until(lambda: not watchdog.lives(first) and not watchdog.lives(second))
    for name in ("first", "second"):
        assert "ended with 0" in (tmp_path / name).read_text()
    assert (project / "out/slow.ipynb").exists()


WATCHED = """
import sys, time
from svqkit.pipeline import watchdog
watchdog.watch()
print("watching", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("links", [1, 2])
def test_what_make_started_ends_when_make_is_killed_however_many_are_between(links: int, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(WATCHED)
    command = f"{sys.executable} program.py" if links == 1 else f"sh -c '{sys.executable} program.py; true'; true"
    (tmp_path / "Makefile").write_text(f"all:\n\t@{command}\n")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    make = subprocess.Popen(
        ["make", "--no-print-directory"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, start_new_session=True
    )
    assert make.stdout.readline() == b"watching\n"
    started = psutil.Process(make.pid).children(recursive=True)
    make.kill()
    assert until(lambda: not any(map(watchdog.lives, started)), 20)
    make.wait()
    make.stdout.close()


def test_only_what_is_below_the_maker_is_watched_so_that_a_shell_may_go(tmp_path: Path) -> None:
    # Its own word for make, since the tests themselves may have been started by make.
    program = WATCHED.replace("watchdog.watch()", "watchdog.STARTERS = {'the_maker'}\nwatchdog.watch()")
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "the_maker").write_text(f"{sys.executable} program.py\ntrue\n")
    environment = {key: value for key, value in os.environ.items() if key != watchdog.PIPELINE}
    shell = subprocess.Popen(
        ["sh", "-c", "sh ./the_maker; true"],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert shell.stdout.readline() == b"watching\n"
    maker, program = psutil.Process(shell.pid).children(recursive=True)
    shell.kill()
    shell.wait()
    time.sleep(4 * watchdog.SECONDS)
    assert watchdog.lives(program)
    maker.kill()
    assert until(lambda: not watchdog.lives(program), 20)
    shell.stdout.close()


TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200)
ENTRIES = st.fixed_dictionaries(
    {"cmd": TEXTS, "deps": st.lists(st.fixed_dictionaries({"path": TEXTS, "size": st.integers(0)}), max_size=2)}
)
LOCKS = st.dictionaries(TEXTS, ENTRIES, max_size=4)


@given(before=LOCKS, changed=LOCKS, gone=st.integers(0, 4), datasets=st.booleans())
def test_the_lock_is_written_as_dvc_writes_it(
    before: dict, changed: dict, gone: int, datasets: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours, theirs = (tmp_path_factory.mktemp("lock") / "dvc.lock" for _ in range(2))
    for path, modify in ((ours, watchdog.lock_to_modify), (theirs, modify_yaml)):
        path.write_text(dumps_yaml({"schema": "2.0", "stages": before}))
        with modify(str(path)) as lock:
            for name in list(before)[:gone]:
                del lock["stages"][name]
            lock["stages"].update(changed)
            if datasets:
                lock["datasets"] = [{"name": "x", "url": "y"}]
    assert ours.read_text() == theirs.read_text()
