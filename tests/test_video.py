"""Videos and image files: decoded as OpenCV and Pillow decode them, and refused when they were cut short."""

import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from svqkit.data.sources.frames import PIECE, FramesPart
from svqkit.data.sources.images import ImageFiles, image_size, resize
from svqkit.data.sources.video import Video
from svqkit.errors import SvqkitError

FRAMES, SIZE = 40, (48, 64)
SUFFIXES = (".avi", ".mp4", ".mov", ".mkv", ".webm")


def film(path: Path, frames: int = FRAMES, size: tuple[int, int] = SIZE, colour: bool = True) -> Path:
    """A video of a disc that moves over patches, written by OpenCV."""
    codec = {".webm": "VP80", ".avi": "DIVX"}.get(path.suffix, "mp4v")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 25, size[::-1], isColor=colour)
    assert writer.isOpened()
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3) if colour else size, np.uint8)
    for number in range(frames):
        frame = cv2.GaussianBlur(noise, (0, 0), 3)
        cv2.circle(frame, (number * 2, size[0] // 2), 8, (20, 60, 200), -1)
        writer.write(frame)
    writer.release()
    return path


def as_decoded(path: Path) -> np.ndarray:
    """All frames of a video, (n, H, W, 3) BGR, read in the plainest way."""
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (came := capture.read())[0]:
        frames.append(came[1])
    return np.stack(frames)


def promise(path: Path, frames: int) -> None:
    """Let an AVI's headers promise so many frames."""
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"avih", 8 + 16), (b"strh", 8 + 32)):
        place = content.find(mark) + offset
        content[place : place + 4] = struct.pack("<I", frames)
    path.write_bytes(content)


def decoded(path: Path, colour: bool, wanted: Iterable[int] | None = None) -> np.ndarray:
    """The wanted frames of a video, or all, (n, H, W, C)."""
    video = Video.open(path, colour)
    return np.stack(list(video.read(range(video.count) if wanted is None else wanted)))


def together(pieces: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate(list(pieces))


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".mpg"])
def test_frames_are_counted_exactly(suffix: str, tmp_path: Path) -> None:
    path = film(tmp_path / f"film{suffix}")
    video = Video.open(path, colour=False)
    assert (video.size, video.notes) == (SIZE, ())
    assert video.count == FRAMES == len(decoded(path, colour=False))


def test_frames_are_what_opencv_decodes(tmp_path: Path) -> None:
    path = film(tmp_path / "film.avi")
    expected = as_decoded(path)
    np.testing.assert_array_equal(decoded(path, colour=True), expected[..., ::-1])
    grey = [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in expected]
    np.testing.assert_array_equal(decoded(path, colour=False)[..., 0], grey)


def test_a_grey_video_keeps_its_levels(tmp_path: Path) -> None:
    path = film(tmp_path / "film.avi", colour=False)
    np.testing.assert_array_equal(decoded(path, colour=False)[..., 0], as_decoded(path)[..., 0])


@pytest.mark.parametrize("wanted", [(0, 1, 2, 7, 8), range(1, 40, 7), range(39, 40), ()])
def test_only_the_wanted_frames_come(wanted: Sequence[int], tmp_path: Path) -> None:
    path = film(tmp_path / "film.avi")
    part = FramesPart(Video.open(path, colour=True), wanted, SIZE, resize)
    assert part.frames == len(wanted)
    came = [frame for piece in part.read() for frame in piece]
    assert len(came) == len(wanted)
    for frame, index in zip(came, wanted, strict=True):
        np.testing.assert_array_equal(frame, as_decoded(path)[index, ..., ::-1].transpose(2, 0, 1))


def test_pieces_stay_small(tmp_path: Path) -> None:
    path = film(tmp_path / "film.avi")
    size = (1024, 1024)
    pieces = list(FramesPart(Video.open(path, colour=True), range(20), size, resize).read())
    assert len(pieces) > 1
    assert sum(map(len, pieces)) == 20
    assert max(piece.nbytes for piece in pieces) <= PIECE


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
def test_a_cut_video_is_refused_before_it_is_decoded(suffix: str, share: float, tmp_path: Path) -> None:
    content = film(tmp_path / f"film{suffix}").read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(SvqkitError, match=f"cut{suffix}.*truncated"):
        Video.open(cut, colour=True)


def test_bytes_behind_a_container_do_no_harm(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        path = film(tmp_path / f"film{suffix}")
        path.write_bytes(path.read_bytes() + bytes(100))
        assert Video.open(path, colour=True).count == FRAMES


def test_an_avi_without_a_number_of_frames_is_counted(tmp_path: Path) -> None:
    path = film(tmp_path / "film.avi")
    promise(path, 0)
    assert Video.open(path, colour=True).count == FRAMES


def test_frames_that_an_edit_list_leaves_out_are_told(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    content = bytearray(path.read_bytes())
    place = content.find(b"elst") + 16  # behind version, flags, number of entries and the length of the first
    media_time = int.from_bytes(content[place : place + 4], "big")
    per_frame = int.from_bytes(content[content.find(b"stts") + 16 :][:4], "big")
    content[place : place + 4] = (media_time + 5 * per_frame).to_bytes(4, "big")
    path.write_bytes(content)
    video = Video.open(path, colour=True)
    assert "promises 40 frames, 35 are shown" in video.notes[0]
    frames = decoded(path, colour=True)
    assert len(frames) == video.count == 35
    np.testing.assert_array_equal(frames[-1], as_decoded(path)[-1, ..., ::-1])


def test_a_video_that_lies_on_its_side_is_put_upright(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4")
    content = bytearray(path.read_bytes())
    place = content.find(b"tkhd") + 4 + 40
    content[place : place + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, SIZE[0] * 65536, 0, 1 << 30)
    path.write_bytes(content)
    assert Video.open(path, colour=True).size == SIZE[::-1]
    np.testing.assert_array_equal(decoded(path, colour=True), as_decoded(path)[..., ::-1])


@pytest.mark.parametrize("wanted", [range(FRAMES + 1), range(0, FRAMES + 1, 8), range(FRAMES, FRAMES + 1)])
def test_one_frame_too_few_at_the_end_is_made_up_for(wanted: range, tmp_path: Path) -> None:
    path = film(tmp_path / "film.avi")
    promise(path, FRAMES + 1)
    with pytest.warns(UserWarning, match="lacks the last of its 41 frames"):
        frames = decoded(path, True, wanted)
    assert len(frames) == len(wanted)
    np.testing.assert_array_equal(frames[-1], as_decoded(path)[-1, ..., ::-1])


def test_frames_from_image_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, (*SIZE, 3), np.uint8) for _ in range(3)]
    files = tuple(tmp_path / f"{number}.png" for number in range(3))
    for path, image in zip(files, pixels, strict=True):
        Image.fromarray(image).save(path)
    assert image_size(files[0]) == SIZE
    part = FramesPart(ImageFiles.open(files, colour=True), range(3), SIZE, resize)
    assert part.frames == 3
    np.testing.assert_array_equal(together(part.read()).transpose(0, 2, 3, 1), pixels)
    grey = together(FramesPart(ImageFiles.open(files, colour=False), range(3), SIZE, resize).read())[:, 0]
    np.testing.assert_array_equal(grey, [Image.fromarray(image).convert("L") for image in pixels])
    files[1].write_bytes(files[1].read_bytes()[:500])
    with pytest.raises(SvqkitError, match=r"1\.png"):
        together(part.read())
    files[0].write_text("no image")
    with pytest.raises(SvqkitError, match=r"0\.png"):
        image_size(files[0])
