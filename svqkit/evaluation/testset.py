"""The test split of a store: scores of a forecaster on it, and its forecast of one window."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
import xarray as xr

from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser, Windows, batches, scoring_batch
from svqkit.errors import SvqkitError, choose
from svqkit.evaluation import forecasters
from svqkit.evaluation.fields import common_unit, coordinates, stretches
from svqkit.evaluation.forecasters import Forecaster
from svqkit.evaluation.image_metrics import Lpips
from svqkit.evaluation.metrics import GridErrors
from svqkit.evaluation.reading import SCORES
from svqkit.evaluation.scoring import GridScores, ImageScores
from svqkit.progress import progress
from svqkit.settings.params import Protocol
from svqkit.training.runs import Run

COLUMNS = list(SCORES)


@dataclass(frozen=True)
class Evaluation:
    """What a forecaster did on the test split under one protocol.

    Attributes:
        scores: tidy.
        errors: the error grids behind them.
        windows: "mse" and "mae" of each window, (n,), whose means are the scores.
        absent: per metric that could not be computed the reason.
        of_channel: forecast − truth of one channel in every window, float32 (n, L, H, W), where one was asked for.
    """

    scores: pd.DataFrame
    errors: GridErrors
    windows: dict[str, np.ndarray]
    absent: dict[str, str]
    of_channel: np.ndarray | None


class TestSet:
    """The test split of a store under a protocol: frames as the forecasters see them, and the truth.

    Under "paper", as in the reference, weather frames are normalised with the test period's own statistics and brought
    back with the training period's, those of several variables (mv, hmv) with the test period's own again; for all
    forecasters the truth goes the same way. Colours that the reference reads in another order than in training
    (KittiCaltech) are turned for the model, and LPIPS looks at colours in the reference's order.
    """

    __test__ = False  # no test of pytest's

    def __init__(self, store: Store, protocol: Protocol, lpips: Lpips | None = None) -> None:
        self.store, self.protocol, self.lpips = store, protocol, lpips
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.windows = Windows(store, "test", protocol, self.device, hold=False)
        self.normaliser = Normaliser.of(store, "test" if protocol == "paper" else "train", protocol).to(self.device)
        # mv and hmv are of several variables; uv10, one wind, is a single one.
        same_back = store.kind == "image" or len(set(store.groups)) > 1
        self.denormaliser = self.normaliser if same_back else Normaliser.of(store, "train", protocol).to(self.device)

    def is_like(self, other: "TestSet") -> bool:
        """Return whether two protocols differ in nothing: images, which nobody normalises, in equal windows."""
        mine, theirs = self.windows, other.windows
        same = [np.array_equal(getattr(mine, part), getattr(theirs, part)) for part in ("starts", "inputs", "targets")]
        return self.store.kind == "image" and all(same) and self.blue_first == other.blue_first

    @property
    def blue_first(self) -> bool:
        """Whether the protocol has the frames' colours in OpenCV's order."""
        return self.store.blue_first("test", self.protocol)

    def forecaster(self, contestant: Run | str) -> Forecaster:
        """Return the forecaster of a run's best weights, or a baseline by its name.

        Raises:
            SvqkitError: the store has no such baseline.
        """
        if isinstance(contestant, str):
            return choose(forecasters.baselines(self.store), contestant, "baseline")
        inputs = self.windows.inputs - self.windows.targets[0]
        return forecasters.of_model(contestant.model(), self.normaliser, self.denormaliser, self.device, inputs)

    def truth(self, frames: torch.Tensor) -> torch.Tensor:
        """Convert stored frames to physical units, as the protocol scores them."""
        if self.protocol == "paper":
            return self.denormaliser.inverse(self.normaliser.forward(frames))
        return self.denormaliser.physical(frames)

    def as_scored(self, batch: Batch) -> Batch:
        """Convert a stored batch to physical units."""
        return Batch(self.truth(batch.inputs), self.truth(batch.targets), batch.target_frames)

    def climatology(self, batch: Batch) -> torch.Tensor | None:
        """Return the climatology of a batch's targets, where the store has one."""
        if "climatology" not in self.store.group:
            return None
        weeks, slots = (torch.from_numpy(part) for part in self.store.climatology_rows(batch.target_frames))
        return self._climatology[weeks.to(self.device), slots.to(self.device)]

    @cached_property
    def _climatology(self) -> torch.Tensor:
        return torch.from_numpy(self.store.climatology_table).to(self.device)

    def forecast(self, forecaster: Forecaster, batch: Batch, climatology: torch.Tensor | None) -> torch.Tensor:
        """Forecast a stored batch, (B, L, C, H, W) in physical units; the climatology is that of its targets."""
        seen = self.as_scored(batch) if forecaster is forecasters.persistence else batch
        return forecaster(seen, climatology).to(self.device)

    def evaluate(self, forecaster: Forecaster, name: str, seed: int, channel: int | None = None) -> Evaluation:
        """Score a forecaster on every window, in one pass; memory grows by a few numbers per window.

        With ``channel`` the errors of that channel are kept as well.
        """
        kept: list[torch.Tensor] = []
        parts = stretches(self.windows, self.protocol)
        scores: ImageScores | GridScores
        if self.store.kind == "image":
            scores = ImageScores(self.store, self.lpips, self.blue_first)
        else:
            scores = GridScores(self.store, self.device)
        with progress(len(self.windows), f"{name} seed {seed} {self.protocol}", "window") as bar:
            for stretch in parts:
                for batch in batches(self.windows, stretch, scoring_batch(self.windows)):
                    batch = batch.to(self.device)
                    climatology = self.climatology(batch)
                    prediction, truth = self.forecast(forecaster, batch, climatology), self.truth(batch.targets)
                    if not prediction.isfinite().all():
                        raise SvqkitError(
                            f"{name} seed {seed}: forecasts are NaN or infinite, so its weights are damaged or too "
                            "large. Train the model again, or leave it out."
                        )
                    scores.add(prediction, truth, climatology)
                    if channel is not None:
                        kept.append((prediction - truth)[:, :, channel].float().cpu())
                    bar.update(len(prediction))
                scores.grids.end_stretch()
        table = scores.table().assign(experiment=name, seed=seed, protocol=self.protocol)[COLUMNS]
        of_channel = torch.cat(kept).numpy()[np.argsort(np.concatenate(parts))] if kept else None
        return Evaluation(table, scores.grids, scores.of_windows(), scores.absent, of_channel)


