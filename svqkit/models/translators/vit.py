"""ViT: self-attention among all positions."""

from timm.models.vision_transformer import Block
from torch import nn

from svqkit.models.translators.blocks import Tokens, init_weights, need_multiple
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator

HEADS = 8


class ViT(MetaTranslator):
    """The vision transformer's block in timm's implementation, with 8 heads and no position embedding.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", arXiv 2010.11929; layer sizes and initialisation as
    in OpenSTL.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block: attention and MLP, each after a LayerNorm."""
        need_multiple(spec.dim, HEADS, "vit")
        return Tokens(attention_block(spec))


def attention_block(spec: BlockSpec, scale: float | None = None) -> nn.Module:
    """Make a block of self-attention on (B, H·W, dim); ``scale`` is where learned scales start, if any."""
    return Block(
        spec.dim,
        num_heads=HEADS,
        mlp_ratio=spec.mlp_ratio,
        qkv_bias=True,
        proj_drop=spec.drop,
        init_values=scale,
        drop_path=spec.drop_path,
        norm_layer=nn.LayerNorm,
    ).apply(init_weights)
