"""Quantizers: each takes latents (N, D, H, W), (N, L, D) or (N, D, T, H, W) and returns ``Quantized(output, loss)``.

The registry, with the settings of each, is :mod:`svqkit.settings.quantizers`.
"""

from svqkit.quantizers.base import Quantized, Quantizer
from svqkit.quantizers.controls import MLP, Gumbel, Linear, Softmax
from svqkit.quantizers.fsq import FSQ, ResidualFSQ
from svqkit.quantizers.lfq import LFQ, ResidualLFQ
from svqkit.quantizers.lista import LISTA
from svqkit.quantizers.none import NoQuantization
from svqkit.quantizers.pretrained import build
from svqkit.quantizers.residual import GroupedResidualVQ, ResidualVQ
from svqkit.quantizers.svq import SVQ
from svqkit.quantizers.usage import Usage
from svqkit.quantizers.vq import VQ, MultiheadVQ, SimVQ
