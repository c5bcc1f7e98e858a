"""Files and folders that appear whole or not at all: written beside their place, then renamed into it."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from svqkit.errors import SvqkitError


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """A path to write to; on leaving without an error it takes the place of ``target``.

    The path lies in the target's own folder, so that the rename stays on one file system. It may be made
    a file or a folder. On an error what was written is removed and ``target`` is left as it was.

    Raises:
        SvqkitError: the disk is full; the message names the place and how much is free there.
    """
    target = Path(target)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(draft)
        yield draft
        _settle(draft)
        put_in_place(draft, target)
    except BaseException as error:
        full = out_of_disk(error, target)
        remove(draft)
        if full:
            raise full from error
        raise


def put_in_place(draft: Path, target: Path) -> None:
    """Rename ``draft`` to ``target``; what was there is gone only once the new one stands."""
    if not (target.is_dir() or (draft.is_dir() and target.exists())):
        os.replace(draft, target)
        return
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    remove(old)
    os.replace(target, old)
    try:
        os.replace(draft, target)
    except BaseException:
        os.replace(old, target)
        raise
    remove(old)


def out_of_disk(error: BaseException, target: Path) -> SvqkitError | None:
    """The error to show when ``error`` came from a full disk while ``target`` was written; else None."""
    folder = next(parent for parent in target.parents if parent.exists())
    if not _disk_full(error, folder):
        return None
    free = shutil.disk_usage(folder).free / 2**20
    return SvqkitError(
        f"The disk is full: {target} could not be written ({free:.0f} MiB are free in {folder}). "
        "Free some room, or put the output elsewhere; what was there before is unchanged."
    )


def remove(path: Path) -> None:
    """Remove a file or a folder, or nothing when there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _settle(draft: Path) -> None:
    """Force a file's bytes to the disk before it is renamed, so that a power cut can't leave it empty."""
    if draft.is_file():
        with draft.open("rb") as handle:
            os.fsync(handle.fileno())


def _disk_full(error: BaseException | None, folder: Path) -> bool:
    """Whether ``error`` comes from a full disk: libraries wrap what the system says, quote it, or (HDF5) drop it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if "No space left on device" in str(error):
            return True
        if "HDF error" in str(error) and shutil.disk_usage(folder).free < 2**20:
            return True
        error = error.__cause__ or error.__context__
    return False
