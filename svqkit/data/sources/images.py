"""Image files, one for each frame: found in a folder, read, and resized.

KITTI and Caltech are scaled to the height, then cut to the width at the centre. The reference takes PredNet's way with
scikit-image's ``resize``: a Gaussian of (factor − 1) / 2 pixels against aliasing, then bilinear interpolation. Here
OpenCV does the same, faster; results are rounded. (Where a picture is enlarged, its outermost pixels differ: OpenCV
repeats them, scikit-image mirrors.) PredNet made its HKL files with ``scipy.misc.imresize``, another filter of about
the same width that SciPy no longer has.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps

from svqkit.data.sources.frames import Frames, Size
from svqkit.errors import SvqkitError
from svqkit.settings.types import MOST_PIXELS
from svqkit.userfiles import reading, refuse_twice

FORMATS = ("BMP", "JPEG", "PNG", "TIFF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
# What Pillow calls pixels of at most 8 bits a channel.
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")

cv2.setNumThreads(1)  # frames are decoded side by side already


@contextmanager
def open_image(file: Path | BinaryIO, where: str) -> Iterator[Image.Image]:
    """Open an image of a kind that frames come in, undecoded; ``where`` is how errors call it.

    Raises:
        SvqkitError: there is no such file, it is truncated or no image, or its header promises too many pixels.
    """
    # By what it holds, not by its name: Pillow would run a program to draw PostScript.
    with reading(where, "an image"):
        try:
            image = Image.open(file, formats=FORMATS)
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError(f"{image.height:,} × {image.width:,} pixels")
        except Image.DecompressionBombError as error:
            raise SvqkitError(
                f"{where} is too large, expected up to {MOST_PIXELS:,} pixels: {error}. Fetch it again, or remove it."
            ) from error
        with image:
            yield image


def read_image(path: Path, colour: bool) -> np.ndarray:
    """Read an image file as (H, W, 3) RGB, or (H, W, 1) grey (luminance), uint8, turned as its EXIF tag says.

    Raises:
        SvqkitError: as :func:`open_image`, or its values are no frame of bytes, see :func:`refuse_other_pictures`.
    """
    with open_image(path, str(path)) as image:
        refuse_other_pictures(image, path)
        if "A" in image.getbands() or "transparency" in image.info:
            alpha = image.convert("RGBA").getchannel("A")
            if np.asarray(alpha).min() < 255:
                raise SvqkitError(f"{path} is transparent in part: what shows there? Save it without alpha.")
        upright = ImageOps.exif_transpose(image)
        pixels = np.asarray(upright.convert("RGB" if colour else "L"))
    return pixels if colour else pixels[..., None]


def refuse_other_pictures(image: Image.Image, path: Path) -> None:
    """Refuse an image whose values don't fit into bytes (they would be cut off at 255), or that holds several.

    Raises:
        SvqkitError: it does.
    """
    if image.mode not in MODES or ";16" in str(getattr(image, "tile", "")):  # Pillow would drop half of the bits
        raise SvqkitError(
            f"{path} has more than 8 bits a channel (mode {image.mode}), which frames of a clip can't have. Make an "
            "array of such images, `source: array` with their `range`, or save them with 8 bits."
        )
    if (pictures := getattr(image, "n_frames", 1)) > 1:
        raise SvqkitError(f"{path} holds {pictures} pictures; expected one in each file. Save every one on its own.")


def image_size(path: Path) -> Size:
    """Return height and width of an image file as it is seen, from its header.

    Raises:
        SvqkitError: as :func:`read_image`.
    """
    with open_image(path, str(path)) as image:
        refuse_other_pictures(image, path)
        turned = image.getexif().get(0x0112, 1) in range(5, 9)  # the orientations that lie on their side
        return (image.width, image.height) if turned else (image.height, image.width)


@dataclass(frozen=True, kw_only=True)
class ImageFiles(Frames):
    """The frames of a clip as image files in their order."""

    colour: bool

    @classmethod
    def open(cls, files: Sequence[Path], colour: bool, one_size: bool = True) -> "ImageFiles":
        """Take the files in this order; all must have the size of the first if ``one_size``. There may be none.

        Raises:
            SvqkitError: the first one is no image.
        """
        size = image_size(files[0]) if files else (0, 0)
        return cls(files=tuple(files), count=len(files), size=size if one_size else (0, 0), colour=colour)

    def read(self, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """See :class:`Frames`."""
        for index in wanted:
            yield read_image(self.files[index], self.colour)


def images_in(folder: Path) -> list[Path]:
    """Return the image files of a folder in the natural order of their names, hidden ones (._x.png) left out."""
    with reading(folder, plain=False):
        names = [name for name in os.listdir(folder) if Path(name).suffix.lower() in SUFFIXES and name[0] != "."]
    paths = [folder / name for name in sorted(names, key=natural_key)]
    refuse_twice(((path.stem, path) for path in paths), lambda _, both: f"{both}: which is the frame?")
    return paths


def natural_key(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """Return a key that sorts names by the numbers in them: frame9 before frame10, numbers before letters."""
    pieces = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(False, int(piece), "") if piece.isdecimal() else (True, 0, piece.lower()) for piece in pieces], name


def frame_number(path: Path) -> int:
    """Return the last number in a file's name that is no size, such as that of image_001_128x128.png; or -1."""
    digits = re.findall(r"[0-9]+", re.sub(r"[0-9]+x[0-9]+", "", path.stem))
    return int(digits[-1]) if digits else -1


