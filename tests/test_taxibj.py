"""TaxiBJ: samples of dataset.npz and slots of the original files, which of them go where, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svqkit.data.plan import Plan
from svqkit.data.sources import taxibj
from svqkit.errors import SvqkitError
from svqkit.settings.data import TaxiBJData

GRID = (2, 3, 4)


def read(plan: Plan) -> np.ndarray:
    pieces = [piece for part in plan.parts for piece in part.read()]
    assert max(piece.nbytes for piece in pieces) <= 2**24
    frames = np.concatenate(pieces)
    assert (frames.dtype, frames.shape) == (np.float32, (plan.frames, *plan.frame_shape))
    return frames


def windows(plan: Plan, protocol: str, split: str) -> np.ndarray:
    """The frames of every window, (windows, frames, C, H, W)."""
    windowing = plan.windows[protocol]
    places = np.array([*windowing.inputs, *windowing.targets])
    return read(plan)[windowing.starts[split][:, None] + places]


# --- dataset.npz ------------------------------------------------------------------------------------------------


def numbered(count: int) -> np.ndarray:
    """Frames in [-1, 1], each like no other: (count, 2, 3, 4)."""
    frames = np.random.default_rng(0).uniform(-1, 1, (count, *GRID))
    return frames.astype(np.float32)


def write_samples(
    root: Path, train: np.ndarray, test: np.ndarray, inputs: int = 2, save: Callable = np.savez, **changes: Any
) -> Path:
    """dataset.npz of samples (n, frames, 2, H, W)."""
    root.mkdir(parents=True, exist_ok=True)
    arrays = {"X_train": train[:, :inputs], "Y_train": train[:, inputs:]}
    arrays |= {"X_test": test[:, :inputs], "Y_test": test[:, inputs:]}
    arrays = {key: value for key, value in (arrays | changes).items() if value is not None}
    save(root / "dataset.npz", **arrays)
    return root / "dataset.npz"


def twelve(root: Path, samples: np.ndarray | None = None, **changes: Any) -> Path:
    """dataset.npz of 10 samples to train and 2 to test, which share no frame."""
    samples = numbered(48).reshape(12, 4, *GRID) if samples is None else samples
    return write_samples(root, samples[:10], samples[10:], **changes)


def sliding(frames: np.ndarray, first: int, stop: int, length: int = 4) -> np.ndarray:
    return np.stack([frames[start : start + length] for start in range(first, stop)])


def settings(root: Path, **changes: Any) -> TaxiBJData:
    return TaxiBJData(**{"root": str(root), "frames_in": 2, "frames_out": 2, "validation_share": 0.2} | changes)


def test_every_window_of_the_samples_is_where_it_belongs(tmp_path: Path) -> None:
    """20 training samples from slot 0 to 19 on, 5 of test from 20 on, 4 frames each."""
    frames = numbered(28)
    write_samples(tmp_path, sliding(frames, 0, 20), sliding(frames, 20, 25))
    plan = taxibj.plan(settings(tmp_path))
    unit = (frames + 1) / 2
    # The last fifth, samples 16 to 19: 17, 18 and 19 reach into the test's first frame, number 20.
    expected = {"train": range(0, 13), "validation": range(16, 17), "test": range(20, 25)}
    for split, starts in expected.items():
        np.testing.assert_array_equal(windows(plan, "clean", split), np.stack([unit[s : s + 4] for s in starts]))
    np.testing.assert_array_equal(windows(plan, "paper", "train"), sliding(unit, 0, 20))
    for split in ("validation", "test"):
        np.testing.assert_array_equal(windows(plan, "paper", split), sliding(unit, 20, 25))
    assert plan.windows["clean"].clips["validation"] == [(64, 68)]
    assert plan.extra == {"original_minimum": 0.0, "original_maximum": 1292.0, "original_units": "taxis per 30 min"}
    assert "3 of 16 training samples share a frame with the validation or test" in plan.notes[0]
    assert "3 of 4 validation samples share a frame with the test" in plan.notes[1]


@given(st.integers(6, 24), st.integers(1, 4), st.integers(1, 3), st.floats(0.05, 0.6))
def test_no_frame_of_the_test_is_seen_before(
    tmp_path_factory: pytest.TempPathFactory, train: int, test: int, stride: int, share: float
) -> None:
    root = tmp_path_factory.mktemp("taxibj")
    frames = numbered(stride * (train + test) + 4)
    samples = np.stack([frames[stride * n : stride * n + 4] for n in range(train + test)])
    write_samples(root, samples[:train], samples[train:])
    try:
        plan = taxibj.plan(settings(root, validation_share=share))
    except SvqkitError as error:  # too few samples: all of a split share frames with the next one
        assert "no window" in str(error)  # noqa: PT017
        return
    seen = {
        split: {frame.tobytes() for frame in windows(plan, "clean", split).reshape(-1, *GRID)}
        for split in ("train", "validation", "test")
    }
    assert seen["test"].isdisjoint(seen["train"] | seen["validation"])
    assert seen["train"].isdisjoint(seen["validation"])
    np.testing.assert_array_equal(windows(plan, "clean", "test"), (samples[train:] + 1) / 2)


def test_frames_of_one_value_do_not_count_as_shared(tmp_path: Path) -> None:
    frames = numbered(40)
    frames[[2, 35, 37]] = -1
    write_samples(tmp_path, frames[:32].reshape(8, 4, *GRID), frames[32:].reshape(2, 4, *GRID))
    plan = taxibj.plan(settings(tmp_path))
    assert len(plan.windows["clean"].starts["train"]) == 6
    assert plan.notes == ()


def test_fewer_frames_than_a_sample_has_stay_next_to_each_other(tmp_path: Path) -> None:
    samples = numbered(48).reshape(12, 4, *GRID)
    twelve(tmp_path, samples, inputs=3)
    plan = taxibj.plan(settings(tmp_path, frames_in=2, frames_out=1))
    np.testing.assert_array_equal(windows(plan, "paper", "train"), (samples[:10, 1:] + 1) / 2)


@pytest.mark.parametrize("kind", ["<f4", "<f8", ">f4"])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_values_are_the_references_for_any_floats(kind: str, save: Callable, tmp_path: Path) -> None:
    samples = numbered(48).reshape(12, 4, *GRID).astype(kind)
    twelve(tmp_path, samples, save=save)
    np.testing.assert_array_equal(
        read(taxibj.plan(settings(tmp_path))).reshape(samples.shape), ((samples + 1) / 2).astype(np.float32)
    )


def changed(values: np.ndarray, value: float) -> np.ndarray:
    values = values.copy()
    values[3, 1, 0, 2, 1] = value
    return values


BAD_SAMPLES = {
    "three channels": ({"X_train": np.zeros((10, 2, 3, 3, 4))}, r"expected floats in .* \(samples, frames, 2"),
    "other grid": ({"X_test": np.zeros((2, 2, 2, 5, 4))}, r"X_test \(2, 2, 2, 5, 4\)"),
    "fewer targets": ({"Y_train": np.zeros((9, 2, *GRID))}, r"X_train has the shape \(10, .*, Y_train \(9, "),
    "longer samples": ({"X_test": np.zeros((2, 3, *GRID))}, r"X_train has the shape \(10, 2, .*, X_test \(2, 3, "),
    "columns first": ({"X_train": np.asfortranarray(numbered(20).reshape(10, 2, *GRID))}, "column by column"),
}


@pytest.mark.parametrize(("changes", "message"), BAD_SAMPLES.values(), ids=BAD_SAMPLES)
def test_bad_samples_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = twelve(tmp_path, **changes)
    with pytest.raises(SvqkitError, match=message) as error:
        taxibj.plan(settings(tmp_path))
    assert str(path) in str(error.value)


def test_rounding_beyond_the_scale_is_cut_off(tmp_path: Path) -> None:
    samples = numbered(48).reshape(12, 4, *GRID)
    samples[0, 0, 0, 0, :2] = 1 + 1e-6, -1 - 1e-6
    twelve(tmp_path, samples)
    frames = read(taxibj.plan(settings(tmp_path)))
    assert frames[0, 0, 0, :2].tolist() == [1, 0]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = twelve(tmp_path)
    content = bytearray(path.read_bytes())
    content[600] ^= 1  # a value of X_train, by the least bit
    path.write_bytes(content)
    with pytest.raises(SvqkitError, match=r"X_train.*truncated"):
        taxibj.plan(settings(tmp_path))


# --- the original HDF5 files -------------------------------------------------------------------------------------


def day(first: str, count: int = 1) -> list[bytes]:
    """All slots of ``count`` days from ``first`` on."""
    days = np.datetime64(first) + np.arange(count)
    return [f"{str(date).replace('-', '')}{slot:02d}".encode() for date in days for slot in range(1, 49)]


def write_record(root: Path, year: int, dates: list, low: float = 0, data: np.ndarray | None = None) -> Path:
    """A file of taxis, each frame's smallest value telling it apart: ``low`` + number of the slot."""
    root.mkdir(parents=True, exist_ok=True)
    path = root / f"BJ{year}_M32x32_T30_InOut.h5"
    if data is None:
        data = low + np.arange(len(dates))[:, None, None, None] + np.zeros(GRID)
    with h5py.File(path, "w") as file:
        file["data"] = data
        file["date"] = np.array(dates)
    return path


