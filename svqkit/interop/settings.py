"""The reference's config as our settings.

Keys that are missing take the values of SimVP_Model's and SimVPVQ_Model's signatures. The training program's parser
sets four of them as well, to the same effect: drop and drop_path 0, method SimVP, and model_type None, which both
models read as gSTA. So a config of a training, which has every key of the parser, and a bare one mean the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from warnings import warn

from svqkit.errors import SvqkitError, choose, listed
from svqkit.interop.quantizers import quantizer_of
from svqkit.settings.params import TRANSLATORS, Model
from svqkit.settings.quantizers import NoQuantizer, Settings
from svqkit.settings.types import Positive, checked

METHODS = {"simvp": "SimVP", "tau": "TAU", "simvpvq": "SimVPVQ"}
MODEL_TYPES = {**{name: name for name in TRANSLATORS}, "mlp": "mlpmixer", "moga": "moganet"}
SIGNATURE = {
    "hid_S": 16,
    "hid_T": 256,
    "N_S": 4,
    "N_T": 4,
    "mlp_ratio": 8.0,
    "drop": 0.0,
    "drop_path": 0.0,
    "spatio_kernel_enc": 3,
    "spatio_kernel_dec": 3,
    "noise": None,
}
Shape = tuple[Positive, Positive, Positive, Positive]
OURS = {"method", "in_shape", "model_type", "post_vq", "vq_type", "vq_kwargs", "freeze_projection", *SIGNATURE}


@dataclass(frozen=True)
class Architecture:
    """What a config says of the model: its settings, its quantizer, and the shape (T, C, H, W) of what goes in."""

    model: Model
    quantizer: Settings
    in_shape: Shape


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Return the model that a config of the reference describes; a warning names the keys that don't shape it.

    Raises:
        SvqkitError: a key that is nearly one of the model's, a method or model type that isn't SimVP's, or a value
            that doesn't fit.
    """
    _tell_unused(config)
    method = choose(METHODS, str(config.get("method", "SimVP")).lower(), "method")
    named = config.get("model_type")
    tree = {key: config.get(key, default) for key, default in SIGNATURE.items()} | {
        "translator": choose(MODEL_TYPES, "gsta" if named is None else str(named).lower(), "model_type"),
        "noise": config.get("noise") or 0.0,
        "quantize_after_translator": method == "SimVPVQ" and config.get("post_vq", False),
    }
    model = checked(Model, tree, "The config")
    quantizer: Settings = NoQuantizer()
    if method == "SimVPVQ":
        frozen = bool(config.get("freeze_projection", False))
        kind, tree = quantizer_of(config.get("vq_type", "svq"), config.get("vq_kwargs"), model.hid_S, frozen)
        quantizer = checked(kind, tree, "vq_kwargs of the config")
    sizes = "in_shape, (T, C, H, W) such as [12, 1, 32, 64] (the reference's dataset_parameters have it),"
    return Architecture(model, quantizer, checked(Shape, config.get("in_shape"), sizes))


def _tell_unused(config: Mapping[str, Any]) -> None:
    """Refuse keys that are all but one of those that shape the model, and say which others are not used."""
    by_lower = {key.lower(): key for key in OURS}
    unused = [key for key in config if key not in OURS]
    close = {key: get_close_matches(str(key).lower(), by_lower, 1, 0.85) for key in unused}
    problems = [f"{key!r} (did you mean {by_lower[found[0]]!r}?)" for key, found in close.items() if found]
    if problems:
        raise SvqkitError(
            f"The config has keys that the reference's models don't know: {', '.join(problems)}. Those that shape the "
            f"model: {listed(OURS)}."
        )
    if unused:
        warn(f"Keys of the config that don't shape the model are ignored: {listed(unused)}.", stacklevel=3)
