"""Clips: the last frames of a video or of a row of image files, made the model's as prepare makes its dataset's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from svqkit.data.domain import Domain
from svqkit.data.sources.clips import natural_key
from svqkit.data.sources.human import resize_bicubic
from svqkit.data.sources.images import SUFFIXES, channels_first, read_image, resize, scale_and_crop
from svqkit.data.sources.kitti import frame_number
from svqkit.data.sources.seq import count_seq_frames, read_seq
from svqkit.data.sources.video import VIDEO_SUFFIXES, inspect_video, read_video, size_text
from svqkit.errors import SvqkitError
from svqkit.forecasting.inputs import more_than_used
from svqkit.settings.data import ClipsData, Dataset, HumanData, KittiCaltechData, KTHData

CLIP_SUFFIXES = (*VIDEO_SUFFIXES, ".seq")
Fit = Callable[[np.ndarray, tuple[int, int]], np.ndarray]


@dataclass(frozen=True)
class Preparation:
    """How a dataset's frames are made of pictures.

    Attributes:
        colour: RGB or grey.
        step: every so many-th frame of a video is a frame.
        number_step: the same for image files, counted by the numbers in their names.
        fit: brings a picture (H, W, C) to a size.
    """

    colour: bool
    step: int
    number_step: int
    fit: Fit


def read_clip(files: Sequence[Path], data: Dataset, domain: Domain) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read the last input frames (T, C, H, W) uint8 of one video, or of image files in order; and notes.

    Raises:
        SvqkitError: the run's dataset is none of pictures, there are too few frames, image files are numbered
            unevenly, or a file is damaged.
    """
    preparation, count = preparation_of(data), 1 - domain.inputs[0]
    first, suffix = files[0], files[0].suffix.lower()
    if suffix in CLIP_SUFFIXES:
        if len(files) > 1:
            raise SvqkitError(f"One video at a time: got {len(files)}, the first is {first}.")
        step = preparation.step
        stored = count_seq_frames(first) if suffix == ".seq" else inspect_video(first).frames
        there: Sequence = range((stored - 1) % step, stored, step)
        used = there[-count:]
        pictures = read_seq(first, used) if suffix == ".seq" else read_video(first, preparation.colour, [used], stored)
    else:
        step = preparation.number_step
        there = _every_nth(files, step)
        pictures = (read_image(path, preparation.colour) for path in there[-count:])
    if len(there) < count:
        raise SvqkitError(
            f"There are {len(there)} frame(s) from {first} on, one every {step}; the model needs {count}. Give it more."
        )
    notes = (more_than_used(len(there), count),) if len(there) > count else ()
    frames = np.stack([channels_first(preparation.fit(picture, domain.size)) for picture in pictures])
    return frames[[count - 1 + offset for offset in domain.inputs]], notes


def images_in(folder: Path) -> list[Path]:
    """Return the image files of a folder, in natural order.

    Raises:
        SvqkitError: there is none.
    """
    files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    if not files:
        raise SvqkitError(f"{folder} holds no image ({', '.join(SUFFIXES)}). Name the folder that holds the frames.")
    return sorted(files, key=lambda path: natural_key(path.name))


def preparation_of(data: Dataset) -> Preparation:
    """Return how the source of a dataset makes its frames.

    Raises:
        SvqkitError: it makes none of pictures.
    """
    match data:
        case KTHData():
            return Preparation(data.colour, 1, 1, resize)
        case KittiCaltechData():
            # Caltech's videos have three times KITTI's frames a second; image files are KITTI's.
            return Preparation(True, data.step, 1, scale_and_crop)
        case HumanData():
            return Preparation(True, data.step, data.step, resize_bicubic)
        case ClipsData():
            return Preparation(data.colour, data.step, data.step, resize if data.size else _exact)
    raise SvqkitError(
        f"A run on source {data.source!r} forecasts no pictures. Give it an array (T, C, H, W) or, for a grid, NetCDF."
    )


def _every_nth(files: Sequence[Path], step: int) -> list[Path]:
    """Those files whose numbers lie ``step`` apart, back from the last; all of them where names have no numbers.

    Files that are numbered 1, 2, 3, … but were taken out of a video in that pace are not told from a whole video:
    their numbers count.
    """
    numbers = [frame_number(path) for path in files]
    if min(numbers) < 0:
        return list(files)
    by_number = dict(zip(numbers, files, strict=True))
    if len(by_number) < len(files) or any(after <= before for before, after in pairwise(numbers)):
        raise SvqkitError(
            f"The numbers of the frames from {files[0]} to {files[-1]} don't rise. Give the frames of one clip only."
        )
    kept = [files[-1]]
    while (number := numbers[-1] - len(kept) * step) in by_number:
        kept.append(by_number[number])
    return kept[::-1]


def _exact(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if image.shape[:2] != size:
        raise SvqkitError(
            f"Frames have {size_text(image.shape[:2])} pixels, those that the model was trained on {size_text(size)}. "
            "Resize them."
        )
    return image
