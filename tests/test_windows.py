"""Windows: the very frames that each one holds, whichever way they are read, ordered and shared out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st
from rawfiles import DAY, RawFiles

from svqkit.data import windows
from svqkit.data.plan import Clip, every_window, windows_from_end
from svqkit.data.prepare import prepare
from svqkit.data.sources import weather
from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser, Windows, batches, epoch_order, scoring_batch
from svqkit.errors import SvqkitError
from svqkit.settings.data import WeatherData
from svqkit.settings.params import Protocol, Split


@dataclass
class Clips:
    """Just enough of a store: windows of some clips, and frames that hold their own number."""

    clips: list[Clip]
    frames_in: int
    frames_out: int
    path: Path = Path("made up")

    def starts(self, split: Split, protocol: Protocol) -> np.ndarray:
        return every_window(self.clips, self.frames_in + self.frames_out)

    def offsets(self, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(self.frames_in), np.arange(self.frames_in, self.frames_in + self.frames_out)

    @property
    def frames(self) -> np.ndarray:
        last = max(stop for _, stop in self.clips)
        return np.arange(last, dtype=np.float32)[:, None, None, None] + np.zeros((1, 1, 1, 2), np.float32)


def of_clips(clips: list[Clip], frames_in: int = 2, frames_out: int = 1) -> Windows:
    return Windows(Clips(clips, frames_in, frames_out), "train")


def frames_of(batch: Batch) -> list[list[int]]:
    """The numbers of the frames in and out of each window of a batch."""
    return torch.cat([batch.inputs, batch.targets], dim=1)[:, :, 0, 0, 0].int().tolist()


@pytest.fixture
def store(raw: RawFiles, tmp_path: Path) -> Store:
    """Six-hourly frames that hold their own number: two days of each split, one frame of training missing."""

    def number(dataset: xr.Dataset) -> xr.Dataset:
        dataset = dataset.drop_isel(time=2)
        dataset["t2m"][:] = np.arange(dataset.sizes["time"], dtype=np.float32)[:, None, None]
        return dataset

    raw.write(frames=25, hours=6, change=number)
    return prepare(tiny(raw), tmp_path / "x.zarr")


def tiny(raw: RawFiles) -> WeatherData:
    return raw.data(
        train=("2010-01-01", "2010-01-02"),
        validation=("2010-01-03", "2010-01-04"),
        test=("2010-01-05", "2010-01-06"),
        hours_per_frame=6,
        gaps="split",
        frames_in=2,
        frames_out=2,
    )


WHOLE = {
    "train": [[2, 3, 4, 5], [3, 4, 5, 6]],
    "validation": [[7, 8, 9, 10], [8, 9, 10, 11], [9, 10, 11, 12], [10, 11, 12, 13], [11, 12, 13, 14]],
    "test": [[15, 16, 17, 18], [16, 17, 18, 19], [17, 18, 19, 20], [18, 19, 20, 21], [19, 20, 21, 22]],
}


@pytest.mark.parametrize("split", WHOLE)
@pytest.mark.parametrize("in_memory", [True, False])
def test_frames_of_every_window(in_memory: bool, split: Split, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    if not in_memory:
        monkeypatch.setattr(windows, "IN_MEMORY_BYTES", 0)
    some = Windows(store, split)
    assert len(some) == len(WHOLE[split])
    for index, frames in enumerate(WHOLE[split]):
        batch = some[index]
        assert batch.inputs.shape == batch.targets.shape == (1, 2, *store.frame_shape)
        assert frames_of(batch) == [frames]
        assert batch.target_frames.tolist() == [frames[2:]]
        assert (batch.inputs.dtype, batch.targets.dtype) == (torch.float32, torch.float32)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_protocol_paper_leaves_out_the_last_two_windows(split: Split, store: Store) -> None:
    paper = Windows(store, split, "paper")
    assert [frames_of(paper[index])[0] for index in range(len(paper))] == WHOLE[split][:-2]


CLIPS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=5).map(
    lambda parts: [(stop - length, stop) for stop, length in with_stops(parts)]
)


def with_stops(parts: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """(gap before it, length) of each clip → (its end, its length)."""
    stop = 0
    for gap, length in parts:
        stop += gap + length
        yield stop, length


@given(CLIPS, st.integers(1, 4), st.integers(1, 4))
def test_windows_are_all_runs_within_a_clip(clips: list[Clip], frames_in: int, frames_out: int) -> None:
    length = frames_in + frames_out
    runs = [list(range(first, first + length)) for start, stop in clips for first in range(start, stop - length + 1)]
    assert every_window(clips, length).tolist() == [run[0] for run in runs]
    if runs:
        some = of_clips(clips, frames_in, frames_out)
        assert frames_of(some.read(list(range(len(some))))) == runs


@given(CLIPS, st.integers(1, 6), st.integers(1, 9))
def test_windows_from_the_end_fill_each_clip_backwards(clips: list[Clip], length: int, stride: int) -> None:
    expected = []
    for start, stop in clips:
        ends = [end for end in range(stop, start, -1) if (stop - end) % stride == 0 and end - length >= start]
        expected += sorted(end - length for end in ends)
    assert windows_from_end(clips, length, stride).tolist() == expected


@given(
    present=st.sets(st.integers(0, 6 * 12 - 1), min_size=30),
    ends=st.lists(st.integers(1, 6), min_size=2, max_size=2, unique=True).map(sorted),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 2)),
)
def test_no_frame_is_in_two_splits(present: set[int], ends: list[int], shape: tuple[int, int]) -> None:
    """Two-hourly frames of six days, some missing, split after any two days."""
    times = np.datetime64("2010-01-01", "h") + 2 * np.array(sorted(present))
    first, second = ends
    assume(second < 6)
    days = {"train": (1, first), "validation": (first + 1, second), "test": (second + 1, 6)}
    periods = {split: tuple(f"2010-01-{day:02}" for day in pair) for split, pair in days.items()}
    clips = {split: weather.clips_of(times, period, 2) for split, period in periods.items()}
    seen: set[int] = set()
    for split, period in periods.items():
        starts = every_window(clips[split], sum(shape))
        frames = {int(start) + offset for start in starts for offset in range(sum(shape))}
        assert not frames & seen
        assert weather.in_period(times[sorted(frames)], period).all()
        seen |= frames


def test_batches_from_memory_and_disk_agree(raw: RawFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.write()
    store = prepare(raw.data(), tmp_path / "x.zarr")
    order = np.random.default_rng(0).permutation(68)
    held = list(batches(Windows(store, "test"), order, 16))
    monkeypatch.setattr(windows, "IN_MEMORY_BYTES", 4 * 72 * 24 - 1)
    read = list(batches(Windows(store, "test"), order, 16))
    assert [len(batch.inputs) for batch in held] == [16, 16, 16, 16, 4]
    for kept, from_disk in zip(held, read, strict=True):
        assert torch.equal(kept.inputs, from_disk.inputs)
        assert torch.equal(kept.targets, from_disk.targets)
        np.testing.assert_array_equal(kept.target_frames, from_disk.target_frames)


@pytest.mark.parametrize("part_bytes", [1, 1000, 2**26])
def test_frames_are_copied_to_a_device_in_parts(part_bytes: int, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "COPY_BYTES", part_bytes)
    held = windows.copy_to_device(store.frames, 3, 20, torch.device("cpu"))
    assert held.dtype == torch.float32
    np.testing.assert_array_equal(held, store.frames[3:20])


def test_few_batches_are_read_ahead_from_disk(raw: RawFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.write()
    some = Windows(prepare(raw.data(), tmp_path / "x.zarr"), "test")
    monkeypatch.setattr(windows, "IN_MEMORY_BYTES", 0)
    read: list[list[int]] = []
    real = some.read
    monkeypatch.setattr(some, "read", lambda lot: (read.append(lot), real(lot))[1])
    stream = batches(some, np.arange(60), 2)
    next(stream)
    stream.close()
    assert 1 <= len(read) <= windows.readers() + 1
    assert read == [[2 * place, 2 * place + 1] for place in range(len(read))]


def test_what_goes_wrong_while_reading_ahead_is_raised(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "IN_MEMORY_BYTES", 0)
    some = Windows(store, "test")
    monkeypatch.setattr(some, "read", lambda lot: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(batches(some, np.arange(5), 2))


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 4), st.integers(0, 99), st.integers(0, 9))
def test_an_epoch_has_whole_batches_of_windows(count: int, size: int, steps: int, seed: int, epoch: int) -> None:
    some = of_clips([(0, count + 2)])
    order = epoch_order(some, seed, epoch, size, steps)
    assert len(set(order)) == len(order)
    assert set(order) <= set(range(count))
    if count < size:
        assert len(order) == count
    else:
        assert len(order) == size * min(count // size, steps or count)


def test_an_epochs_order_depends_on_seed_and_epoch_and_nothing_else() -> None:
    some = of_clips([(0, 50)])
    torch.manual_seed(1)
    np.random.seed(1)
    first = epoch_order(some, 3, 5, 8)
    torch.manual_seed(2)
    np.random.seed(2)
    np.testing.assert_array_equal(epoch_order(some, 3, 5, 8), first)
    assert not np.array_equal(epoch_order(some, 4, 5, 8), first)
    assert not np.array_equal(epoch_order(some, 3, 6, 8), first)
    np.testing.assert_array_equal(epoch_order(some, 3, 5, 8, steps=2), first[:16])
    assert not np.array_equal(first, np.sort(first)), "shuffled"


@given(st.integers(1, 30), st.integers(1, 5), st.sampled_from([1, 2, 3, 4]), st.integers(0, 99))
def test_processes_share_every_batch_out_among_them(count: int, share: int, ranks: int, seed: int) -> None:
    some = of_clips([(0, count + 2)])
    size = share * ranks
    order = np.random.default_rng(seed).permutation(count)
    parts = [list(batches(some, order, size, rank, ranks)) for rank in range(ranks)]
    for number, whole in enumerate(batches(some, order, size)):
        shares = [batch for part in parts for batch in part[number : number + 1]]
        firsts = [window for batch in shares for window in frames_of(batch)]
        assert sorted(firsts) == sorted(frames_of(whole))
        assert [window[0] for window in frames_of(whole)] == order[number * size : (number + 1) * size].tolist()
    assert max(map(len, parts)) == -(-count // size)
    if count % size == 0:
        assert {len(batch.inputs) for part in parts for batch in part} == {share}


def test_a_batch_that_can_not_be_shared_evenly_is_refused() -> None:
    with pytest.raises(SvqkitError, match="batch_size 6 can't be shared evenly by 4 processes"):
        next(batches(of_clips([(0, 9)]), np.arange(7), 6, 0, 4))


def test_reading_batches_leaves_the_random_generator_of_training_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    assert len(list(batches(of_clips([(0, 9)]), np.arange(7), 2))) == 4
    assert torch.equal(torch.get_rng_state(), before)


def test_normalised_training_has_mean_zero_and_spread_one_in_each_channel(raw: RawFiles, tmp_path: Path) -> None:
    raw.write("t2m")
    raw.write("u10", change=lambda dataset: dataset * np.float32(0.01))
    store = prepare(raw.data(variables=("t2m", "u10")), tmp_path / "x.zarr")
    frames = torch.from_numpy(store.frames[: 10 * DAY])
    scale = Normaliser.of(store)
    normal = scale.forward(frames)
    torch.testing.assert_close(normal.mean((0, 2, 3)), torch.zeros(2), atol=2e-4, rtol=0)
    torch.testing.assert_close(normal.std((0, 2, 3), correction=0), torch.ones(2), atol=1e-4, rtol=0)
    torch.testing.assert_close(scale.inverse(normal), frames, rtol=1e-6, atol=1e-6)
    moved = scale.to(torch.device("cpu"))
    torch.testing.assert_close(moved.forward(frames), normal, rtol=0, atol=0)


def test_the_normaliser_of_protocol_paper_is_without_the_last_frame(raw: RawFiles, tmp_path: Path) -> None:
    def shift_last(dataset: xr.Dataset) -> xr.Dataset:
        dataset["t2m"][-1] += 1e5
        return dataset

    raw.write(change=shift_last)
    store = prepare(raw.data(), tmp_path / "x.zarr")
    without = raw.values()[13 * DAY : -1].values.astype(np.float64)
    paper = Normaliser.of(store, "test", "paper")
    np.testing.assert_allclose(paper.mean.squeeze(), without.mean(), rtol=1e-6)
    np.testing.assert_allclose(paper.std.squeeze(), without.std(), rtol=1e-5)
    assert float(Normaliser.of(store, "test").std) > 1000


@pytest.mark.parametrize("frame", [(1, 1, 1), (1, 32, 64), (110, 32, 64), (3, 4000, 4000)])
def test_as_many_windows_are_scored_at_once_as_fit(frame: tuple[int, int, int]) -> None:
    windows = SimpleNamespace(store=SimpleNamespace(frame_shape=frame), inputs=range(4), targets=range(6))
    size = scoring_batch(windows)
    one = 4 * 10 * math.prod(frame)
    assert 1 <= size <= 16
    assert size == 1 or size * one <= 2**25
    assert size == 16 or (size + 1) * one > 2**25
