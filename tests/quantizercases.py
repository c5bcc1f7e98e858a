"""Every quantizer of the kit in the ways that it can be set, small: for tests of what all of them owe."""

import pytest
import torch
from created import seeded
from torch import Tensor, nn

from svqkit.quantizers import Quantizer, build
from svqkit.settings import quantizers as kinds

DIM = 6
HEADS = {"codebook_size": 16, "heads": 2, "codebook_dim": 4}
STEPS = {"codebook_size": 16, "num_quantizers": 2}
CASES: dict[str, kinds.Settings] = {
    "none": kinds.NoQuantizer(),
    "svq": kinds.SVQSettings(codebook_size=40, hidden_dim=8),
    "svq with ReLU and l1": kinds.SVQSettings(codebook_size=40, hidden_dim=8, output_relu=True, l1=0.1),
    "svq with l1": kinds.SVQSettings(codebook_size=40, hidden_dim=0, l1=0.1),
    "svq frozen": kinds.SVQSettings(codebook_size=40, hidden_dim=8, learnable=False, learnable_projection=False),
    "vq": kinds.VQSettings(codebook_size=16),
    "multihead_vq": kinds.MultiheadVQSettings(**HEADS),
    "multihead_vq separate": kinds.MultiheadVQSettings(**HEADS, separate_codebooks=True),
    "residual_vq": kinds.ResidualVQSettings(**STEPS),
    "residual_vq stochastic": kinds.ResidualVQSettings(**STEPS, shared_codebook=False, stochastic=True),
    "grouped_residual_vq": kinds.GroupedResidualVQSettings(**STEPS, groups=2),
    "lfq": kinds.LFQSettings(codebook_size=16),
    "residual_lfq": kinds.ResidualLFQSettings(codebook_size=16, num_quantizers=2),
    "fsq": kinds.FSQSettings(levels=(5, 4, 3)),
    "residual_fsq": kinds.ResidualFSQSettings(levels=(5, 4, 3), num_quantizers=2),
    "simvq": kinds.SimVQSettings(codebook_size=16),
    "mlp": kinds.MLPSettings(hidden_dim=8),
    "mlp as large": kinds.MLPSettings(hidden_dim=8, match="total", codebook_size=40),
    "linear": kinds.LinearSettings(),
    "softmax": kinds.SoftmaxSettings(codebook_size=40, hidden_dim=8),
    "gumbel": kinds.GumbelSettings(codebook_size=40, hidden_dim=8),
    "lista": kinds.LISTASettings(codebook_size=40),
}
DRAWS = {"residual_vq stochastic", "gumbel"}  # random numbers, while training
# Beside a file and a link to nothing.
NO_FOLDERS = ["file", "file/below", "link", "x" * 300, "a\0b"]
every_kind = pytest.mark.parametrize("case", CASES)
both_modes = pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])


def made(case: str, seed: int = 0) -> Quantizer:
    torch.manual_seed(seed)
    return build(CASES[case], DIM)


def latents(batch: int = 2, seed: int = 0) -> Tensor:
    return seeded((batch, DIM, 4, 3), seed, torch.float32)


def linears(layer: nn.Module) -> dict[str, nn.Linear]:
    return {name: one for name, one in layer.named_modules() if type(one) is nn.Linear}


def moves(layer: nn.Module) -> bool:
    """Whether a codebook follows the latents while training."""
    return any(name.endswith("embed_avg") for name, _ in layer.named_buffers())
