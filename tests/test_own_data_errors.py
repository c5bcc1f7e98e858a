"""Bad arrays and clips of one's own through the whole of prepare: one clear error, and no store."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from svqkit.data.plan import share_out
from svqkit.data.prepare import prepare
from svqkit.data.sources import array as arrays
from svqkit.errors import SvqkitError
from svqkit.settings.data import ArrayData, ClipsData, Shares

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


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder for raw files."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


def test_an_array_that_is_cut_between_planning_and_reading_is_refused(root: Path) -> None:
    data = saved(root / "a.npy", record())
    made = arrays.plan(data)
    (root / "a.npy").write_bytes((root / "a.npy").read_bytes()[:4000])
    with pytest.raises(SvqkitError, match=r"a\.npy .*was changed while it was read"):
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
