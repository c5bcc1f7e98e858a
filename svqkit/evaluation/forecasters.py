"""What can be scored: trained models, persistence, climatology; each maps input frames to a forecast."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser
from svqkit.devices.performance import to_channels_last
from svqkit.models.simvp import SimVP, roll_out
from svqkit.quantizers import Quantized

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
        inputs: (T_in,), the input frames counted from the first target, where the model quantizes them one by one:
            then a frame that several windows hold is quantized once.
    """
    model = to_channels_last(model.to(device)).eval()
    normaliser, denormaliser = normaliser.to(device), denormaliser.to(device)

    @torch.inference_mode()
    def forecast(batch: Batch, climatology: Tensor) -> Tensor:
        frames = normaliser.forward(batch.inputs.to(device))
        if inputs is not None:
            quantize_once(model.quantizer, (batch.target_frames[:, :1] + inputs).ravel())
        return denormaliser.inverse(roll_out(model, frames, batch.targets.shape[1]).frames)

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


def quantize_once(quantizer: nn.Module, frames: np.ndarray) -> None:
    """Let the quantizer's next call, and only that, work on one latent of each frame; its copies get the same output.

    Windows overlap: sixteen of twelve frames in a row hold 27 different frames 192 times. Outputs are those without
    it, up to the rounding of a batch of another size.

    Args:
        quantizer: in eval mode, where what it makes of a latent map hangs on nothing but that map.
        frames: (N,) which frame each of the N latent maps of the next call comes from.
    """
    _, first, copy_of = np.unique(frames, return_index=True, return_inverse=True)

    def before(_: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        return (_maps(given[0], first),)

    def after(_: nn.Module, given: tuple[Tensor], quantized: Quantized) -> Quantized:
        for hook in hooks:
            hook.remove()
        return Quantized(_maps(quantized.output, copy_of), quantized.loss)

    hooks = [quantizer.register_forward_pre_hook(before), quantizer.register_forward_hook(after)]


def _maps(latents: Tensor, chosen: np.ndarray) -> Tensor:
    """Some of N latent maps, in the memory format of all, so that the layers behind take the same kernels."""
    last = latents.is_contiguous(memory_format=torch.channels_last) and not latents.is_contiguous()
    maps = latents[torch.from_numpy(chosen).to(latents.device)]
    return maps.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
