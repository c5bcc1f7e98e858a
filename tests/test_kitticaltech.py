"""KittiCaltech: which frames form which window, derived by hand; every layout; what does not fit is told."""

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from simulated import kitticaltech as sample
from skimage.transform import resize

from svqkit.data.plan import Plan
from svqkit.data.sources.frames import FramesPart
from svqkit.data.sources.images import scale_and_crop
from svqkit.data.sources.kitticaltech import plan
from svqkit.errors import SvqkitError
from svqkit.settings.data import SPLITS, KittiCaltechData

SIZE = (8, 10)
A, B, C, V = "city-a", "road-b", "residential-c", "city-v"


def _hickle(root: Path, which: str, sources: Sequence[str], frames: np.ndarray | None = None) -> np.ndarray:
    """Frames whose values tell their place."""
    if frames is None:
        rng = np.random.default_rng(len(sources))
        frames = rng.integers(0, 256, (len(sources), *SIZE, 3), dtype=np.uint8)
    folder = root / "kitti_hkl"
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in (
        (f"X_{which}", frames),
        (f"sources_{which}", np.array([source.encode() for source in sources])),
    ):
        with h5py.File(folder / f"{name}.hkl", "w") as file:
            file["data"] = value
            file["type"] = np.array([b"list"])
    return frames


def _seq(root: Path, name: str, frames: int, size: tuple[int, int] = (12, 16)) -> list[np.ndarray]:
    """A video of ``frames`` different pictures; gives back those that Pillow decodes."""
    rng = np.random.default_rng([frames, *name.encode()])
    blocks = rng.integers(0, 256, (frames, 3, 4, 3), dtype=np.uint8)
    pictures = [cv2.resize(block, size[::-1]) for block in blocks]
    sample.write_seq(root / "caltech" / f"{name}.seq", iter(pictures), size)
    decoded = []
    for picture in pictures:
        stored = io.BytesIO()
        Image.fromarray(picture).save(stored, "JPEG", quality=sample.JPEG_QUALITY, optimize=True)
        decoded.append(np.asarray(Image.open(stored)))
    return decoded


def _data(root: Path, **settings: object) -> KittiCaltechData:
    return KittiCaltechData(root=str(root), **{"size": SIZE, "frames_in": 3, "frames_out": 1, **settings})


def _frames(made: Plan) -> np.ndarray:
    return np.concatenate([piece for part in made.parts for piece in part.read()])


def _windows(made: Plan, protocol: str) -> dict[str, list[int]]:
    return {split: made.windows[protocol].starts[split].tolist() for split in SPLITS}


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """PredNet's process_im with scikit-image, as the reference has it."""
    scale = size[0] / image.shape[0]
    scaled = resize(image, (size[0], int(np.round(scale * image.shape[1]))), preserve_range=True)
    left = int((scaled.shape[1] - size[1]) / 2)
    return scaled[:, left : left + size[1]]


def _small(root: Path) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """KITTI: recordings of 9, 3 and 4 frames, and of 6 to validate; Caltech: videos of 14 and 29 frames."""
    train = _hickle(root, "train", [A] * 9 + [B] * 3 + [C] * 4)
    validation = _hickle(root, "val", [V] * 6)
    return train, validation, [*_seq(root, "set06/V000", 14), *_seq(root, "set10/V001", 29)]


