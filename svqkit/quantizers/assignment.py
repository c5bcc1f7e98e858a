"""Quantizers that give every position one code, or one of each of several stages: what they share."""

from abc import abstractmethod

import torch
from torch import Tensor

from svqkit.quantizers.base import Quantizer, as_map, rows
from svqkit.quantizers.result import Quantized, Usage
from svqkit.quantizers.usage import hard_usage


class Assignment(Quantizer):
    """Every position is given a code in each of S stages (heads, groups, residuals), from K codes in all.

    A subclass says in ``_assign`` what the output is and which codes were chosen. Stages that share a codebook choose
    from the same numbers; those with a codebook of their own have numbers of their own.

    Args:
        dim: D, the number of channels.
        codebook_size: K, over all stages.
    """

    def __init__(self, dim: int, codebook_size: int) -> None:
        super().__init__(dim)
        self.codebook_size = codebook_size

    @abstractmethod
    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Latent vectors (N, P, D) → output (N, P, D), numbers of the codes (N, P, S), and a scalar loss."""

    @torch.no_grad()
    def usage(self, x: Tensor) -> Usage:
        """How the codebook is used over the positions of x."""
        return hard_usage(self._chosen(self._as_map(x)), self.codebook_size)

    def _quantize(self, latents: Tensor) -> Quantized:
        output, _, loss = self._assign(latents.flatten(2).transpose(1, 2))
        return Quantized(as_map(output.flatten(0, 1), latents), loss)

    def _weights_of(self, latents: Tensor, codes: Tensor) -> Tensor:
        """How many stages give a position each of ``codes`` (n,): for a single stage 1 or 0."""
        chosen = self._chosen(latents)
        given = (chosen[:, :, None] == codes.to(chosen)[None, :, None]).sum(2)
        return as_map(given.to(latents), latents)

    def _chosen(self, latents: Tensor) -> Tensor:
        """The codes that each position is given, (positions, S), without moving the codebook as training does."""
        training = self.training
        self.eval()
        try:
            return self._assign(rows(latents)[None])[1][0]
        finally:
            self.train(training)
