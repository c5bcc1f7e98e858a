"""Norpix .seq files: headers, every way of padding, the wanted frames alone, damaged files."""

import io
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from svqkit.data.sources.frames import FramesPart
from svqkit.data.sources.images import resize
from svqkit.data.sources.seq import Seq
from svqkit.errors import SvqkitError

HEIGHT, WIDTH = 16, 24


def _pictures(count: int, channels: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (count, 4, 6, channels), dtype=np.uint8)
    return list(small.repeat(4, axis=1).repeat(4, axis=2))


def _encoded(picture: np.ndarray, form: str) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(picture.squeeze()).save(stored, form, quality=90)
    return stored.getvalue()


def _seq(path: Path, stored: list[bytes], code: int = 201, padding: int = 16, frames: int | None = None) -> Path:
    """Written from the toolbox's description, not by the code under test."""
    head = struct.pack("<I", 0xFEED) + "Norpix seq\0\0".encode("utf-16-le") + struct.pack("<iI", 3, 1024) + bytes(512)
    count = len(stored) if frames is None else frames
    head += struct.pack("<9I", WIDTH, HEIGHT, 24, 8, HEIGHT * WIDTH * 3, code, count, 0, 0) + struct.pack("<d", 30.0)
    body = b""
    for number, data in enumerate(stored):
        stamp = struct.pack("<IH", 1000 + number, 33)
        # Files with 8 bytes between the pictures, and files with 16: the toolbox tells them apart by the zeros.
        body += struct.pack("<I", len(data) + 4) + data + stamp.ljust(padding, b"\0")
    path.write_bytes(head.ljust(1024, b"\0") + body)
    return path


def _read(path: Path, wanted: Iterable[int] | None = None) -> list[np.ndarray]:
    video = Seq.open(path, colour=True)
    return list(video.read(range(video.count) if wanted is None else list(wanted)))


@pytest.mark.parametrize("padding", [8, 16])
@pytest.mark.parametrize(("code", "form"), [(201, "JPEG"), (102, "JPEG"), (2, "PNG"), (1, "PNG")])
def test_compressed_frames_are_as_pillow_decodes_them(tmp_path: Path, padding: int, code: int, form: str) -> None:
    stored = [_encoded(picture, form) for picture in _pictures(5, 3 if code in (201, 2) else 1)]
    path = _seq(tmp_path / "V000.seq", stored, code, padding)
    video = Seq.open(path, colour=False)
    assert (video.size, video.count, video.notes) == ((HEIGHT, WIDTH), 5, ())
    for colour, kind in ((True, "RGB"), (False, "L")):
        for frame, data in zip(Seq.open(path, colour).read(range(5)), stored, strict=True):
            np.testing.assert_array_equal(frame.squeeze(), np.asarray(Image.open(io.BytesIO(data)).convert(kind)))


@pytest.mark.parametrize("promised", [None, 0, 2])
@pytest.mark.parametrize(("code", "channels"), [(100, 1), (200, 3)])
def test_raw_frames_are_those_that_were_stored(tmp_path: Path, code: int, channels: int, promised: int | None) -> None:
    """Blue comes first in them; each takes as many bytes as the header says, with its time stamp and zeros."""
    pictures = _pictures(3, channels)
    path = _seq(tmp_path / "V.seq", [], code, frames=3 if promised is None else promised)
    head = bytearray(path.read_bytes())
    head[580:584] = struct.pack("<I", pictures[0].nbytes + 40)
    frames = b"".join(picture[..., ::-1].tobytes() + b"\1" * 8 + bytes(32) for picture in pictures)
    path.write_bytes(head + frames)
    read = _read(path)
    assert len(read) == (promised or 3)
    for frame, picture in zip(read, pictures, strict=False):
        np.testing.assert_array_equal(frame, np.broadcast_to(picture, frame.shape))
    assert bool(Seq.open(path, colour=True).notes) == (promised == 2)
    path.write_bytes(head + frames[:-50])
    if promised is None:
        with pytest.raises(SvqkitError, match="it ends before frame 3 of 3"):
            _read(path)


