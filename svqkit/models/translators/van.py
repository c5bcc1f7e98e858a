"""VAN: the visual attention network's large-kernel attention as translator."""

from torch import Tensor, nn

from svqkit.models.translators.blocks import ConvMLP, LargeKernelAttention, Residual, init_weights, large_kernel
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator


class VAN(MetaTranslator):
    """Attention x ⊙ kernel(x) with a large kernel, then an MLP with a depthwise 3×3 inside.

    Source: Guo et al., "Visual Attention Network", arXiv 2202.09741; layer sizes and initialisation as in OpenSTL.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block with BatchNorm and scales that start at 0.01."""
        attention = LargeKernelAttention(spec.dim, KernelGate(spec.dim))
        return Residual(spec, nn.BatchNorm2d, attention, ConvMLP(spec), scale=1e-2).apply(init_weights)


class KernelGate(nn.Module):
    """x ⊙ kernel(x)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.kernel = large_kernel(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return x * self.kernel(x)
