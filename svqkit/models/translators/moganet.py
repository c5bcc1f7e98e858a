"""MogaNet: gated aggregation of several orders of context."""

import torch
from torch import Tensor, nn

from svqkit.models.translators.blocks import Residual, depthwise, init_weights, need_multiple
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator


class MogaNet(MetaTranslator):
    """Gated depthwise convolutions of three reaches, then an MLP that takes out what all channels share.

    Source: Li et al., "MogaNet: Multi-order Gated Aggregation Network", arXiv 2211.03295; layer sizes and
    initialisation as in OpenSTL.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block with BatchNorm and scales that start at 1e-5."""
        need_multiple(spec.dim, 8, "moganet")
        return Residual(spec, nn.BatchNorm2d, GatedAggregation(spec.dim), ChannelAggregation(spec), scale=1e-5).apply(
            init_weights
        )


class GatedAggregation(nn.Module):
    """x + leave(SiLU(gate(z)) ⊙ SiLU(context(z))), z = SiLU(y + s ⊙ (y − mean of y over positions)), y = enter(x)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.enter, self.gate, self.leave = (nn.Conv2d(dim, dim, 1) for _ in range(3))
        self.context = MultiOrderContext(dim)
        self.contrast = nn.Parameter(torch.full((1, dim, 1, 1), 1e-5))
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        y = self.enter(x)
        z = self.activation(y + self.contrast * (y - y.mean((2, 3), keepdim=True)))
        return x + self.leave(self.activation(self.gate(z)) * self.activation(self.context(z)))


class MultiOrderContext(nn.Module):
    """A depthwise 5×5; 3/8 of its channels go on through a dilated 5×5, 4/8 through a dilated 7×7; then a 1×1."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.widths = [dim // 8, 3 * dim // 8, dim // 2]
        self.near = depthwise(dim, 5)
        self.middle = depthwise(self.widths[1], 5, dilation=2)
        self.far = depthwise(self.widths[2], 7, dilation=3)
        self.point = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        near, middle, far = self.near(x).split(self.widths, dim=1)
        return self.point(torch.cat([near, self.middle(middle), self.far(far)], dim=1))


class ChannelAggregation(nn.Module):
    """An MLP with a depthwise 3×3, and h + s ⊙ (h − GELU(w·h)) on its hidden channels h."""

    def __init__(self, spec: BlockSpec) -> None:
        super().__init__()
        hidden = int(spec.dim * spec.mlp_ratio)
        self.enter = nn.Conv2d(spec.dim, hidden, 1)
        self.depthwise = depthwise(hidden, 3)
        self.common = nn.Conv2d(hidden, 1, 1)
        self.contrast = nn.Parameter(torch.full((1, hidden, 1, 1), 1e-5))
        self.leave = nn.Conv2d(hidden, spec.dim, 1)
        self.activation, self.drop = nn.GELU(), nn.Dropout(spec.drop)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        h = self.drop(self.activation(self.depthwise(self.enter(x))))
        h = h + self.contrast * (h - self.activation(self.common(h)))
        return self.drop(self.leave(h))