def test_raw_frames_of_16_bits_are_refused(tmp_path: Path) -> None:
    path = _seq(tmp_path / "V.seq", [], 100, frames=1)
    head = bytearray(path.read_bytes())
    head[556:564] = struct.pack("<2I", 16, 16)
    path.write_bytes(head + bytes(2 * HEIGHT * WIDTH))
    with pytest.raises(SvqkitError, match="16 bits"):
        _read(path)


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 12), data=st.data())
def test_any_frames_can_be_wanted(tmp_path_factory: pytest.TempPathFactory, count: int, data: st.DataObject) -> None:
    wanted = sorted(data.draw(st.sets(st.integers(0, count - 1))))
    stored = [_encoded(picture, "PNG") for picture in _pictures(count)]
    path = _seq(tmp_path_factory.mktemp("seq") / "V.seq", stored, 2)
    frames = _read(path, wanted)
    assert len(frames) == len(wanted)
    for frame, number in zip(frames, wanted, strict=True):
        np.testing.assert_array_equal(frame, _pictures(count)[number])


@pytest.mark.parametrize("padding", [8, 16])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_without_a_number_in_the_header_the_frames_are_counted(tmp_path: Path, count: int, padding: int) -> None:
    stored = [_encoded(picture, "JPEG") for picture in _pictures(count)]
    path = _seq(tmp_path / "V.seq", stored, padding=padding, frames=0)
    assert Seq.open(path, colour=True).count == len(_read(path)) == count


def test_frames_behind_those_that_are_promised_are_told(tmp_path: Path) -> None:
    path = _seq(tmp_path / "V.seq", [_encoded(picture, "JPEG") for picture in _pictures(4)], frames=3)
    assert len(_read(path)) == 3
    assert "goes on behind the 3 frames" in Seq.open(path, colour=True).notes[0]


@pytest.mark.parametrize("frame", [1, 2, 4])
def test_a_truncated_file_names_its_last_frame(tmp_path: Path, frame: int) -> None:
    stored = [_encoded(picture, "JPEG") for picture in _pictures(4)]
    path = _seq(tmp_path / "V.seq", stored)
    end = 1024 + sum(len(data) + 20 for data in stored[: frame - 1]) + len(stored[frame - 1]) // 2
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(SvqkitError, match=rf"V\.seq is truncated: .* frame {frame} of 4"):
        _read(path)


def test_a_file_that_ends_between_two_frames_is_truncated(tmp_path: Path) -> None:
    path = _seq(tmp_path / "V.seq", [_encoded(picture, "JPEG") for picture in _pictures(3)], frames=5)
    with pytest.raises(SvqkitError, match=r"truncated: .* frame 4 of 5"):
        _read(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "V.seq"
    with pytest.raises(SvqkitError, match=r"There is no file .*V\.seq"):
        _read(path)
    for content in (b"", bytes(2000), b"\xed\xfe\0\0" + "Another one".encode("utf-16-le").ljust(2000, b"\0")):
        path.write_bytes(content)
        with pytest.raises(SvqkitError, match=r"can't be read as a Norpix \.seq video"):
            _read(path)
    with pytest.raises(SvqkitError, match="pictures of format 101"):
        _read(_seq(path, [b"x"], code=101))


def test_a_damaged_frame_is_named(tmp_path: Path) -> None:
    stored = [_encoded(picture, "JPEG") for picture in _pictures(3)]
    path = _seq(tmp_path / "V.seq", [stored[0], b"no picture", stored[2]])
    with pytest.raises(SvqkitError, match="frame 2 is no picture"):
        _read(path)
    small = _encoded(np.zeros((8, 8, 3), np.uint8), "JPEG")
    odd = Seq.open(_seq(path, [stored[0], small]), colour=True)
    with pytest.raises(SvqkitError, match="8 × 8 pixels in frame 2, expected 16 × 24"):
        list(FramesPart(odd, range(2), odd.size, resize).read())
    whole = bytearray(_seq(path, stored).read_bytes())
    whole[1024:1028] = bytes(4)
    path.write_bytes(whole)
    with pytest.raises(SvqkitError, match="frame 1 has a length of 0"):
        _read(path)
