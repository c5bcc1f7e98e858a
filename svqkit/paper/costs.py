"""What the models cost: parameters, FLOPs, seconds and memory, with SVQ and without.

Measured are, on one dataset, every translator of study "translators" without a quantizer and with SVQ in two forms, and
one translator with SVQ and LISTA over codebook sizes:

    none     no quantizer
    folded   :class:`svqkit.quantizers.SVQ` as it is
    plain    SVQ by its formula as it is written: the weights of all K codes at every position are formed
    lista    :class:`svqkit.quantizers.LISTA`, sparse coding by learned shrinkage

``costs/<profile>.csv`` has a row for each, with the columns ``COLUMNS``:
    codebook_size      0 without a codebook
    batch_size         samples of a step
    frame_shape        channels × height × width
    parameters, trainable
    flops              of one forecast (``frames_out`` frames of one sample) in a batch of ``batch_size``: multiply-adds
                       of convolutions and matrix products × 2, by torch's FlopCounterMode. Normalisations, activations
                       and pooling are not in it. What a forward does once for the whole batch (the fold) is shared out
                       over the batch.
    step_seconds       a training step: forward, loss, backward and Adam
    forward_seconds    a forecast of the batch in inference mode
    peak_bytes         the most that tensors hold at a time during a training step, without the batch itself:
                       parameters, their gradients, Adam's two moments and what is kept for the backward pass
    device, machine    "cpu" or "cuda", and its name with the number of threads
    note               why a row has no numbers

Seconds are medians over rounds in one process in which all models take turns, so that a machine that slows down slows
all alike. On CUDA the peak is that of torch's allocator. On a CPU every tensor's memory is booked from the operation
that makes it until it is freed: the same numbers on each run, which neither the process's own size nor memory that the
system has not taken back yet disturbs; buffers that an operation has inside itself are not seen.
"""

import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pandas as pd
import psutil
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from svqkit import models
from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.models.simvp import roll_out
from svqkit.progress import progress
from svqkit.quantizers import SVQ, Quantized
from svqkit.settings.params import Experiment, Params
from svqkit.settings.quantizers import NoQuantizer
from svqkit.training.loop import Objective, journal, prepare_model

COLUMNS = {
    "dataset": str, "experiment": str, "translator": str, "quantizer": str, "form": str, "codebook_size": int,
    "batch_size": int, "frame_shape": str, "parameters": float, "trainable": float, "flops": float,
    "step_seconds": float, "forward_seconds": float, "peak_bytes": float, "device": str, "machine": str, "note": str,
}  # fmt: skip
# A model that would take more than this share of the free memory is not run.
FREE_SHARE = 0.8
LEAST_ROUNDS, PATIENCE = 3, 3.0
_COUNTS = ("parameters", "trainable", "peak_bytes")


@dataclass(frozen=True)
class Case:
    """A model to be measured: an experiment's, with its quantizer computed in one of the forms."""

    experiment: Experiment
    form: str

    @property
    def name(self) -> str:
        """The experiment and the form."""
        return f"{self.experiment.name} ({self.form})"

    @property
    def codebook_size(self) -> int:
        """K, or 0."""
        return getattr(self.experiment.quantizer, "codebook_size", 0)

    def build(self, frame_shape: tuple[int, int, int]) -> nn.Module:
        """Return a fresh model for frames (C, H, W)."""
        model = models.build(self.experiment, frame_shape)
        if self.form == "plain":
            model.quantizer = PlainSVQ(model.quantizer)
        return model


class PlainSVQ(nn.Module):
    """SVQ with the parameters of ``layer``, computed as published: all K weights of every position are in memory."""

    def __init__(self, layer: SVQ) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Quantized:
        """Quantize x (N, D, H, W): w = W2 φ(W1 x + b1) + b2 (N, H·W, K), then Cᵀw."""
        weights = self.layer.code_weights(x)
        mixed = weights @ self.layer.codebook
        penalised = self.training and self.layer.l1 > 0
        loss = self.layer.l1 * weights.abs().sum(-1).mean() if penalised else x.new_zeros(())
        return Quantized(mixed.transpose(1, 2).reshape(x.shape), loss)


