"""Single frames: image files read and brought to size."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from svqkit.errors import SvqkitError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
# What Pillow calls pixels of at most 8 bits a channel.
MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")

cv2.setNumThreads(1)  # frames are decoded side by side already


def read_image(path: Path, colour: bool) -> np.ndarray:
    """An image file as (H, W, 3) RGB, or (H, W, 1) grey (luminance), uint8.

    Raises:
        SvqkitError: there is no such file, it is truncated or no image, or it has more than 8 bits a channel.
    """
    try:
        with Image.open(path) as image:
            refuse_deep(image, path)
            pixels = np.asarray(image.convert("RGB" if colour else "L"))
    except SvqkitError:
        raise
    except FileNotFoundError as error:
        raise SvqkitError(f"There is no image {path}. Fetch it again, or take it off the list.") from error
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise SvqkitError(f"{path} can't be read as an image ({error}); it is truncated or damaged.") from error
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
