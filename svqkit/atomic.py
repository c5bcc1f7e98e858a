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
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    remove(draft)
    try:
        yield draft
        _settle(draft)
        if target.is_dir() or (draft.is_dir() and target.exists()):
            old = target.with_name(f".{target.name}.{os.getpid()}.old")
            remove(old)
            os.replace(target, old)
            os.replace(draft, target)
            remove(old)
        else:
            os.replace(draft, target)
    except BaseException as error:
        remove(draft)
        full = _disk_full(error)
        if full is not None:
            free = shutil.disk_usage(target.parent).free / 2**20
            raise SvqkitError(
                f"The disk is full: {target} could not be written ({free:.0f} MiB are free in {target.parent}). "
                "Free some room, or put the output elsewhere; what was there before is unchanged."
            ) from error
        raise


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


def _disk_full(error: BaseException | None) -> BaseException | None:
    """The cause of ``error`` that says that no space is left, if one does (libraries wrap it, or only quote it)."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return error
        if "No space left on device" in str(error):
            return error
        error = error.__cause__ or error.__context__
    return None
