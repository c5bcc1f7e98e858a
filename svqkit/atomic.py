"""Files and folders that appear whole or not at all: made beside their place, then renamed into it.

While ``x`` is written there is a hidden folder ``.x.part`` beside it, of one process at a time:

    lock    held by that process; tells others which it is
    draft   the new file or folder
    old     the folder that stood in its place, between the two renames that exchange them

A process that is killed leaves such a folder behind. Whoever writes ``x`` next puts back what is missing, and clears
the rest. Nobody guesses from a process's number whether it still lives: the system gives a lock free when it dies.
"""

import errno
import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from svqkit.errors import SvqkitError

LOCK, DRAFT, OLD = "lock", "draft", "old"
FULL = (errno.ENOSPC, errno.EDQUOT)
# What file systems without locks answer; there a second process isn't noticed.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
# So much must still find room on a disk that is not called full: what a library wanted to write is not known.
ROOM = 2**20


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """Yield a path to write to; on leaving without an error it takes the place of ``target``.

    It may be made a file or a folder, on the file system of ``target``. On an error what was written is removed and
    ``target`` is left as it was. While another process writes the same target, this one waits, and says so.

    Raises:
        SvqkitError: the disk is full, or writing is not permitted there; the message names the place.
    """
    target = Path(target)
    # Twice: inside, before the draft makes room again; outside, for the folder that it is made in.
    with clear_errors(target), _workshop(target) as folder, clear_errors(target):
        draft = folder / DRAFT
        yield draft
        if draft.is_file():  # its bytes are on the disk before it is renamed: a power cut can't leave it empty
            with draft.open("rb") as handle:
                os.fsync(handle.fileno())
        put_in_place(draft, target)


@contextmanager
def alone(folder: Path, doing: str) -> Iterator[int]:
    """Hold ``folder``, made if need be, for this process; another one waits, and says for whom and what that is doing.

    Yields the number of the open lock: a child that is given it holds the folder too.
    """
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:  # mkdir's exist_ok fails when whoever held it removes it just then
            folder.mkdir()
        except FileExistsError:
            if folder.is_symlink():  # to nothing: there would never be a lock in it
                raise
        try:
            handle = (folder / LOCK).open("a+b", buffering=0)
        except FileNotFoundError:  # whoever held the folder has just removed it
            continue
        with handle:
            _lock(handle.fileno(), doing)
            if not _is_at(handle.fileno(), folder / LOCK):
                continue
            _sign(handle.fileno())
            yield handle.fileno()
            return


def put_in_place(draft: Path, target: Path) -> None:
    """Rename ``draft`` to ``target``; a folder that stands there goes to ``old`` beside the draft, for `restore`."""
    if target.is_dir() or (draft.is_dir() and target.exists()):
        os.replace(target, draft.with_name(OLD))
    os.replace(draft, target)


def restore(folder: Path, target: Path) -> None:
    """Put back the ``old`` one of a process that ended within `put_in_place`; remove it where the new one stands."""
    old = folder / OLD
    if not os.path.lexists(old):
        return
    if os.path.lexists(target):
        remove(old)
    else:
        os.replace(old, target)


def remove(path: Path) -> None:
    """Remove a file or a folder, or nothing when there is none; a folder is gone at once, never there by half."""
    rubbish = path.with_name(f".{path.name}.removed.part")
    if rubbish.exists():
        shutil.rmtree(rubbish)  # of a call that was killed
    if path.is_dir() and not path.is_symlink():
        os.replace(path, rubbish)
        shutil.rmtree(rubbish)
    else:
        path.unlink(missing_ok=True)


def clear_leftovers(target: Path) -> None:
    """Put right what a killed process has left beside ``target``, which is not written again."""
    if target.with_name(f".{target.name}.part").exists():
        with _workshop(target):
            pass


@contextmanager
def clear_errors(target: Path) -> Iterator[None]:
    """Say in one sentence, naming ``target``, that the disk is full or can't be written; other errors are left alone.

    Raises:
        SvqkitError: what stands there.
    """
    try:
        yield
    except Exception as error:
        if refused := _refusal(error, target):
            raise refused from error
        raise


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    """The folder to make ``target`` in, empty, and gone afterwards."""
    folder = target.with_name(f".{target.name}.part")
    try:
        with alone(folder, f"writing {target}"):
            try:
                _clear(folder, target)
                yield folder
            finally:
                _clear(folder, target)
                (folder / LOCK).unlink(missing_ok=True)  # the last: who sees no lock begins another one
    finally:
        with suppress(OSError):  # who waited may be in it already
            folder.rmdir()


def _clear(folder: Path, target: Path) -> None:
    restore(folder, target)
    for path in folder.iterdir():
        if path.name != LOCK:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _lock(handle: int, doing: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.pread(handle, 1000, 0).decode() or "another process"  # the name may have no file any more
        print(f"Waiting for {who}, which is {doing}.", file=sys.stderr, flush=True)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


def _sign(handle: int) -> None:
    """Write into a lock whose it is, for those who wait."""
    with suppress(OSError):  # a full disk is for those to say who need it
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {os.uname().nodename}, since {time.ctime()}".encode())


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file is still the one at ``path``."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False


def _refusal(error: Exception, target: Path) -> SvqkitError | None:
    """What to say when ``error`` came from a disk that takes nothing more; None when it came from elsewhere."""
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    # HDF5 says "Permission denied" or "HDF error" of a full disk, others nothing at all: see for ourselves.
    reason = _said(error) or (None if isinstance(error, SvqkitError) else _tried(folder))
    if reason is None:
        return None
    if reason.errno in FULL:
        return SvqkitError(
            f"The disk is full: {target} could not be written ({_free(folder)} in {folder}). "
            "Free some room, or put the output elsewhere; what was there before is unchanged."
        )
    return SvqkitError(
        f"{target} can't be written: {reason.strerror} in {folder}. Let this user write there, or put the output "
        "elsewhere; what was there before is unchanged."
    )


def _said(error: BaseException | None) -> OSError | None:
    """The full disk that an error, or one behind it, tells of: libraries wrap what the system says, or quote it."""
    while error is not None:
        for number in FULL:
            if (isinstance(error, OSError) and error.errno == number) or os.strerror(number) in str(error):
                return OSError(number, os.strerror(number))
        error = error.__cause__ or error.__context__
    return None


def _tried(folder: Path) -> OSError | None:
    """What the system says to one more file in ``folder``; None when it takes it."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(ROOM))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error
    return None


def _free(folder: Path) -> str:
    disk = os.statvfs(folder)
    room = f"{disk.f_bavail * disk.f_frsize / 2**20:.0f} MiB are free"
    return f"{room}, but no further file can be made" if disk.f_files and not disk.f_favail else room
