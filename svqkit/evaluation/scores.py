"""Tidy tables of scores: what is measured on lat-lon grids and fields, and what on images."""

from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from svqkit.data.store import Store
from svqkit.evaluation.frames import FrameErrors
from svqkit.evaluation.metrics import METRICS, AnomalyCorrelation, GridErrors, latitude_weights
from svqkit.evaluation.perceptual import Lpips


class Scores(Protocol):
    """Errors of one forecaster, gathered window by window in constant memory."""

    grids: GridErrors

    def add(self, prediction: Tensor, truth: Tensor, climatology: Tensor | None) -> None:
        """Add windows, all (B, L, C, H, W) in physical units."""

    def table(self) -> pd.DataFrame:
        """One row per channel, metric and lead (0: over all leads): channel, metric, lead, value.

        The channel "mean" is the mean over all channels, or over variables where published scores are (mv, hmv); the
        root of RMSE and WRMSE is taken after the mean over channels and before that over variables.
        """

    def of_windows(self) -> dict[str, np.ndarray]:
        """ "mse" and "mae" of each window, (n,), whose means over windows are the scores "mean", lead 0."""


def scores_of(store: Store, device: torch.device, lpips: Lpips | None = None, blue_first: bool = False) -> Scores:
    """An empty collection of the scores that suit a store; ``blue_first``: LPIPS sees colours in that order."""
    return ImageScores(store, lpips, blue_first) if store.kind == "image" else GridScores(store, device)


class GridScores:
    """MSE, MAE and RMSE in physical units; of a lat-lon record also weighted by latitude, and the ACC."""

    def __init__(self, store: Store, device: torch.device) -> None:
        self.store = store
        self.grids = GridErrors()
        on_earth = store.kind == "grid"
        lat = torch.from_numpy(store.lat) if on_earth else torch.zeros(store.frame_shape[1])
        self.weights = latitude_weights(lat).to(device)
        self.metrics = {name: metric for name, metric in METRICS.items() if on_earth or name != "wrmse"}
        self.correlation = AnomalyCorrelation(self.weights)

    def add(self, prediction: Tensor, truth: Tensor, climatology: Tensor | None) -> None:
        """See :class:`Scores`."""
        self.grids.add(prediction, truth)
        if climatology is not None:
            self.correlation.add(prediction, truth, climatology)

    def table(self) -> pd.DataFrame:
        """See :class:`Scores`."""
        member = self._members()
        rows: list[dict] = []
        for name, metric in self.metrics.items():
            means = metric.mean(self.grids, self.weights)  # (L, C), before any root
            rows += self._rows(name, torch.cat([means.mean(0, keepdim=True), means]), member, metric.root)
        if self.correlation.sums is not None:
            acc = torch.cat([self.correlation.over_leads()[None], self.correlation.value()])
            rows += self._rows("acc", acc, member, root=False)
        return pd.DataFrame(rows)

    def of_windows(self) -> dict[str, np.ndarray]:
        """See :class:`Scores`."""
        member = self._members()
        return {name: (value @ member.T).mean(1).cpu().numpy() for name, value in self.grids.of_windows().items()}

    def _members(self) -> Tensor:
        """(groups, C) the share that each channel has in the mean of its group."""
        groups = self.store.groups
        names = list(dict.fromkeys(groups))
        member = torch.tensor([[group == name for group in groups] for name in names]).double()
        return (member / member.sum(1, keepdim=True)).to(self.weights.device)

    def _rows(self, metric: str, values: Tensor, member: Tensor, root: bool) -> list[dict]:
        """Rows of one metric; ``values`` (1 + L, C), over all leads first, averaged over groups before the root."""
        grouped = values @ member.T
        channels, grouped = (part.sqrt() if root else part for part in (values, grouped))
        named = dict(zip(self.store.channels, channels.T.tolist(), strict=True))
        named |= dict(zip(dict.fromkeys(self.store.groups), grouped.T.tolist(), strict=True))
        named["mean"] = grouped.mean(1).tolist()
        steps = self.store.lead_step * np.arange(len(values))
        return [
            {"channel": channel, "metric": metric, "lead": int(lead), "value": value}
            for channel, column in named.items()
            for lead, value in zip(steps, column, strict=True)
        ]


class ImageScores:
    """The scores of video and traffic, per frame in [0, 1]; with a known original range also errors in its units."""

    def __init__(self, store: Store, lpips: Lpips | None, blue_first: bool = False) -> None:
        self.store = store
        self.errors = FrameErrors(lpips, blue_first)
        self.grids = self.errors.grids

    @property
    def absent(self) -> dict[str, str]:
        """Per metric that is not computed the reason."""
        return self.errors.absent

    def add(self, prediction: Tensor, truth: Tensor, climatology: Tensor | None) -> None:
        """See :class:`Scores`."""
        self.errors.add(prediction, truth)

    def table(self) -> pd.DataFrame:
        """See :class:`Scores`; what can't be computed is NaN."""
        per_lead = {name: value.tolist() for name, value in self.errors.per_lead().items()}
        over_leads = self.errors.over_leads()
        for name in self.absent:
            per_lead[name], over_leads[name] = [float("nan")] * len(per_lead["mse"]), float("nan")
        extra = self.store.extra
        if "original_maximum" in extra:
            span = extra["original_maximum"] - extra["original_minimum"]
            per_value = {"mae": span / np.prod(self.store.frame_shape), "rmse": span}
            for name, factor in per_value.items():
                per_lead[f"{name}_original"] = [factor * value for value in per_lead[name]]
                over_leads[f"{name}_original"] = factor * over_leads[name]
        step = self.store.lead_step
        return pd.DataFrame(
            {"channel": "mean", "metric": name, "lead": step * lead, "value": value}
            for name, values in per_lead.items()
            for lead, value in enumerate([over_leads[name], *values])
        )

    def of_windows(self) -> dict[str, np.ndarray]:
        """See :class:`Scores`: sums over a frame."""
        values = int(np.prod(self.store.frame_shape))
        return {name: values * value.mean(1).cpu().numpy() for name, value in self.grids.of_windows().items()}
