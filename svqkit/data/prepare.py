"""Raw files → store: streamed, so that memory does not grow with the data; stopped, it goes on where it was.

:func:`open_or_prepare` is what a notebook that is run on its own needs: the store, prepared first when it is missing.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from svqkit.atomic import alone, clear_errors, put_in_place, remove, restore
from svqkit.data import sources, streaming
from svqkit.data import store as stores
from svqkit.data.plan import Part, Plan
from svqkit.data.rawfiles import raw_digest
from svqkit.data.sources.zarrstore import is_url
from svqkit.data.statistics import SplitStatistics, write_climatology
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.progress import progress
from svqkit.settings.params import Data, as_tree, without_root
from svqkit.training.paths import prepare_path

BLOCK_BYTES = 2**25
# An attribute of the draft of a store, until it is whole.
PROGRESS = "progress"
# Goes up when stores are written another way, so that older ones are made again.
LAYOUT = 3


def open_or_prepare(data: Data, path: str | Path, again: bool = False) -> Store:
    """Open the store at ``path``; when it isn't there, make it from the raw files, fetched with DVC if need be.

    ``again`` makes it in any case. What a reader should know of the raw files is printed.

    Raises:
        SvqkitError: the raw files can't be had or do not fit.
    """
    is_there = is_url(data.root) or Path(data.root).exists()
    made_from = None if is_there else _made_from(Path(path))
    if made_from and made_from["data"] == without_root(as_tree(data)):
        store = Store.open(path)
    else:
        if not is_there:
            _pull(Path(data.root))
        store = prepare(data, path, again)
    for note in store.notes:
        print(f"note: {note}", flush=True)
    return store


def _pull(root: Path) -> None:
    """Fetch the tracked data when ``root`` is part of it."""
    if not Path("data.dvc").exists() or root.parts[:1] != ("data",):
        raise SvqkitError(f"There is no {root.absolute()}. Put the raw files there, or change `root` in params.yaml.")
    print("The raw data are not here yet: dvc pull data.dvc", flush=True)
    command = [sys.executable, "-m", "dvc", "pull", "data.dvc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SvqkitError(f"`dvc pull data.dvc` failed: {done.stderr.strip() or done.stdout.strip()}")


def prepare(data: Data, target: str | Path, again: bool = False) -> Store:
    """Write the store of a dataset, or open the one that is there when it was made from the same.

    "The same" are the settings and the bytes of the raw files; ``again`` rewrites it in any case. Frames that an
    earlier, stopped call has written are kept when it was of the same.

    Raises:
        SvqkitError: the raw files do not fit (see the source's module), a split has no window, or the disk is full;
            the earlier store, if there was one, stays as it was.
    """
    target = Path(target)
    plan = sources.plan(data)
    work = prepare_path(target)
    with clear_errors(target), alone(work, f"preparing {target}"):
        restore(work, target)  # what a killed process left; its draft stays
        for rest in work.glob(".*.part"):
            remove(rest)
        raw = raw_digest(plan.files, data.root, work / "raw.json")
        made_from = {"layout": LAYOUT, "data": without_root(as_tree(data)), "raw": raw}
        draft = work / "draft"
        if not again and _made_from(target) == made_from:
            remove(draft)
            return Store.open(target)
        _need_room(plan, target, draft)
        if _made_from(draft) != made_from:  # else it was stopped when the draft was whole
            _fill(draft, plan, made_from)
        put_in_place(draft, target)
        restore(work, target)
    return Store.open(target)


def _fill(draft: Path, plan: Plan, made_from: dict) -> None:
    """Write all of a store to ``draft``, from where a stopped call left it."""
    group = _go_on(draft, made_from)
    if group is None:
        remove(draft)
        group = stores.create(draft, plan)
        group.attrs[PROGRESS] = {"made_from": made_from, "frames": 0, "statistics": None, "digest": ""}
    try:
        copied = _copy_frames(plan, group)
        weeks = write_climatology(group, plan) if "time" in plan.axes else []
    except SvqkitError:
        remove(draft)  # the raw files are not fit for it
        raise
    # In one go: a draft is whole, or it has its progress.
    rest = {"weeks": weeks, "settings": made_from, "files": stores.count_files(draft)}
    group.attrs.put({**stores.describe_plan(plan), **copied, **rest})


def _made_from(target: Path) -> dict | None:
    try:
        return Store.open(target).made_from
    except SvqkitError:
        return None


def _need_room(plan: Plan, target: Path, draft: Path) -> None:
    """Refuse before hours are spent what cannot fit on the disk."""
    needed = plan.frames * np.dtype(plan.dtype).itemsize * int(np.prod(plan.frame_shape))
    free = shutil.disk_usage(target.parent).free
    if needed > free + sum(path.stat().st_size for path in draft.rglob("*") if path.is_file()):
        raise SvqkitError(
            f"The disk is full: {target} needs {needed / 1e9:.1f} GB for {plan.frames:,} frames, {free / 1e9:.1f} GB "
            f"are free in {target.parent}. Free some room, or put the stores elsewhere (parameter `stores`)."
        )


def _go_on(draft: Path, made_from: dict) -> zarr.Group | None:
    """The draft that a stopped call left, when it was of the same; it holds its own progress, so that both are one."""
    try:
        group = zarr.open_group(draft, mode="r+")
        earlier = group.attrs[PROGRESS]
    except (OSError, KeyError, ValueError):
        return None
    if earlier["made_from"] != made_from:
        return None
    if earlier["frames"]:
        print(f"Going on from {draft}: {earlier['frames']:,} frames are there.", flush=True)
    for half in draft.rglob("*.partial"):  # files that Zarr was writing
        half.unlink()
    return group


def _copy_frames(plan: Plan, group: zarr.Group) -> dict[str, Any]:
    """Fill ``frames`` and return the attributes that tell of them: the statistics of every split, and their digest."""
    frames, state = group["frames"], group.attrs[PROGRESS]
    statistics = SplitStatistics(
        {protocol: windowing.clips for protocol, windowing in plan.windows.items()}, state["statistics"]
    )
    # Whole chunks at a time: none is written twice, so that a stop can't spoil what is done.
    per_block = frames.chunks[0] * max(1, BLOCK_BYTES // (frames.dtype.itemsize * int(np.prod(frames.chunks))))
    start, digest = state["frames"], state["digest"]
    parts, skip = _remaining(plan, start)
    with progress(frames.shape[0], "prepare", "frame", initial=start) as bar:
        for block in streaming.in_blocks(streaming.in_order(parts), per_block, skip):
            stop = start + len(block)
            frames[start:stop] = block
            statistics.add(block, start)
            digest = _digest(digest, block)
            start = stop
            group.attrs[PROGRESS] = {**state, "frames": start, "statistics": statistics.state(), "digest": digest}
            bar.update(len(block))
    if start != frames.shape[0]:
        raise SvqkitError(f"The raw files gave {start:,} frames, {frames.shape[0]:,} were announced. Fetch them again.")
    return {"statistics": statistics.result(plan.scale), "frames_digest": digest}


def _digest(before: str, frames: np.ndarray) -> str:
    """The digest of all frames, from that of the earlier ones: the same however they are cut into blocks."""
    for frame in frames:
        before = hashlib.sha256(before.encode() + frame.tobytes()).hexdigest()
    return before


def _remaining(plan: Plan, done: int) -> tuple[Sequence[Part], int]:
    """The parts that hold frames beyond the first ``done``, and how many of the first such part are done."""
    starts = np.cumsum([0, *[part.frames for part in plan.parts]])
    first = int(np.searchsorted(starts, done, side="right")) - 1
    return plan.parts[first:], done - int(starts[first])
