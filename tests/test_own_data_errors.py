"""Bad arrays and clips of one's own through the whole of prepare: one clear error, and the earlier store stays."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zarr
from PIL import Image
from rawfiles import files_below

from svqkit.data.plan import share_out
from svqkit.data.prepare import prepare
from svqkit.data.sources import array as arrays
from svqkit.errors import SvqkitError
from svqkit.settings.data import ArrayData, ClipsData, Dataset, Shares

SIZE = (16, 24)


def films(root: Path, frames: int = 6) -> None:
    """Three videos a, b, c; frame number n has the level 20 n."""
    for name in "abc":
        codec = cv2.VideoWriter_fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(root / f"{name}.avi"), cv2.CAP_FFMPEG, codec, 25, SIZE[::-1])
        for number in range(frames):
            writer.write(np.full((*SIZE, 3), 20 * number, np.uint8))
        writer.release()


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


def films_and(name: str, content: bytes) -> Callable[[Path], ClipsData]:
    """Films, one of which has this content."""

    def write(root: Path) -> ClipsData:
        films(root)
        (root / name).write_bytes(content)
        return clips(root)

    return write


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


def a_film_that_ends_early(root: Path) -> ClipsData:
    films(root)
    content = bytearray((root / "b.avi").read_bytes())
    for mark, offset in ((b"avih", 24), (b"strh", 40)):
        place = content.find(mark) + offset
        content[place : place + 4] = struct.pack("<I", 30)
    (root / "b.avi").write_bytes(content)
    return clips(root)


def longer_windows_than_the_clips(root: Path) -> ClipsData:
    images(root)
    return clips(root, frames_in=10, frames_out=25)


def no_test_clip(root: Path) -> ClipsData:
    for split in ("train", "validation", "test"):
        (root / split).mkdir()
    films(root / "train")
    images(root / "validation")
    return clips(root)


BAD: dict[str, tuple[Callable[[Path], Dataset], str]] = {
    "NaN": (with_nan, r"a\.npy: nan at frame 41, channel 1, row 2, column 3"),
    "out of range": (
        lambda root: saved(root / "a.npy", 2 * record(), range=(0.0, 1.0)),
        r"a\.npy: 1\.\d+ at frame \d+, .* lies outside `range`",
    ),
    "complex": (lambda root: saved(root / "a.npy", record().astype(complex)), "holds complex128, expected numbers"),
    "one number": (
        lambda root: saved(root / "a.npy", np.float32(1)),
        r"expected \(clips, frames, channels.*got an array of shape \(\)",
    ),
    "columns first in a zip": (
        lambda root: zipped(root, frames=np.asfortranarray(record())),
        r"stored column by column.*np\.ascontiguousarray\(frames\)",
    ),
    "empty zip": (zipped, r"a\.npz holds no array"),
    "empty group": (empty_group, r"a\.zarr holds no array"),
    "folder": (array, "kind of array file"),
    "longer windows than the record": (
        lambda root: saved(root / "a.npy", record(), frames_in=10, frames_out=25),
        r"validation split has no window: one needs 10 \+ 25 frames",
    ),
    "film of no byte": (films_and("b.avi", b""), r"b\.avi \(0 bytes\) can't be opened as a video"),
    "text as a film": (films_and("d.mp4", b"no film"), r"d\.mp4 \(7 bytes\) can't be opened as a video"),
    "film that ends early": (a_film_that_ends_early, r"b\.avi ends after 6 frames; its header promises 30"),
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
    "longer windows than the clips": (
        longer_windows_than_the_clips,
        r"no window.*3 clip\(s\) are shorter than a window of 35 frames",
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


@pytest.mark.parametrize("name", ["NaN", "half an image"])
def test_the_earlier_store_stays(name: str, root: Path, tmp_path: Path) -> None:
    target = tmp_path / "stores" / "own.zarr"
    store = prepare(saved(tmp_path / "good.npy", record()), target)
    before, frames = files_below(target), store.frames[:]
    with pytest.raises(SvqkitError):
        prepare(BAD[name][0](root), target)
    assert files_below(target) == before
    np.testing.assert_array_equal(store.frames[:], frames)


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