def translator_cases(settings: Params, dataset: str) -> dict[str, tuple[Case, Case, Case]]:
    """Return cases by translator of study "translators": without a quantizer, with SVQ folded, with SVQ plain.

    A translator that params.yaml has only without SVQ gets the SVQ of the first one that has it.

    Raises:
        SvqkitError: the study has no SVQ on this dataset.
    """
    members = [experiment for experiment in settings.of_dataset(dataset) if "translators" in experiment.studies]
    with_svq = [member for member in members if member.quantizer.name == "svq"]
    if not with_svq:
        raise SvqkitError(
            f"Study 'translators' of params.yaml has no experiment with SVQ on {dataset} in profile "
            f"{settings.profile!r}: there is nothing to measure the cost of. Add one, or take another dataset."
        )
    found = {}
    for translator in dict.fromkeys(member.model.translator for member in members):
        by_quantizer = {member.quantizer.name: member for member in members if member.model.translator == translator}
        any_one = next(iter(by_quantizer.values()))
        stem = f"{dataset}-{translator}"
        none = by_quantizer.get("none") or replace(any_one, name=f"{stem}-none", quantizer=NoQuantizer())
        svq = by_quantizer.get("svq") or replace(any_one, name=f"{stem}-svq", quantizer=with_svq[0].quantizer)
        found[translator] = (Case(none, "none"), Case(svq, "folded"), Case(svq, "plain"))
    return found


def size_cases(settings: Params, dataset: str, sizes: Sequence[int] = ()) -> list[Case]:
    """Return SVQ, folded and plain, and LISTA with ``sizes`` codes; empty: those of SVQ in study "codebook_size"."""
    members = settings.of_dataset(dataset)
    trained = [member for member in members if "codebook_size" in member.studies and member.quantizer.name == "svq"]
    by_size: dict[int, Experiment] = {}
    for member in trained:
        by_size.setdefault(member.quantizer.codebook_size, member)
    lista = next((member for member in members if member.quantizer.name == "lista"), None)
    found = []
    for size in sorted(sizes or by_size):
        if trained:
            svq = by_size.get(size) or _resized(trained[0], size)
            found += [Case(svq, "folded"), Case(svq, "plain")]
        if lista:
            found.append(Case(_resized(lista, size), "lista"))
    return found


def _resized(experiment: Experiment, size: int) -> Experiment:
    """The experiment with so many codes, called after them if that is another number."""
    if experiment.quantizer.codebook_size == size:
        return experiment
    quantizer = replace(experiment.quantizer, codebook_size=size)
    return replace(experiment, name=f"{experiment.name}-k{size}", quantizer=quantizer)


def all_cases(settings: Params, dataset: str, sizes: Sequence[int] = ()) -> list[Case]:
    """Return everything that costs/<profile>.csv holds, each model once; nothing for a dataset of other profiles."""
    if dataset in settings.elsewhere:
        return []
    found = [case for group in translator_cases(settings, dataset).values() for case in group]
    return list({case.name: case for case in [*found, *size_cases(settings, dataset, sizes)]}.values())


