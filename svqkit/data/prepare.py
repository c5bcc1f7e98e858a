"""Raw files → store: streamed, so that memory does not grow with the data; stopped, it goes on where it was."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zarr

from svqkit.atomic import out_of_disk, put_in_place, remove, replacing
from svqkit.config import Data, as_tree
from svqkit.data import store as stores
from svqkit.data import streaming
from svqkit.data.climatology import write_climatology
from svqkit.data.plan import Plan
from svqkit.data.rawfiles import raw_digest
from svqkit.data.sources import plan as look
from svqkit.data.statistics import SplitStatistics
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.progress import progress

BLOCK_BYTES = 2**25
PROGRESS = "progress.json"
# Goes up when stores are written another way, so that older ones are made anew.
LAYOUT = 3


def prepare(data: Data, target: str | Path, again: bool = False) -> Store:
    """Write the store of a dataset, or open the one that is there when it was made from the same.

    "The same" are the settings and the bytes of the raw files; ``again`` rewrites it in any case. Frames that an
    earlier, stopped call has written are kept when it was of the same.

    Raises:
        SvqkitError: the raw files do not fit (see the source's module), a split has no window, or the disk is full;
            the earlier store, if there was one, stays as it was.
    """
    target = Path(target)
    plan = look(data)
    # What a stopped call leaves, and what is known of the raw files; beside the stores, hidden.
    work = target.parent / ".prepare" / target.name
    with _alone(work):
        raw = raw_digest(plan.files, data.root, work / "raw.json")
        made_from = {"layout": LAYOUT, "data": as_tree(data), "raw": raw}
        if not again and _made_from(target) == made_from:
            return Store.open(target)
        draft = work / "draft"
        _need_room(plan, target, draft)
        try:
            group = _go_on(draft, made_from) or _begin(draft, plan, made_from)
            statistics = _copy_frames(plan, group, draft)
            weeks = write_climatology(group, plan) if "time" in plan.axes else []
            group.attrs.update(**stores.describe_plan(plan), statistics=statistics, weeks=weeks, settings=made_from)
        except SvqkitError:
            remove(draft)  # the raw files are not fit for it
            remove(draft.with_name(PROGRESS))
            raise
        except BaseException as error:
            if full := out_of_disk(error, target):
                raise full from error
            raise
        put_in_place(draft, target)
        remove(draft.with_name(PROGRESS))
    return Store.open(target)


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Only one process prepares a store at a time; a second one waits, and then finds it done."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _made_from(target: Path) -> dict | None:
    try:
        return Store.open(target).settings
    except SvqkitError:
        return None


def _need_room(plan: Plan, target: Path, draft: Path) -> None:
    """Refuse before hours are spent what cannot fit on the disk."""
    needed = plan.frames * np.dtype(plan.dtype).itemsize * int(np.prod(plan.frame_shape))
    free = shutil.disk_usage(target.parent).free
    if needed > free + _size(draft):
        raise SvqkitError(
            f"The disk is full: {target} needs {needed / 1e9:.1f} GB for {plan.frames:,} frames, {free / 1e9:.1f} GB "
            f"are free in {target.parent}. Free some room, or put the stores elsewhere (parameter `stores`)."
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _begin(draft: Path, plan: Plan, made_from: dict) -> zarr.Group:
    remove(draft)
    group = stores.create(draft, plan)
    _note_progress(draft, {"made_from": made_from, "frames": 0, "statistics": None})
    return group


def _go_on(draft: Path, made_from: dict) -> zarr.Group | None:
    """The draft that a stopped call left, when it was of the same."""
    earlier = _progress_of(draft)
    if earlier is None or earlier["made_from"] != made_from:
        return None
    if earlier["frames"]:
        print(f"Going on from {draft}: {earlier['frames']:,} frames are there.", flush=True)
    try:
        return zarr.open_group(draft, mode="r+")
    except FileNotFoundError:
        return None


def _progress_of(draft: Path) -> dict | None:
    try:
        return json.loads((draft.with_name(PROGRESS)).read_text())
    except (OSError, json.JSONDecodeError):
        return None


def _note_progress(draft: Path, state: dict) -> None:
    with replacing(draft.with_name(PROGRESS)) as file:
        file.write_text(json.dumps(state))


def _copy_frames(plan: Plan, group: zarr.Group, draft: Path) -> dict:
    """Fill ``frames`` and return the statistics of every split under every protocol."""
    frames = group["frames"]
    state = _progress_of(draft)
    statistics = SplitStatistics({protocol: each.clips for protocol, each in plan.windows.items()}, state["statistics"])
    # Whole chunks at a time: none is written twice, so that a stop can't spoil what is done.
    per_block = frames.chunks[0] * max(1, BLOCK_BYTES // (frames.dtype.itemsize * int(np.prod(frames.chunks))))
    start = skip = state["frames"]
    pieces = streaming.in_order(_remaining(plan, skip))
    with progress(frames.shape[0], "prepare", "frame", initial=start) as bar:
        for block in streaming.in_blocks(pieces, per_block, _within_part(plan, skip)):
            stop = start + len(block)
            frames[start:stop] = block
            statistics.add(block, start)
            start = stop
            _note_progress(draft, {**state, "frames": start, "statistics": statistics.state()})
            bar.update(len(block))
    if start != frames.shape[0]:
        raise SvqkitError(f"The raw files gave {start:,} frames, {frames.shape[0]:,} were announced. Fetch them again.")
    return statistics.result(plan.scale)


def _remaining(plan: Plan, done: int) -> list:
    """The parts that hold frames beyond the first ``done``."""
    ends = np.cumsum([part.frames for part in plan.parts])
    return list(plan.parts[int(np.searchsorted(ends, done, side="right")) :])


def _within_part(plan: Plan, done: int) -> int:
    """How many frames of the first remaining part are among the ``done`` ones."""
    ends = np.cumsum([0, *[part.frames for part in plan.parts]])
    return done - int(ends[np.searchsorted(ends, done, side="right") - 1])
