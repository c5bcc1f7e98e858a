"""gSTA: gated spatio-temporal attention, SimVP's own translator."""

from torch import Tensor, nn

from svqkit.models.translators.blocks import ConvMLP, Residual, init_weights
from svqkit.models.translators.largekernel import LargeKernelAttention, large_kernel
from svqkit.models.translators.metaformer import MetaTranslator, Place


class GSTA(MetaTranslator):
    """Large-kernel attention that gates itself, then an MLP with a depthwise 3×3 inside.

    Source: Tan et al., "SimVP: Towards Simple yet Powerful Spatiotemporal Predictive Learning", arXiv 2211.12509;
    layer sizes and initialisation as in OpenSTL.
    """

    def block(self, place: Place) -> nn.Module:
        """BatchNorm and scales that start at 0.01."""
        attention = LargeKernelAttention(place.dim, SelfGate(place.dim))
        return Residual(place, nn.BatchNorm2d, attention, ConvMLP(place), scale=1e-2).apply(init_weights)


class SelfGate(nn.Module):
    """f ⊙ σ(g), where one large kernel gives both f and g."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.kernel = large_kernel(dim, 2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        value, gate = self.kernel(x).chunk(2, dim=1)
        return gate.sigmoid() * value
