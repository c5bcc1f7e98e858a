"""SimVP and its translators."""

import torch

from svqkit import quantizers
from svqkit.errors import SvqkitError
from svqkit.models.simvp import Forecast, SimVP
from svqkit.settings.params import Experiment, Model
from svqkit.settings.quantizers import Settings

# Weights that any machine can hold, whatever a file says.
HARMLESS = 2**26


def build(experiment: Experiment, frame_shape: tuple[int, int, int]) -> SimVP:
    """Return a fresh model of an experiment, for frames (C, H, W)."""
    quantizer = quantizers.build(experiment.quantizer, experiment.model.hid_S)
    return SimVP(experiment.model, quantizer, experiment.data.frames_in, frame_shape)


def refuse_larger(
    model: Model, quantizer: Settings, frames: int, frame_shape: tuple[int, int, int], most: int, where: object
) -> None:
    """Refuse settings from elsewhere whose model has more weights than ``most``; takes no memory for them.

    Raises:
        SvqkitError: it has; ``where`` is how the message calls what holds the weights.
    """
    with torch.device("meta"):
        layer = quantizers.build(quantizer, model.hid_S)
        state = SimVP(model, layer, frames, frame_shape).state_dict()
    count = sum(tensor.numel() for tensor in state.values())
    if count > max(HARMLESS, most):
        raise SvqkitError(
            f"The settings tell of a model of {count:,} weights, {where} can hold no more than {most:,}. They don't "
            "belong together; fetch both again."
        )
