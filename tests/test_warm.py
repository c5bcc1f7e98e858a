"""Processes forked from a server that has the libraries: ordinary ones for whoever starts them, and alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from svqkit.pipeline.warm import SOCKET

ROOT = Path(__file__).parents[1]
PROBE = """
import json, os, sys, time

def echo(arguments):
    print(json.dumps([arguments, sys.stdin.read(), os.getcwd(), os.environ["MINE"], sys.argv[1:]]))
    print("an error", file=sys.stderr)
    return int(arguments[0])

def state(arguments):
    import random, threading
    import matplotlib.pyplot as plt
    import numpy as np
    import torch
    print(json.dumps({
        "drawn": [random.random(), np.random.random(), torch.rand(1).item()],
        "threads": threading.active_count(),
        "tasks": len(os.listdir("/proc/self/task")),
        "figures": plt.get_fignums(),
    }))
    plt.figure()

def end(arguments):
    if arguments[0] == "raise":
        raise ValueError("what was wrong")
    if arguments[0] == "exit":
        sys.exit(5)
    os.kill(os.getpid(), int(arguments[0]))

def sleep(arguments):
    import subprocess
    try:
        print(os.getpid(), subprocess.Popen(["sleep", "60"]).pid, flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        return 7
"""
CLIENT = """
import sys
from svqkit.pipeline.warm import hand_over
hand_over("probe:" + sys.argv[1], sys.argv[2:])
print("itself")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where processes are started, with a module of functions for them."""
    folder = tmp_path_factory.mktemp("warm")
    (folder / "probe.py").write_text(PROBE)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[subprocess.Popen]:
    """A server; where it listens is in this process's environment."""
    # A path of a socket is short.
    os.environ[SOCKET] = f"/tmp/svqkit-test-{os.getpid()}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "svqkit.pipeline.warm", os.environ[SOCKET]]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
    while not Path(os.environ[SOCKET]).exists():
        assert process.poll() is None
        time.sleep(0.05)
    yield process
    process.stdin.close()
    assert process.wait(20) in (0, -signal.SIGKILL)
    Path(os.environ.pop(SOCKET)).unlink()


def begin(folder: Path, *arguments: str) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MINE": "mine"}
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = begin(folder, *arguments)
    out, errors = process.communicate("some input", timeout=200)
    return process.returncode, out, errors


def test_it_has_input_output_environment_folder_and_exit_code_of_its_own(
    folder: Path, server: subprocess.Popen
) -> None:
    code, out, errors = run(folder, "echo", "3", "ü")
    assert (code, errors) == (3, "an error\n")
    assert json.loads(out) == [["3", "ü"], "some input", str(folder), "mine", ["3", "ü"]]


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [("exit", 5, ""), ("raise", 1, "what was wrong"), (str(int(signal.SIGKILL)), -signal.SIGKILL, "")],
)
def test_it_ends_as_the_fork_ends(how: str, code: int, said: str, folder: Path, server: subprocess.Popen) -> None:
    ended, _, errors = run(folder, "end", how)
    assert ended == code
    assert said in errors


def test_a_fork_that_can_t_begin_ends_and_the_server_goes_on(folder: Path, server: subprocess.Popen) -> None:
    process = subprocess.run(
        [sys.executable, "-c", "from svqkit.pipeline.warm import hand_over; hand_over('none_such:f', [])"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 1
    assert "none_such" in process.stderr
    assert run(folder, "echo", "0")[0] == 0


def test_forks_share_no_random_numbers_threads_or_figures(folder: Path, server: subprocess.Popen) -> None:
    first, second = (json.loads(run(folder, "state")[1]) for _ in range(2))
    assert not {*first["drawn"]} & {*second["drawn"]}
    for fork in (first, second):
        assert (fork["threads"], fork["tasks"], fork["figures"]) == (1, 1, [])


def gone(*numbers: int) -> bool:
    """Whether processes end within some seconds."""
    for _ in range(200):
        if not any(psutil.pid_exists(number) and _lives(number) for number in numbers):
            return True
        time.sleep(0.05)
    return False


def _lives(number: int) -> bool:
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_an_interrupt_reaches_the_fork(folder: Path, server: subprocess.Popen) -> None:
    process = begin(folder, "sleep")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (7, "interrupted\n")


def test_what_is_killed_takes_its_fork_and_the_forks_children_along(folder: Path, server: subprocess.Popen) -> None:
    process = begin(folder, "sleep")
    fork, child = map(int, process.stdout.readline().split())
    process.kill()
    process.communicate()
    assert gone(fork, child)


def test_without_a_server_the_work_is_done_by_oneself(folder: Path, server: subprocess.Popen) -> None:
    process = begin(folder, "sleep")
    fork, child = map(int, process.stdout.readline().split())
    server.kill()
    assert process.wait(20) == -signal.SIGKILL
    assert gone(fork)
    os.kill(child, signal.SIGKILL)
    process.communicate()
    assert run(folder, "echo", "0")[1] == "itself\n"
