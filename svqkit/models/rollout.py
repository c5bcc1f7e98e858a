"""Forecasts of any length from a model that gives as many frames as it takes."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from svqkit.models.simvp import Forecast


def passes(model: nn.Module, frames: Tensor, count: int) -> Iterator[Forecast]:
    """Yield ``count`` passes of the model, each fed with the frames of the one before; frames (B, T, C, H, W)."""
    for _ in range(count):
        forecast = model(frames)
        frames = forecast.frames
        yield forecast


def roll_out(model: nn.Module, frames: Tensor, frames_out: int) -> Forecast:
    """Forecast the ``frames_out`` frames after ``frames`` (B, T, C, H, W): repeated passes, the last one cut to length.

    The quantizer's loss is that of the last pass, as in the reference.
    """
    forecasts = list(passes(model, frames, -(-frames_out // frames.shape[1])))
    joined = forecasts[0].frames if len(forecasts) == 1 else torch.cat([part.frames for part in forecasts], dim=1)
    return Forecast(joined[:, :frames_out], forecasts[-1].loss)
