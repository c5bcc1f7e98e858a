"""Several processes that train as one: which samples, and which random numbers, belong to each.

Each process has a run of neighbouring samples of every batch. What a step draws at random, all processes draw for the
whole batch, from the same seed, and each takes its own rows; batch normalisation takes its statistics over all samples.
So the losses of two processes are those of one, but for the last digits (and but for `gumbel` with many codes, whose
noise is drawn chunk by chunk), and a training can go on with another number of processes.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from svqkit.errors import SvqkitError

Rows = TypeVar("Rows", bound=Any)
M = TypeVar("M", bound=nn.Module)


def rank_and_count() -> tuple[int, int]:
    """Return the number of this process, from 0, and how many processes there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def sum_over_processes(tensor: Tensor) -> None:
    """Add up ``tensor``, in place, over all processes that train together."""
    if rank_and_count()[1] > 1:
        distributed.all_reduce(tensor)


def shard(rows: Rows, rank: int, count: int) -> Rows:
    """Return the rows that belong to process ``rank`` of ``count``: neighbours, as many as others have or one more."""
    return rows[len(rows) * rank // count : len(rows) * (rank + 1) // count]


def draw_shard(draw: Callable[[int], Rows], rows: int) -> Rows:
    """Return ``rows`` rows of random numbers: this process's, out of what ``draw`` gives for all processes together."""
    rank, count = rank_and_count()
    return shard(draw(rows * count), rank, count)


def refuse_uneven(what: str, samples: int, count: int) -> None:
    """Check that ``count`` processes can share a batch evenly: else its gradient is not the mean over samples.

    Raises:
        SvqkitError: they can't; ``what`` is how the message calls the number of samples.
    """
    if samples % count:
        raise SvqkitError(
            f"{what} {samples} can't be shared evenly by {count} processes; choose a multiple, or another number of "
            "processes."
        )


def sync_layers(model: M) -> M:
    """Replace, in place, dropout, drop path and batch normalisation by layers that work on the batch of all processes.

    For processes that have the same seed, and a model that is on its device. Names and values of parameters and
    buffers stay. Returns the model.
    """
    _, count = rank_and_count()
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            # By name: timm has a drop path of its own, and importing it takes longer than starting all the rest.
            kind, about = type(child).__name__, vars(child)
            if kind == "Dropout" and about["p"] > 0:
                setattr(parent, name, Dropout(about["p"]))
            elif kind == "DropPath":
                setattr(parent, name, DropPath(about["drop_prob"]))
            elif kind == "BatchNorm2d" and isinstance(child, nn.BatchNorm2d) and count > 1:
                on_gpu = child.weight.is_cuda
                synced = nn.SyncBatchNorm.convert_sync_batchnorm(child) if on_gpu else BatchNorm2d.like(child)
                setattr(parent, name, synced)
            elif hasattr(child, "shared_noise"):
                about["shared_noise"] = True
    return model


class Dropout(nn.Dropout):
    """While training each value is 0 with probability p, else x / (1 − p)."""

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape, with samples, or parts of samples in their order, along the first axis → the same shape."""
        return _drop(x, self.p, x.shape[1:]) if self.training else x


class DropPath(nn.Module):
    """Stochastic depth: while training a sample's branch is 0 with probability p, else x / (1 − p).

    Source: Huang et al. 2016, "Deep networks with stochastic depth".
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """x (B, …) → the same shape."""
        return _drop(x, self.drop_prob, [1] * (x.ndim - 1)) if self.training else x


def _drop(x: Tensor, probability: float, shape: Sequence[int]) -> Tensor:
    """Set parts of x (B, …), which have ``shape`` in each sample, to 0 with a probability; scale up the others."""
    if probability == 0:
        return x
    kept = draw_shard(lambda rows: x.new_empty(rows, *shape).bernoulli_(1 - probability), len(x))
    return x * kept.div_(1 - probability)


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation over the samples of all processes, on a CPU: torch's SyncBatchNorm is for GPUs only."""

    @classmethod
    def like(cls, norm: nn.BatchNorm2d) -> "BatchNorm2d":
        """Return one with the settings and the very parameters and buffers of ``norm``."""
        own = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        own._parameters, own._buffers, own.training = norm._parameters, norm._buffers, norm.training
        return own

    momentum: float
    num_batches_tracked: Tensor
    running_mean: Tensor
    running_var: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) → the same shape."""
        if not self.training:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            mean, variance, count = batch_moments(x.float())
            with torch.no_grad():
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
            scale = self.weight * (variance + self.eps).rsqrt()
            shift = self.bias - mean * scale
            return (x * scale[:, None, None] + shift[:, None, None]).to(x.dtype)


def batch_moments(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute mean and (biased) variance (C,) of x (B, C, H, W) over the samples of all processes, and their number.

    The sums are in float64, in which the difference of two large numbers does no harm.
    """
    own = x.numel() // x.shape[1]
    variance, mean = (part.double() for part in torch.var_mean(x, (0, 2, 3), correction=0))
    sums = SumOverProcesses.apply(torch.stack([mean, variance + mean.square(), torch.ones_like(mean)]) * own)
    count = sums[2, 0].detach()
    mean = sums[0] / count
    variance = sums[1] / count - mean.square()
    return mean.float(), variance.float(), count.float()


# torch.distributed.nn has the same, deprecated without a public successor.
class SumOverProcesses(torch.autograd.Function):
    """The sum of all processes' tensors; since each has a share in every sum, gradients are summed as well."""

    @staticmethod
    def forward(ctx: FunctionCtx, own: Tensor) -> Tensor:
        """Tensors of one shape → their sum."""
        total = own.clone(memory_format=torch.contiguous_format)
        sum_over_processes(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> Tensor:
        """Gradients of one shape → their sum."""
        return SumOverProcesses.forward(ctx, grad)
