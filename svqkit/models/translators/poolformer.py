"""PoolFormer: positions are mixed by nothing more than a mean."""

from functools import partial

from timm.layers import Mlp
from torch import Tensor, nn

from svqkit.models.layers import GroupNorm
from svqkit.models.translators.blocks import Residual
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator


class PoolFormer(MetaTranslator):
    """The mean over 3×3 positions less the position itself, then an MLP of 1×1 convolutions.

    Source: Yu et al., "MetaFormer Is Actually What You Need for Vision", arXiv 2111.11418; layer sizes and
    initialisation as in OpenSTL.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block with GroupNorm of one group and scales that start at 1e-5."""
        mlp = Mlp(spec.dim, int(spec.dim * spec.mlp_ratio), drop=spec.drop, use_conv=True)
        for layer in (mlp.fc1, mlp.fc2):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.get_parameter("bias"))
        return Residual(spec, partial(GroupNorm, 1), Pooling(), mlp, scale=1e-5)


class Pooling(nn.Module):
    """Mean over 3×3 positions, fewer at the edges, less the position itself."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return self.mean(x) - x
