"""Preparation stopped anywhere goes on where it was, and ends with the same bytes."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from rawfiles import files_below

from svqkit.data import prepare as prepare_store
from svqkit.data import sources
from svqkit.data import store as stores
from svqkit.data.plan import Plan, Windowing
from svqkit.data.statistics import ChannelStatistics, SplitStatistics
from svqkit.errors import SvqkitError
from svqkit.settings.data import ArrayData

PREPARE = sys.modules["svqkit.data.prepare"]


@dataclass
class Bytes:
    """A part of random bytes that are always the same; ``stops`` raises after so many frames."""

    frames: int
    seed: int
    read_by: list[int]
    stops: int = 10**9

    def read(self) -> Iterator[np.ndarray]:
        self.read_by.append(self.seed)
        values = np.random.default_rng(self.seed).integers(0, 256, (self.frames, 1, 4, 5), dtype=np.uint8)
        for start in range(0, self.frames, 3):
            if start >= self.stops:
                raise KeyboardInterrupt
            yield values[start : start + 3]


@dataclass
class Source:
    """Six parts of 10 frames; its plan is what ``prepare`` is given."""

    folder: Path
    read_by: list[int] = field(default_factory=list)
    stop_at: int | None = None

    def plan(self, data: ArrayData) -> Plan:
        parts = [Bytes(10, seed, self.read_by, 6 if seed == self.stop_at else 10**9) for seed in range(6)]
        splits = {"train": [(0, 30)], "validation": [(30, 45)], "test": [(45, 60)]}
        every = Windowing((0, 1), (2,), {split: np.arange(*clips[0])[:-2] for split, clips in splits.items()}, splits)
        file = self.folder / "raw.bin"
        file.write_bytes(b"raw")
        os.utime(file, ns=(1, 1))
        return Plan(
            parts=parts,
            frame_shape=(1, 4, 5),
            dtype="uint8",
            kind="image",
            channels=("grey",),
            units=("",),
            windows={"clean": every, "paper": every},
            files=(file,),
            scale=1 / 255,
        )


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    one = Source(tmp_path)
    monkeypatch.setattr(sources, "plan", one.plan)
    monkeypatch.setattr(stores, "CHUNK_BYTES", 4 * 20)
    monkeypatch.setattr(PREPARE, "BLOCK_BYTES", 8 * 20)
    monkeypatch.setattr("svqkit.data.streaming.os.cpu_count", lambda: 1)
    return one


def data(folder: Path) -> ArrayData:
    return ArrayData(root=str(folder))


def contents(folder: Path) -> dict[str, bytes]:
    return {name: content for name, (*_, content) in files_below(folder).items()}


@pytest.mark.parametrize("stop_at", [0, 2, 5])
def test_what_was_decoded_before_a_stop_is_not_decoded_again(source: Source, tmp_path: Path, stop_at: int) -> None:
    whole = contents(prepare_store(data(tmp_path), tmp_path / "whole" / "x.zarr").path)
    source.read_by.clear()
    source.stop_at = stop_at
    target = tmp_path / "stopped" / "x.zarr"
    with pytest.raises(KeyboardInterrupt):
        prepare_store(data(tmp_path), target)
    assert not target.exists()
    source.read_by.clear()
    source.stop_at = None
    assert contents(prepare_store(data(tmp_path), target).path) == whole
    blocks = (10 * stop_at + 6) // 8 * 8
    assert source.read_by == list(range(blocks // 10, 6))
    assert not (tmp_path / "stopped" / ".prepare" / "x.zarr" / "draft").exists()


def test_a_draft_of_other_files_is_begun_anew(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source.stop_at = 4
    with pytest.raises(KeyboardInterrupt):
        prepare_store(data(tmp_path), tmp_path / "x.zarr")
    source.stop_at = None
    source.read_by.clear()
    real = source.plan

    def other(settings: ArrayData) -> Plan:
        plan = real(settings)
        plan.files[0].write_bytes(b"RAW")
        return plan

    monkeypatch.setattr(sources, "plan", other)
    prepare_store(data(tmp_path), tmp_path / "x.zarr")
    assert source.read_by == list(range(6))


def test_too_few_frames_are_refused(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Bytes, "read", lambda self: iter([np.zeros((self.frames - (self.seed == 5), 1, 4, 5), np.uint8)])
    )
    with pytest.raises(SvqkitError, match="gave 59 frames, 60 were announced"):
        prepare_store(data(tmp_path), tmp_path / "x.zarr")


def test_what_does_not_fit_on_disk_is_refused(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(PREPARE.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SvqkitError, match="disk is full"):
        prepare_store(data(tmp_path), tmp_path / "x.zarr")
    assert source.read_by == []


@given(
    cuts=st.lists(st.integers(0, 20), max_size=4),
    clips=st.lists(st.tuples(st.integers(0, 19), st.integers(1, 6)), min_size=1, max_size=3, unique_by=lambda c: c[0]),
    seed=st.integers(0, 9),
)
def test_statistics_of_splits_are_of_their_frames(cuts: list[int], clips: list[tuple[int, int]], seed: int) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, (20, 2, 3, 4), dtype=np.uint8)
    spans = sorted((start, min(20, start + length)) for start, length in clips)
    assume(all(span[1] <= following[0] for span, following in pairwise(spans)))
    wanted = {"clean": {"train": spans, "test": [(0, 20)]}, "paper": {"train": [(0, 20)], "test": spans}}
    gathered = SplitStatistics(wanted)
    borders = [0, *sorted(cuts), 20]
    for start, stop in pairwise(borders):
        gathered.add(frames[start:stop], start)
        gathered = SplitStatistics(wanted, gathered.state())  # as after a stop
    chosen = np.concatenate([frames[start:stop] for start, stop in sorted(spans)]) / 255
    for found in (gathered.result(1 / 255)["clean"]["train"], gathered.result(1 / 255)["paper"]["test"]):
        np.testing.assert_allclose(found["mean"], chosen.mean((0, 2, 3)), rtol=1e-10)
        np.testing.assert_allclose(found["std"], chosen.std((0, 2, 3)), rtol=1e-9)
    assert isinstance(gathered.gathered[0], ChannelStatistics)
