"""Single frames: image files read and brought to size."""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from svqkit.errors import SvqkitError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")

cv2.setNumThreads(1)  # frames are decoded side by side already


def read_image(path: Path, colour: bool) -> np.ndarray:
    """An image file as (H, W, 3) RGB, or (H, W, 1) grey (luminance), uint8.

    Raises:
        SvqkitError: there is no such file, or it is truncated or no image.
    """
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB" if colour else "L"))
    except FileNotFoundError as error:
        raise SvqkitError(f"There is no image {path}. Fetch it again, or take it off the list.") from error
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise SvqkitError(f"{path} can't be read as an image ({error}); it is truncated or damaged.") from error
    return pixels if colour else pixels[..., None]


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
