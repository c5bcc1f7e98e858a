"""Norpix .seq videos, in which Caltech Pedestrian is published: a header, then one JPEG after the other.

Little-endian, as Piotr Dollár's toolbox reads and writes it (github.com/pdollar/toolbox, videos/seqReaderPlugin.m):
0xFEED, "Norpix seq" in two-byte letters, version and size (1024) of the header, a description; at byte 548 width,
height, bits of a pixel and of a colour, bytes of an image, format, frames, 0, bytes from one raw image to the next;
frames per second. A compressed frame is its length (four bytes, themselves counted), the picture, a time stamp of
six bytes and zeros: 8 bytes after the picture in some files, 16 in others.
"""

import io
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from svqkit.data.sources.images import open_image
from svqkit.errors import SvqkitError
from svqkit.settings.types import MOST_PIXELS
from svqkit.userfiles import refuse_special

HEADER_BYTES = 1024
MAGIC = struct.pack("<I", 0xFEED) + "Norpix seq".encode("utf-16-le")
_NUMBERS = struct.Struct("<9I")
_NUMBERS_AT = 548
# Codes of the image formats: those of compressed pictures, and of raw ones with their channels (blue first).
COMPRESSED = (1, 2, 102, 201)
RAW = {100: 1, 200: 3}
# Bytes of a compressed frame without its picture: length and time stamp.
LEAST_FRAME = 10


@dataclass(frozen=True)
class SeqHeader:
    """What the header says. ``image_bytes`` and ``raw_step`` (from one image to the next) matter for raw files only.

    ``frames`` is 0 in a file whose writer did not get to fill it in.
    """

    width: int
    height: int
    frames: int
    format: int
    image_bytes: int
    raw_step: int


def read_header(path: Path) -> SeqHeader:
    """Read the header, and check it.

    Raises:
        SvqkitError: there is no such file, or it is no .seq video, or of a format that is not read here.
    """
    refuse_special(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError as error:
        raise SvqkitError(f"{path} can't be read ({error}). Put it there, or fetch it again.") from error
    if len(head) < HEADER_BYTES or not head.startswith(MAGIC):
        raise SvqkitError(
            f"{path} is no Norpix .seq video: expected a header of {HEADER_BYTES} bytes that starts with 0xFEED and "
            f"'Norpix seq', got {len(head)} bytes {head[:12].hex(' ')} … Fetch it again."
        )
    width, height, bits, real_bits, image_bytes, code, frames, _, step = _NUMBERS.unpack_from(head, _NUMBERS_AT)
    if not 0 < width * height <= MOST_PIXELS:
        raise SvqkitError(f"{path}: the header says {width} × {height} pixels. The file is damaged; fetch it again.")
    if code not in COMPRESSED and code not in RAW:
        raise SvqkitError(
            f"{path}: pictures of format {code}; read here are JPEG (102, 201), PNG (1, 2) and raw (100, 200). "
            "Convert the video, e.g. to .avi."
        )
    if code in RAW and (real_bits != 8 or bits != 8 * RAW[code] or image_bytes != width * height * RAW[code]):
        raise SvqkitError(
            f"{path}: raw pictures of {width} × {height} with {bits} bits a pixel and {image_bytes} bytes; expected "
            f"{RAW[code]} × 8 bits and {width * height * RAW[code]} bytes. Convert the video, e.g. to .avi."
        )
    if code in RAW and step < image_bytes:
        raise SvqkitError(
            f"{path}: raw pictures of {image_bytes} bytes, one every {step}. It is damaged; fetch it again."
        )
    size, least = path.stat().st_size, step if code in RAW else LEAST_FRAME
    if frames * least > size + step:
        raise SvqkitError(
            f"{path} is truncated: {size:,} bytes, its header promises {frames:,} frames. Fetch it again."
        )
    return SeqHeader(width, height, frames, code, image_bytes, step)


def count_seq_frames(path: Path) -> int:
    """Return how many frames the header promises; only where it says 0 the file is walked through.

    Raises:
        SvqkitError: as ``read_header``.
    """
    header = read_header(path)
    if header.frames:
        return header.frames
    with path.open("rb", buffering=0) as file:
        return sum(1 for _ in _pictures(file, path, header))


def read_seq(path: Path, wanted: Iterable[int]) -> Iterator[np.ndarray]:
    """Yield the frames ``wanted`` (counted from 0, rising), each (H, W, 3) RGB uint8; others are not decoded.

    Raises:
        SvqkitError: as ``read_header``; the file ends before its last wanted frame; a frame is no picture.
    """
    header = read_header(path)
    with path.open("rb", buffering=0) as file:
        pictures = enumerate(_pictures(file, path, header))
        for frame in wanted:
            picture = next((picture for number, picture in pictures if number == frame), None)
            if picture is None:
                raise SvqkitError(f"{path} has no frame {frame + 1}. Fetch it again.")
            file.seek(picture[0])
            yield _decode(file.read(picture[1]), path, frame, header)


def _pictures(file: BinaryIO, path: Path, header: SeqHeader) -> Iterator[tuple[int, int]]:
    """Offset and bytes of each picture, found from length to length."""
    size = path.stat().st_size
    at, padding, frame = HEADER_BYTES, None, 0
    while frame < header.frames or (not header.frames and at < size):
        if header.format in RAW:
            start, length, at = at, header.image_bytes, at + header.raw_step
        else:
            if frame == 1:
                padding = 16 if _length(file, at + 8) == 0 else 8
                at += padding
                if not header.frames and at >= size:
                    return
            stored = _length(file, at)
            if stored is not None and stored <= 4:
                raise SvqkitError(f"{path} is damaged: frame {frame + 1} has a length of {stored}. Fetch it again.")
            start, length = at + 4, (stored or size) - 4
            at = start + length + (padding or 0)
        if start + length > size:
            promised = f" of {header.frames}" if header.frames else ""
            raise SvqkitError(
                f"{path} is truncated: it has {size:,} bytes and ends within or before frame {frame + 1}{promised}. "
                "Fetch it again."
            )
        yield start, length
        frame += 1


def _length(file: BinaryIO, at: int) -> int | None:
    """The number stored at a place, or none past the end."""
    file.seek(at)
    stored = file.read(4)
    return struct.unpack("<I", stored)[0] if len(stored) == 4 else None


def _decode(stored: bytes, path: Path, frame: int, header: SeqHeader) -> np.ndarray:
    shape = (header.height, header.width)
    if header.format in RAW:
        pixels = np.frombuffer(stored, np.uint8).reshape(*shape, RAW[header.format])
        return np.ascontiguousarray(np.broadcast_to(pixels[..., ::-1], (*shape, 3)))
    with open_image(io.BytesIO(stored), f"{path}: frame {frame + 1} is no picture: it") as image:
        pixels = np.asarray(image.convert("RGB"))
    if pixels.shape[:2] != shape:
        raise SvqkitError(
            f"{path}: frame {frame + 1} has {pixels.shape[0]} × {pixels.shape[1]} pixels, the header says "
            f"{shape[0]} × {shape[1]}. The file is damaged; fetch it again."
        )
    return pixels
