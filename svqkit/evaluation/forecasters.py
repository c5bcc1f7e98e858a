"""What can be scored: trained models, persistence, climatology; each maps input frames to a forecast."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from svqkit.data.windows import Batch, Normaliser
from svqkit.devices.performance import to_channels_last
from svqkit.evaluation.each_frame_once import quantize_once
from svqkit.models.rollout import roll_out

# (batch in physical units, climatology of the targets) → forecast (B, T_out, C, H, W) in physical units.
Forecaster = Callable[[Batch, Tensor], Tensor]


def of_model(
    model: nn.Module,
    entering: Normaliser,
    leaving: Normaliser,
    device: torch.device,
    inputs: np.ndarray | None = None,
) -> Forecaster:
    """A model that is given frames normalised by ``entering``; its output is brought back by ``leaving``.

    The two differ only for weather of one variable under protocol "paper". ``inputs`` (T_in,), the input frames counted
    from the first target, is given where the model quantizes them one by one: then a frame that several windows hold is
    quantized once.
    """
    model = to_channels_last(model.to(device)).eval()
    entering, leaving = entering.to(device), leaving.to(device)

    @torch.inference_mode()
    def forecast(batch: Batch, climatology: Tensor) -> Tensor:
        frames = entering.forward(batch.inputs.to(device))
        if inputs is not None:
            quantize_once(model.quantizer, (batch.target_frames[:, :1] + inputs).ravel())
        return leaving.inverse(roll_out(model, frames, batch.targets.shape[1]).frames)

    return forecast


def persistence(batch: Batch, climatology: Tensor) -> Tensor:
    """The last input frame, for every lead."""
    return batch.inputs[:, -1:].expand_as(batch.targets)


def climatology(batch: Batch, climatology: Tensor) -> Tensor:
    """The training mean of the week of the year and time of day that is forecast."""
    return climatology
