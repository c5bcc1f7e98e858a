"""ConvMixer: a depthwise convolution, then a 1×1."""

from torch import Tensor, nn

from svqkit.models.translators.blocks import depthwise, init_weights
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator


class ConvMixer(MetaTranslator):
    """The smallest translator; it has no MLP, no dropout and no drop path.

    Source: Trockman and Kolter, "Patches Are All You Need?", arXiv 2201.09792; layer sizes and initialisation as in
    OpenSTL.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block with kernels of 11 × 11."""
        return ConvMixerBlock(spec.dim, 11).apply(init_weights)


class ConvMixerBlock(nn.Module):
    """x + norm(GELU(depthwise(x))), then norm(GELU(1×1(x)))."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.depthwise, self.norm1 = depthwise(dim, kernel), nn.BatchNorm2d(dim)
        self.point, self.norm2 = nn.Conv2d(dim, dim, 1), nn.BatchNorm2d(dim)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        x = x + self.norm1(self.activation(self.depthwise(x)))
        return self.norm2(self.activation(self.point(x)))
