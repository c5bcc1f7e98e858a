"""Layers that look at more than one sample, made to look at the batch of all processes."""

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from svqkit.training.distributed import own_rows, rank_and_count


def as_one(model: nn.Module) -> nn.Module:
    """The model with its dropout, drop path and batch normalisation replaced, in place, by those of the whole batch.

    For processes that have the same seed, and a model that is on its device. Names and values of parameters and
    buffers stay.
    """
    _, count = rank_and_count()
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            # By name: timm has a drop path of its own, and importing it takes longer than starting all the rest.
            kind = type(child).__name__
            if kind == "Dropout" and child.p > 0:
                setattr(parent, name, Dropout(child.p))
            elif kind == "DropPath":
                setattr(parent, name, DropPath(child.drop_prob))
            elif kind == "BatchNorm2d" and count > 1:
                on_gpu = child.weight.is_cuda
                whole = nn.SyncBatchNorm.convert_sync_batchnorm(child) if on_gpu else BatchNorm2d.like(child)
                setattr(parent, name, whole)
            elif hasattr(child, "shared_noise"):
                child.shared_noise = True
    return model


class Dropout(nn.Dropout):
    """While training each value is 0 with probability p, else x / (1 − p)."""

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape, with samples, or parts of samples in their order, along the first axis."""
        if not self.training or self.p == 0:
            return x
        kept = own_rows(lambda rows: x.new_empty(rows, *x.shape[1:]).bernoulli_(1 - self.p), len(x))
        return x * kept.div_(1 - self.p)


class DropPath(nn.Module):
    """Stochastic depth: while training a sample's branch is 0 with probability p, else x / (1 − p).

    Source: Huang et al. 2016, "Deep networks with stochastic depth".
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """x (B, …) → the same shape."""
        if not self.training or self.drop_prob == 0:
            return x
        ones = [1] * (x.ndim - 1)
        kept = own_rows(lambda rows: x.new_empty(rows, *ones).bernoulli_(1 - self.drop_prob), len(x))
        return x * kept.div_(1 - self.drop_prob)


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the samples of all processes, on a CPU: torch's SyncBatchNorm is for GPUs only."""

    @classmethod
    def like(cls, norm: nn.BatchNorm2d) -> "BatchNorm2d":
        """With the settings and the very parameters and buffers of another one."""
        own = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        own._parameters, own._buffers, own.training = norm._parameters, norm._buffers, norm.training
        return own

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) → the same shape."""
        if not self.training:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            mean, variance, count = whole_moments(x.float())
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
            scale = self.weight * (variance + self.eps).rsqrt()
            shift = self.bias - mean * scale
            return (x * scale[:, None, None] + shift[:, None, None]).to(x.dtype)


class OverProcesses(torch.autograd.Function):
    """The sum of all processes' tensors; since each has a share in every sum, gradients are summed as well."""

    @staticmethod
    def forward(ctx: FunctionCtx, own: Tensor) -> Tensor:
        """The same shape."""
        return _over_processes(own)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        """The same shape."""
        return _over_processes(grad)


def _over_processes(own: Tensor) -> Tensor:
    total = own.clone(memory_format=torch.contiguous_format)
    if rank_and_count()[1] > 1:
        distributed.all_reduce(total)
    return total


def whole_moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and (biased) variance (C,) of x (B, C, H, W) over the samples of all processes, and of how many values.

    The sums are in float64, in which the difference of two large numbers does no harm.
    """
    own = x.numel() // x.shape[1]
    variance, mean = (part.double() for part in torch.var_mean(x, (0, 2, 3), correction=0))
    sums = torch.stack([mean, variance + mean.square(), torch.ones_like(mean)]) * own
    sums = OverProcesses.apply(sums)
    count = sums[2, 0].detach()
    mean = sums[0] / count
    variance = sums[1] / count - mean.square()
    return mean.float(), variance.float(), count.float()
