"""Tidy tables of scores: what is measured on lat-lon grids and fields, and what on images; in constant memory.

Both kinds of scores take windows with ``add`` and give a ``table`` with one row per channel, metric and lead (0: over
all leads), the error grids in ``grids``, in ``absent`` the reason of each metric that was not computed, and by
``of_windows`` the "mse" and "mae" of each window, (n,), whose means over windows are the scores "mean", lead 0.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation.image_metrics import Lpips, check_frames, lpips_reason, psnr, ssim_by_range, ssim_reason
from svqkit.evaluation.metrics import ROOTS, AnomalyCorrelation, GridErrors, grid_means, latitude_weights, parts_at_once


class GridScores:
    """MSE, MAE and RMSE in physical units; of a lat-lon record also weighted by latitude, and the ACC.

    The channel "mean" is the mean over all channels, or over variables where published scores are (mv, hmv); the root
    of RMSE and WRMSE is taken after the mean over channels and before that over variables.
    """

    def __init__(self, store: Store, device: torch.device) -> None:
        self.store, self.grids = store, GridErrors()
        self.absent: dict[str, str] = {}
        is_lat_lon = store.kind == "grid"
        lat = torch.from_numpy(store.lat) if is_lat_lon else torch.zeros(store.frame_shape[1])
        self.weights = latitude_weights(lat).to(device)
        self.correlation = AnomalyCorrelation(self.weights)
        self.left_out = () if is_lat_lon else ("wrmse",)
        self.groups = list(dict.fromkeys(store.groups))
        member = torch.tensor([[group == name for group in store.groups] for name in self.groups]).double()
        self.shares = (member / member.sum(1, keepdim=True)).to(device)  # (groups, C), of a channel in its group's mean

    def add(self, prediction: Tensor, truth: Tensor, climatology: Tensor | None) -> None:
        """Add windows, all (B, L, C, H, W) in physical units."""
        self.grids.add(prediction, truth)
        if climatology is not None:
            self.correlation.add(prediction, truth, climatology)

    def table(self) -> pd.DataFrame:
        """Return the scores by channel, metric and lead."""
        means = grid_means(self.grids, self.weights)
        if self.correlation.sums is not None:
            means["acc"] = torch.cat([self.correlation.over_leads()[None], self.correlation.value()])
        scored = {metric: values for metric, values in means.items() if metric not in self.left_out}
        return pd.DataFrame([row for metric, values in scored.items() for row in self._rows(metric, values)])

    def of_windows(self) -> dict[str, np.ndarray]:
        """Return "mse" and "mae" of each window, (n,): the mean over groups of channels."""
        by_channel = self.grids.of_windows()
        return {name: (value @ self.shares.T).mean(1).cpu().numpy() for name, value in by_channel.items()}

    def _rows(self, metric: str, values: Tensor) -> list[dict]:
        """Rows of one metric; ``values`` (1 + L, C), over all leads first, averaged over groups before the root."""
        grouped = values @ self.shares.T
        if metric in ROOTS:
            values, grouped = values.sqrt(), grouped.sqrt()
        columns = dict(zip(self.store.channels, values.T.tolist(), strict=True))
        columns |= dict(zip(self.groups, grouped.T.tolist(), strict=True))
        return _tidy(metric, {**columns, "mean": grouped.mean(1).tolist()}, self.store.lead_step)


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
        for part in _in_parts(prediction, truth, max(1, frames_at_once // leads)):
            self.grids.add(*part)
        parts = [
            self._similarities(p.clamp(0, 1), t)
            for p, t in _in_parts(prediction.flatten(0, 1), truth.flatten(0, 1), frames_at_once)
        ]
        for name in parts[0]:
            per_frame = torch.cat([part[name] for part in parts]).double().reshape(-1, leads)
            self.sums[name] = self.sums.get(name, 0) + per_frame.sum(0)

    def per_lead(self) -> dict[str, Tensor]:
        """Return every metric by lead time, each (L,) in float64.

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
        """Return every metric's mean over lead times; rmse is the root of the mean over everything."""
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


class ImageScores(FrameErrors):
    """The scores of video and traffic, per frame in [0, 1]; with a known original range also errors in its units."""

    def __init__(self, store: Store, lpips: Lpips | None, blue_first: bool = False) -> None:
        super().__init__(lpips, blue_first)
        self.store = store

    def add(self, prediction: Tensor, truth: Tensor, climatology: Tensor | None = None) -> None:
        """Add windows, both (B, L, C, H, W); images have no climatology."""
        super().add(prediction, truth)

    def table(self) -> pd.DataFrame:
        """Return the scores of the channel "mean" by metric and lead; what can't be computed is NaN."""
        over_leads = self.over_leads()
        scores = {name: [over_leads[name], *values.tolist()] for name, values in self.per_lead().items()}
        scores |= {name: [float("nan")] * len(scores["mse"]) for name in self.absent}
        extra = self.store.extra
        if "original_maximum" in extra:
            span = extra["original_maximum"] - extra["original_minimum"]
            for name, factor in {"mae": span / np.prod(self.store.frame_shape), "rmse": span}.items():
                scores[f"{name}_original"] = [factor * value for value in scores[name]]
        step = self.store.lead_step
        return pd.DataFrame([row for name, values in scores.items() for row in _tidy(name, {"mean": values}, step)])

    def of_windows(self) -> dict[str, np.ndarray]:
        """Return "mse" and "mae" of each window, (n,): sums over a frame, mean over leads."""
        size = int(np.prod(self.store.frame_shape))
        return {name: size * value.mean(1).cpu().numpy() for name, value in self.grids.of_windows().items()}


def _tidy(metric: str, columns: Mapping[str, Sequence[float]], lead_step: int) -> list[dict]:
    """Rows of one metric from its values by channel, over all leads first."""
    return [
        {"channel": channel, "metric": metric, "lead": lead_step * step, "value": value}
        for channel, values in columns.items()
        for step, value in enumerate(values)
    ]


def _in_parts(prediction: Tensor, truth: Tensor, size: int) -> Iterable[tuple[Tensor, Tensor]]:
    return zip(prediction.split(size), truth.split(size), strict=True)
