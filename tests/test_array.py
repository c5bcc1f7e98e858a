"""Arrays of one's own: shapes, scales, splits, and what is refused."""

import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from svqkit.data.plan import Plan, share_out
from svqkit.data.sources import array
from svqkit.errors import SvqkitError
from svqkit.settings.data import ArrayData, Shares

SPLITS = ("train", "validation", "test")


def save(path: Path, values: np.ndarray, chunks: tuple[int, ...] | None = None) -> Path:
    """One array, in the kind of file that the name tells."""
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".npz":
        np.savez_compressed(path, frames=values)
    else:
        zarr.save_array(path, values) if chunks is None else zarr.create_array(path, data=values, chunks=chunks)
    return path


def settings(path: Path, **changes: Any) -> ArrayData:
    return ArrayData(**{"root": str(path), "frames_in": 2, "frames_out": 1} | changes)


def read(plan: Plan) -> np.ndarray:
    frames = np.concatenate([piece for part in plan.parts for piece in part.read()])
    assert (frames.dtype, frames.shape) == (plan.dtype, (plan.frames, *plan.frame_shape))
    return frames


def windows(plan: Plan, split: str) -> list[list[int]]:
    windowing = plan.windows["clean"]
    places = [*windowing.inputs, *windowing.targets]
    return [[int(start) + place for place in places] for start in windowing.starts[split]]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(280, 5, shape).astype(np.float32)


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.zarr"])
@pytest.mark.parametrize("shape", [(6, 5, 2, 3, 4), (30, 2, 3, 4)])
def test_values_are_what_the_file_holds(shape: tuple[int, ...], name: str, tmp_path: Path) -> None:
    values = noise(*shape)
    plan = array.plan(settings(save(tmp_path / name, values), units="K"))
    np.testing.assert_array_equal(read(plan), values.reshape(-1, 2, 3, 4))
    assert (plan.kind, plan.dtype, plan.scale) == ("field", "float32", 1.0)
    assert (plan.channels, plan.units, plan.extra) == (("channel_0", "channel_1"), ("K", "K"), {})


@pytest.mark.parametrize(
    ("name", "chunks"), [("a.npy", None), ("a.npz", None), ("a.zarr", (1, 3, 2, 3, 4)), ("a.zarr", (4, 7, 2, 3, 4))]
)
@pytest.mark.parametrize("piece_frames", [1, 2, 5, 7, 20, 1000])
def test_pieces_of_any_size_give_the_same(
    piece_frames: int, name: str, chunks: tuple[int, ...] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array, "PIECE_BYTES", piece_frames * 96)
    monkeypatch.setattr(array, "PART_BYTES", 2 * piece_frames * 96)
    values = noise(6, 7, 2, 3, 4)
    plan = array.plan(settings(save(tmp_path / name, values, chunks)))
    np.testing.assert_array_equal(read(plan), values.reshape(-1, 2, 3, 4))
    assert max(len(piece) for part in plan.parts for piece in part.read()) <= piece_frames


def test_columns_first_and_other_numbers_are_read_too(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(-500, 500, (5, 4, 2, 3, 4))
    for kind in ("int16", ">i4", "float64", "float16", "bool"):
        wanted = values.astype(kind)
        plan = array.plan(settings(save(tmp_path / "a.npy", np.asfortranarray(wanted))))
        assert plan.dtype == "float32"
        np.testing.assert_array_equal(read(plan), wanted.astype(np.float32).reshape(-1, 2, 3, 4))


def test_bytes_are_images_by_themselves(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 4, 1, 3, 4), dtype=np.uint8)
    path = save(tmp_path / "a.npy", values)
    for plan in (array.plan(settings(path)), array.plan(settings(path, range=(0.0, 255.0)))):
        assert (plan.kind, plan.dtype, plan.scale, plan.units) == ("image", "uint8", 1 / 255, ("",))
        np.testing.assert_array_equal(read(plan), values.reshape(-1, 1, 3, 4))
    plan = array.plan(settings(path, range=(-255.0, 255.0)))
    assert (plan.kind, plan.dtype, plan.scale) == ("image", "float32", 1.0)
    np.testing.assert_allclose(read(plan), (values.reshape(-1, 1, 3, 4) + 255.0) / 510, rtol=1e-6)


