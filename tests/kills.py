"""Operations that are killed at a file operation of our choice, so that a test can try each."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "fcntl.flock"}


def killed(operation: Callable[[], object], below: Path, at: int | None = None) -> bool:
    """Run an operation in a process of its own that dies before its ``at``-th change of a file (from 1) below a folder.

    Opening a file to write, renaming, removing, making folders and taking locks count as changes.

    Returns:
        Whether it was killed; False: it ended before it came so far. An operation that fails is an AssertionError.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if at is not None:
                _die_at(at, below)
            operation()
            code = 0
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True
    assert status == 0, f"the operation failed (status {status}); its traceback is on stderr"
    return False


def changes(operation: Callable[[], object], below: Path) -> int:
    """How many changes an operation makes below a folder, counted in a process of its own."""
    read, write = os.pipe()

    def counted() -> None:
        total = _count(below)
        operation()
        os.write(write, str(next(total) - 1).encode())

    killed(counted, below)
    os.close(write)
    with os.fdopen(read) as pipe:
        return int(pipe.read())


def _die_at(at: int, below: Path) -> None:
    _count(below, at)


def _count(below: Path, at: int = 0) -> count:
    """Count the changes below a folder from here on, and die at one of them; the next number is that of the next."""
    numbers = count(1)
    top = os.path.realpath(below)

    def hook(event: str, arguments: tuple) -> None:
        if _changes(event, arguments, top) and next(numbers) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return numbers


def _changes(event: str, arguments: tuple, top: str) -> bool:
    if event == "open":
        path, _, flags = arguments
        if not flags & (os.O_WRONLY | os.O_RDWR):
            return False
    elif event in CHANGES:
        path = arguments[0]
    else:
        return False
    return _place(path, arguments[-1] if event in ("os.remove", "os.rmdir") else -1).startswith(top)


def _place(path: object, folder: object) -> str:
    """The absolute path that is meant: by a file's number, or within a folder that is given by its number."""
    if isinstance(path, int):
        return os.readlink(f"/proc/self/fd/{path}")
    name = os.fsdecode(path)
    if isinstance(folder, int) and folder >= 0:
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
    return os.path.abspath(name)
