"""Small models of the reference, with weights that are waves: what the tests of :mod:`svqkit.interop` share.

golden/openstl.json holds, for each case, the names and shapes of the reference's state_dict, and what the reference
itself (with timm 0.6.11 and vector-quantize-pytorch 1.12.5) computes with these weights: mean, mean square, first and
last value of the forecast for ``frames_of``, and the mean square of the gradient of its sum of squares.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from svqkit import quantizers
from svqkit.interop.config import architecture
from svqkit.interop.weights import entries
from svqkit.models import SimVP

GOLDEN: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "golden" / "openstl.json").read_text(encoding="utf-8")
)
SMALL = {"in_shape": (3, 2, 16, 24), "hid_S": 8, "hid_T": 16, "N_S": 2, "N_T": 3, "mlp_ratio": 2.0}
SVQ = {"input_dim": 8, "codebook_size": 30, "freeze_codebook": False, "nonlinear": True, "middim": 12}
STEPS = {"dim": 8, "num_quantizers": 3, "codebook_size": 8}
TRANSLATORS = [
    "convmixer",
    "convnext",
    "gsta",
    "hornet",
    "incepu",
    "mlp",
    "moga",
    "poolformer",
    "swin",
    "tau",
    "uniformer",
    "van",
    "vit",
]


def _with(vq_type: str, vq_kwargs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**SMALL, "method": "SimVPVQ", "vq_type": vq_type, "vq_kwargs": vq_kwargs, **changes}


CASES: dict[str, dict[str, Any]] = {
    **{name: {**SMALL, "model_type": name} for name in TRANSLATORS},
    "four convolutions": {**SMALL, "N_S": 4},
    "as wide inside as outside": {**SMALL, "model_type": "uniformer", "hid_T": 24},
    "swin without shifts": {**SMALL, "model_type": "swin", "in_shape": (3, 2, 8, 16)},
    "svq": _with("svq", SVQ),
    "svq after the translator": _with("svq", SVQ, post_vq=True),
    "svq with ReLU on the weights": _with("svq", {**SVQ, "out_relu": True}),
    "svq without ReLU": _with("svq", {**SVQ, "hid_relu": False}),
    "svq of one layer": _with("svq", {**SVQ, "nonlinear": False, "out_relu": True}),
    "svq smaller than its hidden layer": _with("svq", {**SVQ, "codebook_size": 5}),
    "vq": _with("vq", {"dim": 8, "codebook_size": 8}),
    "mhvq": _with("mhvq", {"dim": 8, "heads": 2, "codebook_dim": 6, "codebook_size": 8}),
    "mhvq with a codebook each": _with(
        "mhvq", {"dim": 8, "heads": 2, "codebook_size": 8, "separate_codebook_per_head": True}
    ),
    "rvq": _with("rvq", STEPS),
    "rvq with one codebook": _with("rvq", {**STEPS, "shared_codebook": True, "stochastic_sample_codes": True}),
    "grvq": _with("grvq", {**STEPS, "groups": 2}),
    "grvq with one codebook": _with("grvq", {**STEPS, "groups": 2, "shared_codebook": True}),
    "lfq": _with("lfq", {"dim": 8, "codebook_size": 32}),
    "rlfq": _with("rlfq", {"dim": 8, "codebook_size": 32, "num_quantizers": 3}),
    "rfsq": _with("rfsq", {"dim": 8, "levels": [8, 5, 5, 3], "num_quantizers": 3}),
}


def precision(case: str) -> torch.dtype:
    """float64, but for the quantizers that the library has in float32 only."""
    return torch.float32 if case.split()[0] in ("vq", "mhvq", "rvq", "grvq", "lfq", "rlfq", "rfsq") else torch.float64


def wavy(*shape: int, start: int = 0) -> Tensor:
    """Numbers that look random and are the same everywhere: sin(start), sin(start + 1), … in float64."""
    return torch.arange(start, start + math.prod(shape), dtype=torch.float64).sin().view(shape)


def frames_of(case: str) -> Tensor:
    """Frames (1, T, C, H, W) in float64."""
    return wavy(1, *CASES[case]["in_shape"])


def weights_of(case: str) -> dict[str, Tensor]:
    """A state_dict of the reference in float32, without the constants that hold nothing learned."""
    weights: dict[str, Tensor] = {}
    shapes = {name: tuple(shape) for name, shape in GOLDEN[case]["shapes"].items()}
    for number, (name, shape) in enumerate(shapes.items()):
        leaf = name.split(".")[-1]
        wave = wavy(*shape, start=1000 * number)
        if leaf in ("attn_mask", "relative_position_index", "mask"):
            continue
        if leaf == "num_batches_tracked":
            weights[name] = torch.tensor(7)
        elif leaf == "initted":
            weights[name] = torch.ones(shape)
        elif leaf == "running_var" or leaf == "cluster_size" or _is_scale(leaf, shape):
            weights[name] = (1 + wave / 2).float()
        elif len(shape) > 1 and leaf not in ("embed", "embed_avg", "relative_position_bias_table"):
            weights[name] = (wave / math.prod(shape[1:]) ** 0.5).float()
        else:
            weights[name] = wave.float()
    if "one codebook" in case:
        for name in weights:
            if ".layers.0." in name:
                for step in range(1, CASES[case]["vq_kwargs"]["num_quantizers"]):
                    weights[name.replace(".layers.0.", f".layers.{step}.")] = weights[name]
    return weights


def summary(forecast: Tensor, gradient: Tensor) -> list[float]:
    """The numbers that stand in the golden file."""
    first, last = forecast.flatten()[0], forecast.flatten()[-1]
    found = (forecast.mean(), forecast.square().mean(), first, last, gradient.square().mean())
    return [float(one.detach()) for one in found]


def _is_scale(leaf: str, shape: tuple[int, ...]) -> bool:
    return "layer_scale" in leaf or "gamma" in leaf or leaf == "sigma" or (leaf == "weight" and len(shape) == 1)


def reference_weights(config: dict[str, Any]) -> dict[str, Tensor]:
    """Some weights by the reference's names, for a model of a config of the reference with an ``in_shape``."""
    torch.manual_seed(0)
    wanted = architecture(config)
    frames, *frame_shape = wanted.in_shape
    model = SimVP(wanted.model, quantizers.build(wanted.quantizer, wanted.model.hid_S), frames, tuple(frame_shape))
    state = model.state_dict()
    return {theirs: state[ours].clone() for theirs, ours in entries(model, wanted).items()}
