"""Where a translator looks: which positions of its input its output at one position depends on, and how much."""

import numpy as np
import torch
from torch import Tensor, nn

from svqkit.models import translators
from svqkit.quantizers.base import in_eval_mode
from svqkit.settings.params import Model

# Learned scales of branches start below this (1e-6 to 0.01), so that every block starts as nearly the identity.
SMALL = 0.1
WARM_UP = 4  # random inputs for the statistics of batch normalisation


def untrained(settings: Model, channels: int, size: tuple[int, int], seed: int = 0) -> nn.Module:
    """Return a fresh translator whose branches count: learned scales, which start at 1e-6 to 0.01, are set to 1.

    A scale is a parameter that starts at one small positive number everywhere. Batch normalisation is given the
    statistics of random inputs, since without any it would do nothing.

    Args:
        settings: of the model.
        channels: T·hid_S.
        size: (H', W') of the latents.
        seed: of the weights and the random inputs.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        translator = translators.build(settings, channels, size).eval()
        inputs = torch.randn(WARM_UP, channels, *size)
    with torch.no_grad():
        for parameter in translator.parameters():
            if 0 < float(parameter.min()) == float(parameter.max()) < SMALL:
                parameter.fill_(1)
        for module in translator.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.train().momentum = None  # the mean over what was seen, here one batch
        translator(inputs)
    return translator.eval()


def receptive_fields(
    translator: nn.Module, channels: int, size: tuple[int, int], samples: int = 8, seed: int = 0
) -> dict[str, np.ndarray]:
    """Compute where the middle block and the whole translator look: {"block": (H', W'), "translator": (H', W')}.

    The first is that of block number N_T // 2, counted from 0, on what reaches it. See :func:`receptive_field`.

    Args:
        translator: its first list of modules holds its blocks.
        channels: T·hid_S.
        size: (H', W') of the latents.
        samples: inputs, which are drawn from a normal distribution; the more, the smoother.
        seed: of inputs and channels.
    """
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(samples, channels, *size, generator=random)
    blocks = next(child for child in translator.children() if isinstance(child, nn.ModuleList))
    middle, reached = blocks[len(blocks) // 2], []
    hook = middle.register_forward_pre_hook(lambda _, given: reached.append(given[0].detach()))
    whole = receptive_field(translator, inputs, random)
    hook.remove()
    return {"block": receptive_field(middle, torch.cat(reached), random), "translator": whole}


def receptive_field(module: nn.Module, inputs: Tensor, random: torch.Generator) -> np.ndarray:
    """Compute the mean over samples n and channels c of |∂ y[n, k_n, H // 2, W // 2] / ∂ x[n, c, h, w]|, (H, W).

    The module is in eval mode. Of each sample one channel k_n of the output is drawn at random: all of them would cost
    as many backward passes.

    Args:
        module: (B, C, H, W) → (B, C', H, W).
        inputs: x (n, C, H, W).
        random: for the channels k_n.
    """
    fields = []
    with in_eval_mode(module):
        for x in inputs.split(1):
            x = x.clone().requires_grad_()
            y = module(x)[0, :, inputs.shape[2] // 2, inputs.shape[3] // 2]
            chosen = int(torch.randint(len(y), (), generator=random))
            (gradient,) = torch.autograd.grad(y[chosen], x)
            fields.append(gradient[0].abs().mean(0))
    return torch.stack(fields).mean(0).numpy()
