"""The reference's config as our settings: a file that is read but never run, its model, and its quantizer.

Keys that are missing take the values of SimVP_Model's and SimVPVQ_Model's signatures. The training program's parser
sets four of them as well, to the same effect: drop and drop_path 0, method SimVP, and model_type None, which both
models read as gSTA. So a config of a training, which has every key of the parser, and a bare one mean the same.
"""

import ast
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from warnings import warn

from svqkit.errors import SvqkitError, choose, hint, listed, shown
from svqkit.settings.params import TRANSLATORS, Model
from svqkit.settings.quantizers import QUANTIZERS, NoQuantizer, Settings
from svqkit.settings.types import Positive, checked
from svqkit.userfiles import read_json, read_text

# No config of the reference has a hundredth of this.
MOST_BYTES = 2**20
REFERENCE = tomllib.loads(Path(__file__).with_name("reference.toml").read_text(encoding="utf-8"))
REFERENCE["vq_types"]["mhvq"]["defaults"]["codebook_dim"] = None  # TOML has no word for it: as wide as the latents
METHODS = {"simvp": "SimVP", "tau": "TAU", "simvpvq": "SimVPVQ"}
MODEL_TYPES = {**{name: name for name in TRANSLATORS}, "mlp": "mlpmixer", "moga": "moganet"}
Shape = tuple[Positive, Positive, Positive, Positive]
# The keys that shape a model.
SHAPING = {"method", "in_shape", "model_type", "post_vq", "vq_type", "vq_kwargs", "freeze_projection"}
SHAPING |= {*REFERENCE["signature"]}


@dataclass(frozen=True)
class Architecture:
    """What a config says of the model: its settings, its quantizer, and the shape (T, C, H, W) of what goes in."""

    model: Model
    quantizer: Settings
    in_shape: Shape


def read_config(path: Path) -> dict[str, Any]:
    """Read a .json with one object, or a .py of literals, in which numbers set above and quotients may stand.

    Raises:
        SvqkitError: it can't be read, or holds more than that.
    """
    try:
        is_json = path.suffix.lower() == ".json"
        config = read_json(path) if is_json else _assignments(ast.parse(read_text(path, MOST_BYTES)), path)
    except SvqkitError:
        raise
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SvqkitError(f"The config {path} can't be read: {error}.") from error
    if not isinstance(config, dict):
        raise SvqkitError(f"{path} must hold one object of keys and values, got {type(config).__name__}.")
    return config


class _Numbers(ast.NodeTransformer):
    """Puts numbers for names and quotients of them, all that published configs need: ``hid_S``, ``5e-3 / 2``."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        number = self.known.get(node.id)
        return ast.Constant(number) if isinstance(number, int | float) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Div):
            return ast.Constant(ast.literal_eval(node.left) / ast.literal_eval(node.right))
        return node


def _assignments(module: ast.Module, path: Path) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for line in module.body:
        match line:
            case ast.Expr(ast.Constant()):
                continue  # a docstring
            case ast.Assign([ast.Name(name)], value):
                try:
                    # By way of JSON, so that both kinds of file give the same plain values.
                    config[name] = json.loads(json.dumps(ast.literal_eval(_Numbers(config).visit(value))))
                    continue
                except (ValueError, TypeError, ArithmeticError):
                    pass
        raise SvqkitError(
            f"{path}, line {line.lineno}: {shown(ast.unparse(line))} is not read. A config is never run, so it may "
            "only assign literals, numbers set above by their names, and quotients; write the value there, or give the "
            "model_param.json that the training left."
        )
    return config


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Return the model that a config of the reference describes; a warning names the keys that don't shape it.

    Raises:
        SvqkitError: a key that is nearly one of the model's, a method or model type that isn't SimVP's, or a value
            that doesn't fit.
    """
    _tell_unused(config)
    method = choose(METHODS, str(config.get("method", "SimVP")).lower(), "method")
    named = config.get("model_type")
    tree = {key: config.get(key, default) for key, default in REFERENCE["signature"].items()} | {
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
    by_lower = {key.lower(): key for key in SHAPING}
    unused = [key for key in config if key not in SHAPING]
    close = {key: get_close_matches(str(key).lower(), by_lower, 1, 0.85) for key in unused}
    problems = [f"{key!r} (did you mean {by_lower[found[0]]!r}?)" for key, found in close.items() if found]
    if problems:
        raise SvqkitError(
            f"The config has keys that the reference's models don't know: {', '.join(problems)}. Those that shape the "
            f"model: {listed(SHAPING)}."
        )
    if unused:
        warn(f"Keys of the config that don't shape the model are ignored: {listed(unused)}.", stacklevel=3)


def quantizer_of(vq_type: Any, given: Any, dim: int, freeze_projection: bool) -> tuple[type[Settings], dict[str, Any]]:
    """Return our kind of quantizer and its settings, for latents with ``dim`` channels.

    Raises:
        SvqkitError: an unknown type or key, a key that is missing, or a width that isn't the latents'.
    """
    kind = choose(REFERENCE["vq_types"], vq_type, "vq_type")
    needed, defaults = kind["needed"], kind["defaults"]
    width, valid = needed[0], {*needed, *defaults}
    if not isinstance(given, Mapping):
        raise SvqkitError(f"vq_kwargs must be a mapping with {listed(valid)}, got {given!r}.")
    problems = [f"unknown key {key!r}{hint(key, valid)}" for key in given if key not in valid]
    problems += [f"{key!r} is missing" for key in needed if key not in given]
    if given.get(width, dim) != dim:
        problems.append(f"{width} must be hid_S = {dim}, the channels that are quantized, got {given[width]!r}")
    if problems:
        raise SvqkitError(f"vq_kwargs of vq_type {vq_type!r}: {'; '.join(problems)}. Valid: {listed(valid)}.")
    values = {**defaults, **given}
    settings = {REFERENCE["renamed"].get(key, key): value for key, value in values.items() if key != width}
    if vq_type == "svq":
        settings = _svq(values, freeze_projection)
    elif vq_type == "mhvq" and values["codebook_dim"] is None:
        settings["codebook_dim"] = dim
    return QUANTIZERS[kind["name"]], {"name": kind["name"], **settings}


def _svq(given: Mapping[str, Any], freeze_projection: bool) -> dict[str, Any]:
    # A single layer has neither ReLU there, whatever hid_relu and out_relu say.
    two_layers = bool(given["nonlinear"])
    return {
        "codebook_size": given["codebook_size"],
        "hidden_dim": given["middim"] if two_layers else 0,
        "learnable": not given["freeze_codebook"],
        "learnable_projection": not freeze_projection,
        "init": choose(REFERENCE["inits"], given["init_method"], "init_method"),
        "hidden_relu": given["hid_relu"],
        "output_relu": two_layers and given["out_relu"],
    }
