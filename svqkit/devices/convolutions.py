"""Convolutions as a CPU computes them fast: the same sums, in the form that oneDNN has good kernels for."""

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

# torch gives a single thread's 1 × 1 convolutions of fewer samples than these to BLAS.
BATCH_FOR_ONEDNN = 16
# Multiplications from which on oneDNN is the faster one.
WORTH_IT = 2**24


class PointwiseConv2d(nn.Conv2d):
    """A 1 × 1 convolution that a single thread of a CPU computes with oneDNN too: the rows of maps as its samples.

    Measured on an AMD EPYC, forth and back, 256 → 2048 channels, 4 samples of 16 × 32: 82 ms by BLAS, 46 ms.
    """

    @staticmethod
    def can_be(module: nn.Conv2d) -> bool:
        """Return whether a convolution is one of single positions, with nothing around them."""
        return (module.kernel_size, module.stride, module.padding, module.groups) == ((1, 1), (1, 1), (0, 0), 1)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) → (B, channels_out, H, W)."""
        if not self._is_worth_it(x):
            return super().forward(x)
        rows = x.permute(0, 2, 3, 1).flatten(0, 1).unsqueeze(1)  # (B·H, 1, W, C)
        y = F.conv2d(rows.permute(0, 3, 1, 2), self.weight, self.bias).permute(0, 2, 3, 1)
        return y.squeeze(1).unflatten(0, (len(x), -1)).permute(0, 3, 1, 2)

    def _is_worth_it(self, x: Tensor) -> bool:
        if torch.compiler.is_compiling() or x.device.type != "cpu" or x.ndim != 4:
            return False
        single = torch.get_num_threads() == 1 and len(x) < BATCH_FOR_ONEDNN
        return single and x.numel() * self.out_channels >= WORTH_IT


class DepthwiseConv2d(nn.Conv2d):
    """A convolution of each channel on its own, which mixed precision on a CPU leaves in float32 from 5 × 5 on.

    oneDNN's gradients of such kernels are slower in bf16: measured on one core of an AMD EPYC with AVX512-BF16, 4
    samples of 256 × 16 × 32, forth and back with the conversions, 5 × 5: 15.5 → 8.2 ms, 7 × 7 16.1 → 11.6 ms, 11 × 11
    30.5 → 23.7 ms.
    """

    @staticmethod
    def can_be(module: nn.Conv2d) -> bool:
        """Return whether a convolution is one of single channels, with a kernel that is worth it."""
        return module.groups == module.in_channels == module.out_channels > 1 and min(module.kernel_size) >= 5

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) → (B, C, H', W'), the same height and width with full padding."""
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu") or not self.can_be(self):
            return self.convolve(x)
        with torch.autocast("cpu", enabled=False):
            return self.convolve(x.float()).to(torch.get_autocast_dtype("cpu"))

    def convolve(self, x: Tensor) -> Tensor:
        """Compute it in the precision that holds; shapes as of ``forward``."""
        return super().forward(x)


class DilatedConv2d(DepthwiseConv2d):
    """A dilated convolution, padded by multiples of its dilation, on a CPU computed as one without dilation.

    Every d-th row and column see only each other, so that the d² maps of them are convolved each on its own: the same
    sums. oneDNN has fast kernels for that, and none for the gradient of a dilated depthwise one: measured on 2 cores
    with 256 channels of 16 × 32 and a 7 × 7 kernel, d = 3, forth 9.2 → 0.8 ms, back 61 → 7 ms.
    """

    padding: tuple[int, int]

    def convolve(self, x: Tensor) -> Tensor:
        """Compute it in the precision that holds; shapes as of ``forward``."""
        if x.device.type != "cpu" or torch.compiler.is_exporting():
            return super().convolve(x)
        (d, _), (height, width) = self.dilation, x.shape[2:]
        padded = F.pad(x, (0, -width % d, 0, -height % d))
        # channels last, which oneDNN's kernels want
        maps = rearrange(padded, "b c (h p) (w q) -> (b p q) h w c", p=d, q=d)
        y = F.conv2d(
            rearrange(maps, "n h w c -> n c h w"),
            self.weight,
            self.bias,
            padding=tuple(side // d for side in self.padding),
            groups=self.groups,
        )
        y = rearrange(y, "(b p q) c h w -> b (h p) (w q) c", p=d, q=d)
        (above, left), (rows, columns) = self.padding, self.kernel_size
        y = y[:, : height + 2 * above - d * (rows - 1), : width + 2 * left - d * (columns - 1)]
        return rearrange(y, "b h w c -> b c h w")
