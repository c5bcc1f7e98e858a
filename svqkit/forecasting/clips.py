"""Clips: the last frames of a video or of a row of image files, made the model's as prepare makes its dataset's."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from svqkit.data.domain import Domain
from svqkit.data.sources import images as pictures
from svqkit.data.sources.frames import VIDEO_SUFFIXES as CLIP_SUFFIXES
from svqkit.data.sources.frames import Fit, Frames, open_video
from svqkit.data.sources.images import ImageFiles, channels_first, frame_number, size_text
from svqkit.errors import SvqkitError
from svqkit.forecasting.inputs import more_than_used
from svqkit.settings.data import ClipsData, Dataset, HumanData, KittiCaltechData, KTHData


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
    first, notes = files[0], ()
    source: Frames
    if first.suffix.lower() in CLIP_SUFFIXES:
        if len(files) > 1:
            raise SvqkitError(f"One video at a time: got {len(files)}, the first is {first}.")
        source, step = open_video(first, preparation.colour), preparation.step
        there, notes = range((source.count - 1) % step, source.count, step), source.notes
    else:
        step = preparation.number_step
        source = ImageFiles.open(_every_nth(files, step), preparation.colour)
        there = range(source.count)
    if len(there) < count:
        raise SvqkitError(
            f"There are {len(there)} frame(s) from {first} on, one every {step}; the model needs {count}. Give it more."
        )
    if len(there) > count:
        notes = (*notes, more_than_used(len(there), count))
    read = source.read(there[-count:])
    frames = np.stack([channels_first(preparation.fit(picture, domain.size)) for picture in read])
    return frames[[count - 1 + offset for offset in domain.inputs]], notes


def images_in(folder: Path) -> list[Path]:
    """Return the image files of a folder, in natural order.

    Raises:
        SvqkitError: there is none.
    """
    files = pictures.images_in(folder)
    if not files:
        kinds = ", ".join(pictures.SUFFIXES)
        raise SvqkitError(f"{folder} holds no image ({kinds}). Name the folder that holds the frames.")
    return files


def preparation_of(data: Dataset) -> Preparation:
    """Return how the source of a dataset makes its frames.

    Raises:
        SvqkitError: it makes none of pictures.
    """
    match data:
        case KTHData():
            return Preparation(data.colour, 1, 1, pictures.resize)
        case KittiCaltechData():
            # Caltech's videos have three times KITTI's frames a second; image files are KITTI's.
            return Preparation(True, data.step, 1, pictures.scale_and_crop)
        case HumanData():
            return Preparation(True, data.step, data.step, pictures.resize_bicubic)
        case ClipsData():
            return Preparation(data.colour, data.step, data.step, pictures.resize if data.size else _exact)
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
