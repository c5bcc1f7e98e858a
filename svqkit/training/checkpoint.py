"""What a training needs to go on from where it was stopped, in one safetensors file.

Tensors (weights, optimizer, random state) and a JSON header; nothing is pickled. The file is written beside its
place and renamed, so that a kill at any moment leaves the last whole state.
"""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.userfiles import refuse_special

# Of the list of what is wrong with weights.
MOST_CHARACTERS = 4000


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        fingerprint: settings, digests of data and code; a state of another one is not continued.
        epoch: number of epochs that are done.
        step: number of steps that are done in the epoch after them.
        loss_sum: of the steps done in this epoch.
        best_loss, best_epoch: the lowest validation loss so far, and the last epoch (from 1) with it; 0 is none.
        worse: number of epochs with a higher one since it was first reached.
        log: one row per finished epoch.
        loss_log: one row per reading of the loss: the steps done and the mean training loss since the reading before.
        seconds: spent on it until it was last saved.
        finished: whether training has ended.
    """

    fingerprint: dict[str, Any]
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best_loss: float = float("inf")
    best_epoch: int = 0
    worse: int = 0
    log: list[dict[str, float]] = field(default_factory=list)
    loss_log: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    finished: bool = False

    def log_losses(self, losses: Tensor, steps_per_epoch: int) -> None:
        """Note the losses (n,) of the n steps up to this one."""
        loss_sum = float(losses.sum())
        self.loss_sum += loss_sum
        step = self.epoch * steps_per_epoch + self.step
        self.loss_log.append({"step": step, "train_loss": loss_sum / len(losses)})

    def stop_clock(self, since: float) -> float:
        """Add the time since ``since`` to the seconds spent; return the present time, by ``time.monotonic``."""
        present = time.monotonic()
        self.seconds += present - since
        return present

    def end_epoch(self, learning_rate: float, train_loss: float, validation_loss: float) -> None:
        """Count an epoch as done and note its losses.

        Raises:
            SvqkitError: the validation loss is not a finite number.
        """
        if not math.isfinite(validation_loss):
            raise SvqkitError(
                f"The validation loss is {validation_loss} after epoch {self.epoch + 1}; training stops and the last "
                "state stays. Try a lower `learning_rate`, a `clip_norm` such as 1.0, or `precision: fp32`."
            )
        self.epoch, self.step, self.loss_sum = self.epoch + 1, 0, 0.0
        # As the reference counts: of equal losses the later epoch is kept, and patience neither ends nor begins again.
        if validation_loss != self.best_loss:
            self.worse = self.worse + 1 if validation_loss > self.best_loss else 0
        if validation_loss <= self.best_loss:
            self.best_loss, self.best_epoch = validation_loss, self.epoch
        row = {"epoch": self.epoch, "learning_rate": learning_rate}
        self.log.append({**row, "train_loss": train_loss, "validation_loss": validation_loss})


def save_weights(model: nn.Module, path: Path) -> None:
    """Write the model's parameters and buffers as safetensors."""
    with replacing(path) as draft:
        # Copies: tied weights would share memory, which safetensors refuses.
        tensors = {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft)


def load_weights(model: nn.Module, path: Path) -> None:
    """Put the weights at ``path`` into ``model``.

    Raises:
        SvqkitError: there are none, the file is damaged, or they are of another model or no weights: entries that are
            missing, surplus, misshapen, of another type or not finite are listed.
    """
    refuse_special(path)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise SvqkitError(
            f"No readable weights at {path}: {error}. Train the model again, or fetch the file again."
        ) from error
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise SvqkitError(f"{path} holds the weights of another model. {str(error)[:MOST_CHARACTERS]}") from error
    expected = model.state_dict()
    problems = [line for name in expected for line in misfit(name, tensors[name], expected[name], expected[name].shape)]
    if problems:
        listed = "\n  ".join(problems)[:MOST_CHARACTERS]
        raise SvqkitError(f"{path} holds weights that are none; train the model again:\n  {listed}")


def misfit(name: str, value: Any, like: Tensor, shape: Sequence[int]) -> list[str]:
    """Return why ``value`` can't be the weights ``like``, which the file has in ``shape``; nothing where it can."""
    if not isinstance(value, Tensor):
        return [f"no tensor: {name}, expected {tuple(shape)}, got {type(value).__name__!r}"]
    if tuple(value.shape) != tuple(shape):
        return [f"shape of {name}: expected {tuple(shape)}, got {tuple(value.shape)}"]
    if like.is_floating_point() and not value.is_floating_point():
        return [f"type of {name}: expected a float type, got {value.dtype}"]
    finite = value.to(like.dtype).isfinite()
    return [] if finite.all() else [f"not finite: {name}, {int((~finite).sum())} of {value.numel()} values"]


def save_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write everything that the next step depends on."""
    tensors: dict[str, Tensor] = {f"model/{name}": tensor for name, tensor in model.state_dict().items()}
    for number, entry in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{number}/{name}": torch.as_tensor(value) for name, value in entry.items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    with replacing(path) as draft:
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(plain, draft, metadata={"progress": json.dumps(asdict(progress))})


def read_progress(path: Path) -> Progress | None:
    """Return how far the state at ``path`` is; None when there is no state, or none that can be read."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tree = json.loads(file.metadata()["progress"])
        # Earlier versions called it looks; their states are set aside, not lost.
        return Progress(**{{"looks": "loss_log"}.get(name, name): value for name, value in tree.items()})
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None


def load_state(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Put the state at ``path`` back into the model, the optimizer and the random generators."""
    groups: dict[str, Any] = {"model": {}, "optimizer": {}, "random": {}}
    for name, tensor in load_file(path).items():
        kind, rest = name.split("/", 1)
        groups[kind][rest] = tensor
    model.load_state_dict(groups["model"])
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    entries: dict[int, dict[str, Tensor]] = {}
    for name, tensor in groups["optimizer"].items():
        number, key = name.split("/")
        weight = weights[int(number)]
        # Laid out in memory as its weight is (channels_last): a fused optimizer walks both side by side.
        like = torch.empty_like(weight).copy_(tensor) if tensor.shape == weight.shape else tensor
        entries.setdefault(int(number), {})[key] = like
    optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(groups["random"]["cpu"])
    if "cuda" in groups["random"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(groups["random"]["cuda"])
