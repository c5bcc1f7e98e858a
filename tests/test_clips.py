"""Clips of one's own: shared out whole, or in time where there are too few, and never a frame in two splits."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from svqkit.data.plan import Plan, Windowing
from svqkit.data.sources.clips import plan
from svqkit.errors import SvqkitError
from svqkit.settings.data import SPLITS, ClipsData, Shares

SIZE = (16, 24)


def film(path: Path, frames: int, size: tuple[int, int] = SIZE) -> None:
    """A video whose frame number n has the level 5 n."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"FFV1"), 25, size[::-1])
    for number in range(frames):
        writer.write(np.full((*size, 3), 5 * number, np.uint8))
    writer.release()


def folder(path: Path, numbers: Sequence[int], size: tuple[int, int] = SIZE, digits: int = 1) -> None:
    """A folder of images whose level is 5 times their number."""
    path.mkdir(parents=True)
    for number in numbers:
        Image.fromarray(np.full((*size, 3), 5 * number, np.uint8)).save(path / f"frame{number:0{digits}}.png")


def settings(root: Path, **changes: Any) -> ClipsData:
    return ClipsData(root=str(root), **{"frames_in": 2, "frames_out": 1, **changes})


def stored(made: Plan) -> np.ndarray:
    """All frames of the store, (frame, C, H, W)."""
    return np.concatenate([piece for part in made.parts for piece in part.read()])


def windows(windowing: Windowing) -> dict[str, list[int]]:
    return {split: windowing.starts[split].tolist() for split in SPLITS}


def frames_of(windowing: Windowing, split: str) -> set[int]:
    places = (*windowing.inputs, *windowing.targets)
    return {int(start) + place for start in windowing.starts[split] for place in places}


def test_clips_are_shared_out_in_natural_order(tmp_path: Path) -> None:
    for name, frames in (("clip10.avi", 4), ("clip2.mp4", 0), ("clip9.avi", 3), ("clip1.avi", 7)):
        if frames:
            film(tmp_path / name, frames)
    folder(tmp_path / "clip2", [1, 2, 3, 10])
    (tmp_path / "notes.txt").write_text("not a clip")
    (tmp_path / ".hidden.avi").touch()
    made = plan(settings(tmp_path, shares=Shares(validation=0.25, test=0.25)))
    assert made.clip_names == [("clip1", 0, 7), ("clip2", 7, 11), ("clip9", 11, 14), ("clip10", 14, 18)]
    # Windows of three frames follow each other: two in the seven frames of clip1, one in each of the others.
    assert windows(made.windows["clean"]) == {"train": [0, 3, 7], "validation": [11], "test": [14]}
    assert windows(made.windows["paper"]) == windows(made.windows["clean"])
    assert made.windows["clean"].inputs == (0, 1)
    assert made.windows["clean"].targets == (2,)
    frames = stored(made)
    assert frames.shape == (made.frames, *made.frame_shape) == (18, 1, *SIZE)
    levels = [*range(7), 1, 2, 3, 10, *range(3), *range(4)]
    np.testing.assert_array_equal(frames[:, 0, 3, 3], np.multiply(levels, 5))
    assert (frames == frames[:, :, :1, :1]).all()
    assert (made.dtype, made.kind, made.scale) == ("uint8", "image", 1 / 255)
    assert (made.channels, made.lead_units) == (("grey",), "frames")
    assert set(made.files) == {tmp_path / f"clip{n}.avi" for n in (1, 9, 10)} | {
        tmp_path / "clip2" / f"frame{n}.png" for n in (1, 2, 3, 10)
    }
    assert "not numbered evenly" in " ".join(made.notes)


