"""IncepU: SimVP's first translator, inception blocks in a U."""

import torch
from torch import Tensor, nn

from svqkit.models.layers import GroupNorm
from svqkit.models.translators.blocks import need_multiple
from svqkit.settings.params import Model

KERNELS, GROUPS = (3, 5, 7, 11), 8


class IncepU(nn.Module):
    """N_T blocks down and N_T up again; the ups are given the downs' outputs too, the deepest first.

    It has no dropout and no drop path.

    Args:
        settings: of the model; N_T and hid_T count.
        channels: T·hid_S.
        size: of the latents; any will do.

    Source: Gao et al., "SimVP: Simpler yet Better Video Prediction", CVPR 2022, arXiv 2206.05099; layer sizes as in
    OpenSTL.
    """

    def __init__(self, settings: Model, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        wide, depth = settings.hid_T, settings.N_T
        into_down = [channels, *[wide] * (depth - 1)]
        into_up = [wide, *[2 * wide] * (depth - 1)]
        out_of_up = [*[wide] * (depth - 1), channels]
        self.down = nn.ModuleList(Inception(narrow, wide, wide) for narrow in into_down)
        self.up = nn.ModuleList(Inception(*ends, wide) for ends in zip(into_up, out_of_up, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, channels, H', W') → the same shape."""
        passed = []
        for block in self.down:
            x = block(x)
            passed.append(x)
        x = self.up[0](passed.pop())
        for block in self.up[1:]:
            x = block(torch.cat([x, passed.pop()], dim=1))
        return x


class Inception(nn.Module):
    """A 1×1 convolution to wide / 2 channels, then the sum of grouped convolutions with kernels of several sizes."""

    def __init__(self, channels_in: int, channels_out: int, wide: int) -> None:
        super().__init__()
        hidden = wide // 2
        groups = GROUPS if hidden % GROUPS == 0 else 1
        need_multiple(channels_out, groups, "incepu")
        self.enter = nn.Conv2d(channels_in, hidden, 1)
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(hidden, channels_out, kernel, padding=kernel // 2, groups=groups),
                GroupNorm(groups, channels_out),
                nn.LeakyReLU(0.2, inplace=True),
            )
            for kernel in KERNELS
        )

    def forward(self, x: Tensor) -> Tensor:
        """x (B, channels_in, H, W) → (B, channels_out, H, W)."""
        x = self.enter(x)
        return sum(branch(x) for branch in self.branches)
