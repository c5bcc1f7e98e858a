"""What every quantizer returns, and what it tells about the use of its codebook."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Quantized(NamedTuple):
    """The result of a quantizer.

    Attributes:
        output: the quantized latents, in the shape of the input.
        loss: a scalar to add to the training loss; 0 where the quantizer has none of its own.
    """

    output: Tensor
    loss: Tensor


@dataclass(frozen=True)
class Usage:
    """How the codes of a codebook of K are used over P positions.

    A code "wins" a position when its weight there is the largest in size. Hard quantization gives a position one code
    in each of S stages (heads, groups, residual steps; S = 1 for plain VQ): each of them wins it once, and the weight
    of a code is the number of stages that chose it. With p_k the share of all wins that code k has, the perplexity is
    exp(−Σ p_k ln p_k): 1 when one code takes all, K when all are used alike.

    Attributes:
        share: (K,) share of the wins of each code; sums to 1.
        perplexity: effective number of winning codes, between 1 and K.
        stage_perplexity: the same for each stage on its own, which shows when a single stage has collapsed.
        dead_codes: number of codes that win no position.
        sparsity: share of all weights that are below a tenth of the largest at their position (in size).
        near_zero: the same share for each threshold, {0.01: …, 0.1: …, 0.5: …} of the position's largest.
        codes_per_position: mean over positions of (Σ|w|)² / Σw², the effective number of codes that are mixed; for
            hard quantization the mean number of different codes that a position is given.
        kurtosis: of all weights; 3 for a normal distribution, more for a peaked one, nan where all weights are
            alike. None for hard quantization.
        strength: (K,) mean |w_k| over the positions.
        histogram: (edges (65,), counts (64,)) of the standardised weights (w − mean) / std, those beyond ±8 in
            the outermost bins. None for hard quantization.
    """

    share: Tensor
    perplexity: float
    stage_perplexity: tuple[float, ...]
    dead_codes: int
    sparsity: float
    near_zero: dict[float, float]
    codes_per_position: float
    kurtosis: float | None
    strength: Tensor
    histogram: tuple[Tensor, Tensor] | None

    @property
    def active_codes(self) -> dict[float, float]:
        """Mean number of codes per position above each threshold of the position's largest, K · (1 − near_zero)."""
        return {threshold: len(self.share) * (1 - near) for threshold, near in self.near_zero.items()}


def perplexity(counts: Tensor) -> float:
    """exp of the entropy of ``counts`` (K,) taken as a distribution: the effective number of codes in use."""
    share = counts.double() / counts.sum()
    return float(torch.exp(-torch.special.xlogy(share, share).sum()))
