"""Quantizers: each takes latents (N, D, H, W) and returns ``Quantized(output, loss)``."""

from dataclasses import asdict

from torch import nn

from svqkit.choices import choose
from svqkit.config import NoQuantizer, SVQSettings, VQSettings
from svqkit.quantizers.none import NoQuantization
from svqkit.quantizers.result import Quantized, Usage
from svqkit.quantizers.svq import SVQ
from svqkit.quantizers.vq import VQ

__all__ = ["QUANTIZERS", "SVQ", "VQ", "NoQuantization", "Quantized", "Usage", "build"]

QUANTIZERS: dict[str, type[nn.Module]] = {"none": NoQuantization, "svq": SVQ, "vq": VQ}


def build(settings: NoQuantizer | SVQSettings | VQSettings, dim: int) -> nn.Module:
    """The quantizer that ``settings`` describe, for latents with ``dim`` channels."""
    options = asdict(settings)
    layer = choose(QUANTIZERS, options.pop("name"), "quantizer")
    return layer(dim=dim, **options) if options else layer()