def measure(
    cases: Sequence[Case],
    frame_shape: tuple[int, int, int],
    repeats: int = 7,
    device: str = "cpu",
    batch_size: int = 0,
) -> pd.DataFrame:
    """Measure models side by side, on random frames.

    Args:
        cases: what to measure.
        frame_shape: (C, H, W).
        repeats: rounds; seconds are medians over them. A model that has taken ``PATIENCE`` seconds in ``LEAST_ROUNDS``
            rounds takes part in no more.
        device: "cpu" or "cuda".
        batch_size: instead of that of each experiment's training, if not 0.

    Returns:
        A row per case, in their order, with the columns ``COLUMNS``. A model that does not fit into memory has
        NaN in the columns that could not be measured, and its ``note`` says so; the others go on.

    Raises:
        SvqkitError: ``repeats`` is below 1.
    """
    if repeats < 1:
        raise SvqkitError(f"The cost of a model is measured in one round or more, got repeats={repeats}.")
    rows, ready = [], []
    bar = progress(len(cases) * (1 + repeats), "costs", "model", 0)
    for case in cases:
        size = batch_size or case.experiment.training.batch_size
        row = {**settings_of_case(case, size, frame_shape), "device": device, "machine": machine(device), "note": ""}
        rows.append(row)
        try:
            with out_of_memory_as_error():
                subject = Subject(case, frame_shape, size, device)
                row["parameters"], row["trainable"] = subject.parameters()
                subject.check_fit()
                row["peak_bytes"] = subject.peak_bytes()
                row["flops"] = subject.flops()
                ready.append((subject, row, ([], [])))
        except SvqkitError as error:
            row["note"] = str(error)
        bar.update()
    for number in range(repeats):
        # In another order each time: who comes after a model that leaves caches cold is not always the same.
        for subject, _row, (steps, forwards) in Random(number).sample(ready, len(ready)):
            if number < LEAST_ROUNDS or sum(steps) + sum(forwards) < PATIENCE:
                steps.append(subject.seconds(subject.step))
                forwards.append(subject.seconds(subject.forward))
            bar.update()
    bar.close()
    for _subject, row, (steps, forwards) in ready:
        row |= {"step_seconds": median(steps), "forward_seconds": median(forwards)}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(_COUNTS, "Int64"))


def write(costs: pd.DataFrame, path: str | Path) -> Path:
    """Write a table of ``measure`` as csv."""
    with replacing(path) as draft:
        costs.to_csv(draft, index=False, float_format="%.6g", lineterminator="\n")
    return Path(path)


def machine(device: str) -> str:
    """Return the name of the processor that computes, a CPU's with the number of its threads in use."""
    about = journal.machine()
    threads = f"{about['threads']} thread{'s' * (about['threads'] > 1)}"
    return about["gpu"] if device == "cuda" else f"{about['cpu']}, {threads}"


class Subject:
    """A model on a device, with a batch of random frames, ready to take training steps."""

    def __init__(self, case: Case, frame_shape: tuple[int, int, int], batch_size: int, device: str) -> None:
        self.case, self.device, self.batch_size = case, device, batch_size
        data = case.experiment.data
        self.objective, self.optimizer = self._make(frame_shape)
        self.model = self.objective.model
        random = torch.Generator().manual_seed(0)
        self.inputs, self.targets = (
            torch.randn(batch_size, frames, *frame_shape, generator=random).to(device)
            for frames in (data.frames_in, data.frames_out)
        )
        self._give_adam_its_moments()

    def step(self, samples: int | None = None) -> None:
        """Take a training step, on the whole batch or on the first ``samples`` of it."""
        self.objective.train()
        self.optimizer.zero_grad()
        sum(self.objective(self.inputs[:samples], self.targets[:samples])).backward()
        self.optimizer.step()

    @torch.inference_mode()
    def forward(self) -> None:
        """Forecast the batch, as an application would."""
        self.model.eval()
        self._forecast(self.inputs)

    def parameters(self) -> tuple[int, int]:
        """Return how many parameters the model has, and how many of them are trained."""
        every = [*self.model.parameters()]
        return sum(one.numel() for one in every), sum(one.numel() for one in every if one.requires_grad)

    @torch.no_grad()
    def flops(self) -> float:
        """Count the FLOPs of a forecast per sample of the batch."""
        self.model.eval()
        # The fused kernels of attention have names of their own on each device; as plain products all are counted.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            self._forecast(self.inputs)
        return counter.get_total_flops() / self.batch_size

    def check_fit(self) -> None:
        """Take a step with a single sample, and see from it whether the batch would fit into memory.

        Raises:
            SvqkitError: as many samples as the batch has, each as large as one alone, need more than ``FREE_SHARE`` of
                the free memory.
        """
        alone = self._step_bytes(samples=1)
        gradients = sum(parameter.nbytes for parameter in self.optimizer.param_groups[0]["params"])
        needed, free = gradients + self.batch_size * max(0, alone - gradients), free_bytes(self.device)
        if needed > FREE_SHARE * free:
            raise SvqkitError(f"does not fit: a step may need {_gigabytes(needed)}, {_gigabytes(free)} are free")

    def peak_bytes(self) -> int:
        """Measure the most bytes of tensors during a training step."""
        return self._held_bytes() + self._step_bytes()

    def seconds(self, work: Callable[[], None]) -> float:
        """Measure how long ``work`` takes, until the device is done with it."""
        begun = now(self.device)
        work()
        taken = now(self.device) - begun
        self.optimizer.zero_grad()  # the gradients of a model that waits for its turn are room for the others
        return taken

    def _make(self, frame_shape: tuple[int, int, int]) -> tuple[Objective, torch.optim.Optimizer]:
        return prepare_model(self.case.build(frame_shape), self.case.experiment.training, self.device)

    def _forecast(self, inputs: Tensor) -> models.Forecast:
        bf16 = self.case.experiment.training.precision == "bf16"
        with torch.autocast(self.device, torch.bfloat16, enabled=bf16):
            return roll_out(self.model, inputs, self.targets.shape[1])

    def _give_adam_its_moments(self) -> None:
        """A step of Adam that changes nothing, so that the first true one is like all others."""
        for parameter in self.optimizer.param_groups[0]["params"]:
            parameter.grad = torch.zeros_like(parameter)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _held_bytes(self) -> int:
        """Bytes of what stays from step to step: parameters, buffers, Adam's moments."""
        kept = [*self.model.parameters(), *self.model.buffers(), *tree_leaves(dict(self.optimizer.state))]
        return sum(tensor.nbytes for tensor in kept if isinstance(tensor, Tensor))

    def _step_bytes(self, samples: int | None = None) -> int:
        """The most bytes at a time that a step adds to what is held."""
        self.optimizer.zero_grad()
        if self.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            self.step(samples)
            most = torch.cuda.max_memory_allocated() - before
        else:
            with Ledger() as ledger:
                self.step(samples)
            most = ledger.peak()
        self.optimizer.zero_grad()
        return most


