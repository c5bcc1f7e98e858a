"""Quantizers that mix codes with weights: what they share."""

from abc import abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from svqkit.quantizers.base import Quantizer, as_map, rows
from svqkit.quantizers.codebook_init import new_codebook
from svqkit.quantizers.result import Usage
from svqkit.quantizers.usage import soft_usage

# Largest number of code weights held at a time: 2²⁴ are 64 MiB in float32.
CHUNK_ELEMENTS = 2**24


class Mixture(Quantizer):
    """y = Cᵀw(x): every position gets weights w over the K codes of a codebook C (K, D).

    A subclass says in ``_weigh`` how weights come from latents. The tensor of positions × K is made for a few
    positions at a time, and only when somebody looks.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        init: how the codebook starts, see :func:`svqkit.quantizers.codebook_init.new_codebook`.
        learnable: False freezes the codebook at its initial values.
    """

    def __init__(self, dim: int, codebook_size: int, init: str, learnable: bool = True) -> None:
        super().__init__(dim)
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
        return self._weigh(rows(latents)).unflatten(0, (len(latents), -1))

    @torch.no_grad()
    def usage(self, x: Tensor) -> Usage:
        """How the codebook is used over the positions of x, in chunks that fit in memory."""
        latents = self._as_map(x)
        return soft_usage(lambda: self._weights_by_chunk(latents), self.codebook_size)

    def _weights_of(self, latents: Tensor, codes: Tensor) -> Tensor:
        return as_map(torch.cat([weights[:, codes] for weights in self._weights_by_chunk(latents)]), latents)

    def _weights_by_chunk(self, latents: Tensor) -> Iterator[Tensor]:
        for chunk in rows(latents).split(max(1, CHUNK_ELEMENTS // self.codebook_size)):
            yield self._weigh(chunk)
