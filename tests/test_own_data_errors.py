"""Bad arrays and clips of one's own through the whole of prepare: one clear error, and no store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from PIL import Image

from svqkit.data.plan import share_out
from svqkit.data.prepare import prepare
from svqkit.data.sources import array as arrays
from svqkit.errors import SvqkitError
from svqkit.settings.data import ArrayData, ClipsData, Dataset, Shares

SIZE = (16, 24)


def images(root: Path, frames: int = 6) -> None:
    """Three folders of frames, a, b, c."""
    for name in "abc":
        (root / name).mkdir()
        for number in range(frames):
            Image.fromarray(np.full(SIZE, 20 * number, np.uint8)).save(root / name / f"{number}.png")


def clips(root: Path, **changes: Any) -> ClipsData:
    return ClipsData(**{"root": str(root), "frames_in": 2, "frames_out": 1} | changes)


def array(path: Path, **changes: Any) -> ArrayData:
    return ArrayData(**{"root": str(path), "frames_in": 2, "frames_out": 1} | changes)


def saved(path: Path, values: np.ndarray, **changes: Any) -> ArrayData:
    np.save(path, values)
    return array(path, **changes)


def record() -> np.ndarray:
    """One long record (60, 2, 5, 7) in [0, 1]."""
    return np.random.default_rng(0).random((60, 2, 5, 7), np.float32)


def with_nan(root: Path) -> ArrayData:
    values = record()
    values[41, 1, 2, 3] = np.nan
    return saved(root / "a.npy", values)


def empty_group(root: Path) -> ArrayData:
    zarr.create_group(root / "a.zarr")
    return array(root / "a.zarr")


def zipped(root: Path, **values: np.ndarray) -> ArrayData:
    np.savez(root / "a.npz", **values)
    return array(root / "a.npz")


def images_and(name: str, values: np.ndarray) -> Callable[[Path], ClipsData]:
    """Folders of frames, one of which has these values."""

    def write(root: Path) -> ClipsData:
        images(root)
        Image.fromarray(values).save(root / name)
        return clips(root)

    return write


def image_cut_to(size: int) -> Callable[[Path], ClipsData]:
    """Folders of frames, one of which has so many bytes."""

    def write(root: Path) -> ClipsData:
        images(root)
        image = root / "b" / "3.png"
        image.write_bytes(image.read_bytes()[:size])
        return clips(root)

    return write


def no_test_clip(root: Path) -> ClipsData:
    for split in ("train", "validation", "test"):
        (root / split).mkdir()
    images(root / "train")
    images(root / "validation")
    return clips(root)


BAD: dict[str, tuple[Callable[[Path], Dataset], str]] = {
    "NaN": (with_nan, r"a\.npy: nan at frame 41, channel 1, row 2, column 3"),
    "columns first in a zip": (
        lambda root: zipped(root, frames=np.asfortranarray(record())),
        r"stored column by column.*np\.ascontiguousarray\(frames\)",
    ),
    "empty zip": (zipped, r"a\.npz holds no array"),
    "empty group": (empty_group, r"a\.zarr holds no array"),
    "folder": (array, "kind of array file"),
    "half an image": (image_cut_to(50), r"3\.png can't be read as an image"),
    "image of no byte": (image_cut_to(0), r"3\.png can't be read as an image"),
    "sixteen bits": (
        images_and("b/3.png", np.full(SIZE, 3000, np.uint16)),
        r"3\.png has more than 8 bits a channel .*`source: array`",
    ),
    "floats in a TIFF": (
        images_and("a/0.tif", np.full(SIZE, 0.5, np.float32)),
        r"0\.tif has more than 8 bits a channel",
    ),
    "no test clip": (no_test_clip, r"no clip in .*test, which holds nothing; expected video files"),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder for raw files."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


@pytest.mark.parametrize("name", BAD)
def test_bad_data_are_one_error_and_leave_no_store(name: str, root: Path, tmp_path: Path) -> None:
    spoiled, message = BAD[name]
    with pytest.raises(SvqkitError, match=message):
        prepare(spoiled(root), tmp_path / "stores" / "own.zarr")
    left = [str(path) for path in (tmp_path / "stores").rglob("*")]
    assert not [path for path in left if "own.zarr" in path and ".prepare" not in path], "no store"
    assert not [path for path in left if "draft" in path], "nothing half done"


def test_an_array_that_is_cut_between_planning_and_reading_is_refused(root: Path) -> None:
    data = saved(root / "a.npy", record())
    made = arrays.plan(data)
    (root / "a.npy").write_bytes((root / "a.npy").read_bytes()[:4000])
    with pytest.raises(SvqkitError, match=r"a\.npy was changed while it was read"):
        list(made.parts[0].read())


def test_a_folder_without_frames_is_told_of(root: Path, tmp_path: Path) -> None:
    images(root)
    (root / "labels").mkdir()
    store = prepare(clips(root), tmp_path / "own.zarr")
    assert store.notes == [f"1 folder(s) in {root} hold no frame, the first is labels"]


@pytest.mark.parametrize(("validation", "test"), [(0.1, 0.2), (0.25, 0.3), (0.4, 0.45)])
def test_shares_mean_the_same_for_clips_and_arrays(validation: float, test: float, root: Path, tmp_path: Path) -> None:
    shares = Shares(validation=validation, test=test)
    for number in range(9):
        (root / f"{number}").mkdir()
        for frame in range(3):
            Image.fromarray(np.full((2, 2), frame, np.uint8)).save(root / f"{number}" / f"{frame}.png")
    of_clips = prepare(clips(root, shares=shares), tmp_path / "clips.zarr")
    of_array = prepare(saved(tmp_path / "a.npy", np.ones((9, 3, 1, 2, 2)), shares=shares), tmp_path / "array.zarr")
    for split, (first, stop) in share_out(9, shares).items():
        assert (
            of_clips.clips(split) == of_array.clips(split) == [(3 * clip, 3 * clip + 3) for clip in range(first, stop)]
        )
