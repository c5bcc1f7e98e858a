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
from svqkit.evaluation.image_metrics import Lpips, lpips_reason, psnr, ssim_by_range, ssim_reason
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
        if self.correlation.sums.ndim:
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


class ImageScores:
    """The scores of video and traffic, summed per lead time in float64, as the published ones define them.

    With e = prediction − truth of frames in [0, 1], per frame, then averaged over windows:

    ====================  ==================================================================  =========
    mse, mae              Σ e², Σ |e| over C, H, W, of the prediction as it is                ↓
    rmse                  √ of the mean of e² over windows, C, H, W                           ↓
    ssim, ssim_published  SSIM for data range 1, and for 2 as published scores have it        ↑
    psnr                  peak signal-to-noise ratio in dB; one frame without error makes inf ↑
    lpips                 LPIPS with AlexNet                                                  ↓
    ====================  ==================================================================  =========

    ssim, psnr and lpips are of the prediction clipped to [0, 1]; where the original range of the values is known, mae
    and rmse are also given in its units.

    Args:
        store: what is forecast.
        lpips: computes LPIPS; None leaves it out.
        blue_first: LPIPS, the one score for which the order of colours matters, is given them blue, green, red.

    Source: Tan et al. 2023, "OpenSTL", arXiv 2306.11249, and its published scoring code.
    """

    def __init__(self, store: Store, lpips: Lpips | None = None, blue_first: bool = False) -> None:
        self.store, self.lpips, self.blue_first = store, lpips, blue_first
        self.grids = GridErrors()
        self.sums: dict[str, Tensor] = {}
        no_ssim = ssim_reason(*store.frame_shape[1:])
        no_lpips = lpips_reason(*store.frame_shape, lpips.trunk if lpips else None)
        reasons = {"ssim": no_ssim, "ssim_published": no_ssim, "lpips": no_lpips}
        self.absent = {name: reason for name, reason in reasons.items() if reason}

    def add(self, prediction: Tensor, truth: Tensor, climatology: Tensor | None = None) -> None:
        """Add windows, both (B, L, C, H, W) on one device, predictions not clipped; images have no climatology."""
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

    def values(self) -> dict[str, Tensor]:
        """Return every metric (1 + L,), over all leads first; the root of rmse is taken last."""
        squares, sizes, over_frame = self.grids.mean("mse"), self.grids.mean("mae"), (1, 2, 3)
        by_lead = {"mse": squares.sum(over_frame), "mae": sizes.sum(over_frame), "rmse": squares.mean(over_frame)}
        by_lead |= {name: total / self.grids.count for name, total in self.sums.items()}
        values = {name: torch.cat([value.mean(0, keepdim=True), value]) for name, value in by_lead.items()}
        return values | {"rmse": values["rmse"].sqrt()}

    def table(self) -> pd.DataFrame:
        """Return the scores of the channel "mean" by metric and lead; what can't be computed is NaN."""
        scores = {name: values.tolist() for name, values in self.values().items()}
        scores |= {name: [float("nan")] * len(scores["mse"]) for name in self.absent}
        extra = self.store.extra
        if "original_maximum" in extra:
            span = float(extra["original_maximum"]) - float(extra["original_minimum"])
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
