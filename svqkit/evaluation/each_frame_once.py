"""Windows overlap, so a batch of them holds a frame many times; a quantizer that works frame by frame sees it once."""

import numpy as np
import torch
from torch import Tensor, nn

from svqkit.quantizers import Quantized


def quantize_once(quantizer: nn.Module, frames: np.ndarray) -> None:
    """Let the quantizer's next call, and only that, work on one latent of each frame; its copies get the same output.

    Sixteen windows of twelve frames in a row hold 27 different frames 192 times. Outputs are those without it, up to
    the rounding of a batch of another size.

    Args:
        quantizer: in eval mode, where what it makes of a latent map hangs on nothing but that map.
        frames: (N,) which frame each of the N latent maps of the next call comes from.
    """
    _, first, place = np.unique(frames, return_index=True, return_inverse=True)

    def before(_: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        return (_rows(given[0], first),)

    def after(_: nn.Module, given: tuple[Tensor], quantized: Quantized) -> Quantized:
        for hook in hooks:
            hook.remove()
        return Quantized(_rows(quantized.output, place), quantized.loss)

    hooks = [quantizer.register_forward_pre_hook(before), quantizer.register_forward_hook(after)]


def _rows(latents: Tensor, chosen: np.ndarray) -> Tensor:
    """Some of N latent maps, laid out in memory as they were, so that the layers behind take the same way."""
    last = latents.is_contiguous(memory_format=torch.channels_last) and not latents.is_contiguous()
    rows = latents[torch.from_numpy(chosen).to(latents.device)]
    return rows.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
