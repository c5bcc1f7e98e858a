"""HorNet: recursive gated convolution."""

from timm.layers import LayerNorm2d, Mlp
from torch import Tensor, nn

from svqkit.models.translators.blocks import Residual, depthwise, init_weights, need_multiple
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator

ORDER = 4


class HorNet(MetaTranslator):
    """A product of ORDER gated depthwise 7×7 convolutions, then an MLP; without dropout.

    Source: Rao et al., "HorNet: Efficient High-Order Spatial Interactions with Recursive Gated Convolutions", arXiv
    2207.14284; layer sizes and initialisation as in OpenSTL.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block with LayerNorm over the channels of a position, and scales that start at 1e-6."""
        mlp = ChannelsLast(Mlp(spec.dim, int(spec.mlp_ratio * spec.dim)))
        return Residual(spec, LayerNorm2d, GatedConvolution(spec.dim), mlp, scale=1e-6).apply(init_weights)


class GatedConvolution(nn.Module):
    """y₁ = p ⊙ q₁, then y_{i+1} = W_i y_i ⊙ q_{i+1}, where p and all q come from x and q through a depthwise 7×7.

    q_i has dim / 2^(ORDER − i) channels, p as many as q₁.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        need_multiple(dim, 2 ** (ORDER - 1), "hornet")
        self.widths = [dim // 2**i for i in reversed(range(ORDER))]
        self.enter = nn.Conv2d(dim, 2 * dim, 1)
        self.depthwise = depthwise(sum(self.widths), 7)
        self.widen = nn.ModuleList(
            nn.Conv2d(narrow, wide, 1) for narrow, wide in zip(self.widths[:-1], self.widths[1:], strict=True)
        )
        self.leave = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        first, others = self.enter(x).split([self.widths[0], sum(self.widths)], dim=1)
        gates = self.depthwise(others).split(self.widths, dim=1)
        y = first * gates[0]
        for widen, gate in zip(self.widen, gates[1:], strict=True):
            y = widen(y) * gate
        return self.leave(y)


class ChannelsLast(nn.Module):
    """A module made for (B, H, W, dim), used on maps (B, dim, H, W)."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return self.module(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
