"""gSTA: gated spatio-temporal attention, SimVP's own translator."""

from torch import Tensor, nn

from svqkit.models.translators.blocks import ConvMLP, LargeKernelAttention, Residual, init_weights, large_kernel
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator


class GSTA(MetaTranslator):
    """Large-kernel attention that gates itself, then an MLP with a depthwise 3×3 inside.

    Source: Tan et al., "SimVP: Towards Simple yet Powerful Spatiotemporal Predictive Learning", arXiv 2211.12509;
    layer sizes and initialisation as in OpenSTL.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block with BatchNorm and scales that start at 0.01."""
        attention = LargeKernelAttention(spec.dim, SelfGate(spec.dim))
        return Residual(spec, nn.BatchNorm2d, attention, ConvMLP(spec), scale=1e-2).apply(init_weights)


class SelfGate(nn.Module):
    """f ⊙ σ(g), where one large kernel gives both f and g."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.kernel = large_kernel(dim, 2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        value, gate = self.kernel(x).chunk(2, dim=1)
        return gate.sigmoid() * value