def slots(plan: Plan, protocol: str, split: str) -> list[list[int]]:
    """Number of the slot of every frame of every window, told from the values."""
    values = windows(plan, protocol, split)[:, :, 0, 0, 0]
    low, high = plan.extra["original_minimum"], plan.extra["original_maximum"]
    return np.rint(values * (high - low) + low).astype(int).tolist()


def runs(*spans: tuple[int, int]) -> list[list[int]]:
    return [list(range(start, start + 4)) for first, stop in spans for start in range(first, stop - 3)]


def test_every_window_of_the_record_is_where_it_belongs(tmp_path: Path) -> None:
    """Ten days in two files; of the first, day 3 lacks a slot, which leaves nine: 0 1 | 3 4 5, 6 7 8 9 later on."""
    dates = day("2013-07-01", 6)
    write_record(tmp_path, 13, [date for date in dates if date != b"2013070317"])
    write_record(tmp_path, 14, day("2014-03-01", 4), low=1000)
    plan = taxibj.plan(settings(tmp_path, test_days=2, validation_share=0.3))
    # Slots are numbered by row; day 3's 47 rows are 96 to 142.
    first, second = (0, 96), (143, 287)
    assert slots(plan, "clean", "train") == runs(first, second)
    assert slots(plan, "clean", "validation") == runs((1000, 1096))
    assert slots(plan, "clean", "test") == runs((1096, 1192))
    assert slots(plan, "paper", "train") == runs(first, second, (1000, 1096))
    assert slots(plan, "paper", "validation") == slots(plan, "paper", "test") == runs((1096, 1192))
    assert plan.clip_names == [
        ("2013-07-01 to 2013-07-02", 0, 96),
        ("2013-07-04 to 2013-07-06", 96, 240),
        ("2014-03-01 to 2014-03-04", 240, 432),
    ]
    assert plan.notes[0] == "1 day(s) without all of their 48 slots were left out"


