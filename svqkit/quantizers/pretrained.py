"""A quantizer in a folder: ``config.json``, its settings, and ``model.safetensors``, its weights; neither runs code."""

import json
import re
from contextlib import nullcontext, suppress
from dataclasses import asdict
from inspect import signature
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, Literal, Self

import torch
from pydantic.dataclasses import dataclass
from torch import nn

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError, shown
from svqkit.settings import quantizers as settings_of
from svqkit.settings.types import STRICT, Channels, checked
from svqkit.training.checkpoint import load_weights, save_weights
from svqkit.userfiles import read_json

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# Weights that any machine can hold, whatever a file says.
HARMLESS = 2**26


@dataclass(frozen=True, config=STRICT)
class Config:
    """What config.json says: the settings of a quantizer, and for how many channels it is."""

    dim: Channels
    quantizer: settings_of.Quantizer
    format: Literal[1] = 1


class Pretrained(nn.Module):
    """A layer that knows what it was made with, can be saved to a folder and opened from there."""

    dim: int
    made_with: dict[str, Any]

    def __new__(cls, *given: Any, **options: Any) -> Self:
        """Make a layer and note what it is made with; a copy, made with nothing, gets the note of the original."""
        layer = super().__new__(cls)
        layer.__dict__["made_with"] = signature(cls).bind_partial(*given, **options).arguments
        return layer

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the layer into a folder, made if need be, as ``config.json`` and ``model.safetensors``.

        Raises:
            SvqkitError: there are no settings for its kind, its linear layers are wrapped, or the disk is full.
        """
        kinds = {kind.layer: kind for kind in settings_of.QUANTIZERS.values()}
        path = f"{type(self).__module__}:{type(self).__qualname__}"
        if path not in kinds:
            raise SvqkitError(
                f"{type(self).__name__} has no settings by which it could be made again. Write some for it, as in "
                "docs/add_your_own.md, or save its state_dict()."
            )
        options = dict(self.made_with)
        tree = {"dim": options.pop("dim", self.dim), "quantizer": {"name": kinds[path].name, **options}}
        config = checked(Config, tree, f"What this {type(self).__name__} was made with")
        fresh = _without_values(config)
        for name in asdict(config.quantizer).keys() & vars(self).keys() & vars(fresh).keys():
            if vars(self)[name] != vars(fresh)[name]:  # set since, as a temperature that falls while training
                tree["quantizer"][name] = vars(self)[name]
        config = checked(Config, tree, f"What this {type(self).__name__} is now")
        if changed := set(self.state_dict()) ^ set(fresh.state_dict()):
            raise SvqkitError(
                f"This {type(self).__name__} is not as it was made, it has other parameters ({min(changed)}): merge or "
                "remove what wraps its layers first, or save its state_dict()."
            )
        for name, part in self.named_modules():
            if "forward" in vars(part) or part._forward_hooks or part._forward_pre_hooks:
                raise SvqkitError(
                    f"The {type(part).__name__} {name!r} of this {type(self).__name__} has hooks, or a forward of its "
                    "own, which are not saved: remove them first, or save its state_dict()."
                )
        folder = made_folder(folder)
        save_weights(self, Path(folder) / WEIGHTS)
        with replacing(Path(folder) / CONFIG) as draft:
            draft.write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def from_pretrained(cls, source: str | Path) -> Self:
        """Open a saved layer, in float32 and eval mode.

        Args:
            source: a folder, or the id of one on a hub (``owner/name``; needs the package huggingface_hub).

        Raises:
            SvqkitError: there is none, its files don't fit or are damaged, or it holds another kind of quantizer.
        """
        folder = local_folder(source, [CONFIG, WEIGHTS])
        if not (folder / CONFIG).is_file():
            raise SvqkitError(f"{folder} holds no {CONFIG}, which save_pretrained writes. Name a folder that has one.")
        config = checked(Config, read_json(folder / CONFIG), str(folder / CONFIG))
        empty = _without_values(config)
        if not isinstance(empty, cls):
            raise SvqkitError(f"{source} holds a {type(empty).__name__}: use {type(empty).__name__}.from_pretrained.")
        count = sum(tensor.numel() for tensor in empty.state_dict().values())
        most = (folder / WEIGHTS).stat().st_size if (folder / WEIGHTS).is_file() else 0
        if count > max(HARMLESS, most):
            raise SvqkitError(
                f"{folder / CONFIG} tells of {count:,} weights, more than {WEIGHTS} can hold. Fetch both again."
            )
        nowhere = torch.empty(0).is_meta  # new tensors may be of any kind by default
        with torch.device("cpu") if nowhere else nullcontext():
            layer = build(config.quantizer, config.dim).float()
        load_weights(layer, folder / WEIGHTS)
        return layer.eval()


def build(settings: settings_of.Settings, dim: int) -> Any:
    """Build the quantizer that ``settings`` describe, for latents with ``dim`` channels."""
    options = asdict(settings)
    options.pop("name")
    return resolve_name(settings.layer)(dim=dim, **options)


def made_folder(name: str | Path) -> Path:
    """Return a folder, made if need be; ``~`` is the user's own.

    Raises:
        SvqkitError: it can't be made.
    """
    try:
        folder = Path(name).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SvqkitError(f"{shown(str(name))} can't be made a folder: {reason}. Name another one.") from error
    return folder


def local_folder(source: str | Path, names: list[str]) -> Path:
    """Return the folder ``source``, or that of a hub's repository with this id, of which these files are fetched.

    Raises:
        SvqkitError: there is neither.
    """
    with suppress(OSError, ValueError, RuntimeError):  # no name that a folder could have
        if (folder := Path(source).expanduser()).is_dir():
            return folder
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)):
        raise SvqkitError(
            f"There is no folder {source}. Name one, or the id of a hub's repository, such as owner/name."
        )
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise SvqkitError(
            f"There is no folder {source}. If it is the id of a hub's repository, `pip install huggingface_hub` first."
        ) from error
    try:
        return Path(snapshot_download(str(source), allow_patterns=names))
    except Exception as error:  # no network, no such repository, no permission: of many kinds
        raise SvqkitError(f"There is no folder {source}, nor could a hub's repository be fetched: {error}") from error


def _without_values(config: Config) -> Pretrained:
    """The layer with nothing in it, which takes no memory; its random numbers are drawn from nowhere."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return build(config.quantizer, config.dim)
