"""Single frames: image files read and brought to size."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from svqkit.errors import SvqkitError
from svqkit.settings.types import MOST_PIXELS
from svqkit.userfiles import refuse_special

FORMATS = ("BMP", "JPEG", "PNG", "TIFF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
# What Pillow calls pixels of at most 8 bits a channel.
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")

cv2.setNumThreads(1)  # frames are decoded side by side already


@contextmanager
def open_image(file: Path | BinaryIO, where: str) -> Iterator[Image.Image]:
    """An image of a kind that frames come in, opened but not decoded; ``where`` is how errors call it.

    Raises:
        SvqkitError: there is no such file, it is truncated or no image, or its header promises too many pixels.
    """
    if isinstance(file, Path):
        refuse_special(file)
    try:
        # By what it holds, not by its name: Pillow would run a program to draw PostScript.
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError(f"{image.height:,} × {image.width:,} pixels")
            yield image
    except SvqkitError:
        raise
    except FileNotFoundError as error:
        raise SvqkitError(f"There is no image {where}. Fetch it again, or take it off the list.") from error
    except Image.DecompressionBombError as error:
        raise SvqkitError(
            f"{where} is too large, expected up to {MOST_PIXELS:,} pixels: {error}. Fetch it again, or remove it."
        ) from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise SvqkitError(f"{where} can't be read as an image ({error}); it is truncated or damaged.") from error


def read_image(path: Path, colour: bool) -> np.ndarray:
    """An image file as (H, W, 3) RGB, or (H, W, 1) grey (luminance), uint8.

    Raises:
        SvqkitError: as :func:`open_image`, or it has more than 8 bits a channel.
    """
    with open_image(path, str(path)) as image:
        refuse_deep(image, path)
        pixels = np.asarray(image.convert("RGB" if colour else "L"))
    return pixels if colour else pixels[..., None]


def refuse_deep(image: Image.Image, path: Path) -> None:
    """Refuse an image whose values don't fit into bytes: they would be cut off at 255.

    Raises:
        SvqkitError: it has more than 8 bits a channel.
    """
    if image.mode not in MODES:
        raise SvqkitError(
            f"{path} has more than 8 bits a channel (mode {image.mode}), which frames of a clip can't have. Make an "
            "array of such images, `source: array` with their `range`, or save them with 8 bits."
        )


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, C) uint8 brought to ``size`` (height, width), bilinear without smoothing, computed in float32.

    As the reference resizes KTH; it keeps the fractions that are rounded here.
    """
    if image.shape[:2] == size:
        return image
    resized = cv2.resize(image.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.rint(resized).astype(np.uint8).reshape(*size, image.shape[2])


def channels_first(image: np.ndarray) -> np.ndarray:
    """(H, W, C) → (C, H, W)."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))
