"""SimVP and its translators."""

from svqkit import quantizers
from svqkit.config import Experiment
from svqkit.models.simvp import Forecast, SimVP

__all__ = ["Forecast", "SimVP", "build"]


def build(experiment: Experiment, channels: int) -> SimVP:
    """A fresh model of an experiment, for frames with ``channels`` channels; any height and width."""
    quantizer = quantizers.build(experiment.quantizer, experiment.model.hid_S)
    return SimVP(experiment.model, quantizer, experiment.data.frames_in, channels)
