"""How alike two frames are: SSIM and PSNR of many frames at once, on whatever device they lie."""

from collections.abc import Sequence

import torch
from torch import Tensor

from svqkit.errors import SvqkitError

WINDOW = 7
K1, K2 = 0.01, 0.03
# Variances in a window are of a sample: divided by one less than its number of pixels.
SAMPLE = WINDOW**2 / (WINDOW**2 - 1)


def ssim(prediction: Tensor, truth: Tensor, data_range: float = 1.0) -> Tensor:
    """Structural similarity of frames (N, C, H, W) → (N,), float64, without unit; 1 for equal frames.

    In every 7 × 7 window that lies whole inside the frame, with means μ, sample variances σ² and covariance σ_pt,
    and constants c₁ = (0.01 R)², c₂ = (0.03 R)² of the data range R:

        SSIM = (2 μ_p μ_t + c₁)(2 σ_pt + c₂) / ((μ_p² + μ_t² + c₁)(σ_p² + σ_t² + c₂))

    and its mean over windows and channels. The same as scikit-image's ``structural_similarity`` with its defaults.

    Raises:
        SvqkitError: shapes that differ or are not (N, C, H, W), integer frames, frames under 7 pixels, R not positive.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
    """
    return ssim_by_range(prediction, truth, [data_range])[0]


def ssim_by_range(prediction: Tensor, truth: Tensor, data_ranges: Sequence[float]) -> list[Tensor]:
    """``ssim`` for each of several data ranges; the windows' means and variances are computed once."""
    check_frames(prediction, truth)
    if reason := ssim_reason(*prediction.shape[-2:]):
        raise SvqkitError(f"{reason} Leave SSIM out for such frames.")
    if not all(data_range > 0 for data_range in data_ranges):
        raise SvqkitError(f"A data range is a positive number, got {list(data_ranges)}. For frames in [0, 1] give 1.")
    # In float64: a variance is the small difference of two means, and float32 would lose it in flat frames. In place
    # where gradients allow it: what takes time here is memory, not arithmetic.
    p, t = prediction.double(), truth.double()
    mean_p, mean_t = _window_mean(p), _window_mean(t)
    product, squares = mean_p * mean_t, mean_p.square().addcmul_(mean_t, mean_t)
    covariance = _window_mean(p * t).sub_(product).mul_(SAMPLE)
    variances = _window_mean(p.square().addcmul_(t, t)).sub_(squares).mul_(SAMPLE)
    scores = []
    for data_range in data_ranges:
        c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
        above = (2 * product).add_(c1).mul_((2 * covariance).add_(c2))
        scores.append(above.div_((squares + c1).mul_(variances + c2)).mean((1, 2, 3)))
    return scores


def psnr(prediction: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of frames (N, C, H, W) in [0, 1] → (N,), float64, in dB; inf for equal frames.

    −10 log₁₀ of the frame's mean squared error over C, H and W: the peak is 1.

    Raises:
        SvqkitError: shapes that differ or are not (N, C, H, W), integer frames.
    """
    check_frames(prediction, truth)
    mse = (prediction.double() - truth.double()).square().mean((1, 2, 3))
    return -10 * torch.log10(mse)


def ssim_reason(height: int, width: int) -> str | None:
    """Why SSIM can't be computed for frames of this size; None when it can."""
    if min(height, width) >= WINDOW:
        return None
    return f"SSIM needs frames of {WINDOW} × {WINDOW} pixels or more, these are {height} × {width}."


def check_frames(prediction: Tensor, truth: Tensor) -> None:
    """Refuse what is not two equal batches (N, C, H, W) of floating-point frames."""
    if prediction.ndim != 4 or prediction.shape != truth.shape:
        raise SvqkitError(
            "Expected two batches of frames (N, C, H, W) of one shape, got "
            f"{tuple(prediction.shape)} and {tuple(truth.shape)}."
        )
    if not (prediction.is_floating_point() and truth.is_floating_point()):
        raise SvqkitError(
            f"Expected floating-point frames in [0, 1], got {prediction.dtype} and {truth.dtype}: divide 8-bit "
            "frames by 255."
        )


def _window_mean(x: Tensor) -> Tensor:
    """Mean of every whole window, (…, H − 6, W − 6): the sum down, then across, each of three pairs and a seventh."""
    for axis in (-2, -1):
        count = x.shape[axis] - WINDOW + 1
        pairs = x.narrow(axis, 0, count + 5) + x.narrow(axis, 1, count + 5)
        total = pairs.narrow(axis, 0, count) + x.narrow(axis, 6, count)
        x = total.add_(pairs.narrow(axis, 2, count)).add_(pairs.narrow(axis, 4, count))
    return x.div_(WINDOW**2)
