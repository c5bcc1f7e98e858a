"""PoolFormer: places are mixed by nothing more than a mean."""

from functools import partial

from timm.layers import Mlp
from torch import Tensor, nn

from svqkit.models.layers import GroupNorm
from svqkit.models.translators.blocks import Residual
from svqkit.models.translators.metaformer import MetaTranslator, Place


class PoolFormer(MetaTranslator):
    """The mean over 3×3 places less the place itself, then an MLP of 1×1 convolutions.

    Source: Yu et al., "MetaFormer Is Actually What You Need for Vision", arXiv 2111.11418; layer sizes and
    initialisation as in OpenSTL.
    """

    def block(self, place: Place) -> nn.Module:
        """GroupNorm of one group and scales that start at 1e-5."""
        mlp = Mlp(place.dim, int(place.dim * place.mlp_ratio), drop=place.drop, use_conv=True)
        for layer in (mlp.fc1, mlp.fc2):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        return Residual(place, partial(GroupNorm, 1), Pooling(), mlp, scale=1e-5)


class Pooling(nn.Module):
    """Mean over 3×3 places, fewer at the edges, less the place itself."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return self.mean(x) - x
