"""Translators: the hidden part of SimVP, N_T blocks that mix time (as channels) and space."""

from collections.abc import Callable

import numpy as np
from torch import Tensor, nn

from svqkit.choices import choose
from svqkit.config import Model
from svqkit.models.translators.gsta import GSTABlock

__all__ = ["TRANSLATORS", "MetaTranslator", "build"]

# One block of each kind, made from (channels, mlp_ratio, drop, drop_path).
TRANSLATORS: dict[str, Callable[[int, float, float, float], nn.Module]] = {"gsta": GSTABlock}


class MetaTranslator(nn.Module):
    """N_T blocks in a row; a 1×1 convolution after the first widens to hid_T channels, one after the last narrows.

    The rate of drop path rises linearly from 0.01 to ``drop_path`` over the blocks, as in OpenSTL.
    """

    def __init__(self, channels: int, settings: Model) -> None:
        super().__init__()
        block = choose(TRANSLATORS, settings.translator, "translator")
        rates = np.linspace(0.01, settings.drop_path, settings.N_T)
        widths = [channels, *[settings.hid_T] * (settings.N_T - 1), channels]
        layers: list[nn.Module] = []
        for wide, following, rate in zip(widths[:-1], widths[1:], rates, strict=True):
            layers.append(block(wide, settings.mlp_ratio, settings.drop, float(rate)))
            if wide != following:
                layers.append(nn.Conv2d(wide, following, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, T·hid_S, H, W) → the same shape."""
        return self.layers(x)


def build(settings: Model, channels: int) -> nn.Module:
    """The translator that ``settings`` name, for T·hid_S ``channels``."""
    return MetaTranslator(channels, settings)