def test_the_windows_of_both_protocols_are_those_of_the_definition(tmp_path: Path) -> None:
    train, validation, test = _small(tmp_path)
    made = plan(_data(tmp_path))
    # Stored: 9 of A, (B is shorter than a window), 4 of C, 6 of V, then 14 // 3 = 4 and 29 // 3 = 9 of Caltech.
    assert made.clip_names == [(A, 0, 9), (C, 9, 13), (V, 13, 19), ("set06/V000", 19, 23), ("set10/V001", 23, 32)]
    # From each recording's end back by 4: A has 9 frames, so 5 and 1; V has 6, so 2; the last video has 9.
    assert _windows(made, "clean") == {"train": [1, 5, 9], "validation": [15], "test": [19, 24, 28]}
    assert _windows(made, "paper") == {"train": [1, 5, 9], "validation": [19, 24, 28], "test": [19, 24, 28]}
    assert made.windows["clean"].inputs == (0, 1, 2)
    assert made.windows["clean"].targets == (3,)
    assert made.notes == ("1 recording(s) are shorter than a window of 4 frames and were left out",)
    assert (made.frame_shape, made.dtype, made.kind, made.scale) == ((3, 8, 10), "uint8", "image", 1 / 255)
    assert (made.channels, made.frames) == (("red", "green", "blue"), 32)
    frames = _frames(made).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(frames[:13], np.concatenate([train[:9], train[12:]]))
    np.testing.assert_array_equal(frames[13:19], validation)
    # Counted from 1, the frames 3, 6, 9, … of each video.
    places = [2, 5, 8, 11, *range(14 + 2, 14 + 27, 3)]
    for frame, place in zip(frames[19:], places, strict=True):
        assert np.abs(frame - _resized(test[place], SIZE)).max() < 1


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    held=st.integers(4, 9),
    videos=st.lists(st.integers(12, 30), min_size=1, max_size=3),
)
def test_no_two_splits_share_a_frame_and_no_window_crosses_recordings(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], held: int, videos: list[int]
) -> None:
    root = tmp_path_factory.mktemp("kitticaltech")
    names = [f"drive{number}" for number, length in enumerate([4, *lengths]) for _ in range(length)]
    _hickle(root, "train", names)
    _hickle(root, "val", [V] * held)
    for number, frames in enumerate(videos):
        _seq(root, f"set0{6 + number}/V000", frames)
    made = plan(_data(root))
    clips = [range(start, stop) for _, start, stop in made.clip_names]
    for protocol in ("clean", "paper"):
        taken = {}
        for split in SPLITS:
            spans = [range(start, start + 4) for start in made.windows[protocol].starts[split].tolist()]
            for span in spans:
                assert sum(span[0] in clip and span[-1] in clip for clip in clips) == 1
            taken[split] = [frame for span in spans for frame in span]
            assert len(set(taken[split])) == len(taken[split])
        assert not set(taken["test"]) & set(taken["train"])
        if protocol == "clean":
            assert not set(taken["validation"]) & (set(taken["train"]) | set(taken["test"]))
    assert sum(part.frames for part in made.parts) == len(_frames(made))


def test_without_x_val_the_last_recordings_are_for_validation(tmp_path: Path) -> None:
    _hickle(tmp_path, "train", [name for name in "abcdefghijklmnopqrst" for _ in range(4)])
    _seq(tmp_path, "set06/V000", 12)
    made = plan(_data(tmp_path))
    assert _windows(made, "clean") == {"train": list(range(0, 72, 4)), "validation": [72, 76], "test": [80]}
    assert _windows(made, "paper") == {"train": list(range(0, 80, 4)), "validation": [80], "test": [80]}
    assert "no X_val.hkl: under clean the last 2 of 20 recordings" in made.notes[0]


def test_a_recording_in_two_runs_is_held_out_as_a_whole(tmp_path: Path) -> None:
    _hickle(tmp_path, "train", [A] * 4 + [B] * 4 + [A] * 4)
    _seq(tmp_path, "set06/V000", 12)
    assert _windows(plan(_data(tmp_path)), "clean")["validation"] == [8]  # B, stored after both runs of A


def test_kitti_may_come_as_folders_of_frames(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)

    def write(folder: str, count: int, first: int = 0) -> list[np.ndarray]:
        place = tmp_path / "kitti" / folder
        place.mkdir(parents=True)
        images = [rng.integers(0, 256, (16, 44, 3), dtype=np.uint8) for _ in range(count)]
        for number, image in enumerate(images, start=first):
            Image.fromarray(image).save(place / f"{number:010d}.png")
        return images

    drive = "2011_09_26_drive_{}_sync"
    inside = "{}/2011_09_26/{}/image_03/data"
    images = write(inside.format("city", drive.format("0001")), 4)
    write(inside.format("city", drive.format("0001")).replace("image_03", "image_02"), 4)
    write(inside.format("city", drive.format("0005")), 5)
    write(inside.format("road", drive.format("0070")), 4)  # PredNet's test
    write("plain", 4)
    _seq(tmp_path, "set06/V000", 12)
    made = plan(_data(tmp_path))
    assert made.clip_names == [
        ("city-2011_09_26_drive_0001_sync", 0, 4),
        ("plain", 4, 8),
        ("city-2011_09_26_drive_0005_sync", 8, 13),
        ("set06/V000", 13, 17),
    ]
    for protocol, validation in (("clean", [9]), ("paper", [13])):
        assert _windows(made, protocol) == {"train": [0, 4], "validation": validation, "test": [13]}
    assert made.notes == ("1 recording(s) named in `unused` were left out",)
    for frame, image in zip(_frames(made), images, strict=False):
        assert np.abs(frame.transpose(1, 2, 0) - _resized(image, SIZE)).max() < 1

    (tmp_path / "kitti/plain/0000000002.png").unlink()
    assert any("frames are missing in 1 recording(s), e.g. plain" in note for note in plan(_data(tmp_path)).notes)
    with pytest.raises(SvqkitError, match="lacks the validation recording"):
        plan(_data(tmp_path, validation=("city-2011_09_26_drive_0009_sync",)))
    write(f"copy/{drive.format('0005')}/image_03/data", 4)
    write(f"more/{drive.format('0005')}/image_03/data", 4)
    with pytest.raises(SvqkitError, match="Two folders hold frames of 2011_09_26_drive_0005_sync"):
        plan(_data(tmp_path))


