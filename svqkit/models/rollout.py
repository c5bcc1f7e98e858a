"""Forecasts of any length from a model that gives as many frames as it takes."""

import torch
from torch import Tensor, nn

from svqkit.models.simvp import Forecast


def roll_out(model: nn.Module, frames: Tensor, frames_out: int) -> Forecast:
    """Forecast the ``frames_out`` frames after ``frames`` (B, T, C, H, W).

    The model forecasts T frames in a pass, and each pass is fed with the frames of the one before; the last is cut to
    length. The quantizer's loss is that of the last pass, as in the reference.
    """
    forecast = model(frames)
    parts = [forecast.frames]
    while len(parts) * frames.shape[1] < frames_out:
        forecast = model(forecast.frames)
        parts.append(forecast.frames)
    joined = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    return Forecast(joined[:, :frames_out], forecast.loss)