def test_folders_of_splits_are_taken_as_they_are(tmp_path: Path) -> None:
    film(tmp_path / "train" / "a.avi", 4)
    film(tmp_path / "train" / "b.avi", 2)
    film(tmp_path / "validation" / "a.avi", 3)
    folder(tmp_path / "test" / "z", range(5))
    made = plan(settings(tmp_path, stride=1, colour=True))
    assert made.clip_names == [("train/a", 0, 4), ("validation/a", 4, 7), ("test/z", 7, 12)]
    assert windows(made.windows["clean"]) == {"train": [0, 1], "validation": [4], "test": [7, 8, 9]}
    assert made.channels == ("red", "green", "blue")
    assert stored(made).shape == (12, 3, *SIZE)
    assert any("1 clip(s) are shorter than a window of 3 frames" in note for note in made.notes)


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_single_clip_is_split_in_time(as_folder: bool, tmp_path: Path) -> None:
    if as_folder:
        folder(tmp_path / "one", range(20), digits=3)
    else:
        film(tmp_path / "one.avi", 20)
    made = plan(settings(tmp_path, stride=2, shares=Shares(validation=0.25, test=0.25)))
    clean = made.windows["clean"]
    assert clean.clips == {"train": [(0, 10)], "validation": [(10, 15)], "test": [(15, 20)]}
    assert windows(clean) == {"train": [0, 2, 4, 6], "validation": [10, 12], "test": [15, 17]}
    assert any("the time of each is split" in note for note in made.notes)


def test_a_file_or_a_bare_folder_of_frames_is_a_clip_too(tmp_path: Path) -> None:
    film(tmp_path / "one.avi", 12)
    folder(tmp_path / "two", range(12))
    shares = Shares(validation=0.25, test=0.25)
    for root in (tmp_path / "one.avi", tmp_path / "two"):
        made = plan(settings(root, shares=shares))
        assert made.frames == 12
        np.testing.assert_array_equal(stored(made)[:, 0, 0, 0], 5 * np.arange(12))


def test_every_step_th_frame_is_taken(tmp_path: Path) -> None:
    for name in "abc":
        film(tmp_path / f"{name}.avi", 10)
        folder(tmp_path / f"{name}{name}", range(10))
    made = plan(settings(tmp_path, step=3, shares=Shares(validation=0.2, test=0.2)))
    np.testing.assert_array_equal(stored(made)[:, 0, 0, 0], np.tile([0, 15, 30, 45], 6))


def test_a_size_brings_all_clips_to_it(tmp_path: Path) -> None:
    film(tmp_path / "a.avi", 3)
    film(tmp_path / "b.avi", 3, size=(32, 32))
    folder(tmp_path / "c", range(3), size=(8, 8))
    with pytest.raises(SvqkitError, match=r"a\.avi has 16 × 24 pixels, .*b\.avi 32 × 32.*`size"):
        plan(settings(tmp_path))
    made = plan(settings(tmp_path, size=(10, 12)))
    assert stored(made).shape == (9, 1, 10, 12)


@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=8),
    stride=st.integers(0, 4),
    step=st.integers(1, 2),
    shares=st.tuples(st.floats(0.05, 0.45), st.floats(0.05, 0.45)),
)
def test_no_frame_is_in_two_splits(
    lengths: list[int], stride: int, step: int, shares: tuple[float, float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("clips")
    for number, frames in enumerate(lengths):
        folder(root / f"clip{number}", range(frames), size=(2, 2))
    data = settings(root, stride=stride, step=step, shares=Shares(validation=shares[0], test=shares[1]))
    try:
        made = plan(data)
    except SvqkitError as error:
        if "has no window" in str(error):
            return
        raise
    names = np.repeat([name for name, *_ in made.clip_names], [stop - start for _, start, stop in made.clip_names])
    for windowing in made.windows.values():
        seen = {split: frames_of(windowing, split) for split in SPLITS}
        assert sum(map(len, seen.values())) == len(set().union(*seen.values()))
        assert max(seen["test"]) < made.frames
        if len(made.clip_names) >= len(SPLITS):
            clips = {split: set(names[list(frames)]) for split, frames in seen.items()}
            assert sum(map(len, clips.values())) == len(set().union(*clips.values()))
            for split in SPLITS:
                for start in windowing.starts[split]:
                    assert len(set(names[start : start + 3])) == 1


def test_a_clip_under_two_names_is_refused(tmp_path: Path) -> None:
    for split in SPLITS:
        film(tmp_path / split / "a.avi", 5)
    os.link(tmp_path / "train" / "a.avi", tmp_path / "test" / "b.avi")
    with pytest.raises(SvqkitError, match="one and the same"):
        plan(settings(tmp_path))


def test_planning_needs_no_torch() -> None:
    code = "import sys, svqkit.data.sources.clips, svqkit.data.sources.kth; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
