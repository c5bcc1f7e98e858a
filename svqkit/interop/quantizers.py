"""The reference's ``vq_type`` and ``vq_kwargs`` as settings of our quantizers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from svqkit.errors import SvqkitError, choose, hint, listed
from svqkit.settings.quantizers import QUANTIZERS, Settings

_EMA = {"codebook_size": "codebook_size", "decay": "decay", "commitment_weight": "commitment_weight"}
_RESIDUAL = {**_EMA, "num_quantizers": "num_quantizers", "shared_codebook": "shared_codebook"}
_LFQ = {
    "codebook_size": "codebook_size",
    "entropy_loss_weight": "entropy_loss_weight",
    "commitment_loss_weight": "commitment_loss_weight",
    "diversity_gamma": "diversity_gamma",
}
# Values of vector-quantize-pytorch 1.12.5, which the reference was run with, where a config leaves them out.
_EMA_DEFAULTS = {"decay": 0.8, "commitment_weight": 1.0}
_LFQ_DEFAULTS = {"entropy_loss_weight": 0.1, "commitment_loss_weight": 0.25, "diversity_gamma": 1.0}


@dataclass(frozen=True)
class Kind:
    """A ``vq_type``.

    Attributes:
        name: of our quantizer.
        keys: of ``vq_kwargs`` → our setting.
        needed: keys that have no default there.
        defaults: what the others are when they are left out.
    """

    name: str
    keys: Mapping[str, str]
    needed: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)


KINDS = {
    "vq": Kind("vq", _EMA, ("dim", "codebook_size"), _EMA_DEFAULTS),
    "mhvq": Kind(
        "multihead_vq",
        {
            **_EMA,
            "heads": "heads",
            "codebook_dim": "codebook_dim",
            "separate_codebook_per_head": "separate_codebooks",
        },
        ("dim", "codebook_size"),
        {**_EMA_DEFAULTS, "heads": 1, "separate_codebook_per_head": False},
    ),
    "rvq": Kind(
        "residual_vq",
        {**_RESIDUAL, "stochastic_sample_codes": "stochastic", "sample_codebook_temp": "temperature"},
        ("dim", "codebook_size", "num_quantizers"),
        {**_EMA_DEFAULTS, "shared_codebook": False, "stochastic_sample_codes": False, "sample_codebook_temp": 1.0},
    ),
    "grvq": Kind(
        "grouped_residual_vq",
        {**_RESIDUAL, "groups": "groups"},
        ("dim", "codebook_size", "num_quantizers"),
        {**_EMA_DEFAULTS, "shared_codebook": False, "groups": 1},
    ),
    "lfq": Kind("lfq", _LFQ, ("dim", "codebook_size"), _LFQ_DEFAULTS),
    "rlfq": Kind(
        "residual_lfq",
        {**_LFQ, "num_quantizers": "num_quantizers"},
        ("dim", "codebook_size", "num_quantizers"),
        _LFQ_DEFAULTS,
    ),
    "rfsq": Kind(
        "residual_fsq",
        {"levels": "levels", "num_quantizers": "num_quantizers"},
        ("dim", "levels", "num_quantizers"),
    ),
}
SVQ_NEEDED = ("input_dim", "codebook_size", "freeze_codebook", "nonlinear", "middim")
SVQ_DEFAULTS = {"init_method": "normal", "evaluate_usage": False, "hid_relu": True, "out_relu": False}
# Their "random" is torch.randn, and so the same as "normal".
INITS = {"trunc": "trunc_normal", "random": "normal"} | {
    name: name for name in ("kaiming", "xavier", "sparse", "orthogonal", "normal")
}


def quantizer_of(vq_type: Any, given: Any, dim: int, freeze_projection: bool) -> tuple[type[Settings], dict[str, Any]]:
    """Return our kind of quantizer and its settings, for latents with ``dim`` channels.

    Raises:
        SvqkitError: an unknown type or key, a key that is missing, or a width that isn't the latents'.
    """
    kind = choose({"svq": None, **KINDS}, vq_type, "vq_type")
    needed = kind.needed if kind else SVQ_NEEDED
    valid = {*needed, *(kind.keys if kind else SVQ_DEFAULTS)}
    if not isinstance(given, Mapping):
        raise SvqkitError(f"vq_kwargs must be a mapping with {listed(valid)}, got {given!r}.")
    problems = [f"unknown key {key!r}{hint(key, valid)}" for key in given if key not in valid]
    problems += [f"{key!r} is missing" for key in needed if key not in given]
    width = "dim" if kind else "input_dim"
    if width in given and given[width] != dim:
        problems.append(f"{width} must be hid_S = {dim}, the channels that are quantized, got {given[width]!r}")
    if problems:
        raise SvqkitError(f"vq_kwargs of vq_type {vq_type!r}: {'; '.join(problems)}. Valid: {listed(valid)}.")
    if kind is None:
        return QUANTIZERS["svq"], _svq({**SVQ_DEFAULTS, **given}, freeze_projection)
    values = {**kind.defaults, **given}
    settings = {ours: values[theirs] for theirs, ours in kind.keys.items() if theirs in values}
    if vq_type == "mhvq":
        settings.setdefault("codebook_dim", dim)
    return QUANTIZERS[kind.name], {"name": kind.name, **settings}


def _svq(given: Mapping[str, Any], freeze_projection: bool) -> dict[str, Any]:
    # A single layer has neither ReLU there, whatever hid_relu and out_relu say.
    two_layers = bool(given["nonlinear"])
    return {
        "name": "svq",
        "codebook_size": given["codebook_size"],
        "hidden_dim": given["middim"] if two_layers else 0,
        "learnable": not given["freeze_codebook"],
        "learnable_projection": not freeze_projection,
        "init": choose(INITS, given["init_method"], "init_method"),
        "hidden_relu": given["hid_relu"],
        "output_relu": two_layers and given["out_relu"],
    }
