"""gSTA: gated spatio-temporal attention, SimVP's own translator block."""

import math

import torch
from timm.layers import DropPath
from torch import Tensor, nn


class GatedAttention(nn.Module):
    """Large-kernel attention that gates itself: depthwise 5×5, depthwise dilated 7×7, then f ⊙ σ(g)."""

    def __init__(self, dim: int, kernel: int = 21, dilation: int = 3) -> None:
        super().__init__()
        near = 2 * dilation - 1
        far = kernel // dilation - (1 - kernel // dilation % 2)
        self.enter = nn.Conv2d(dim, dim, 1)
        self.near = nn.Conv2d(dim, dim, near, padding=near // 2, groups=dim)
        self.far = nn.Conv2d(dim, dim, far, padding=dilation * (far - 1) // 2, groups=dim, dilation=dilation)
        self.split = nn.Conv2d(dim, 2 * dim, 1)
        self.leave = nn.Conv2d(dim, dim, 1)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """x (N, dim, H, W) → the same shape; the input is added to the result."""
        value, gate = self.split(self.far(self.near(self.activation(self.enter(x))))).chunk(2, dim=1)
        return x + self.leave(gate.sigmoid() * value)


class ConvMLP(nn.Module):
    """Two 1×1 convolutions with a depthwise 3×3 between them."""

    def __init__(self, dim: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.enter = nn.Conv2d(dim, hidden, 1)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.leave = nn.Conv2d(hidden, dim, 1)
        self.activation, self.drop = nn.GELU(), nn.Dropout(drop)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, dim, H, W) → the same shape."""
        return self.drop(self.leave(self.drop(self.activation(self.depthwise(self.enter(x))))))


class GSTABlock(nn.Module):
    """x + s₁·attention(norm(x)), then x + s₂·mlp(norm(x)), with learned scales s that start at 0.01.

    Source: Tan et al., "SimVP: Towards Simple yet Powerful Spatiotemporal Predictive Learning", arXiv 2211.12509;
    layer sizes and initialisation as in OpenSTL.
    """

    def __init__(self, dim: int, mlp_ratio: float, drop: float, drop_path: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(dim), nn.BatchNorm2d(dim)
        self.attention = GatedAttention(dim)
        self.mlp = ConvMLP(dim, int(dim * mlp_ratio), drop)
        self.scale1 = nn.Parameter(torch.full((dim, 1, 1), 1e-2))
        self.scale2 = nn.Parameter(torch.full((dim, 1, 1), 1e-2))
        self.drop_path = DropPath(drop_path)
        self.apply(_init)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, dim, H, W) → the same shape."""
        x = x + self.drop_path(self.scale1 * self.attention(self.norm1(x)))
        return x + self.drop_path(self.scale2 * self.mlp(self.norm2(x)))


def _init(module: nn.Module) -> None:
    """N(0, 2 / fan_out) for convolutions, zero biases."""
    if isinstance(module, nn.Conv2d):
        fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        nn.init.zeros_(module.bias)
