"""What can be scored: trained models, persistence, climatology; each maps input frames to a forecast."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser
from svqkit.devices.performance import to_channels_last
from svqkit.models.simvp import SimVP, roll_out

# (batch, climatology of its targets or None) → forecast (B, T_out, C, H, W) in physical units. Persistence is given
# frames in physical units, a model those of the store.
Forecaster = Callable[[Batch, Any], Tensor]


def of_model(
    model: SimVP,
    normaliser: Normaliser,
    denormaliser: Normaliser,
    device: torch.device,
    inputs: np.ndarray | None = None,
) -> Forecaster:
    """Return the forecaster of a model.

    Args:
        model: forecasts normalised frames.
        normaliser: of its input frames.
        denormaliser: of its output; another one only for weather of one variable under protocol "paper".
        device: where it computes.
        inputs: (T_in,), the input frames counted from the first target: so a frame that several windows hold is
            encoded once. None: each window is computed by itself.
    """
    model = to_channels_last(model.to(device)).eval()
    normaliser, denormaliser = normaliser.to(device), denormaliser.to(device)

    @torch.inference_mode()
    def forecast(batch: Batch, climatology: Tensor) -> Tensor:
        frames = normaliser.forward(batch.inputs.to(device))
        numbers = None if inputs is None else (batch.target_frames[:, :1] + inputs).ravel()
        return denormaliser.inverse(roll_out(model, frames, batch.targets.shape[1], numbers).frames)

    return forecast


def persistence(batch: Batch, climatology: Tensor) -> Tensor:
    """Return the last input frame, for every lead."""
    return batch.inputs[:, -1:].expand_as(batch.targets)


def climatology(batch: Batch, climatology: Tensor) -> Tensor:
    """Return the training mean of the week of the year and time of day that is forecast."""
    return climatology


BASELINES: dict[str, Forecaster] = {"persistence": persistence, "climatology": climatology}


def baselines(store: Store) -> dict[str, Forecaster]:
    """Return the baselines that a store's data allow, by name."""
    return {name: BASELINES[name] for name in BASELINES if "climatology" in store.group or name != "climatology"}