def is_uneven(files: Sequence[Path]) -> bool:
    """Return whether the numbers of files don't follow each other at one distance."""
    numbers = [frame_number(path) for path in files]
    return len({after - before for before, after in pairwise(numbers)}) > 1


def resize(image: np.ndarray, size: Size) -> np.ndarray:
    """Resize (H, W, C) uint8 to ``size`` (height, width), bilinear without smoothing, computed in float32.

    As the reference resizes KTH; it keeps the fractions that are rounded here.
    """
    if image.shape[:2] == size:
        return image
    resized = cv2.resize(image.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.rint(resized).astype(np.uint8).reshape(*size, image.shape[2])


def resize_bicubic(image: np.ndarray, size: Size) -> np.ndarray:
    """Resize (H, W, 3) uint8 to ``size`` (height, width), bicubic, as the reference resizes Human3.6M."""
    if image.shape[:2] == size:
        return image
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC)


def scaled_width(shape: Size, height: int) -> int:
    """Return the width of a (height, width) picture that is scaled to ``height`` rows."""
    return int(np.round(float(height) / shape[0] * shape[1]))


def refuse_narrow(shape: Size, size: Size, where: str | Path) -> None:
    """Raise SvqkitError when a picture of ``shape`` is too narrow to be cut to ``size``, both (height, width)."""
    width = scaled_width(shape, size[0])
    if width < size[1]:
        raise SvqkitError(
            f"{where} has pictures of {shape[0]} × {shape[1]}; scaled to {size[0]} rows they have {width} columns, "
            f"fewer than the {size[1]} of `size`. Ask for a narrower size."
        )


def scale_and_crop(image: np.ndarray, size: Size) -> np.ndarray:
    """Scale (H, W, C) uint8 to ``size``'s height and keep the middle columns: (*size, C) uint8.

    Raises:
        SvqkitError: the picture is too narrow for ``size``.
    """
    shape = image.shape[:2]
    if shape == size:
        return image
    refuse_narrow(shape, size, "The clip")
    scaled = (size[0], scaled_width(shape, size[0]))
    sigmas = [max(0.0, (before / after - 1) / 2) for before, after in zip(shape, scaled, strict=True)]
    pixels: np.ndarray = image.astype(np.float32)
    if any(sigmas):
        # Of four standard deviations to each side, as SciPy cuts it off.
        down, across = (cv2.getGaussianKernel(2 * int(4 * sigma + 0.5) + 1, sigma, cv2.CV_32F) for sigma in sigmas)
        pixels = cv2.sepFilter2D(pixels, -1, across, down, borderType=cv2.BORDER_REFLECT_101)
    pixels = cv2.resize(pixels, scaled[::-1], interpolation=cv2.INTER_LINEAR)
    left = (scaled[1] - size[1]) // 2
    pixels = pixels.reshape(*scaled, image.shape[2])[:, left : left + size[1]]
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)
