"""Digests of raw files, so that a store knows whether it was made from these very bytes."""

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from svqkit.atomic import replacing
from svqkit.data.sources.zarrstore import MARKS, is_url
from svqkit.progress import progress
from svqkit.userfiles import reading

# What file systems call the time or the digest of a file.
TOLD = ("ETag", "etag", "md5Hash", "mtime", "LastModified", "updated", "created")


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
    lines = [(name, digests[name]) for name in sorted(seen)]
    if is_url(root):
        lines.append((str(root), _state_of_url(str(root))))
    # Names need not be UTF-8.
    text = "\n".join(f"{name} {digest}" for name, digest in lines).encode("utf-8", "surrogateescape")
    size = sum(state[0] for _, state in seen.values())
    return {"files": len(seen), "bytes": size, "digest": hashlib.sha256(text).hexdigest()}


def _state(path: Path) -> list[int]:
    with reading(path, plain=False):
        stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _state_of_url(url: str) -> str:
    """What is told of a store's metadata, which are written again with its values: to read all of it takes too long."""
    import fsspec  # only what opens a URL needs it

    with reading(url, "Zarr", plain=False):
        files, path = fsspec.core.url_to_fs(url)
        marks = [f"{path}/{mark}" for mark in MARKS if files.exists(f"{path}/{mark}")]
        return repr([[str(files.info(mark).get(what)) for what in ("size", *TOLD)] for mark in marks])


def _digest(path: Path) -> str:
    with reading(path), path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _read(known: Path) -> dict[str, list]:
    try:
        entries = json.loads(known.read_text())
        return {name: [size, changed, digest] for name, (size, changed, digest) in entries.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}  # no earlier look, or half of one: every file is read
