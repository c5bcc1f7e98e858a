"""Containers of video: what the first bytes of a file say of its length, to find out that it was cut short.

A few bytes are read, and nothing is decoded.
"""

import os
from pathlib import Path
from typing import BinaryIO

from svqkit.errors import SvqkitError

# What helps against a damaged video.
MEND = "fetch it again, re-encode it (`ffmpeg -i FILE NEW_FILE`), or remove it"
# Writers disagree whether a RIFF's size includes its own header of eight bytes.
SLACK = 8
_EBML, _SEGMENT = bytes.fromhex("1A45DFA3"), bytes.fromhex("18538067")
# Of MPEG's program and elementary streams, and of its transport stream.
_MPEG_START, _TRANSPORT = b"\0\0\1", b"G"
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"uuid", b"styp", b"moof")


def refuse_cut(path: Path) -> None:
    """Refuse a video file that is shorter than its container says; reads a few bytes of it.

    Known are RIFF (AVI, with OpenDML's further RIFF chunks), ISO 14496-12 (MP4, MOV) and EBML (Matroska and WebM,
    RFC 8794). MPEG streams don't say how long they are.

    Raises:
        SvqkitError: the file was cut short, or never finished.
    """
    size = path.stat().st_size
    end_of = {"avi": _end_of_riff, "mp4": _end_of_boxes, "mkv": _end_of_segment}.get(kind_of_container(path))
    if end_of is None:
        return
    with path.open("rb") as file:
        end = end_of(file, size)
    if end is None:
        raise SvqkitError(f"{path} was never finished, its header gives no length: {MEND}.")
    if size + SLACK < end:
        raise SvqkitError(
            f"{path} is truncated: {size:,} bytes, its header promises {end:,}. Fetch it again, or remove it."
        )


def kind_of_container(path: Path) -> str:
    """Tell the container by its first bytes: "avi", "mp4", "mkv", "mpg", or "" for what is none."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"AVI ":
        return "avi"
    if head[:4] == _EBML:
        return "mkv"
    if head[:3] == _MPEG_START or head[:1] == _TRANSPORT:
        return "mpg"
    return "mp4" if head[4:8] in _MP4_BOXES else ""


def _end_of_riff(file: BinaryIO, size: int) -> int | None:
    end = 0
    while end < size:
        file.seek(end)
        head = file.read(8)
        if head[:4] != b"RIFF":
            break
        length = int.from_bytes(head[4:], "little")
        if length == 0:
            return None
        end += 8 + length + length % 2
    return end


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    end = 0
    while end < size:
        file.seek(end)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:  # the length proper follows the box's name
            length = int.from_bytes(head[8:], "big")
        if length == 0:  # up to the end, whatever that is
            return size
        if length < 8:  # no box: bytes behind the container
            break
        end += length
    return end


def _end_of_segment(file: BinaryIO, size: int) -> int:
    file.seek(4)
    file.seek(_ebml_length(file) or size, os.SEEK_CUR)
    length = _ebml_length(file) if file.read(4) == _SEGMENT else None
    return file.tell() + length if length is not None else size  # a live recording gives none


def _ebml_length(file: BinaryIO) -> int | None:
    """A length of 1 to 8 bytes, of which the zero bits in front of the first one tell how many; all ones: none."""
    first = file.read(1) or b"\0"
    count = 9 - first[0].bit_length()
    most = (1 << 7 * count) - 1
    value = int.from_bytes(first + file.read(count - 1), "big") & most
    return None if value == most else value
