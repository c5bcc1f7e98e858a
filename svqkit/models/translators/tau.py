"""TAU: the temporal attention unit."""

from torch import Tensor, nn

from svqkit.models.translators.blocks import ConvMLP, LargeKernelAttention, Residual, init_weights, large_kernel
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator


class TAU(MetaTranslator):
    """Large-kernel attention within a frame times squeeze-and-excitation across frames, then an MLP.

    Source: Tan et al., "Temporal Attention Unit: Towards Efficient Spatiotemporal Predictive Learning", CVPR 2023,
    arXiv 2206.12126; layer sizes and initialisation as in OpenSTL, whose attention keeps PyTorch's own.
    """

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block with BatchNorm and scales that start at 0.01."""
        attention = LargeKernelAttention(spec.dim, TemporalGate(spec.dim))
        return Residual(spec, nn.BatchNorm2d, attention, ConvMLP(spec).apply(init_weights), scale=1e-2)


class TemporalGate(nn.Module):
    """σ(E ReLU(S mean(x))) ⊙ kernel(x) ⊙ x: how much each channel counts, from its mean over the positions."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.kernel = large_kernel(dim, dim)
        narrow = dim // max(dim // 16, 4)
        self.squeeze = nn.Linear(dim, narrow, bias=False)
        self.excite = nn.Linear(narrow, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        channels = self.excite(self.squeeze(x.mean((2, 3))).relu()).sigmoid()
        return channels[:, :, None, None] * self.kernel(x) * x
