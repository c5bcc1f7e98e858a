"""Norpix .seq videos, in which Caltech Pedestrian is published: a header, then one picture after the other.

Little-endian, as Piotr Dollár's toolbox reads and writes it (github.com/pdollar/toolbox, videos/seqReaderPlugin.m):
0xFEED, "Norpix seq" in two-byte letters, version and size (1024) of the header, a description; at byte 548 width,
height, bits of a pixel and of a colour, bytes of an image, format, frames. A frame is its length (four bytes,
themselves counted), the picture (JPEG or PNG), a time stamp of six bytes and zeros: 8 bytes after the picture in some
files, 16 in others. The toolbox's raw pictures, which Caltech does not publish, are not read.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from svqkit.data.sources.images import Size, open_image, size_text
from svqkit.errors import SvqkitError
from svqkit.settings.types import MOST_PIXELS
from svqkit.userfiles import refuse_special

HEADER_BYTES = 1024
MAGIC = struct.pack("<I", 0xFEED) + "Norpix seq".encode("utf-16-le")
COMPRESSED = (1, 2, 102, 201)


@dataclass(frozen=True)
class Seq:
    """A .seq video of frames of ``size`` (height, width); ``notes`` tell what is odd about it.

    ``places`` are the offset and the bytes of each picture.
    """

    path: Path
    colour: bool
    size: Size
    places: tuple[tuple[int, int], ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: Path, colour: bool) -> "Seq":
        """Read the header, and go from picture to picture; those that it promises, or all where it says 0.

        Raises:
            SvqkitError: there is no such file, it is no .seq video or of a format that is not read here, or truncated.
        """
        refuse_special(path)
        try:
            with path.open("rb") as file:
                size, promised = _read_header(file, path)
                places, end = _places(file, path, promised)
                following = _number(file, end)
        except OSError as error:
            raise SvqkitError(f"{path} can't be read ({error}). Put it there, or fetch it again.") from error
        if not places:
            raise SvqkitError(f"{path} has no frame. Fetch it again.")
        notes = ()
        if following > 4:
            notes = (f"{path.name} goes on behind the {promised} frames that its header promises; these are taken",)
        return cls(path, colour, size, tuple(places), notes)

    @property
    def count(self) -> int:
        """How many frames there are."""
        return len(self.places)

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """Yield the frames with these indices, (H, W, 3) RGB or (H, W, 1) grey, uint8; others stay undecoded.

        Raises:
            SvqkitError: a frame is no picture, or has another size than the header says.
        """
        with self.path.open("rb") as file:
            for index in wanted:
                start, length = self.places[index]
                file.seek(start)
                stored = io.BytesIO(file.read(length))
                with open_image(stored, f"{self.path}: frame {index + 1} is no picture: it") as image:
                    pixels = np.asarray(image.convert("RGB" if self.colour else "L"))
                if pixels.shape[:2] != self.size:
                    raise SvqkitError(
                        f"{self.path}: frame {index + 1} has {size_text(pixels.shape[:2])} pixels, the header says "
                        f"{size_text(self.size)}. The file is damaged; fetch it again."
                    )
                yield pixels if self.colour else pixels[..., None]


def _read_header(file: BinaryIO, path: Path) -> tuple[Size, int]:
    """Height and width, and the number of frames."""
    head = file.read(HEADER_BYTES)
    if len(head) < HEADER_BYTES or not head.startswith(MAGIC):
        raise SvqkitError(
            f"{path} is no Norpix .seq video: expected a header of {HEADER_BYTES} bytes that starts with 0xFEED and "
            f"'Norpix seq', got {len(head)} bytes {head[:12].hex(' ')} … Fetch it again."
        )
    width, height, _, _, _, code, promised = struct.unpack_from("<7I", head, 548)
    if not 0 < width * height <= MOST_PIXELS:
        raise SvqkitError(f"{path}: the header says {width} × {height} pixels. The file is damaged; fetch it again.")
    if code not in COMPRESSED:
        raise SvqkitError(
            f"{path}: pictures of format {code}; read here are JPEG (102, 201) and PNG (1, 2). Convert the video, e.g. "
            "to .avi."
        )
    return (height, width), promised


def _places(file: BinaryIO, path: Path, promised: int) -> tuple[list[tuple[int, int]], int]:
    """Offset and bytes of each picture, found from length to length; and where the last frame ends."""
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
    return places, at


def _number(file: BinaryIO, at: int) -> int:
    """The number stored at a place; 0 past the end."""
    file.seek(at)
    return int.from_bytes(file.read(4), "little")
