"""The reference's weights: read without running anything that is pickled in them, and put under our names."""

import argparse
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from warnings import warn

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from svqkit.errors import SvqkitError, listed, shown
from svqkit.interop.config import REFERENCE, Architecture
from svqkit.models import SimVP
from svqkit.settings.quantizers import Settings, SVQSettings
from svqkit.training.checkpoint import misfit
from svqkit.userfiles import read_json, reading, refuse_packed

# Under which of its keys a checkpoint holds the state_dict, also one within the other.
WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params")
WRAPPERS += ("checkpoint", "model_weights", "ema_state_dict", "ema", "params_ema")
# What DistributedDataParallel, FSDP, Lightning and torch.compile put before names, or between their parts.
PREFIXES = re.compile(
    r"(?<![^.])(module|model|net|_orig_mod|_forward_module|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
# The parts of the reference's models, and what stands before all of them where somebody has put one into another.
PARTS = ("enc", "hid", "dec", "vq")
OUTSIDE = re.compile(r"^.*?\.(?=(enc|hid|dec|vq)\.)")
# Nothing learned: constants of swin (saved by timm up to 0.6.11) and of LFQ, and counts that thop leaves.
IDLE = re.compile(r"\.(attn_mask|relative_position_index|mask|total_ops|total_params)$")


class NumpyValue:
    """Stands for an array or a number of NumPy's among a checkpoint's settings, which nobody reads.

    NumPy's own makers must not be called on behalf of a stranger: ``np.ndarray((1,), "O", b"…")`` makes an object of
    any address.
    """

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


# What checkpoints have among their settings.
HARMLESS: list[Any] = [argparse.Namespace, (NumpyValue, "numpy.ndarray"), (NumpyValue, "numpy.dtype")]
HARMLESS += [
    (NumpyValue, f"numpy.{core}.multiarray.{name}") for name in ("_reconstruct", "scalar") for core in ("core", "_core")
]


def read_state_dict(path: Path) -> Mapping[str, Any]:
    """Read the state_dict in a .pth, .ckpt or .safetensors, or the .index.json of several, bare or under ``WRAPPERS``.

    Raises:
        SvqkitError: there is no such file, it is damaged, holds no weights, or holds Python objects besides.
    """
    with reading(path, "a checkpoint", "Fetch it again, or name another one."):
        content = _content(path)
    weights = content
    for _ in WRAPPERS:
        inside = weights if isinstance(weights, Mapping) else {}
        weights = next((inside[key] for key in WRAPPERS if isinstance(inside.get(key), Mapping)), weights)
    if not isinstance(weights, Mapping) or not any(isinstance(value, Tensor) for value in weights.values()):
        keys = f" with the keys {shown(list(content))}" if isinstance(content, Mapping) else ""
        raise SvqkitError(
            f"{path} must hold a state_dict, names with their tensors, bare or under one of the keys "
            f"{', '.join(WRAPPERS)}; it holds {type(content).__name__}{keys}. Save the model's state_dict."
        )
    return weights


def _content(path: Path) -> Any:
    with path.open("rb") as file:
        head = file.read(9)
    if path.name.endswith(".index.json"):  # of weights that lie in several files beside it
        index = read_json(path)
        files = index.get("weight_map") if isinstance(index, Mapping) else None
        names = list(files.values()) if isinstance(files, Mapping) else []
        if not names or any(not isinstance(name, str) or name.endswith(".json") for name in names):
            raise SvqkitError(
                f"{path} must have a weight_map, from the names of weights to the files beside it that hold them; got "
                f"{shown(index)}. Name one of those files, or write the index again."
            )
        parts = sorted({path.with_name(Path(name).name) for name in names})
        return {name: value for part in parts for name, value in read_state_dict(part).items()}
    if head[8:] == b"{":  # a JSON header after its length: safetensors, whatever the file's name
        return load_file(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any("/code/" in name for name in names) or not any(name.endswith("data.pkl") for name in names):
            raise SvqkitError(
                f"{path} is a ZIP archive of other files, or a program of TorchScript. Name a checkpoint that "
                "torch.save wrote: unpack it, or save torch.jit.load(…).state_dict()."
            )
        refuse_packed(path)
    try:
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        reason = (str(error).rpartition("WeightsUnpickler error:")[2].strip() or repr(error)).splitlines()[0]
        if not head.startswith((b"PK", b"\x80")):
            raise ValueError(reason) from error
        raise SvqkitError(
            f"{path} holds more than tensors and plain values, so it is not loaded: loading would run code from it. "
            "If you trust it, save its weights alone where it was made, and give me that file:\n"
            "  import torch\n"
            f"  checkpoint = torch.load({str(path)!r}, map_location='cpu', weights_only=False)\n"
            "  torch.save(checkpoint['state_dict'], 'weights.pth')\n"
            f"PyTorch says: {reason}"
        ) from error


def translated(weights: Mapping[str, Any], model: nn.Module, wanted: Architecture) -> dict[str, Tensor]:
    """Translate the reference's state_dict for ``model``, a :class:`svqkit.models.SimVP` made as ``wanted``.

    A shape may differ by axes of length 1. Entries that are no part of a model are left out with a warning.

    Raises:
        SvqkitError: entries are missing, surplus, misshapen, no tensors, not finite, or steps that share a codebook
            have others. All are listed, by the reference's names.
    """
    names = [PREFIXES.sub("", str(name)) for name in weights]
    if not any(name.split(".")[0] in PARTS for name in names):
        names = [OUTSIDE.sub("", name) for name in names]
    given = dict(zip(names, weights.values(), strict=True))
    problems = [f"twice, with and without a prefix: {name}" for name, count in Counter(names).items() if count > 1]
    state, expected, found = model.state_dict(), entries(model, wanted), {}
    for theirs, ours in expected.items():
        like = state[ours]
        if theirs.endswith(".num_batches_tracked"):  # some keep float tensors only; nothing is computed with it
            given.setdefault(theirs, like)
        if theirs not in given:
            problems.append(f"missing: {theirs} {tuple(like.shape)}")
            continue
        value = given[theirs]
        if not is_dense(value):
            problems.append(f"no dense tensor: {theirs}, expected {tuple(like.shape)}, got {type(value).__name__!r}")
            continue
        if _lengths(value) == _lengths(like):
            value = value.reshape(like.shape)
        if misfits := misfit(theirs, value, like, like.shape):
            problems += misfits
            continue
        value = value.detach().to("cpu", like.dtype)
        if not torch.equal(found.setdefault(ours, value), value):
            problems.append(f"values of {theirs}: an earlier step, with which it shares a codebook, has others")
    surplus = [name for name in given if name not in expected and not IDLE.search(name)]
    problems += [f"surplus: {name}" for name in surplus if name.split(".")[0] in PARTS]
    if problems:
        raise SvqkitError(
            f"The weights don't fit the config; {len(problems)} problem(s), by the reference's names. Give the config "
            "that they were trained with:\n  " + "\n  ".join(problems)
        )
    if surplus:
        beside = listed({name.split(".")[0] for name in surplus})
        warn(f"Entries of the checkpoint that are no part of the model are ignored: those of {beside}.", stacklevel=4)
    return found


def is_dense(value: Any) -> bool:
    """Return whether a value is a tensor with all of its values."""
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta


@torch.no_grad()
def turn_channels(model: SimVP) -> None:
    """Reverse the order of the channels that a model takes and gives, blue, green, red → red, green, blue."""
    first, last = model.encoder[0].conv, model.readout
    first.weight.copy_(first.weight.flip(1))
    for weight in (last.weight, last.bias):
        weight.copy_(weight.flip(0))


def entries(model: nn.Module, wanted: Architecture) -> dict[str, str]:
    """Return the names in the reference's state_dict of such a model, and our name of each.

    Where steps share a codebook each of them names it there.
    """
    quantizer, found = wanted.quantizer, {}
    steps = quantizer.num_quantizers if getattr(quantizer, "shared_codebook", False) else 1
    for ours in model.state_dict():
        theirs = renamed(ours, wanted.model.translator, quantizer)
        found |= {theirs.replace(".layers.0._codebook.", f".layers.{step}._codebook."): ours for step in range(steps)}
    return found


def renamed(name: str, translator: str, quantizer: Settings) -> str:
    """Return the reference's name of our parameter or buffer ``name``."""
    names = REFERENCE["names"]
    layers = names["quantizer"]
    if isinstance(quantizer, SVQSettings):
        # The first of two layers and a single one share a name there.
        first = "quantizer.proj_regression_weight.linear_proj"
        layers = {r"quantizer\.hidden": first, r"quantizer\.weights": f"{first}2" if quantizer.hidden_dim else first}
    for ours, theirs in (*layers.items(), *names["translator"].get(translator, {}).items(), *names["model"].items()):
        name = re.sub(rf"(?<![^.]){ours}(?![^.])", theirs, name)
    return name


def _lengths(tensor: Tensor) -> list[int]:
    """The lengths of its axes that are longer than 1, which is where the reference writes some shapes otherwise."""
    return [length for length in tensor.shape if length != 1]