def test_other_videos_do_as_well(tmp_path: Path) -> None:
    _hickle(tmp_path, "train", [A] * 4)
    _hickle(tmp_path, "val", [V] * 4)
    place = tmp_path / "caltech/set07"
    place.mkdir(parents=True)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (13, 32, 48, 3), dtype=np.uint8)
    writer = cv2.VideoWriter(str(place / "V000.avi"), cv2.VideoWriter_fourcc(*"FFV1"), 30, (48, 32))
    for picture in pictures:
        writer.write(picture[..., ::-1])
    writer.release()
    made = plan(_data(tmp_path))
    assert made.clip_names[-1] == ("set07/V000", 8, 12)
    for frame, place in zip(_frames(made)[8:], (2, 5, 8, 11), strict=True):
        assert np.abs(frame.transpose(1, 2, 0) - _resized(pictures[place], SIZE)).max() < 3  # FFV1 stores YUV
    _seq(tmp_path, "set07/V000", 15)
    made = plan(_data(tmp_path))
    assert made.clip_names[-1] == ("set07/V000", 8, 13)
    assert made.notes == ("V000.avi of set07 was left out: V000.seq is there too",)


def test_sets_of_the_training_are_left_out(tmp_path: Path) -> None:
    _small(tmp_path)
    _seq(tmp_path, "set05/V000", 12)
    made = plan(_data(tmp_path))
    assert not [name for name, *_ in made.clip_names if "set05" in name]
    assert "Caltech's set05 are not of its test" in made.notes


def _cache(root: Path, count: int, starts: Sequence[int], kind: str = "int32") -> np.ndarray:
    frames = np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)
    (root / "caltech").mkdir(exist_ok=True)
    np.save(root / "caltech/data_cache.npy", frames)
    np.save(root / "caltech/indices_cache.npy", np.array(starts, kind))
    return frames


def test_the_references_cache_is_read_with_its_colours_put_right(tmp_path: Path) -> None:
    _hickle(tmp_path, "train", [A] * 4)
    _hickle(tmp_path, "val", [V] * 4)
    frames = _cache(tmp_path, 15, [11, 7, 1])  # as the reference writes them: from the end backwards
    made = plan(_data(tmp_path))
    assert made.clip_names[2:] == [("cache/1", 8, 12), ("cache/7", 12, 16), ("cache/11", 16, 20)]
    assert _windows(made, "clean")["test"] == [8, 12, 16]
    expected = np.concatenate([frames[1:5], frames[7:15]])[..., ::-1]  # blue, green, red
    np.testing.assert_array_equal(_frames(made)[8:].transpose(0, 2, 3, 1), expected)
    _hickle(tmp_path, "train", [A] * 5)
    _hickle(tmp_path, "val", [V] * 5)
    with pytest.raises(SvqkitError, match=r"no window: one needs 4 \+ 1 .* in windows of 4 frames"):
        plan(_data(tmp_path, frames_in=4))


def test_a_single_recording_leaves_none_for_validation(tmp_path: Path) -> None:
    _hickle(tmp_path, "train", [A] * 9)
    with pytest.raises(SvqkitError, match="single recording"):
        plan(_data(tmp_path))
    with pytest.raises(SvqkitError, match="No KITTI in"):
        plan(_data(tmp_path / "elsewhere"))


@pytest.mark.parametrize("shape", [(480, 640), (375, 1242), (370, 1226), (129, 171), (128, 171)])
def test_frames_are_scaled_as_scikit_image_does(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    ours = scale_and_crop(image, (128, 160))
    assert ours.shape == (128, 160, 3)
    assert np.abs(ours - _resized(image, (128, 160))).max() < 0.51  # rounded


def test_pieces_are_at_most_16_mb(tmp_path: Path) -> None:
    _hickle(tmp_path, "train", [A] * 5, np.zeros((5, 800, 1600, 3), np.uint8))
    _hickle(tmp_path, "val", [V] * 4)
    _seq(tmp_path, "set06/V000", 12)
    data = _data(tmp_path, size=(8, 16), validation=("x",))
    part = plan(_data(tmp_path)).parts[0]
    whole = FramesPart(part.source, range(5), (800, 1600), part.fit)
    assert [len(piece) for piece in whole.read()] == [4, 1]
    with pytest.raises(SvqkitError, match="fewer than the 16"):
        plan(data)
