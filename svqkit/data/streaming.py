"""Parts decoded side by side, their frames given out in order, with little in memory at any time."""

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np

from svqkit.data.plan import Part

# Pieces of one part that may wait to be taken.
WAITING = 2
_END = object()


def in_order(parts: Sequence[Part], workers: int | None = None) -> Iterator[np.ndarray]:
    """Yield the frames of all parts, in order; up to ``workers`` parts are decoded ahead, a thread for each.

    Decoders of images and video let other threads run, so this keeps every core busy without copies between
    processes. A part that is far ahead waits: memory doesn't grow with the number or the length of the parts.

    Raises:
        SvqkitError: a part can't be read; see :class:`svqkit.data.plan.Part`.
    """
    workers = workers or os.cpu_count() or 1
    stop = threading.Event()
    running: list[tuple[queue.Queue, threading.Thread]] = []
    ahead = iter(parts)
    try:
        while True:
            while len(running) < workers and (part := next(ahead, None)) is not None:
                running.append(_start(part, stop))
            if not running:
                return
            first, _ = running[0]
            while (piece := first.get()) is not _END:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
            running.pop(0)
    finally:
        stop.set()
        for pieces, thread in running:  # whoever opens the same files next must find nobody there
            while thread.is_alive():
                with suppress(queue.Empty):
                    pieces.get(timeout=0.1)


def in_blocks(pieces: Iterator[np.ndarray], frames: int, skip: int = 0) -> Iterator[np.ndarray]:
    """Yield the same frames in blocks of exactly ``frames`` (the last may be shorter), without the first ``skip``."""
    held: list[np.ndarray] = []
    count = 0
    for piece in pieces:
        if skip:
            dropped = min(skip, len(piece))
            piece, skip = piece[dropped:], skip - dropped
        while len(piece):
            taken = piece[: frames - count]
            held.append(taken)
            piece, count = piece[len(taken) :], count + len(taken)
            if count == frames:
                yield np.concatenate(held)
                held, count = [], 0
    if held:
        yield np.concatenate(held)


def _start(part: Part, stop: threading.Event) -> tuple[queue.Queue, threading.Thread]:
    """A queue, and a running thread that reads ``part`` into it; its end, or its error, comes last."""
    pieces: queue.Queue = queue.Queue(WAITING)

    def read() -> None:
        end: object = _END
        try:
            for piece in part.read():
                if stop.is_set():
                    return
                pieces.put(piece)
        except BaseException as error:  # handed to the reader, who raises it
            end = error
        pieces.put(end)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return pieces, thread
