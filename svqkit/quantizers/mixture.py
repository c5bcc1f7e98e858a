"""Quantizers that mix codes with weights: what they share."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from svqkit.errors import SvqkitError
from svqkit.quantizers.base import Quantizer, as_map, rows
from svqkit.quantizers.codebook_init import new_codebook
from svqkit.quantizers.result import Quantized, Usage
from svqkit.quantizers.usage import soft_usage

# Largest number of code weights held at a time: 2²⁴ are 64 MiB in float32.
CHUNK_ELEMENTS = 2**24


class Mixture(Quantizer):
    """y = Cᵀw(x): every position gets weights w over the K codes of a codebook C (K, D).

    A subclass says in ``_weigh`` how weights come from latents. The tensor of positions × K is made for a few
    positions at a time only, and again for them in the backward pass.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        init: how the codebook starts, see :func:`svqkit.quantizers.codebook_init.new_codebook`.
        learnable: False freezes the codebook at its initial values.

    Raises:
        SvqkitError: a size below 1, or an unknown ``init``.
    """

    draws = False  # whether mixing draws random numbers

    def __init__(self, dim: int, codebook_size: int, init: str, learnable: bool = True) -> None:
        super().__init__(dim)
        if codebook_size < 1:
            raise SvqkitError(f"{type(self).__name__} needs codebook_size >= 1, got codebook_size={codebook_size}.")
        self.codebook_size = codebook_size
        self.codebook = nn.Parameter(new_codebook(codebook_size, dim, init), requires_grad=learnable)

    @abstractmethod
    def _weigh(self, vectors: Tensor) -> Tensor:
        """Weights (P, K) of latent vectors (P, D)."""

    def codes(self) -> Tensor:
        """The codebook (K, D)."""
        return self.codebook.detach()

    def code_weights(self, x: Tensor) -> Tensor:
        """The weights w of every code at every position, (N, positions, K). This is the large tensor; see ``usage``."""
        latents = self._as_map(x)
        return self._weigh(rows(latents)).unflatten(0, (latents.shape[0], -1))

    @torch.no_grad()
    def usage(self, x: Tensor) -> Usage:
        """How the codebook is used over the positions of x, in chunks that fit in memory."""
        latents = self._as_map(x)
        return soft_usage(lambda: self._weights_by_chunk(latents), self.codebook_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, codebook_size={self.codebook_size}, learnable={self.codebook.requires_grad}"

    def _quantize(self, latents: Tensor) -> Quantized:
        output = by_chunks(self._mix, rows(latents), self._numbers_per_position(), self.draws)
        return Quantized(as_map(output, latents), latents.new_zeros(()))

    def _mix(self, vectors: Tensor) -> Tensor:
        """Cᵀw (P, D) of latent vectors (P, D)."""
        return self._weigh(vectors).to(self.codebook.dtype) @ self.codebook

    def _numbers_per_position(self) -> int:
        """How many weights have to be held for a position until its backward pass is over."""
        return self.codebook_size

    def _weights_of(self, latents: Tensor, codes: Tensor) -> Tensor:
        return as_map(torch.cat([weights[:, codes] for weights in self._weights_by_chunk(latents)]), latents)

    def _weights_by_chunk(self, latents: Tensor) -> Iterator[Tensor]:
        for chunk in rows(latents).split(at_a_time(self.codebook_size)):
            yield self._weigh(chunk)


class ProjectedMixture(Mixture):
    """A mixture whose weights come from s = W2 φ(W1 x + b1) + b2, one number per code; φ is the ReLU.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        hidden_dim: width of the hidden layer; at most K of it is used. 0 leaves it out: s = W x + b.
        init: how the codebook starts, see :func:`svqkit.quantizers.codebook_init.new_codebook`.
        learnable: False freezes the codebook at its initial values.
        learnable_projection: False freezes W1, b1, W2 and b2 at theirs.
        hidden_relu: False leaves φ out.

    Raises:
        SvqkitError: an impossible size, or an unknown ``init``.
    """

    def __init__(
        self,
        dim: int,
        codebook_size: int,
        hidden_dim: int,
        init: str,
        learnable: bool = True,
        learnable_projection: bool = True,
        hidden_relu: bool = True,
    ) -> None:
        super().__init__(dim, codebook_size, init, learnable)
        if hidden_dim < 0:
            raise SvqkitError(f"{type(self).__name__} needs hidden_dim >= 0, got hidden_dim={hidden_dim}.")
        self.hidden_relu = hidden_relu
        width = min(hidden_dim, codebook_size)
        self.hidden = nn.Linear(dim, width) if width else None
        self.weights = nn.Linear(width or dim, codebook_size)
        for part in (self.hidden, self.weights):
            if part is not None:
                part.requires_grad_(learnable_projection)

    def _scores(self, vectors: Tensor) -> Tensor:
        """s (P, K) of latent vectors (P, D)."""
        if self.hidden is None:
            return self.weights(vectors)
        hidden = self.hidden(vectors)
        return self.weights(hidden.relu() if self.hidden_relu else hidden)


def at_a_time(width: int) -> int:
    """How many rows of ``width`` numbers are held at a time."""
    return max(1, CHUNK_ELEMENTS // max(1, width))


def by_chunks(function: Callable[[Tensor], Tensor], vectors: Tensor, width: int, draws: bool = False) -> Tensor:
    """``function`` (P, D) → (P, D'), on a few positions at a time where it makes ``width`` numbers for each.

    Where one chunk is not enough, what ``function`` makes on the way is made again in the backward pass, with the
    parameters that its module has by then. A program that is exported has one chunk, whatever its size.

    Args:
        function: works on each row on its own.
        vectors: (P, D).
        width: how many numbers ``function`` holds for a row.
        draws: whether it draws random numbers, which have to be the same again.
    """
    # An exported program leaves the batch open, and the number of chunks would hang on it.
    if torch.compiler.is_exporting() or vectors.shape[0] <= at_a_time(width):
        return function(vectors)
    return torch.cat([remade(function, chunk, draws=draws) for chunk in vectors.split(at_a_time(width))])


def remade(function: Callable[..., Tensor], *inputs: Any, draws: bool = False) -> Tensor:
    """``function(*inputs)``, whose intermediate results are not kept but made again in the backward pass."""
    return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=draws)
