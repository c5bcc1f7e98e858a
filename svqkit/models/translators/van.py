"""VAN: the visual attention network's large-kernel attention as translator."""

from torch import Tensor, nn

from svqkit.models.translators.blocks import ConvMLP, Residual, init_weights
from svqkit.models.translators.largekernel import LargeKernelAttention, large_kernel
from svqkit.models.translators.metaformer import MetaTranslator, Place


class VAN(MetaTranslator):
    """Attention x ⊙ kernel(x) with a large kernel, then an MLP with a depthwise 3×3 inside.

    Source: Guo et al., "Visual Attention Network", arXiv 2202.09741; layer sizes and initialisation as in OpenSTL.
    """

    def block(self, place: Place) -> nn.Module:
        """BatchNorm and scales that start at 0.01."""
        attention = LargeKernelAttention(place.dim, KernelGate(place.dim))
        return Residual(place, nn.BatchNorm2d, attention, ConvMLP(place), scale=1e-2).apply(init_weights)


class KernelGate(nn.Module):
    """x ⊙ kernel(x)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.kernel = large_kernel(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return x * self.kernel(x)
