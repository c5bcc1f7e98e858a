"""Quantizers: each takes latents (N, D, H, W), (N, L, D) or (N, D, T, H, W) and returns ``Quantized(output, loss)``.

The registry, with the settings of each, is :mod:`svqkit.settings.quantizers`.
"""

from dataclasses import asdict
from pkgutil import resolve_name

from svqkit.quantizers.base import Quantizer
from svqkit.quantizers.controls import MLP, Linear
from svqkit.quantizers.fsq import FSQ, ResidualFSQ
from svqkit.quantizers.lfq import LFQ, ResidualLFQ
from svqkit.quantizers.lista import LISTA
from svqkit.quantizers.mixtures import Gumbel, Softmax
from svqkit.quantizers.none import NoQuantization
from svqkit.quantizers.residual import GroupedResidualVQ, ResidualVQ
from svqkit.quantizers.result import Quantized, Usage
from svqkit.quantizers.svq import SVQ
from svqkit.quantizers.vq import VQ, MultiheadVQ, SimVQ
from svqkit.settings.quantizers import Settings

__all__ = [
    "FSQ",
    "LFQ",
    "LISTA",
    "MLP",
    "SVQ",
    "VQ",
    "GroupedResidualVQ",
    "Gumbel",
    "Linear",
    "MultiheadVQ",
    "NoQuantization",
    "Quantized",
    "Quantizer",
    "ResidualFSQ",
    "ResidualLFQ",
    "ResidualVQ",
    "SimVQ",
    "Softmax",
    "Usage",
    "build",
]


def build(settings: Settings, dim: int) -> Quantizer:
    """The quantizer that ``settings`` describe, for latents with ``dim`` channels."""
    options = asdict(settings)
    options.pop("name")
    return resolve_name(settings.layer)(dim=dim, **options)