def test_a_range_is_scaled_to_one(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(-20, 30, (5, 4, 1, 3, 4))
    plan = array.plan(settings(save(tmp_path / "a.npy", values), range=(-20.0, 30.0), units="dBZ"))
    np.testing.assert_allclose(read(plan), (values.reshape(-1, 1, 3, 4) + 20) / 50, atol=1e-6)
    assert (plan.kind, plan.units, plan.scale) == ("image", ("",), 1.0)
    assert plan.extra == {"original_minimum": -20.0, "original_maximum": 30.0, "original_units": "dBZ"}


def test_clips_are_shared_out_in_their_order(tmp_path: Path) -> None:
    plan = array.plan(settings(save(tmp_path / "a.npy", noise(10, 4, 1, 2, 2)), stride=2))
    expected = {"train": range(7), "validation": range(7, 8), "test": range(8, 10)}
    for split, clips in expected.items():
        assert windows(plan, split) == [[4 * clip, 4 * clip + 1, 4 * clip + 2] for clip in clips]
        assert plan.windows["clean"].clips[split] == [(4 * clip, 4 * clip + 4) for clip in clips]
    assert plan.windows["paper"] is plan.windows["clean"]


def test_one_long_record_is_cut_by_time(tmp_path: Path) -> None:
    plan = array.plan(settings(save(tmp_path / "a.npy", noise(40, 1, 2, 2)), stride=2))
    for split, first, stop in (("train", 0, 28), ("validation", 28, 32), ("test", 32, 40)):
        assert windows(plan, split) == [[start, start + 1, start + 2] for start in range(first, stop - 2, 2)]
        assert plan.windows["clean"].clips[split] == [(first, stop)]


@given(st.integers(3, 60), st.sampled_from([None, 3, 5]), st.tuples(*2 * [st.floats(0.02, 0.45)]), st.integers(1, 3))
def test_no_frame_is_in_two_splits(
    tmp_path_factory: pytest.TempPathFactory, count: int, frames: int | None, shares: tuple[float, float], stride: int
) -> None:
    shape = (count, 1, 1, 1) if frames is None else (count, frames, 1, 1, 1)
    path = save(tmp_path_factory.mktemp("array") / "a.npy", np.zeros(shape))
    try:
        plan = array.plan(settings(path, shares=Shares(validation=shares[0], test=shares[1]), stride=stride))
    except SvqkitError as error:
        assert "are too few to share out" in str(error) or "no window" in str(error)  # noqa: PT017
        return
    seen = {split: {frame for window in windows(plan, split) for frame in window} for split in SPLITS}
    assert max(seen["train"]) < min(seen["validation"])
    assert max(seen["validation"]) < min(seen["test"])
    assert all(window == list(range(window[0], window[0] + 3)) for split in SPLITS for window in windows(plan, split))
    if frames:
        assert all(window[0] // frames == window[-1] // frames for split in SPLITS for window in windows(plan, split))


@given(st.integers(1, 200), st.floats(0.01, 0.6), st.floats(0.01, 0.39))
def test_shares_are_what_is_asked_for_or_one_clip(count: int, validation: float, test: float) -> None:
    shares = Shares(validation=validation, test=test)
    try:
        parts = share_out(count, shares)
    except SvqkitError as error:
        needed = int(str(error).split("share out: ")[1].split()[0])
        assert needed > count
        assert share_out(needed, shares)
        return
    sizes = [stop - start for start, stop in parts.values()]
    assert sizes[1:] == [max(1, math.floor(count * share + 1e-9)) for share in (validation, test)]
    assert sum(sizes) == count
    assert min(sizes) >= 1


@pytest.mark.parametrize("suffix", [".npz", ".zarr"])
def test_a_key_chooses_one_of_several(suffix: str, tmp_path: Path) -> None:
    path, one, other = tmp_path / f"a{suffix}", noise(5, 4, 1, 2, 2), noise(5, 4, 3, 2, 2)
    np.savez(path, one=one, other=other) if suffix == ".npz" else zarr.save_group(path, one=one, other=other)
    np.testing.assert_array_equal(read(array.plan(settings(path, key="other"))), other.reshape(-1, 3, 2, 2))
    for key in ("", "third"):
        with pytest.raises(SvqkitError, match=r"holds these arrays: one, other; .*Name one of them as `key`"):
            array.plan(settings(path, key=key))


def test_a_zarr_is_made_from_all_of_its_files(tmp_path: Path) -> None:
    path = save(tmp_path / "a.zarr", noise(6, 4, 1, 2, 2), chunks=(2, 4, 1, 2, 2))
    plan = array.plan(settings(path))
    assert set(plan.files) == {file for file in path.rglob("*") if file.is_file()}
    assert len(plan.files) == 4


def test_channels_that_are_named_settle_what_the_axes_are(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", np.zeros((40, 6, 8, 4)))
    names = ("a", "b", "c", "d", "e", "f")
    assert array.plan(settings(path, channels=names)).channels == names
    with pytest.raises(SvqkitError, match=r"`channels` names 2: a, b; .* has 6"):
        array.plan(settings(path, channels=("a", "b")))


@pytest.mark.parametrize(("value", "told"), [(np.nan, "nan"), (-np.inf, "-inf"), (1e300, "1e[+]300")])
@pytest.mark.parametrize("shape", [(6, 5, 2, 3, 4), (30, 2, 3, 4)])
def test_a_value_that_is_no_number_is_told_with_its_place(
    shape: tuple[int, ...], value: float, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(array, "PIECE_BYTES", 4 * 192)
    values = np.zeros(shape)
    values.reshape(-1, 2, 3, 4)[13, 1, 0, 2] = value
    where = "clip 2, frame 3" if len(shape) == 5 else "frame 13"
    plan = array.plan(settings(save(tmp_path / "a.npy", values)))
    with pytest.raises(SvqkitError, match=f"{told} at {where}, channel 1, row 0, column 2"):
        read(plan)


def test_a_value_outside_the_range_is_refused(tmp_path: Path) -> None:
    values = np.zeros((40, 1, 2, 2))
    values[7, 0, 1, 1] = 1 + 1e-7
    path = save(tmp_path / "a.npy", values)
    assert read(array.plan(settings(path, range=(0.0, 1.0)))).max() == 1
    values[7, 0, 1, 1] = 1.01
    save(path, values)
    with pytest.raises(SvqkitError, match=r"1\.01 at frame 7, .* outside `range` \[0\.0, 1\.0\]"):
        read(array.plan(settings(path, range=(0.0, 1.0))))


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return pytest.fail, ("it was unpickled",)


PICKLED: dict[str, Callable[[Path], object]] = {
    "a.npy": lambda path: np.save(path, np.array([Trap()]), allow_pickle=True),
    "a.npz": lambda path: np.savez(path, a=np.array([Trap()])),
    "bare.npy": lambda path: path.write_bytes(pickle.dumps(Trap())),
    "a.zarr": lambda path: zarr.create_array(
        path, shape=(9, 1, 2, 2), dtype="f4", zarr_format=2, filters=[pytest.importorskip("numcodecs").Pickle()]
    ),
}


@pytest.mark.parametrize("name", PICKLED)
def test_nothing_is_unpickled(name: str, tmp_path: Path) -> None:
    PICKLED[name](tmp_path / name)
    with pytest.raises(SvqkitError, match="pickled"):
        array.plan(settings(tmp_path / name))


def test_every_channel_can_have_its_own_unit(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npy", noise(40, 2, 4, 5))
    assert array.plan(settings(path, units=("K", "Pa"))).units == ("K", "Pa")
    with pytest.raises(SvqkitError, match=r"names 3 units, .*a\.npy has 2 channels"):
        array.plan(settings(path, units=("K", "Pa", "m")))