def test_values_are_scaled_by_what_lies_before_the_test(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(-5, 700, (48 * 6, *GRID)).astype(float)
    data[-1, 1, 2, 3] = 900
    write_record(tmp_path, 13, day("2013-07-01", 6), data=data)
    plan = taxibj.plan(settings(tmp_path, test_days=2))
    positive = np.maximum(data, 0)
    high = positive[:192].max()
    np.testing.assert_allclose(read(plan), positive / high, rtol=1e-6)
    assert plan.extra["original_minimum"] == 0
    assert plan.extra["original_maximum"] == high
    assert "1 test values are above" in plan.notes[-1]


def test_the_samples_are_used_where_both_kinds_are(tmp_path: Path) -> None:
    write_record(tmp_path, 13, day("2013-07-01", 8))
    path = twelve(tmp_path)
    plan = taxibj.plan(settings(tmp_path))
    assert plan.files == (path,)
    assert "the HDF5 files beside it are not" in plan.notes[-1]


@given(st.lists(st.integers(0, 20), min_size=6, max_size=14, unique=True), st.integers(1, 3), st.floats(0.05, 0.6))
def test_no_day_is_in_two_splits(
    tmp_path_factory: pytest.TempPathFactory, days: list[int], test_days: int, share: float
) -> None:
    root = tmp_path_factory.mktemp("taxibj")
    dates = [slot for number in sorted(days) for slot in day(str(np.datetime64("2013-07-01") + number))]
    write_record(root, 13, dates)
    plan = taxibj.plan(settings(root, test_days=test_days, validation_share=share))
    of_split = {
        split: {slot // 48 for window in slots(plan, "clean", split) for slot in window}
        for split in ("train", "validation", "test")
    }
    assert of_split["test"] == set(range(len(days) - test_days, len(days)))
    assert sorted([*of_split["train"], *of_split["validation"], *of_split["test"]]) == list(range(len(days)))
    assert max(of_split["train"]) < min(of_split["validation"])
    numbers = sorted(days)
    for split in of_split:
        for window in slots(plan, "clean", split):
            absolute = [numbers[slot // 48] * 48 + slot % 48 for slot in window]
            assert absolute == list(range(absolute[0], absolute[0] + 4))


@pytest.mark.parametrize("name", ["BikeNYC_M16x8_T60.h5", "NYC14_M16x8_T60_NewEnd.h5"])
def test_new_yorks_bikes_have_a_slot_an_hour(name: str, tmp_path: Path) -> None:
    hours = [f"{date}{hour:02d}".encode() for date in (20140808, 20140809, 20140811, 20140812) for hour in range(1, 25)]
    write_record(tmp_path, 13, hours[1:]).rename(tmp_path / name)  # the first day lacks its first hour
    plan = taxibj.plan(settings(tmp_path, test_days=1, validation_share=0.5))
    assert plan.extra["original_units"] == "bikes per 60 min"
    assert plan.clip_names == [("2014-08-09 to 2014-08-09", 0, 24), ("2014-08-11 to 2014-08-12", 24, 72)]
    assert [slots(plan, "clean", split) for split in ("train", "test")] == [runs((23, 47)), runs((71, 95))]


def test_taxis_and_bikes_are_not_joined(tmp_path: Path) -> None:
    write_record(tmp_path, 13, day("2013-07-01", 6))
    write_record(tmp_path, 14, [f"20140801{hour:02d}".encode() for hour in range(1, 25)] * 1).rename(
        tmp_path / "BikeNYC_M16x8_T60.h5"
    )
    with pytest.raises(SvqkitError, match="The files differ"):
        taxibj.plan(settings(tmp_path, test_days=2))


DAYS = day("2013-07-01", 6)
BAD_RECORDS = {
    "slot 49": ({"dates": [*DAYS[:5], b"2013070149", *DAYS[6:]]}, "date 5: expected a day and its slot"),
    "three channels": ({"data": np.ones((288, 3, 3, 4))}, r"of shape \(288, 3, 3, 4\), expected numbers"),
    "no whole day": ({"dates": DAYS[24:48], "data": np.ones((24, *GRID))}, "no day has all of its 48 slots"),
    "twice": ({"dates": DAYS[:48] * 6}, "2013-07-01 comes after 2013-07-01"),
    "too few days": ({"dates": DAYS[:96], "data": np.ones((96, *GRID))}, "have 2 whole days; 2 for the test"),
}


@pytest.mark.parametrize(("changes", "message"), BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_bad_records_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_record(tmp_path, 13, **{"dates": DAYS} | changes)
    with pytest.raises(SvqkitError, match=message):
        taxibj.plan(settings(tmp_path, test_days=2))
