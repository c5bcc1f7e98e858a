"""Attention from large depthwise kernels: what gsta, tau and van share."""

from collections import OrderedDict

from torch import Tensor, nn

from svqkit.models.translators.blocks import depthwise


class LargeKernelAttention(nn.Module):
    """x + leave(gate(GELU(enter(x)))), with 1×1 convolutions to enter and leave; the translators differ in the gate."""

    def __init__(self, dim: int, gate: nn.Module) -> None:
        super().__init__()
        self.enter = nn.Conv2d(dim, dim, 1)
        self.activation = nn.GELU()
        self.gate = gate
        self.leave = nn.Conv2d(dim, dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        return x + self.leave(self.gate(self.activation(self.enter(x))))


def large_kernel(dim: int, channels_out: int) -> nn.Sequential:
    """What stands for a 21 × 21 kernel, in three cheap parts: depthwise 5×5, dilated depthwise 7×7, then 1×1.

    The 7×7 takes every third place, so that the two reach 23 × 23.
    """
    parts = {"near": depthwise(dim, 5), "far": depthwise(dim, 7, dilation=3), "point": nn.Conv2d(dim, channels_out, 1)}
    return nn.Sequential(OrderedDict(parts))
