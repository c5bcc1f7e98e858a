"""Frames brought to size as for KITTI and Caltech: scaled to the height, then cut to the width at the centre.

The reference takes PredNet's way with scikit-image's ``resize``: a Gaussian of (factor − 1) / 2 pixels against
aliasing, then bilinear interpolation. Here OpenCV does the same, faster; results are rounded. (Where a
picture is enlarged, its outermost pixels differ: OpenCV repeats them, scikit-image mirrors.) PredNet made its HKL files
with ``scipy.misc.imresize``, another filter of about the same width that SciPy no longer has.
"""

from pathlib import Path

import cv2
import numpy as np

from svqkit.errors import SvqkitError

cv2.setNumThreads(1)  # frames are decoded side by side already


def scaled_width(shape: tuple[int, int], height: int) -> int:
    """The width of a (height, width) picture that is scaled to ``height`` rows."""
    return int(np.round(float(height) / shape[0] * shape[1]))


def refuse_narrow(shape: tuple[int, int], size: tuple[int, int], where: str | Path) -> None:
    """Raise SvqkitError when a picture of ``shape`` is too narrow to be cut to ``size``, both (height, width)."""
    width = scaled_width(shape, size[0])
    if width < size[1]:
        raise SvqkitError(
            f"{where} has pictures of {shape[0]} × {shape[1]}; scaled to {size[0]} rows they have {width} columns, "
            f"fewer than the {size[1]} of `size`. Ask for a narrower size."
        )


def scale_and_crop(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, C) uint8 → (*size, C) uint8: scaled to ``size``'s height, the middle columns kept.

    Raises:
        SvqkitError: the picture is too narrow for ``size``.
    """
    shape = image.shape[:2]
    if shape == size:
        return image
    refuse_narrow(shape, size, "A frame's file")
    scaled = (size[0], scaled_width(shape, size[0]))
    sigmas = [max(0.0, (before / after - 1) / 2) for before, after in zip(shape, scaled, strict=True)]
    pixels = image.astype(np.float32)
    if any(sigmas):
        rows, columns = (2 * int(4 * sigma + 0.5) + 1 for sigma in sigmas)
        pixels = cv2.sepFilter2D(
            pixels, -1, _gaussian(columns, sigmas[1]), _gaussian(rows, sigmas[0]), borderType=cv2.BORDER_REFLECT_101
        )
    pixels = cv2.resize(pixels, scaled[::-1], interpolation=cv2.INTER_LINEAR)
    left = (scaled[1] - size[1]) // 2
    pixels = pixels.reshape(*scaled, image.shape[2])[:, left : left + size[1]]
    return np.rint(np.clip(pixels, 0, 255)).astype(np.uint8)


def _gaussian(taps: int, sigma: float) -> np.ndarray:
    """A Gaussian of ``taps`` weights, of four standard deviations to each side, as SciPy cuts it off."""
    if taps == 1:
        return np.ones(1, np.float32)
    weights = np.exp(-0.5 * ((np.arange(taps) - taps // 2) / sigma) ** 2)
    return (weights / weights.sum()).astype(np.float32)
