"""The reference's ``vq_type`` and ``vq_kwargs`` as settings of our quantizers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from svqkit.errors import SvqkitError, choose, hint, listed
from svqkit.settings.quantizers import QUANTIZERS, Settings

# Values of vector-quantize-pytorch 1.12.5, which the reference was run with, where a config leaves them out.
_EMA = {"decay": 0.8, "commitment_weight": 1.0}
_LFQ = {"entropy_loss_weight": 0.1, "commitment_loss_weight": 0.25, "diversity_gamma": 1.0}
_SVQ = {"init_method": "normal", "evaluate_usage": False, "hid_relu": True, "out_relu": False}


class Kind(NamedTuple):
    """A ``vq_type``.

    Attributes:
        name: of our quantizer.
        needed: keys of ``vq_kwargs`` that have no default there, the width of what is quantized first.
        defaults: the other keys, with what they are when they are left out.
    """

    name: str
    needed: tuple[str, ...]
    defaults: Mapping[str, Any] = {}


_STEPS = ("dim", "codebook_size", "num_quantizers")
KINDS = {
    "svq": Kind("svq", ("input_dim", "codebook_size", "freeze_codebook", "nonlinear", "middim"), _SVQ),
    "vq": Kind("vq", ("dim", "codebook_size"), _EMA),
    "mhvq": Kind(
        "multihead_vq",
        ("dim", "codebook_size"),
        {**_EMA, "heads": 1, "codebook_dim": None, "separate_codebook_per_head": False},
    ),
    "rvq": Kind(
        "residual_vq",
        _STEPS,
        {**_EMA, "shared_codebook": False, "stochastic_sample_codes": False, "sample_codebook_temp": 1.0},
    ),
    "grvq": Kind("grouped_residual_vq", _STEPS, {**_EMA, "shared_codebook": False, "groups": 1}),
    "lfq": Kind("lfq", ("dim", "codebook_size"), _LFQ),
    "rlfq": Kind("residual_lfq", _STEPS, _LFQ),
    "rfsq": Kind("residual_fsq", ("dim", "levels", "num_quantizers")),
}
# Keys that our settings call otherwise.
OURS = {
    "separate_codebook_per_head": "separate_codebooks",
    "stochastic_sample_codes": "stochastic",
    "sample_codebook_temp": "temperature",
}
# Their "random" is torch.randn, and so the same as "normal".
INITS = {name: name for name in ("kaiming", "xavier", "sparse", "orthogonal", "normal")}
INITS |= {"trunc": "trunc_normal", "random": "normal"}


def quantizer_of(vq_type: Any, given: Any, dim: int, freeze_projection: bool) -> tuple[type[Settings], dict[str, Any]]:
    """Return our kind of quantizer and its settings, for latents with ``dim`` channels.

    Raises:
        SvqkitError: an unknown type or key, a key that is missing, or a width that isn't the latents'.
    """
    kind = choose(KINDS, vq_type, "vq_type")
    width, valid = kind.needed[0], {*kind.needed, *kind.defaults}
    if not isinstance(given, Mapping):
        raise SvqkitError(f"vq_kwargs must be a mapping with {listed(valid)}, got {given!r}.")
    problems = [f"unknown key {key!r}{hint(key, valid)}" for key in given if key not in valid]
    problems += [f"{key!r} is missing" for key in kind.needed if key not in given]
    if given.get(width, dim) != dim:
        problems.append(f"{width} must be hid_S = {dim}, the channels that are quantized, got {given[width]!r}")
    if problems:
        raise SvqkitError(f"vq_kwargs of vq_type {vq_type!r}: {'; '.join(problems)}. Valid: {listed(valid)}.")
    values = {**kind.defaults, **given}
    settings = {OURS.get(key, key): value for key, value in values.items() if key != width}
    if vq_type == "svq":
        settings = _svq(values, freeze_projection)
    elif vq_type == "mhvq" and values["codebook_dim"] is None:
        settings["codebook_dim"] = dim
    return QUANTIZERS[kind.name], {"name": kind.name, **settings}


def _svq(given: Mapping[str, Any], freeze_projection: bool) -> dict[str, Any]:
    # A single layer has neither ReLU there, whatever hid_relu and out_relu say.
    two_layers = bool(given["nonlinear"])
    return {
        "codebook_size": given["codebook_size"],
        "hidden_dim": given["middim"] if two_layers else 0,
        "learnable": not given["freeze_codebook"],
        "learnable_projection": not freeze_projection,
        "init": choose(INITS, given["init_method"], "init_method"),
        "hidden_relu": given["hid_relu"],
        "output_relu": two_layers and given["out_relu"],
    }
