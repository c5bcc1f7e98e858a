"""Counting how a codebook is used, from weights that come in chunks."""

from collections.abc import Callable, Iterator
from math import nan

import torch
from torch import Tensor

from svqkit.quantizers.result import Usage, perplexity

THRESHOLDS = (0.01, 0.1, 0.5)
BINS, REACH = 64, 8.0


def soft_usage(chunks: Callable[[], Iterator[Tensor]], codebook_size: int) -> Usage:
    """Usage from code weights; ``chunks()`` yields (positions, K) and is called twice."""
    moments = torch.zeros(5, dtype=torch.float64)
    counts = torch.zeros(codebook_size, dtype=torch.int64)
    strength = torch.zeros(codebook_size, dtype=torch.float64)
    near_zero = torch.zeros(len(THRESHOLDS), dtype=torch.float64)
    mixed = 0.0
    for weights in chunks():
        wide, size = weights.double(), weights.abs()
        moments += torch.stack([(wide**power).sum() for power in range(5)]).cpu()
        counts += size.argmax(1).bincount(minlength=codebook_size).cpu()
        strength += size.double().sum(0).cpu()
        largest = size.amax(1, keepdim=True)
        near_zero += torch.tensor([float((size <= t * largest).sum()) for t in THRESHOLDS], dtype=torch.float64)
        mixed += float((size.double().sum(1) ** 2 / wide.square().sum(1).clamp_min(1e-300)).sum())
    total, positions = float(moments[0]), int(counts.sum())
    mean, spread, kurtosis = _shape(moments)
    near = dict(zip(THRESHOLDS, (near_zero / total).tolist(), strict=True))
    return Usage(
        share=counts.double() / positions,
        perplexity=perplexity(counts),
        stage_perplexity=(perplexity(counts),),
        dead_codes=int((counts == 0).sum()),
        sparsity=near[0.1],
        near_zero=near,
        codes_per_position=mixed / positions,
        kurtosis=kurtosis,
        strength=strength / positions,
        histogram=_histogram(chunks(), mean, spread),
    )


def hard_usage(chosen: Tensor, codebook_size: int) -> Usage:
    """Usage when each position is given one code in each of S stages.

    The weight of a code at a position is the number of stages that chose it. A code of several stages counts as often
    in ``share``, so that it sums to 1 over all K codes.

    Args:
        chosen: numbers of the codes (positions, S), 0 … K − 1.
        codebook_size: K, over all stages.
    """
    counts = chosen.flatten().bincount(minlength=codebook_size).cpu()
    near = _few_are_chosen(chosen, codebook_size)
    return Usage(
        share=counts.double() / counts.sum(),
        perplexity=perplexity(counts),
        stage_perplexity=tuple(perplexity(stage.bincount().cpu()) for stage in chosen.unbind(1)),
        dead_codes=int((counts == 0).sum()),
        sparsity=near[0.1],
        near_zero=near,
        codes_per_position=int(_first_of_its_code(chosen).sum()) / len(chosen),
        kurtosis=None,
        strength=counts.double() / len(chosen),
        histogram=None,
    )


def _few_are_chosen(chosen: Tensor, codebook_size: int) -> dict[float, float]:
    """The share of weights at or below each threshold of their position's largest, with no tensor of positions × K."""
    weights = (chosen[:, :, None] == chosen[:, None, :]).sum(2)
    weights, largest = weights * _first_of_its_code(chosen), weights.amax(1, keepdim=True)
    everything = len(chosen) * codebook_size
    return {t: (everything - int((weights > t * largest).sum())) / everything for t in THRESHOLDS}


def _first_of_its_code(chosen: Tensor) -> Tensor:
    """Whether no earlier stage of the position chose the same code, (positions, S)."""
    same = chosen[:, :, None] == chosen[:, None, :]
    return ~same.tril(-1).any(2)


def _shape(moments: Tensor) -> tuple[float, float, float]:
    """Mean, standard deviation and kurtosis from the sums of w⁰ … w⁴; weights that are all alike have neither."""
    _, one, two, three, four = (moments / moments[0]).tolist()
    variance = two - one**2
    if variance <= 1e-12 * two:  # what rounding leaves of zero
        return one, 0.0, nan
    fourth = four - 4 * one * three + 6 * one**2 * two - 3 * one**4
    return one, variance**0.5, fourth / variance**2


def _histogram(chunks: Iterator[Tensor], mean: float, spread: float) -> tuple[Tensor, Tensor]:
    counts = torch.zeros(BINS, dtype=torch.float64)
    for weights in chunks:
        standard = ((weights.float() - mean) / (spread or 1.0)).clamp(-REACH, REACH)
        counts += torch.histc(standard, BINS, -REACH, REACH).double().cpu()
    return torch.linspace(-REACH, REACH, BINS + 1), counts
