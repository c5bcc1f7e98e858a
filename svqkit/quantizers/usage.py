"""How a codebook is used, counted from weights that come in chunks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import nan

import torch
from torch import Tensor

from svqkit.errors import SvqkitError

THRESHOLDS = (0.01, 0.1, 0.5)
BINS, REACH = 64, 8.0
# What is counted is on the CPU, also where new tensors are made elsewhere by default.
zeros = partial(torch.zeros, dtype=torch.float64, device="cpu")


@dataclass(frozen=True)
class Usage:
    """How the codes of a codebook of K are used over P positions.

    A code "wins" a position when its weight there is the largest in size. Hard quantization gives a position one code
    in each of S stages (heads, groups, residual steps; S = 1 for plain VQ): each of them wins it once, and the weight
    of a code is the number of stages that chose it. With p_k the share of all wins that code k has, the perplexity is
    exp(−Σ p_k ln p_k): 1 when one code takes all, K when all are used alike.

    Attributes:
        share: (K,) share of the wins of each code; sums to 1. A position whose weights are all 0 is won by none.
        perplexity: effective number of winning codes, between 1 and K; 0 where no position is won.
        stage_perplexity: the same for each stage on its own, which shows when a single stage has collapsed.
        dead_codes: number of codes that win no position.
        near_zero: share of all weights that are at or below a threshold, {0.01: …, 0.1: …, 0.5: …} of the largest at
            their position (in size).
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
    near_zero: dict[float, float]
    codes_per_position: float
    kurtosis: float | None
    strength: Tensor
    histogram: tuple[Tensor, Tensor] | None

    @property
    def active_codes(self) -> dict[float, float]:
        """Return the mean number of codes per position above each threshold of the position's largest."""
        return {threshold: len(self.share) * (1 - near) for threshold, near in self.near_zero.items()}


def perplexity(counts: Tensor) -> float:
    """Return the effective number of codes in use: exp of the entropy of ``counts`` (K,) as a distribution."""
    share = counts.double() / counts.sum()
    return float(torch.exp(-torch.special.xlogy(share, share).sum())) if counts.any() else 0.0


def soft_usage(chunks: Callable[[], Iterator[Tensor]], codebook_size: int) -> Usage:
    """Measure the usage from code weights; ``chunks()`` yields (positions, K) and is called twice.

    Raises:
        SvqkitError: there is no position.
    """
    moments, strength, near_zero = zeros(5), zeros(codebook_size), zeros(len(THRESHOLDS))
    counts = zeros(codebook_size, dtype=torch.int64)
    mixed = 0.0
    for weights in chunks():
        wide, size = weights.double(), weights.abs()
        moments += torch.stack([(wide**power).sum() for power in range(5)]).cpu()
        largest = size.amax(1, keepdim=True)
        counts += size.argmax(1)[largest[:, 0] > 0].bincount(minlength=codebook_size).cpu()
        strength += size.double().sum(0).cpu()
        near_zero += torch.stack([(size <= t * largest).sum() for t in THRESHOLDS]).cpu()
        mixed += float((size.double().sum(1) ** 2 / wide.square().sum(1).clamp_min(1e-300)).sum())
    total = float(moments[0])
    positions = _some(int(total) // codebook_size)
    mean, spread, kurtosis = _shape(moments)
    return Usage(
        share=counts.double() / counts.sum().clamp_min(1),
        perplexity=perplexity(counts),
        stage_perplexity=(perplexity(counts),),
        dead_codes=int((counts == 0).sum()),
        near_zero=dict(zip(THRESHOLDS, (near_zero / total).tolist(), strict=True)),
        codes_per_position=mixed / positions,
        kurtosis=kurtosis,
        strength=strength / positions,
        histogram=_histogram(chunks(), mean, spread),
    )


def hard_usage(chosen: Tensor, codebook_size: int) -> Usage:
    """Measure the usage where each position is given one code in each of S stages.

    The weight of a code at a position is the number of stages that chose it. A code of several stages counts as often
    in ``share``, so that it sums to 1 over all K codes.

    Args:
        chosen: numbers of the codes (positions, S), 0 … K − 1.
        codebook_size: K, over all stages.

    Raises:
        SvqkitError: there is no position.
    """
    positions = _some(len(chosen))
    counts = chosen.flatten().bincount(minlength=codebook_size).cpu()
    same = chosen[:, :, None] == chosen[:, None, :]
    first = ~same.tril(-1).any(2)  # whether no earlier stage of the position chose the same code
    weights, everything = same.sum(2), positions * codebook_size
    large = {t: int((first & (weights > t * weights.amax(1, keepdim=True))).sum()) for t in THRESHOLDS}
    return Usage(
        share=counts.double() / counts.sum(),
        perplexity=perplexity(counts),
        stage_perplexity=tuple(perplexity(stage.bincount().cpu()) for stage in chosen.unbind(1)),
        dead_codes=int((counts == 0).sum()),
        near_zero={t: (everything - count) / everything for t, count in large.items()},
        codes_per_position=int(first.sum()) / positions,
        kurtosis=None,
        strength=counts.double() / positions,
        histogram=None,
    )


def _some(positions: int) -> int:
    if not positions:
        raise SvqkitError("The latents have no position, so no use of a codebook can be measured. Give some.")
    return positions


def _shape(moments: Tensor) -> tuple[float, float, float]:
    """Mean, standard deviation and kurtosis from the sums of w⁰ … w⁴; weights that are all alike have neither."""
    _, mean, square, cube, fourth = (moments / moments[0]).tolist()
    variance = square - mean**2
    if variance <= 1e-12 * square:  # what rounding leaves of zero
        return mean, 0.0, nan
    central = fourth - 4 * mean * cube + 6 * mean**2 * square - 3 * mean**4
    return mean, variance**0.5, central / variance**2


def _histogram(chunks: Iterator[Tensor], mean: float, spread: float) -> tuple[Tensor, Tensor]:
    counts = zeros(BINS)
    for weights in chunks:
        standard = ((weights.float() - mean) / (spread or 1.0)).clamp(-REACH, REACH)
        counts += torch.histc(standard, BINS, -REACH, REACH).double().cpu()
    return torch.linspace(-REACH, REACH, BINS + 1, device="cpu"), counts
