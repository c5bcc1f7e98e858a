"""ConvNeXt: a depthwise 7×7, then an MLP."""

from timm.models.convnext import ConvNeXtBlock
from torch import nn

from svqkit.models.translators.blocks import init_weights
from svqkit.models.translators.metaformer import MetaTranslator, Place


class ConvNeXt(MetaTranslator):
    """x + s ⊙ MLP(norm(depthwise(x))), in timm's implementation; without dropout.

    Source: Liu et al., "A ConvNet for the 2020s", arXiv 2201.03545; layer sizes and initialisation as in OpenSTL.
    """

    def block(self, place: Place) -> nn.Module:
        """LayerNorm over the channels of a place, and a scale that starts at 1e-6."""
        return ConvNeXtBlock(
            place.dim, mlp_ratio=place.mlp_ratio, drop_path=place.drop_path, ls_init_value=1e-6, conv_mlp=True
        ).apply(init_weights)
