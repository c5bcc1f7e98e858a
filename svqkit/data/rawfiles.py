"""Digests of raw files, so that a store knows whether it was made from these very bytes."""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.progress import progress


def raw_digest(files: Sequence[Path], root: str | Path, known: Path) -> dict[str, int | str]:
    """Return how many raw files there are, their bytes, and one digest of all names and contents.

    A file whose size and time of change are those of the last look is not read again: the file ``known`` keeps
    them, as git's index does. ``root`` is what names are relative to.

    Raises:
        SvqkitError: a file can't be read.
    """
    before = _read(known)
    seen = {os.path.relpath(path, root): (path, _state(path)) for path in files}
    new = [name for name, (_, state) in seen.items() if before.get(name, [])[:2] != state]
    digests = {name: entry[2] for name, entry in before.items() if name in seen}
    with (
        progress(sum(seen[name][1][0] for name in new), "check raw files", "B", shown=bool(new)) as bar,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for name, digest in zip(new, pool.map(_digest, [seen[name][0] for name in new]), strict=True):
            digests[name] = digest
            bar.update(seen[name][1][0])
    if new or len(before) != len(seen):
        with replacing(known) as draft:
            draft.write_text(json.dumps({name: [*state, digests[name]] for name, (_, state) in seen.items()}))
    every = hashlib.sha256("\n".join(f"{name} {digests[name]}" for name in sorted(seen)).encode())
    return {"files": len(seen), "bytes": sum(state[0] for _, state in seen.values()), "digest": every.hexdigest()}


def _state(path: Path) -> list[int]:
    try:
        stat = path.stat()
    except OSError as error:
        raise SvqkitError(f"{path} can't be read ({error}). Put the file back, or fetch it again.") from error
    if not path.is_dir():
        return [stat.st_size, stat.st_mtime_ns]
    files = [file.stat() for file in path.rglob("*") if file.is_file()]  # a Zarr array is a folder
    return [sum(entry.st_size for entry in files), max((entry.st_mtime_ns for entry in files), default=0)]


def _digest(path: Path) -> str:
    try:
        if not path.is_dir():
            with path.open("rb") as handle:
                return hashlib.file_digest(handle, "sha256").hexdigest()
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        return hashlib.sha256("".join(f"{file.name} {_digest(file)}" for file in inside).encode()).hexdigest()
    except OSError as error:
        raise SvqkitError(f"{path} can't be read ({error}). Fetch it again.") from error


def _read(known: Path) -> dict[str, list]:
    try:
        entries = json.loads(known.read_text())
        return {name: [size, changed, digest] for name, (size, changed, digest) in entries.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # no earlier look, or half of one: every file is read
