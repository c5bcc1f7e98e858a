"""Norpix .seq videos, in which Caltech Pedestrian is published: a header, then one picture after the other.

Little-endian, as Piotr Dollár's toolbox reads and writes it (github.com/pdollar/toolbox, videos/seqReaderPlugin.m):
0xFEED, "Norpix seq" in two-byte letters, version and size (1024) of the header, a description; at byte 548 width,
height, bits of a pixel and of a colour, bytes of an image, format, frames, an unused number and the bytes of a frame.
A raw picture, of format 100 (grey) or 200 (blue, green, red), takes a frame's bytes, with its time stamp and zeros. Of
the others a frame is its length (four bytes, themselves counted), the picture (JPEG or PNG), a time stamp of six bytes
and zeros: 8 bytes after the picture in some files, 16 in others.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from svqkit.data.sources.frames import Frames
from svqkit.data.sources.images import open_image
from svqkit.errors import SvqkitError
from svqkit.settings.types import MOST_PIXELS
from svqkit.userfiles import reading

HEADER_BYTES = 1024
MAGIC = struct.pack("<I", 0xFEED) + "Norpix seq".encode("utf-16-le")
COMPRESSED = (1, 2, 102, 201)
# Format and bytes of a pixel.
RAW = {100: 1, 200: 3}


@dataclass(frozen=True, kw_only=True)
class Seq(Frames):
    """A .seq video.

    ``places`` are the offset and the bytes of each picture, ``raw`` the bytes of a pixel where they are not compressed.
    """

    colour: bool
    places: tuple[tuple[int, int], ...]
    raw: int = 0

    @classmethod
    def open(cls, path: Path, colour: bool) -> "Seq":
        """Read the header, and go from picture to picture; those that it promises, or all where it says 0.

        Raises:
            SvqkitError: there is no such file, it is no .seq video or of a format that is not read here, or truncated.
        """
        with reading(path, "a Norpix .seq video"), path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            if len(head) < HEADER_BYTES or not head.startswith(MAGIC):
                raise ValueError(f"expected {HEADER_BYTES} bytes of header with 'Norpix seq', got {head[:12].hex(' ')}")
            width, height, _, bits, _, code, promised, _, frame_bytes = struct.unpack_from("<9I", head, 548)
            if not 0 < width * height <= MOST_PIXELS:
                raise ValueError(f"the header says {width} × {height} pixels")
            if code not in (*COMPRESSED, *RAW):
                raise SvqkitError(
                    f"{path}: pictures of format {code}; read here are JPEG (102, 201), PNG (1, 2) and raw ones (100, "
                    "200). Convert the video, e.g. to .avi."
                )
            pixel = RAW.get(code, 0)
            if pixel and bits not in (0, 8):
                raise SvqkitError(
                    f"{path}: raw pictures of {bits} bits a colour; those of 8 are read. Convert it, e.g. to .avi."
                )
            if pixel:
                places, following = _raw_places(path, promised, width * height * pixel, frame_bytes)
            else:
                places, following = _places(file, path, promised)
        if not places:
            raise SvqkitError(f"{path} has no frame. Fetch it again.")
        note = f"{path.name} goes on behind the {promised} frames that its header promises; these are taken"
        return cls(
            files=(path,),
            count=len(places),
            size=(height, width),
            notes=(note,) if following else (),
            colour=colour,
            places=tuple(places),
            raw=pixel,
        )

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """Yield the frames with these indices, (H, W, 3) RGB or (H, W, 1) grey, uint8; others stay undecoded.

        Raises:
            SvqkitError: a frame is no picture.
        """
        with reading(self.path, "a Norpix .seq video"), self.path.open("rb") as file:
            for index in wanted:
                start, length = self.places[index]
                file.seek(start)
                pixels = self._decoded(file.read(length), f"{self.path}: frame {index + 1} is no picture: it")
                yield pixels if self.colour else pixels[..., None]

    def _decoded(self, stored: bytes, where: str) -> np.ndarray:
        mode = "RGB" if self.colour else "L"
        if self.raw:
            height, width = self.size
            order: tuple[str, ...] = ("raw", "BGR") if self.raw == 3 else ()
            kind = "RGB" if self.raw == 3 else "L"
            return np.asarray(Image.frombytes(kind, (width, height), stored, *order).convert(mode))
        with open_image(io.BytesIO(stored), where) as image:
            return np.asarray(image.convert(mode))


def _raw_places(path: Path, promised: int, length: int, frame_bytes: int) -> tuple[list[tuple[int, int]], bool]:
    """Offset and bytes of each raw picture; and whether more follow than the header promises."""
    step = max(length, frame_bytes)
    there = (path.stat().st_size - HEADER_BYTES - length) // step + 1
    if there < promised:
        raise SvqkitError(f"{path} is truncated: it ends before frame {there + 1} of {promised:,}. Fetch it again.")
    count = promised or there
    return [(HEADER_BYTES + index * step, length) for index in range(count)], there > count


def _places(file: BinaryIO, path: Path, promised: int) -> tuple[list[tuple[int, int]], bool]:
    """Offset and bytes of each compressed picture, found from length to length; and whether more follow."""
    size, at, padding = path.stat().st_size, HEADER_BYTES, 0
    places: list[tuple[int, int]] = []
    while len(places) < promised if promised else at < size:
        length = _number(file, at)
        if at + max(length, 4) > size:
            of_all = f" of {promised:,}" if promised else ""
            raise SvqkitError(
                f"{path} is truncated: {size:,} bytes, it ends within or before frame {len(places) + 1}{of_all}. "
                "Fetch it again."
            )
        if length <= 4:
            raise SvqkitError(f"{path} is damaged: frame {len(places) + 1} has a length of {length}. Fetch it again.")
        places.append((at + 4, length - 4))
        at += length
        padding = padding or (16 if _number(file, at + 8) == 0 and at + 12 <= size else 8)
        at += padding
    return places, _number(file, at) > 4


def _number(file: BinaryIO, at: int) -> int:
    """The number stored at a place; 0 past the end."""
    file.seek(at)
    return int.from_bytes(file.read(4), "little")