class Ledger(TorchDispatchMode):
    """Books the bytes of every tensor that is made in this context: ``entries`` of (tensor's number, ± bytes)."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[int, int]] = []
        self.numbers: dict[int, int] = {}  # of the storages that are alive

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(result):
            storage = leaf.untyped_storage() if isinstance(leaf, Tensor) else None
            if storage is not None and id(storage) not in self.numbers and id(storage) not in given:
                number = self.numbers[id(storage)] = len(self.entries)
                self.entries.append((number, storage.nbytes()))
                weakref.finalize(storage, self._freed, id(storage), number, storage.nbytes())
        return result

    def _freed(self, key: int, number: int, size: int) -> None:
        del self.numbers[key]
        self.entries.append((number, -size))

    def peak(self, without: frozenset[int] | set[int] = frozenset()) -> int:
        """Return the most bytes at a time, but for the tensors numbered in ``without``."""
        held = most = 0
        for number, size in self.entries:
            held += 0 if number in without else size
            most = max(most, held)
        return most


def free_bytes(device: str) -> int:
    """Return the free memory of the device."""
    if device == "cuda":
        torch.cuda.empty_cache()
        return torch.cuda.mem_get_info()[0]
    return psutil.virtual_memory().available


@contextmanager
def out_of_memory_as_error() -> Iterator[None]:
    """Turn running out of memory in this context into an error that says that the model does not fit.

    Raises:
        SvqkitError: memory ran out.
    """
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise SvqkitError(f"does not fit: {str(error).splitlines()[0]}") from error
        raise


def settings_of_case(case: Case, batch_size: int, frame_shape: tuple[int, int, int]) -> dict[str, object]:
    """Return what is known of a case before it is measured, by column of the table of costs."""
    experiment = case.experiment
    return {
        "dataset": experiment.dataset,
        "experiment": experiment.name,
        "translator": experiment.model.translator,
        "quantizer": experiment.quantizer.name,
        "form": case.form,
        "codebook_size": case.codebook_size,
        "batch_size": batch_size,
        "frame_shape": " × ".join(map(str, frame_shape)),
    }


def now(device: str) -> float:
    """Return seconds, once the device has done all that it was given."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB"
