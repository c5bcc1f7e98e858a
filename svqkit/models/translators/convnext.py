"""ConvNeXt: a depthwise 7×7, then an MLP."""

from timm.models.convnext import ConvNeXtBlock
from torch import nn

from svqkit.models.translators.blocks import init_weights
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator


class ConvNeXt(MetaTranslator):
    """x + s ⊙ MLP(norm(depthwise(x))), in timm's implementation; without dropout.

    Source: Liu et al., "A ConvNet for the 2020s", arXiv 2201.03545; layer sizes and initialisation as in OpenSTL.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block with LayerNorm over the channels of a position, and a scale that starts at 1e-6."""
        return ConvNeXtBlock(
            spec.dim, mlp_ratio=spec.mlp_ratio, drop_path=spec.drop_path, ls_init_value=1e-6, conv_mlp=True
        ).apply(init_weights)
