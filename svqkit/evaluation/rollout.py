"""Forecasts of any length from a model that gives as many frames as it takes."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from svqkit.models.simvp import Forecast


def passes(model: nn.Module, frames: Tensor, count: int) -> Iterator[Forecast]:
    """``count`` passes of the model, each fed with the frames of the one before; frames (B, T, C, H, W)."""
    for _ in range(count):
        forecast = model(frames)
        frames = forecast.frames
        yield forecast


def roll_out(model: nn.Module, frames: Tensor, frames_out: int) -> Forecast:
    """The ``frames_out`` frames after ``frames`` (B, T, C, H, W): repeated passes, the last one cut to length.

    The loss is the mean of the passes' losses.
    """
    count = -(-frames_out // frames.shape[1])
    steps = list(passes(model, frames, count))
    if count == 1:
        return Forecast(steps[0].frames[:, :frames_out], steps[0].loss)
    joined = torch.cat([step.frames for step in steps], dim=1)[:, :frames_out]
    return Forecast(joined, torch.stack([step.loss for step in steps]).mean())
