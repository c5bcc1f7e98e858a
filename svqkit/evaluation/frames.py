"""Scores of forecast frames in [0, 1] (video, traffic) from sums over windows: constant memory, however many."""

from collections.abc import Iterable

import torch
from torch import Tensor

from svqkit.errors import SvqkitError
from svqkit.evaluation.metrics import GridErrors, parts_at_once
from svqkit.evaluation.perceptual import Lpips, lpips_reason
from svqkit.evaluation.similarity import check_frames, psnr, ssim_by_range, ssim_reason


class FrameErrors:
    """Errors of forecast frames in [0, 1], summed per lead time in float64, as the published scores define them.

    With e = prediction − truth, per frame, then averaged over windows:

    ====================  ==================================================================  =========
    mse, mae              Σ e², Σ |e| over C, H, W, of the prediction as it is                ↓
    rmse                  √ of the mean of e² over windows, C, H, W                           ↓
    ssim, ssim_published  SSIM for data range 1, and for 2 as published scores have it        ↑
    psnr                  peak signal-to-noise ratio in dB; one frame without error makes inf ↑
    lpips                 LPIPS with AlexNet                                                  ↓
    ====================  ==================================================================  =========

    ssim, psnr and lpips are of the prediction clipped to [0, 1]. The grids of bias, |e| and e² are in ``grids``.

    Args:
        lpips: computes LPIPS; None leaves it out.
        blue_first: LPIPS, the one score for which the order of colours matters, is given them blue, green, red.

    Attributes:
        grids: Σe, Σ|e|, Σe² over windows, (L, C, H, W).
        absent: per metric that is not computed the reason, known once windows were added.

    Source: Tan et al. 2023, "OpenSTL", arXiv 2306.11249, and its published scoring code.
    """

    def __init__(self, lpips: Lpips | None = None, blue_first: bool = False) -> None:
        self.lpips, self.blue_first = lpips, blue_first
        self.grids = GridErrors()
        self.absent: dict[str, str] = {}
        self.sums: dict[str, Tensor] = {}
        self._shape: tuple[int, ...] | None = None

    def add(self, prediction: Tensor, truth: Tensor) -> None:
        """Add windows; both (B, L, C, H, W) on one device, predictions not clipped.

        Raises:
            SvqkitError: shapes that differ, are not (B, L, C, H, W), or not those of the windows before; integers.
        """
        self._check(prediction, truth)
        leads = prediction.shape[1]
        frames_at_once = parts_at_once(prediction, prediction[0, 0].numel())
        for part in _pairs(prediction, truth, max(1, frames_at_once // leads)):
            self.grids.add(*part)
        parts = [
            self._similarities(p.clamp(0, 1), t)
            for p, t in _pairs(prediction.flatten(0, 1), truth.flatten(0, 1), frames_at_once)
        ]
        for name in parts[0]:
            per_frame = torch.cat([part[name] for part in parts]).double().reshape(-1, leads)
            self.sums[name] = self.sums.get(name, 0) + per_frame.sum(0)

    def per_lead(self) -> dict[str, Tensor]:
        """Every metric by lead time, each (L,) in float64.

        Raises:
            SvqkitError: no window was added.
        """
        if not self.grids.count:
            raise SvqkitError("There are no scores before windows were added. Call `add` first.")
        squares, over_frame = self.grids.mean("mse"), (1, 2, 3)
        return {
            "mse": squares.sum(over_frame),
            "mae": self.grids.mean("mae").sum(over_frame),
            "rmse": squares.mean(over_frame).sqrt(),
            **{name: total / self.grids.count for name, total in self.sums.items()},
        }

    def over_leads(self) -> dict[str, float]:
        """Every metric's mean over lead times; rmse is the root of the mean over everything."""
        values = self.per_lead()
        means = {name: float(value.mean()) for name, value in values.items()}
        return means | {"rmse": float(values["rmse"].square().mean().sqrt())}

    def _similarities(self, prediction: Tensor, truth: Tensor) -> dict[str, Tensor]:
        """Per frame (N,), for frames (N, C, H, W)."""
        values: dict[str, Tensor] = {}
        if "ssim" not in self.absent:
            values["ssim"], values["ssim_published"] = ssim_by_range(prediction, truth, [1.0, 2.0])
        values["psnr"] = psnr(prediction, truth)
        if self.lpips is not None and "lpips" not in self.absent:
            pair = (prediction.flip(1), truth.flip(1)) if self.blue_first else (prediction, truth)
            values["lpips"] = self.lpips(*pair)
        return values

    def _check(self, prediction: Tensor, truth: Tensor) -> None:
        if prediction.ndim != 5 or prediction.shape != truth.shape or not prediction.numel():
            raise SvqkitError(
                "Expected prediction and truth (B, L, C, H, W) of one shape, not empty, got "
                f"{tuple(prediction.shape)} and {tuple(truth.shape)}."
            )
        check_frames(prediction[0], truth[0])
        shape = tuple(prediction.shape[1:])
        if self._shape is None:
            self._shape, self.absent = shape, self._reasons(*shape[1:])
        if shape != self._shape:
            raise SvqkitError(f"Expected windows (B, L, C, H, W) with (L, C, H, W) = {self._shape}, got {shape}.")

    def _reasons(self, channels: int, height: int, width: int) -> dict[str, str]:
        no_ssim = ssim_reason(height, width)
        no_lpips = lpips_reason(channels, height, width, self.lpips.trunk if self.lpips else None)
        reasons = {"ssim": no_ssim, "ssim_published": no_ssim, "lpips": no_lpips}
        return {name: reason for name, reason in reasons.items() if reason}


def _pairs(prediction: Tensor, truth: Tensor, size: int) -> Iterable[tuple[Tensor, Tensor]]:
    return zip(prediction.split(size), truth.split(size), strict=True)
