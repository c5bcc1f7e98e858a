"""What the blocks of several translators are made of."""

import math
from collections import OrderedDict
from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor, nn

from svqkit.devices.convolutions import DepthwiseConv2d, DilatedConv2d
from svqkit.devices.distributed import DropPath
from svqkit.errors import SvqkitError
from svqkit.models.translators.metaformer import BlockSpec


class Residual(nn.Module):
    """x + s₁·mix(norm₁(x)), then x + s₂·mlp(norm₂(x)), on maps (B, dim, H, W): what most MetaFormers are.

    Args:
        spec: of the block.
        norm: makes a normalisation of ``dim`` channels.
        mix: mixes positions.
        mlp: mixes channels.
        scale: the value at which the learned scales s of each channel start; None: there are none.
    """

    def __init__(
        self,
        spec: BlockSpec,
        norm: Callable[[int], nn.Module],
        mix: nn.Module,
        mlp: nn.Module,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.norm1, self.mix = norm(spec.dim), mix
        self.norm2, self.mlp = norm(spec.dim), mlp
        self.scale1, self.scale2 = (nn.Identity() if scale is None else LayerScale(spec.dim, scale) for _ in range(2))
        self.drop_path = DropPath(spec.drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        x = x + self.drop_path(self.scale1(self.mix(self.norm1(x))))
        return x + self.drop_path(self.scale2(self.mlp(self.norm2(x))))


# timm has this as well, but importing it brings torchvision along: 1.5 of the 4 seconds in which a training starts, for
# ten lines.
class LayerScale(nn.Module):
    """γ ⊙ x with a learned scale γ for each channel, all ``start`` at first.

    Source: Touvron et al. 2021, "Going deeper with image transformers".
    """

    def __init__(self, dim: int, start: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), start))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return x * self.gamma[:, None, None]


class ConvMLP(nn.Module):
    """Two 1×1 convolutions with a depthwise 3×3 between them."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        hidden = int(spec.dim * spec.mlp_ratio)
        self.enter = nn.Conv2d(spec.dim, hidden, 1)
        self.depthwise = depthwise(hidden, 3)
        self.leave = nn.Conv2d(hidden, spec.dim, 1)
        self.activation, self.drop = nn.GELU(), nn.Dropout(spec.drop)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return self.drop(self.leave(self.drop(self.activation(self.depthwise(self.enter(x))))))


class LargeKernelAttention(nn.Module):
    """x + leave(gate(GELU(enter(x)))), 1×1 convolutions to enter and leave; gsta, tau and van differ in the gate."""

    def __init__(self, dim: int, gate: nn.Module) -> None:
        super().__init__()
        self.enter = nn.Conv2d(dim, dim, 1)
        self.activation = nn.GELU()
        self.gate = gate
        self.leave = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return x + self.leave(self.gate(self.activation(self.enter(x))))


class Tokens(nn.Module):
    """A block made for sequences (B, H·W, dim), used on maps (B, dim, H, W)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        tokens = self.block(rearrange(x, "b c h w -> b (h w) c"))
        return rearrange(tokens, "b (h w) c -> b c h w", h=x.shape[2])


def depthwise(dim: int, kernel: int, dilation: int = 1) -> nn.Conv2d:
    """Make a convolution of each channel on its own that keeps height and width."""
    kind = DepthwiseConv2d if dilation == 1 else DilatedConv2d
    return kind(dim, dim, kernel, padding=dilation * (kernel // 2), groups=dim, dilation=dilation)


def large_kernel(dim: int, channels_out: int) -> nn.Sequential:
    """Make what stands for a 21 × 21 kernel, in three cheap parts: depthwise 5×5, dilated depthwise 7×7, then 1×1.

    The 7×7 takes every third position, so that the two reach 23 × 23.
    """
    parts = {"near": depthwise(dim, 5), "far": depthwise(dim, 7, dilation=3), "point": nn.Conv2d(dim, channels_out, 1)}
    return nn.Sequential(OrderedDict(parts))


def init_weights(module: nn.Module) -> None:
    """Initialise convolutions from N(0, 2 / fan_out), linear layers from N(0, 0.02²) cut at ±2; for ``apply``."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def need_multiple(dim: int, of: int, translator: str) -> None:
    """Check that a translator can share out ``dim`` channels evenly.

    Raises:
        SvqkitError: ``of`` does not divide them.
    """
    if dim % of:
        raise SvqkitError(
            f"{translator} needs numbers of channels that {of} divides, got {dim}; change hid_T, hid_S (times the "
            "number of frames in), or the translator."
        )
