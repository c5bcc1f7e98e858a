"""Kernels of notebooks: where they listen, starts that fail, ends that nobody asked for."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from svqkit.errors import SvqkitError
from svqkit.pipeline import executing
from svqkit.pipeline.kernel import private_folder

ASKED = """
import json
from pathlib import Path
from ipykernel.connect import get_connection_file, get_connection_info
folder = Path(get_connection_file()).parent
print(json.dumps([get_connection_info(unpack=True)["transport"], str(folder)]))
"""


def execute(folder: Path, source: str = "print('it', 'ran')") -> str:
    """What a notebook of one cell prints, executed as a stage."""
    folder.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=[new_code_cell(source)]), folder / "a.ipynb")
    executing.run("a", folder / "out.ipynb", {}, folder)
    return "".join(output.get("text", "") for output in nbformat.read(folder / "out.ipynb", 4).cells[0].outputs)


@pytest.fixture
def starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[], int]]:
    """Have kernels run some Python first, which knows how often one was started, from 1 on; returns that count."""

    def run_first(code: str) -> Callable[[], int]:
        script, count = tmp_path / "first.py", tmp_path / "starts"
        script.write_text(
            f"import json, os, socket, sys, time\n"
            f"with open({str(count)!r}, 'a') as file: file.write('.')\n"
            f"start = os.path.getsize({str(count)!r})\n"
            f"{code}\n"
            f"os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])\n"
        )
        command = tmp_path / "python"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
        command.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(command))
        return lambda: count.stat().st_size

    return run_first


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file system has unix sockets."""
    bind = socket.socket.bind

    def refuse(self: socket.socket, address: object) -> None:
        if self.family == socket.AF_UNIX:
            raise PermissionError("no sockets here")
        bind(self, address)

    monkeypatch.setattr(socket.socket, "bind", refuse)


@pytest.fixture
def short_path() -> Iterator[Path]:
    """An empty folder whose path is short."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("name", "is_used"),
    [("t", True), ("ü ö", True), ("x" * 100, False), ("missing", False)],
    ids=lambda value: str(value)[:7],
)
def test_the_folder_is_private_lies_where_sockets_can_listen_and_is_gone_afterwards(
    name: str, is_used: bool, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = short_path / name
    if name != "missing":
        folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with private_folder() as (used, transport):
        assert transport == "ipc"
        assert not used.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        assert (folder in used.parents) == is_used
    assert not used.exists()


def test_a_kernel_listens_in_such_a_folder(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = short_path / "ü ö"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    transport, listened = json.loads(execute(short_path / "in", ASKED))
    assert transport == "ipc"
    assert folder in Path(listened).parents
    assert not Path(listened).exists()


def test_without_unix_sockets_a_kernel_listens_on_ports(tmp_path: Path, no_sockets: None) -> None:
    assert '"tcp"' in execute(tmp_path / "in", ASKED)


@pytest.mark.parametrize(("port", "count"), [("shell_port", 2), ("hb_port", 1)])
def test_a_port_that_was_taken_in_between_is_no_failure(
    port: str, count: int, tmp_path: Path, no_sockets: None, starts: Callable
) -> None:
    started = starts(
        "if start == 1:\n"
        f"    port = json.load(open(sys.argv[sys.argv.index('-f') + 1]))[{port!r}]\n"
        "    taken = socket.create_server(('127.0.0.1', port))\n"
        "    taken.set_inheritable(True)\n"
    )
    assert execute(tmp_path / "in") == "it ran\n"
    assert started() == count, "of the five ports only the heartbeat's is done without"


def test_a_kernel_that_dies_before_it_answers_is_started_again(tmp_path: Path, starts: Callable) -> None:
    started = starts("if start <= 2: sys.exit('no luck')")
    assert execute(tmp_path / "in") == "it ran\n"
    assert started() == 3


def test_a_kernel_that_never_starts_is_one_clear_error(
    tmp_path: Path, starts: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executing, "TRIES", 2)
    started = starts("sys.exit('no luck')")
    with pytest.raises(SvqkitError, match=r"did not start(.|\n)*exit code 1(.|\n)*no luck"):
        execute(tmp_path / "in")
    assert started() == 2


def test_a_kernel_that_lives_is_waited_for(starts: Callable) -> None:
    started = starts("time.sleep(3)")
    notebook = new_notebook(cells=[new_code_cell("6 * 7")], metadata={"papermill": {}})
    executed = executing.Engine.execute_notebook(notebook, "python3", progress_bar=False, start_timeout=1)
    assert executed.cells[0].outputs[0].data["text/plain"] == "42"
    assert started() == 1


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL, most likely because memory ran out"),
        ("os._exit(3)", "exit code 3"),
    ],
)
def test_a_kernel_that_dies_in_a_cell_is_one_error(last: str, said: str, tmp_path: Path, starts: Callable) -> None:
    started = starts("")
    with pytest.raises(SvqkitError, match=f"died in cell 1: .*{said}"):
        execute(tmp_path / "in", f"import os, signal\nprint('before')\n{last}")
    assert started() == 1, "what a cell did is not done twice"
    assert (tmp_path / "in" / "out.failed.ipynb").exists()


def test_a_folder_that_a_kill_left_goes_with_the_next_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    code = (
        "import signal, time; from svqkit.pipeline.kernel import private_folder\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # which nohup and & leave ignored
        "with private_folder() as (folder, _): print(folder, flush=True); time.sleep(600)"
    )

    def holder() -> tuple[subprocess.Popen, Path]:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        folder = Path(process.stdout.readline().strip())
        os.utime(folder, (0, 0))  # it has been there for long
        return process, folder

    (killed, left), (living, held) = holder(), holder()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "svqkit-kernel-link").symlink_to(elsewhere)
    killed.kill()
    killed.wait()
    with private_folder() as (fresh, _):
        assert not left.exists()
        assert held.exists()
        assert fresh.exists()
    assert elsewhere.exists()
    living.send_signal(signal.SIGINT)
    living.wait()
    assert not held.exists(), "stopped, but not killed, it tidies up itself"
