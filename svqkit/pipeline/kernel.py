"""The kernel that notebooks run in, and where it listens: ``python -m svqkit.pipeline.kernel -f FILE``.

A process and its kernel talk over unix sockets in a folder of their own, which no other program can take. TCP ports can
be taken between the moment that they are chosen and the moment that the kernel listens on them.
"""

import fcntl
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from svqkit.errors import SvqkitError
from svqkit.pipeline.warm import hand_over

PREFIX = "svqkit-kernel-"
# Seconds in which a folder that nobody has locked is left alone: whoever made it may be about to.
GRACE = 60


@contextmanager
def private_folder() -> Iterator[tuple[Path, str]]:
    """Make a folder that only this user can enter, and the transport that works in it: ``ipc``, or else ``tcp``.

    It is locked while it is in use and removed afterwards. Folders of processes that were killed, known by their open
    locks, are removed first.

    Raises:
        SvqkitError: no folder for temporary files can be written to.
    """
    _remove_leftovers()
    folder, transport = _make_folder()
    lock = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield folder, transport
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def socket_path(folder: Path) -> str:
    """Return what the paths of a kernel's sockets in ``folder`` begin with; a dash and a digit follow."""
    return str(folder / "socket")


def _parents() -> Iterator[Path]:
    """Where such a folder may lie, the best first."""
    with suppress(FileNotFoundError):  # no folder for temporary files can be written to
        yield Path(tempfile.gettempdir())
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime).absolute()
    yield from (Path("/tmp"), Path("/dev/shm"))


def _make_folder() -> tuple[Path, str]:
    for parent in _parents():
        with suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
            if _takes_sockets(folder):
                return folder, "ipc"
            folder.rmdir()
    try:
        return Path(tempfile.mkdtemp(prefix=PREFIX)), "tcp"
    except OSError as error:
        raise SvqkitError(
            f"A notebook's kernel needs a folder for temporary files: {error}. Set TMPDIR to one that you can write to."
        ) from error


def _takes_sockets(folder: Path) -> bool:
    """Whether a socket can listen in ``folder``: its path may be too long, or its file system have none."""
    path = f"{socket_path(folder)}-0"
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(path.encode())
        os.unlink(path)
    except (OSError, UnicodeEncodeError):
        return False
    return True


def _remove_leftovers() -> None:
    for parent in set(_parents()):
        with suppress(OSError):
            for folder in parent.glob(f"{PREFIX}*"):
                _remove_if_left(folder)


def _remove_if_left(folder: Path) -> None:
    """Remove a folder of this user's unless a living process holds it."""
    status = folder.lstat()
    if status.st_uid != os.getuid() or time.time() - status.st_mtime < GRACE:
        return
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
    finally:
        os.close(lock)


def main(arguments: list[str]) -> None:
    """Run IPython's kernel until it is told to stop.

    When it can't start, say because a port is taken, ipykernel may wait for its own sockets for ever. This one ends.
    """
    from ipykernel.kernelapp import IPKernelApp  # takes longer than the rest, which others want without it

    parent = int(os.environ.get("JPY_PARENT_PID", 0))
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    kernel = IPKernelApp.instance(parent_handle=parent)
    try:
        kernel.initialize(arguments)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    kernel.start()


def _end_with(parent: int) -> None:
    """End this process when ``parent`` has ended. IPython does so only for a kernel that is its parent's own child."""
    while parent:
        time.sleep(1)
        try:
            os.kill(parent, 0)
        except OSError:
            os._exit(1)


if __name__ == "__main__":
    hand_over("svqkit.pipeline.kernel:main", sys.argv[1:])
    main(sys.argv[1:])
