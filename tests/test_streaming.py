"""Parts decoded side by side: every frame once and in order, errors at their place, little memory, no thread left."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svqkit.data.streaming import WAITING, in_blocks, in_order
from svqkit.errors import SvqkitError


@dataclass
class Counting:
    """A part whose frames hold their own number; ``given`` tells how many pieces were taken off it."""

    first: int
    pieces: list[int]
    fails: bool = False
    given: list[int] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return sum(self.pieces)

    def read(self) -> Iterator[np.ndarray]:
        place = self.first
        for size in self.pieces:
            yield np.arange(place, place + size)
            place += size
            self.given.append(size)
        if self.fails:
            raise SvqkitError(f"part {self.first} is damaged")


def parts_of(sizes: list[list[int]]) -> list[Counting]:
    firsts = np.cumsum([0, *map(sum, sizes)])
    return [Counting(int(first), pieces) for first, pieces in zip(firsts[:-1], sizes, strict=True)]


SIZES = st.lists(st.lists(st.integers(1, 5), max_size=4), max_size=8)


@given(SIZES, st.integers(1, 4))
def test_all_frames_come_once_and_in_order(sizes: list[list[int]], workers: int) -> None:
    pieces = list(in_order(parts_of(sizes), workers))
    assert [len(piece) for piece in pieces] == [size for part in sizes for size in part]
    assert np.concatenate([np.zeros(0), *pieces]).tolist() == list(range(sum(map(sum, sizes))))


@given(SIZES, st.integers(1, 7), st.integers(0, 40))
def test_blocks_are_of_one_size_and_begin_where_asked(sizes: list[list[int]], size: int, skip: int) -> None:
    total = sum(map(sum, sizes))
    skip = min(skip, total)
    blocks = list(in_blocks(in_order(parts_of(sizes)), size, skip))
    assert np.concatenate([np.zeros(0), *blocks]).tolist() == list(range(skip, total))
    assert all(len(block) == size for block in blocks[:-1])


def test_an_error_comes_after_the_frames_before_it_and_ends_every_thread() -> None:
    parts = parts_of([[2, 2], [3], [1] * 50, [1]])
    parts[1].fails = True
    seen: list[int] = []
    with pytest.raises(SvqkitError, match="part 4 is damaged"):
        seen.extend(frame for piece in in_order(parts, 3) for frame in piece.tolist())
    assert seen == [0, 1, 2, 3, 4, 5, 6]
    assert not _left()


def test_a_part_that_is_far_ahead_waits() -> None:
    slow, fast = parts_of([[1], [1] * 100])
    pieces = in_order([slow, fast], 2)
    next(pieces)
    time.sleep(0.3)
    assert len(fast.given) <= WAITING + 1, "what waits, and the one in hand"
    assert len(list(pieces)) == 100


def test_a_reader_that_stops_leaves_no_thread() -> None:
    pieces = in_order(parts_of([[1] * 100, [1] * 100]), 2)
    next(pieces)
    pieces.close()
    assert not _left()


def test_a_reader_that_stops_waits_for_what_is_being_read() -> None:
    class Slow(Counting):
        done = False

        def read(self) -> Iterator[np.ndarray]:
            yield np.zeros(1)
            time.sleep(0.3)
            self.done = True

    slow = Slow(0, [1])
    pieces = in_order([slow])
    next(pieces)
    pieces.close()
    assert slow.done, "files are closed when the reader is"


def _left() -> list[str]:
    """Threads that are still reading after a second."""
    end = time.monotonic() + 1
    while time.monotonic() < end:
        names = [thread.name for thread in threading.enumerate() if thread.name.endswith("(read)")]
        if not names:
            break
        time.sleep(0.02)
    return names