def experiment_and_seed(contestant: Run | str) -> tuple[str, int]:
    """Return what stands in the tables of a run; a baseline, by name, has seed −1."""
    return (contestant.experiment.name, contestant.seed) if isinstance(contestant, Run) else (contestant, -1)


def sample_forecast(test: TestSet, forecaster: Forecaster) -> xr.Dataset:
    """Forecast from the middle of the test split: what was observed, what came, what was forecast."""
    store = test.store
    batch = test.windows[len(test.windows) // 2].to(test.device)
    prediction, seen = test.forecast(forecaster, batch, test.climatology(batch)), test.as_scored(batch)
    dims, first = store.spatial_coords[0], int(batch.target_frames[0, 0])
    attrs = {"units": common_unit(store), "data": store.title, "clip": store.clip_name(first)}
    if "time" in store.group:
        attrs["start_time"] = str(store.times[first] - np.timedelta64(store.lead_step, "h"))
    return xr.Dataset(
        {
            "observed": (("time_in", "channel", *dims), seen.inputs[0].cpu().numpy()),
            "truth": (("lead", "channel", *dims), seen.targets[0].cpu().numpy()),
            "prediction": (("lead", "channel", *dims), prediction[0].cpu().numpy()),
        },
        coords={
            "time_in": store.lead_step * np.arange(1 - batch.inputs.shape[1], 1),
            **coordinates(store, batch.targets.shape[1]),
        },
        attrs=attrs,
    )
