"""The reference's weights: read without running anything that is pickled in them, and put under our names."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn

from svqkit.errors import SvqkitError, shown
from svqkit.interop.names import renamed
from svqkit.interop.settings import Architecture
from svqkit.models import SimVP
from svqkit.settings.quantizers import LFQSettings, ResidualLFQSettings
from svqkit.training.checkpoint import misfit
from svqkit.userfiles import refuse_packed, refuse_special

# What DistributedDataParallel, Lightning and torch.compile put before every name, in any order.
PREFIXES = re.compile(r"^((module|model|_orig_mod)\.)+")


@dataclass(frozen=True)
class Entry:
    """An entry of the reference's state_dict.

    Attributes:
        ours: our name.
        like: our tensor.
        shape: its shape in the reference.
        copy_of: the entry that it only repeats, if it does.
    """

    ours: str
    like: Tensor
    shape: tuple[int, ...]
    copy_of: str = ""


def read_state_dict(path: Path) -> Mapping[str, Any]:
    """Read the state_dict in a .pth: a bare one, or that of {'epoch', 'optimizer', 'state_dict', 'scheduler'}.

    It may also be called 'model_state_dict'.

    Raises:
        SvqkitError: there is no such file, it is damaged, holds no weights, or holds Python objects besides.
    """
    refuse_special(path)
    if not path.exists():
        raise SvqkitError(f"There is no checkpoint {path}.")
    try:
        refuse_packed(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except SvqkitError:
        raise
    except UnpicklingError as error:
        raise SvqkitError(
            f"{path} holds more than tensors and plain values, or is no checkpoint, so it is not loaded: loading "
            "would run code from it. If you trust it, save its weights alone where it was made, and give me that "
            "file:\n"
            "  import torch\n"
            f"  checkpoint = torch.load({str(path)!r}, map_location='cpu', weights_only=False)\n"
            "  torch.save(checkpoint['state_dict'], 'weights.pth')\n"
            f"PyTorch says: {str(error).strip().splitlines()[-1]}"
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise SvqkitError(f"The checkpoint {path} is damaged or no checkpoint: {error!r}") from error
    keys = list(content) if isinstance(content, Mapping) else []
    weights = next((content[key] for key in ("state_dict", "model_state_dict") if key in keys), content)
    if not isinstance(weights, Mapping) or not weights:
        raise SvqkitError(
            f"{path} must hold a state_dict, names with their tensors, bare or under the key 'state_dict'; it holds "
            f"{type(content).__name__} with the keys {shown(keys)}."
        )
    return weights


def translated(weights: Mapping[str, Any], model: nn.Module, wanted: Architecture) -> dict[str, Tensor]:
    """Translate the reference's state_dict for ``model``, a :class:`svqkit.models.SimVP` made as ``wanted``.

    Raises:
        SvqkitError: entries are missing, surplus, misshapen, no tensors, not finite, or copies and constants with
            other values. All are listed, by the reference's names.
    """
    names = [PREFIXES.sub("", str(name)) for name in weights]
    given = dict(zip(names, weights.values(), strict=True))
    problems = [f"twice, with and without a prefix: {name}" for name, count in Counter(names).items() if count > 1]
    expected, constants = entries(model, wanted), _constants(model, wanted)
    for name, entry in expected.items():
        if name.endswith(".num_batches_tracked"):  # some keep float tensors only; nothing is computed with it
            given.setdefault(name, entry.like)
        if name in given:
            problems += misfit(name, given[name], entry.like, entry.shape)
        else:
            problems.append(f"missing: {name} {entry.shape}")
    for name, value in given.items():
        if name in constants:
            problems += _other_constant(name, value, constants[name])
        elif name not in expected:
            problems.append(f"surplus: {name} {_what(value)}")
    problems = problems or [
        f"values of {name}: the same as {entry.copy_of} where steps share a codebook, but they are others"
        for name, entry in expected.items()
        if entry.copy_of and not torch.equal(given[name], given[entry.copy_of])
    ]
    if problems:
        raise SvqkitError(
            f"The weights don't fit the config; {len(problems)} problem(s), by the reference's names. Give the config "
            "that they were trained with:\n  " + "\n  ".join(problems)
        )
    return {
        entry.ours: given[name].detach().to("cpu", entry.like.dtype).reshape(entry.like.shape)
        for name, entry in expected.items()
    }


@torch.no_grad()
def turn_channels(model: SimVP) -> None:
    """Reverse the order of the channels that a model takes and gives, blue, green, red → red, green, blue."""
    first, last = model.encoder[0].conv, model.readout
    first.weight.copy_(first.weight.flip(1))
    for weight in (last.weight, last.bias):
        weight.copy_(weight.flip(0))


def entries(model: nn.Module, wanted: Architecture) -> dict[str, Entry]:
    """Return what the reference's state_dict of such a model must hold, by its names."""
    translator, quantizer = wanted.model.translator, wanted.quantizer
    found = {}
    for ours, like in model.state_dict().items():
        theirs = renamed(ours, translator, quantizer)
        found[theirs] = Entry(ours, like, _shape(theirs, like, translator))
    if getattr(quantizer, "shared_codebook", False):  # each step names it there
        for theirs, entry in [item for item in found.items() if ".layers.0._codebook." in item[0]]:
            for step in range(1, quantizer.num_quantizers):
                found[theirs.replace(".layers.0.", f".layers.{step}.")] = replace(entry, copy_of=theirs)
    return found


def _shape(theirs: str, like: Tensor, translator: str) -> tuple[int, ...]:
    """The shape that a tensor of ours has in the reference."""
    if translator == "moganet" and "layer_scale" in theirs:
        return 1, len(like), 1, 1
    if theirs.endswith("_codebook.initted"):
        return (1,)  # a plain bool in later versions of vector-quantize-pytorch
    return tuple(like.shape)


def _constants(model: nn.Module, wanted: Architecture) -> dict[str, Tensor | None]:
    """Entries that hold nothing learned and that need not be there, with their values; None where none are used.

    In swin those of timm <= 0.6.11, which later versions don't save; the mask of shifted windows is made there, and
    never given to the attention. In LFQ the values of the bits.
    """
    known: dict[str, Tensor | None] = {}
    if wanted.model.translator == "swin":
        for number, block in enumerate(model.translator.blocks):
            known[f"hid.enc.{number}.block.attn.relative_position_index"] = block.attn.relative_position_index
            known[f"hid.enc.{number}.block.attn_mask"] = None
    if isinstance(wanted.quantizer, LFQSettings | ResidualLFQSettings):
        single = isinstance(wanted.quantizer, LFQSettings)
        for number, step in enumerate(model.quantizer.steps):
            known["vq.vq.mask" if single else f"vq.vq.layers.{number}.mask"] = step.bit_values
    return known


def _other_constant(name: str, value: Any, known: Tensor | None) -> list[str]:
    if known is None or (isinstance(value, Tensor) and torch.equal(value.cpu().long(), known.cpu())):
        return []
    return [f"values of {name}: a constant of the architecture is another one there; another window, or another K?"]


def _what(value: Any) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else repr(type(value).__name__)
