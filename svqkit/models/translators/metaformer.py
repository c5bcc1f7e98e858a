"""Translators that are a row of blocks, each mixing positions and then channels: MetaFormers."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from svqkit.settings.params import Model


@dataclass(frozen=True)
class BlockSpec:
    """What a block of a translator is made by.

    Attributes:
        dim: channels.
        size: (H', W') of the latents.
        mlp_ratio: width of the block's MLP relative to ``dim``.
        drop: rate of dropout.
        drop_path: rate of drop path, at which a training sample skips a branch of the block.
        index: number of the block, from 0.
        resized: whether a 1×1 convolution after the block changes the number of channels.
    """

    dim: int
    size: tuple[int, int]
    mlp_ratio: float
    drop: float
    drop_path: float
    index: int
    resized: bool


class MetaTranslator(nn.Module):
    """N_T blocks in a row; a 1×1 convolution after the first widens to hid_T channels, one after the last narrows.

    The rate of drop path rises linearly from 0.01 to ``drop_path`` over the blocks, as in OpenSTL. A subclass says in
    ``block`` which kind of block.

    Args:
        settings: of the model.
        channels: T·hid_S.
        size: (H', W') of the latents.
    """

    def __init__(self, settings: Model, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        rates = np.linspace(0.01, settings.drop_path, settings.N_T).tolist()
        widths = [channels, *[settings.hid_T] * (settings.N_T - 1), channels]
        self.blocks, self.resize = nn.ModuleList(), nn.ModuleList()
        for index, (width, next_width, rate) in enumerate(zip(widths[:-1], widths[1:], rates, strict=True)):
            resized = width != next_width
            self.blocks.append(
                self.block(BlockSpec(width, size, settings.mlp_ratio, settings.drop, rate, index, resized))
            )
            self.resize.append(nn.Conv2d(width, next_width, 1) if resized else nn.Identity())

    @abstractmethod
    def block(self, spec: BlockSpec) -> nn.Module:
        """Make the block of ``spec``: (B, dim, H', W') → the same shape."""

    def forward(self, x: Tensor) -> Tensor:
        """x (B, channels, H', W') → the same shape."""
        for block, resize in zip(self.blocks, self.resize, strict=True):
            x = resize(block(x))
        return x
