"""The convolution block of SimVP's encoder and decoder, and its normalisation."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Values that are worked on at once: so few that they stay in a core's cache.
VALUES_AT_ONCE = 2**18


class GroupNorm(nn.GroupNorm):
    """Group normalisation that keeps its digits with channels last on a CPU.

    There torch adds x and x² up one by one in float32 and takes E[x²] − E[x]² as the variance, so that up to four
    digits are lost on large maps, and all where a group's mean is large beside its spread.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x (N, C, H, W) → the same shape."""
        loses_digits = x.device.type == "cpu" and x.dtype == torch.float32 and x.ndim == 4 and not x.is_contiguous()
        if loses_digits and x.is_contiguous(memory_format=torch.channels_last) and not torch.compiler.is_compiling():
            return _ExactGroupNorm.apply(x, self.weight, self.bias, self.num_groups, self.eps)
        return super().forward(x)


class _ExactGroupNorm(torch.autograd.Function):
    """Group normalisation whose variance is the mean of squares of what is left when the mean is taken off."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float) -> Tensor:
        count, channels = x.shape[:2]
        y, means, scales = torch.empty_like(x), [], []
        samples = max(1, VALUES_AT_ONCE // x[0].numel())
        for given, made in zip(x.split(samples), y.split(samples), strict=True):
            mean = given.mean((2, 3)).unflatten(1, (groups, -1)).mean(2)
            centred = given - _per_channel(mean, channels)
            variance = centred.square().mean((2, 3)).unflatten(1, (groups, -1)).mean(2)
            scale = (variance + eps).rsqrt()
            torch.addcmul(bias[:, None, None], centred, _per_channel(scale, channels) * weight[:, None, None], out=made)
            means.append(mean)
            scales.append(scale)
        ctx.save_for_backward(x, torch.cat(means), torch.cat(scales), weight)
        ctx.sizes = count, channels, x[0, 0].numel(), groups
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, scale, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        wanted = list(ctx.needs_input_grad[:3])
        return *torch.ops.aten.native_group_norm_backward(grad, x, mean, scale, weight, *ctx.sizes, wanted), None, None


def _per_channel(values: Tensor, channels: int) -> Tensor:
    """(N, groups) → (N, C, 1, 1)."""
    return values.repeat_interleave(channels // values.shape[1], 1)[:, :, None, None]


class ConvBlock(nn.Module):
    """Convolution, group normalisation (2 groups), SiLU; keeps, halves or doubles height and width.

    ``scale`` -1 halves (stride 2), 0 keeps, 1 doubles (four times the channels, then a pixel shuffle).
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, scale: int = 0) -> None:
        super().__init__()
        stride = 2 if scale < 0 else 1
        wide = channels_out * 4 if scale > 0 else channels_out
        self.conv = nn.Conv2d(channels_in, wide, kernel, stride, padding=(kernel - stride + 1) // 2)
        nn.init.trunc_normal_(self.conv.weight, std=0.02)
        nn.init.zeros_(self.conv.get_parameter("bias"))
        self.shuffle = nn.PixelShuffle(2) if scale > 0 else nn.Identity()
        self.norm = GroupNorm(2, channels_out)
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """x (N, channels_in, H, W) → (N, channels_out, H', W')."""
        return self.activation(self.norm(self.shuffle(self.conv(x))))
