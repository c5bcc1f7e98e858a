"""What all quantizers share: the shapes that they take, what they return, and what can be asked of them."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from svqkit.errors import SvqkitError
from svqkit.quantizers.pretrained import Pretrained
from svqkit.quantizers.usage import Usage

# Largest number of code weights, or distances to codes, held at a time: 2²⁴ are 64 MiB in float32.
CHUNK_ELEMENTS = 2**24
# Noted at the start: some adapters replace the forward of all linear layers at once.
LINEAR_FORWARD = nn.Linear.forward


class Quantized(NamedTuple):
    """The result of a quantizer.

    Attributes:
        output: the quantized latents, in the shape of the input.
        loss: a scalar to add to the training loss; 0 where the quantizer has none of its own.
    """

    output: Tensor
    loss: Tensor


pytree._register_namedtuple(Quantized, serialized_type_name="svqkit.quantizers.base:Quantized")  # for torch.export.save


class Quantizer(Pretrained):
    """Maps each latent vector of D numbers to another, position by position.

    Latents are maps (N, D, H, W), sequences (N, L, D) or clips (N, D, T, H, W); the output has the shape of the input.
    Inside all of them are maps: a sequence is one of L × 1 positions, a clip one of T·H × W.

    A subclass says what it does with a map in ``_quantize`` and, where it has a codebook, answers ``codes``, ``usage``
    and ``weights_of``, and has a ``codebook_size``; ``has_codebook`` tells.

    Args:
        dim: D, the number of channels.

    Raises:
        SvqkitError: D is below 1.
    """

    has_codebook: bool = True
    codebook_size: int

    def __init__(self, dim: int) -> None:
        super().__init__()
        self._need(1, dim=dim)
        self.dim = dim

    def forward(self, x: Tensor) -> Quantized:
        """Quantize x (N, D, H, W), (N, L, D) or (N, D, T, H, W).

        Raises:
            SvqkitError: x has another shape, or is not of floating point.
        """
        output, loss = self._quantize(self._as_map(x))
        return Quantized(_like(x, output), loss)

    def factors(self) -> list[nn.Parameter]:
        """Return the parameters that act as a product over K codes (a codebook and the matrix before it), or none.

        An optimizer that moves each of their entries by its learning rate moves the product by about K times that.
        """
        return []

    def codes(self) -> Tensor:
        """Return the codebook (K, D).

        Raises:
            SvqkitError: there is none.
        """
        raise self._no_codebook()

    def usage(self, x: Tensor) -> Usage:
        """Measure how the codebook is used over the positions of x, as in eval mode, in chunks that fit in memory.

        Raises:
            SvqkitError: there is no codebook, or no position.
        """
        raise self._no_codebook()

    @torch.no_grad()
    def weights_of(self, x: Tensor, codes: Tensor) -> Tensor:
        """Return the weights of some codes (n,) at every position, in the shape of x with n instead of D channels.

        They are those of eval mode.

        Raises:
            SvqkitError: there is no codebook, or no code of such a number.
        """
        latents = self._as_map(x)
        codes = torch.as_tensor(codes, device=latents.device)
        if codes.ndim != 1 or (len(codes) and (codes.is_floating_point() or codes.dtype is torch.bool)):
            raise SvqkitError(f"Codes are named by a row of whole numbers, got {codes.dtype} {tuple(codes.shape)}.")
        codes = codes.long()
        if self.has_codebook and len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < self.codebook_size:
            raise SvqkitError(f"The codes are numbered from 0 to {self.codebook_size - 1}, got {codes.tolist()}.")
        with in_eval_mode(self):
            return _like(x, self._weights_of(latents, codes))

    @abstractmethod
    def _quantize(self, latents: Tensor) -> Quantized:
        """Quantize a map (N, D, H, W)."""

    def _need(self, least: int, **given: float) -> None:
        """Refuse what the layer is made with where it is below ``least``."""
        for name, value in given.items():
            if not value >= least:
                raise SvqkitError(f"{type(self).__name__} needs {name} >= {least}, got {name}={value}.")

    def _weights_of(self, latents: Tensor, codes: Tensor) -> Tensor:
        raise self._no_codebook()

    def _as_map(self, x: Tensor) -> Tensor:
        """x as (N, D, H, W)."""
        channels = {3: 2, 4: 1, 5: 1}.get(x.ndim)
        if channels is None or x.shape[channels] != self.dim:
            raise SvqkitError(
                f"{type(self).__name__} expects latents of shape (N, {self.dim}, H, W), (N, L, {self.dim}) or "
                f"(N, {self.dim}, T, H, W), got {tuple(x.shape)}."
            )
        if not x.is_floating_point():
            raise SvqkitError(f"{type(self).__name__} expects latents of floating point, got {x.dtype}.")
        if x.ndim == 3:
            return x.transpose(1, 2).unsqueeze(-1)
        return x.flatten(2, 3) if x.ndim == 5 else x

    def _no_codebook(self) -> SvqkitError:
        return SvqkitError(f"{type(self).__name__} has no codebook, so none of its codes can be looked at.")


@contextmanager
def in_eval_mode(module: nn.Module) -> Iterator[None]:
    """Have all parts of a module in eval mode, each of them as it was afterwards."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """Have computations done in the precision of the tensors, whatever autocast there is around."""
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return nullcontext()  # a context without need would be part of an exported program
    return torch.autocast(device.type, enabled=False)


def mean(values: Tensor) -> Tensor:
    """Return the mean of all values, 0 of none."""
    return values.mean() if values.numel() else values.sum()


def rows(latents: Tensor) -> Tensor:
    """Return the vectors of a map (N, D, H, W), one row per position: (N·H·W, D)."""
    return latents.permute(0, 2, 3, 1).flatten(0, 2)


def as_map(vectors: Tensor, like: Tensor) -> Tensor:
    """Return rows (N·H·W, D') as a map (N, D', H, W) of the positions of ``like``."""
    return vectors.unflatten(0, (like.shape[0], *like.shape[-2:])).permute(0, 3, 1, 2)


def is_plain(layer: nn.Module) -> bool:
    """Return whether a linear layer does what its ``weight`` and ``bias`` say, so that reading them will do.

    Not so one that was put in place of an ``nn.Linear``, such as an adapter or an int8 layer, nor one with hooks, by
    which pruning and the older weight_norm work, nor one whose weight is a tensor of a kind of its own, as torchao has
    it: what these do is known only by calling them.
    """
    hooks = (layer._forward_hooks, layer._forward_pre_hooks, layer._backward_hooks, layer._backward_pre_hooks)
    is_linear = type(layer).forward is LINEAR_FORWARD and "forward" not in layer.__dict__
    if not is_linear or any(hooks) or layer.bias is None:
        return False
    weight = layer._parameters.get("weight")  # a parametrization computes it, and has none here
    return weight is None or not is_traceable_wrapper_subclass(weight)


def apply_linear(layer: nn.Module, x: Tensor) -> Tensor:
    """Map the channels at every position by a linear layer, or what wraps one: (N, in, H, W) → (N, out, H, W)."""
    if isinstance(layer, nn.Linear) and is_plain(layer):
        return per_position(x, layer.weight, layer.bias)
    return as_map(layer(rows(x)), x)


def per_position(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Map the channels linearly at every position: x (N, in, H, W), weight (out, in) → (N, out, H, W)."""
    if 0 in x.shape[2:]:  # a convolution refuses a map without positions
        return as_map(F.linear(rows(x), weight, bias), x)
    return F.conv2d(x, weight[:, :, None, None], bias)


def chunk_rows(width: int) -> int:
    """Return how many rows of ``width`` numbers make a chunk that fits in memory, 1 or more."""
    return max(1, CHUNK_ELEMENTS // max(1, width))


def _like(x: Tensor, result: Tensor) -> Tensor:
    """A result (N, n, H, W) on x as a map, in the layout of x."""
    if x.ndim == 3:
        return result.squeeze(-1).transpose(1, 2)
    return result.unflatten(2, x.shape[2:4]) if x.ndim == 5 else result
