"""Videos: how many frames there are, and those that are wanted, decoded by PyAV (FFmpeg).

A video that was cut short opens like a whole one and just ends early. So its packets are counted without decoding
them, and held against what the container promises: a number of frames, a length in time, or a length in bytes.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.reformatter import VideoReformatter

from svqkit.data.sources.frames import Frames, size_text
from svqkit.data.sources.seq import Seq
from svqkit.errors import SvqkitError
from svqkit.settings.types import MOST_PIXELS
from svqkit.userfiles import reading

VIDEO_SUFFIXES = (".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".seq")
# By what a file holds, not by its name. FFmpeg's other formats may open further files: a playlist, a script.
FORMATS = "avi,mov,matroska,webm,mpeg,mpegts,mpegvideo"
# What helps against a damaged video.
AID = "Fetch it again, re-encode it (`ffmpeg -i FILE NEW_FILE`), or remove it."


@dataclass(frozen=True, kw_only=True)
class Video(Frames):
    """A video file."""

    colour: bool

    @classmethod
    def open(cls, path: Path, colour: bool, whole: bool = True) -> "Video":
        """Decode the first frame, and count the others. Without ``whole`` a video that was cut short is accepted.

        Raises:
            SvqkitError: there is no such file, it is no video or has no frame, or it was cut short.
        """
        if whole:
            _refuse_cut_avi(path)
        with _opened(path) as container:
            if (first := next(container.decode(video=0), None)) is None:
                raise SvqkitError(f"{path} has no frame of video that can be decoded. {AID}")
            size = _pixels(first, VideoReformatter(), colour=True).shape[:2]
        with _opened(path) as container:
            stream, is_matroska = container.streams.video[0], "matroska" in container.format.name
            promised, lasting = stream.frames, (container.duration or 0) / av.time_base
            frame = 1 / float(stream.average_rate or 25)
            there, shown, end = _packets(container)
        if whole and there < promised - 1:
            with _opened(path, ignore_editlist="1") as container:
                there, _, end = _packets(container)
        # Matroska tells no number of frames, but how long they last.
        if whole and (there < promised - 1 or (is_matroska and end < lasting - frame / 2)):
            raise SvqkitError(
                f"{path} is truncated: it ends after {there} frames, its header promises "
                f"{promised or round(lasting / frame)}. Fetch it again, or remove it."
            )
        # Some whole AVIs hold one frame less than they promise (an encoder's placeholder at the end).
        count = promised if whole and there == shown == promised - 1 else shown
        notes: tuple[str, ...] = ()
        if promised and count != promised:
            notes = (f"{path.name}: the header promises {promised} frames, {count} are shown: these are taken",)
        return cls(files=(path,), count=count, size=size, notes=notes, colour=colour)

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """Yield the frames with these indices, from 0, in rising order; (H, W, 3) RGB or (H, W, 1) grey, uint8.

        Where just the last frame lacks, the one before stands in for it, with a warning.

        Raises:
            SvqkitError: the video ends before a frame that is wanted, or can't be decoded.
        """
        convert, held, position = VideoReformatter(), None, -1
        with _opened(self.path) as container:
            decoded = container.decode(video=0)
            for index in wanted:
                while position < index and (frame := next(decoded, None)) is not None:
                    held, position = frame, position + 1
                if position < index:
                    if held is None or position < self.count - 2:
                        raise SvqkitError(
                            f"{self.path} ends after {position + 1} frames; its header promises {self.count}, and "
                            f"frame {index + 1} is wanted. It is truncated or damaged. {AID}"
                        )
                    warnings.warn(
                        f"{self.path} lacks the last of its {self.count} frames: the one before is repeated.",
                        stacklevel=2,
                    )
                assert held is not None
                yield _pixels(held, convert, self.colour)


def open_video(path: Path, colour: bool) -> Seq | Video:
    """Look at a video, whatever its kind.

    Raises:
        SvqkitError: there is no such file, it is no video or has no frame, or it was cut short.
    """
    kind = Seq if path.suffix.lower() == ".seq" else Video
    return kind.open(path, colour)


@contextmanager
def _opened(path: Path, **options: str) -> Iterator[InputContainer]:
    """An open video whose frames are decoded one after the other: files are decoded side by side already."""
    options = {"format_whitelist": FORMATS, **options}
    with reading(path, "a video", AID), path.open("rb") as file, av.open(file, "r", options=options) as container:
        if not container.streams.video:
            raise SvqkitError(f"{path} has no stream of video that can be decoded. {AID}")
        codec = container.streams.video[0].codec_context
        if codec.width * codec.height > MOST_PIXELS:
            raise SvqkitError(f"{path}: frames of {size_text((codec.height, codec.width))} pixels are too large. {AID}")
        codec.thread_count = 1
        yield container


def _packets(container: InputContainer) -> tuple[int, int, float]:
    """How many frames there are, how many of them are shown, and when the last stream ends, in seconds."""
    there, shown, end = 0, 0, 0.0
    for packet in container.demux():
        if packet.size and packet.pts is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.size and packet.stream is container.streams.video[0]:
            there, shown = there + 1, shown + (not packet.is_discard)
    return there, shown, end


def _pixels(frame: av.VideoFrame, convert: VideoReformatter, colour: bool) -> np.ndarray:
    """A frame as it is shown, (H, W, 3) RGB or (H, W, 1) grey."""
    # Grey by way of blue, green, red, as OpenCV reads a video: the reference's frames, bit for bit.
    pixels: np.ndarray = convert.reformat(frame, format="rgb24" if colour else "bgr24", threads=1).to_ndarray()
    if not colour:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)[..., None]
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))


def _refuse_cut_avi(path: Path) -> None:
    """Refuse an AVI that is shorter than its container says, even if every frame is there."""
    with reading(path, "a video", AID), path.open("rb") as file:
        head = file.read(12)
    length, size = int.from_bytes(head[4:8], "little"), path.stat().st_size
    if head[:4] == b"RIFF" and length == 0:
        raise SvqkitError(f"{path} was never finished, its header gives no length. {AID}")
    if head[:4] == b"RIFF" and size < length:  # writers disagree whether the eight bytes of the header count
        raise SvqkitError(f"{path} is truncated: {size:,} bytes, its header promises {length:,}. {AID}")
