"""Python processes that need not import their libraries first: forked from a server that has them.

A stage starts three Pythons (DVC, what executes its notebook, the notebook's kernel), and each imports for seconds.
While a server is up (``python -m svqkit.pipeline.warm SOCKET``), they are forked from it instead. What is started stays
an ordinary process for whoever started it: it has that one's input, output, environment and folder, ends as the fork
ends, passes interrupts on, and takes the fork with it when it is killed. Without a server it does the work itself.

Only libraries are imported ahead. Code of svqkit is imported by each fork, so that it is never older than its file.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from typing import NoReturn

# Where the server listens, for those that are to be forked.
SOCKET = "SVQKIT_WARM"
LIBRARIES = [
    "torch",
    "numpy",
    "pandas.io.formats.style",
    "scipy.stats",
    "xarray",
    "dask.array",
    "cf_xarray",
    "pint",
    "netCDF4",
    "zarr",
    "h5py",
    "av",
    "cv2",
    "matplotlib.pyplot",
    "seaborn",
    "cartopy.mpl.geoaxes",
    "shapely",
    "accelerate",
    "safetensors.torch",
    "einops",
    "vector_quantize_pytorch",
    "pydantic.dataclasses",
    "pydantic.type_adapter",
    "ruamel.yaml",
    "psutil",
    "jinja2",
    "papermill",
    "nbclient",
    "nbformat",
    "IPython",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "dvc.cli.parser",
    "dvc.repo.plots",
    "dvc.commands.repro",
    "dvc.repo.reproduce",
    "dvc.stage",
    "dvc.lock",
    "dvc.scm",
    "scmrepo.git.backend.dulwich",
]
_PR_SET_PDEATHSIG = 1


def hand_over(function: str, arguments: list[str]) -> None:
    """Have a fork of the server call ``function`` (``"module:name"``), and end as it ends; return without a server."""
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(os.environ.get(SOCKET, ""))
    except OSError:
        connection.close()
        return
    request = {
        "function": function,
        "arguments": arguments,
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "stands_for": os.getpid(),
    }
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # until it is known whose it is
    socket.send_fds(connection, [b"\0"], [0, 1, 2])
    with connection.makefile("rw") as stream:
        print(json.dumps(request), file=stream, flush=True)
        if answer := stream.readline():
            signal.signal(signal.SIGINT, lambda *_: os.killpg(int(answer), signal.SIGINT))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            end_as(int(stream.readline() or signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


def end_as(status: int) -> NoReturn:
    """End this process as another one did, whose wait status is given."""
    if os.WIFSIGNALED(status):
        with contextlib.suppress(OSError):  # SIGKILL
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


def serve(path: str) -> None:
    """Fork for each connection at ``path`` until the standard input ends."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    for library in LIBRARIES:
        importlib.import_module(library)
    gc.collect()
    gc.freeze()  # so that forks share these pages for good
    ended, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    own = (listener.fileno(), ended, wake)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's: whoever has started this decides
    forks: dict[socket.socket, int] = {}
    while True:
        ready, _, _ = select.select([0, ended, listener, *forks], [], [])
        for connection in [connection for connection in forks if connection in ready]:
            kill(forks[connection])  # whom it stands for has gone, or says what it never should
        if ended in ready:
            os.read(ended, 4096)
            reap(forks)
        if 0 in ready:
            for number in forks.values():
                kill(number)
            os._exit(0)  # without the seconds that torch takes to tidy up
        if listener in ready:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError, ValueError):
                request = receive(connection)
                if number := os.fork():
                    forks[connection] = number
                    for opened in request["files"]:
                        os.close(opened)
                    connection.sendall(f"{number}\n".encode())
                else:
                    become(request, [*own, connection.fileno(), *(other.fileno() for other in forks)])


def receive(connection: socket.socket) -> dict:
    """Return what a client asks for, with the numbers of its open files."""
    connection.settimeout(10)
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile() as stream:
        request = json.loads(stream.readline()) | {"files": files}
    connection.settimeout(None)
    return request


def reap(forks: dict[socket.socket, int]) -> None:
    """Tell the clients of forks that have ended how they did."""
    for connection, number in list(forks.items()):
        done, status = os.waitpid(number, os.WNOHANG)
        if done:
            kill(number)  # what it has started and left
            with contextlib.suppress(OSError):
                connection.sendall(f"{status}\n".encode())
            connection.close()
            del forks[connection]


def kill(number: int) -> None:
    """Kill a process with its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(number, signal.SIGKILL)


def become(request: dict, not_its_own: list[int]) -> NoReturn:
    """Turn this fork into the process that was asked for, without the server's open files; it never returns."""
    code: object = 1
    try:
        os.setsid()
        with contextlib.suppress(OSError, AttributeError):  # elsewhere than on Linux a killed server leaves it running
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for opened in not_its_own:
            os.close(opened)
        for target, opened in enumerate(request["files"]):
            os.dup2(opened, target)
            os.close(opened)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(fd, mode, 1, closefd=False) for fd, mode in enumerate("rww"))
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.path[0] = request["folder"]
        module, _, name = request["function"].partition(":")
        sys.argv = [module, *request["arguments"]]
        for loaded in [loaded for loaded in sys.modules if loaded.partition(".")[0] == "svqkit"]:
            del sys.modules[loaded]
        sys.modules["numpy"].random.seed()  # from the system, as Python's own random numbers are after a fork
        sys.modules["torch"].default_generator.seed()
        importlib.import_module("svqkit.pipeline.watchdog").started_as = request["stands_for"]
        code = getattr(importlib.import_module(module), name)(request["arguments"])
    except SystemExit as leaving:
        code = leaving.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else bool(code))


if __name__ == "__main__":
    serve(sys.argv[1])
