"""UniFormer: convolution in the blocks at both ends, self-attention between them."""

from timm.layers import Mlp
from torch import Tensor, nn

from svqkit.models.translators.blocks import Residual, Tokens, depthwise, init_weights, need_multiple
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator
from svqkit.models.translators.vit import HEADS, attention_block


class UniFormer(MetaTranslator):
    """Each block first adds a depthwise 3×3 of its input, which tells positions apart.

    Source: Li et al., "UniFormer: Unified Transformer for Efficient Spatiotemporal Representation Learning", arXiv
    2201.04676; layer sizes and initialisation as in OpenSTL.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block: self-attention but for the first block and those that change the number of channels."""
        if spec.index > 0 and not spec.resized:
            need_multiple(spec.dim, HEADS, "uniformer")
            return Positioned(depthwise(spec.dim, 3), Tokens(attention_block(spec, scale=1e-6)))
        mix = nn.Sequential(nn.Conv2d(spec.dim, spec.dim, 1), depthwise(spec.dim, 5), nn.Conv2d(spec.dim, spec.dim, 1))
        mlp = Mlp(spec.dim, int(spec.dim * spec.mlp_ratio), drop=spec.drop, use_conv=True)
        return Positioned(depthwise(spec.dim, 3), Residual(spec, nn.BatchNorm2d, mix, mlp)).apply(init_weights)


class Positioned(nn.Module):
    """block(x + position(x))."""

    def __init__(self, position: nn.Module, block: nn.Module) -> None:
        super().__init__()
        self.position, self.block = position, block

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return self.block(x + self.position(x))
