"""SimVP and its translators."""

from svqkit import quantizers
from svqkit.config import Experiment
from svqkit.models.simvp import Forecast, SimVP

__all__ = ["Forecast", "SimVP", "build"]


def build(experiment: Experiment, frame_shape: tuple[int, int, int]) -> SimVP:
    """A fresh model of an experiment, for frames (C, H, W)."""
    quantizer = quantizers.build(experiment.quantizer, experiment.model.hid_S)
    return SimVP(experiment.model, quantizer, experiment.data.frames_in, frame_shape)
