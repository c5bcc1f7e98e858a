"""Training: one loop, from the prepared store to a run's folder, on a CPU, a GPU or several processes."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator, PartialState
from torch import Tensor, nn
from torch.nn import functional as F

from svqkit import models
from svqkit.atomic import clear_leftovers, remove, replacing
from svqkit.data.augment import augment
from svqkit.data.domain import Domain, refuse_region
from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser, Windows, batches, epoch_order, scoring_batch
from svqkit.devices.distributed import refuse_uneven, sync_layers
from svqkit.devices.performance import bf16_note, compiled, freed_memory_kept, to_channels_last
from svqkit.errors import SvqkitError
from svqkit.models.simvp import roll_out
from svqkit.progress import progress as progress_bar
from svqkit.settings.params import Experiment, Split, Training
from svqkit.training import journal, schedule
from svqkit.training.card import write_card
from svqkit.training.checkpoint import Progress, load_state, read_progress, save_state, save_weights
from svqkit.training.fingerprint import code_of_training, differences, settings_of_training
from svqkit.training.paths import run_path
from svqkit.training.runs import is_run_of, write_config

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mae": F.l1_loss, "mse": F.mse_loss, "huber": F.huber_loss}
BEST, STATE = "best.safetensors", "state.safetensors"
# Steps between two readings of the loss: each makes a GPU wait.
LOG_EVERY = 25
# Within a long epoch the state is saved this often; it is always saved at an epoch's end.
SAVE_SECONDS = 300.0


def train_all(
    experiment: Experiment,
    store: Store,
    runs: str | Path = "runs",
    states: str | Path = "states",
    journals: str | Path | None = None,
    clear: bool = False,
    logs: str | Path = "logs",
) -> list[Path]:
    """Train every seed of an experiment and return the folders of the runs; what is finished is not trained again.

    What it took, and on which machine, goes into a file below ``journals``, if given (see :mod:`.journal`).
    With ``clear`` its runs of other seeds, and those made from something else, are removed first, so that nobody takes
    them for results when a training fails.

    Raises:
        SvqkitError: as :func:`train` does.
    """
    if clear and PartialState().is_main_process:
        wanted = {run_path(experiment, seed, runs): fingerprint(experiment, seed, store) for seed in experiment.seeds}
        for path in list(run_path(experiment, 0, runs).parent.glob("*")):
            if path not in wanted or not is_run_of(path, wanted[path]):
                remove(path)
    targets = [train(experiment, seed, store, runs, states, logs) for seed in experiment.seeds]
    if PartialState().is_main_process:
        ended = {}
        for seed, target in zip(experiment.seeds, targets, strict=True):
            progress = read_progress(run_path(experiment, seed, states) / STATE)
            # A kept run may have beside it the state of another, stopped training.
            if progress is None or is_run_of(target, progress.fingerprint):
                ended[seed] = progress
        if journals is not None:
            journal.write(experiment, ended, journals, clear)
        for seed in ended:
            remove(run_path(experiment, seed, states))
        with suppress(OSError):  # what was set aside stays
            run_path(experiment, 0, states).parent.rmdir()
    return targets


@freed_memory_kept()
def train(
    experiment: Experiment,
    seed: int,
    store: Store,
    runs: str | Path = "runs",
    states: str | Path = "states",
    logs: str | Path = "logs",
) -> Path:
    """Fit one experiment with one seed and return the folder of the run (see :mod:`svqkit.training.runs`).

    A finished run of the same settings, data and code, also one that was copied from elsewhere, is kept as it is; to
    train it again, remove its folder.

    Stopped at any moment and called again, it goes on from the last state in ``states`` and ends, on the same
    machine's CPU, with the same weights bit for bit. Validation is on the validation split; under protocol "paper"
    it is on the test split, as in the reference. With ``log: tensorboard`` the losses and the learning rate are in
    ``logs`` as well, below the same names as the run, a point at each reading of the loss.

    Raises:
        SvqkitError: the loss is no longer a finite number (the best weights so far stay in ``states``), the data
            don't fit the settings, TensorBoard is asked for and not installed, or the disk is full.
    """
    wanted_log = experiment.training.log
    accelerator = Accelerator(log_with=wanted_log if find_spec(wanted_log) else None, project_dir=logs)
    made_from = fingerprint(experiment, seed, store)
    target, state_dir = run_path(experiment, seed, runs), run_path(experiment, seed, states)
    if is_run_of(target, made_from):
        if accelerator.is_main_process:
            clear_leftovers(target)
        # On the side, so that the pipeline's copy of the notebook is the same whether it was trained now or before.
        accelerator.print(f"{target} is finished, of the same settings, data and code: kept.", file=sys.stderr)
        return target
    if experiment.model.longitude == "wrap":
        refuse_region(store)
    if wanted_log != "none" and not accelerator.log_with:
        raise SvqkitError(
            f"`log: {wanted_log}` needs the package {wanted_log}, which is not installed: "
            f"`pip install 'svqkit[{wanted_log}]'`, or leave the setting out."
        )
    settings = experiment.training
    if settings.precision == "bf16" and (note := bf16_note(accelerator.device)):
        accelerator.print(note, file=sys.stderr)
    train_set = Examples(experiment, store, "train", accelerator)
    validation_split: Split = "test" if experiment.protocol == "paper" else "validation"
    validation_set = Examples(experiment, store, validation_split, accelerator)
    steps = train_set.steps_per_epoch

    torch.backends.cudnn.benchmark = True  # batches are all of one shape
    torch.manual_seed(seed)
    model = models.build(experiment, store.frame_shape)
    objective, optimizer = prepare_model(model, settings, accelerator.device)
    progress = resume(state_dir, model, optimizer, made_from, accelerator)
    parallel, optimizer = accelerator.prepare(objective, optimizer)
    losses = compiled(parallel, settings.torch_compile, train_set.example(), accelerator.print)
    saved = time.monotonic()
    name, done = f"{experiment.name} seed {seed}", progress.epoch * steps + progress.step
    bar = progress_bar(settings.epochs * steps, name, "step", done, shown=accelerator.is_main_process)
    # What a killed training has logged past its last state is made again, and hidden.
    accelerator.init_trackers(str(run_path(experiment, seed, "")), init_kwargs={wanted_log: {"purge_step": done}})

    while not progress.finished:
        parallel.train()
        pending_losses: list[Tensor] = []
        for inputs, targets in train_set.epoch(seed, progress.epoch, skip=progress.step):
            position = (settings, progress.epoch, progress.step, steps)
            for group in optimizer.param_groups:
                group["lr"] = group["factor"] * schedule.learning_rate(*position)
                group["betas"] = (schedule.momentum(*position), 0.999)
            error, added = losses(inputs, targets)
            loss = error + added
            accelerator.backward(loss)
            if settings.clip_norm:
                accelerator.clip_grad_norm_(parallel.parameters(), settings.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            pending_losses.append(loss.detach().clone())  # a compiled step may write the next loss where this one is
            progress.step += 1
            bar.update()
            if len(pending_losses) == LOG_EVERY or progress.step == steps:
                progress.log_losses(finite_values(pending_losses, progress, steps, state_dir, accelerator), steps)
                accelerator.log({"train_loss": progress.loss_log[-1]["train_loss"]}, progress.loss_log[-1]["step"])
                pending_losses.clear()
                mean_loss = progress.loss_sum / progress.step
                bar.set_postfix_str(f"epoch {progress.epoch + 1}/{settings.epochs}, loss {mean_loss:.4f}")
                if time.monotonic() - saved > SAVE_SECONDS and accelerator.is_main_process:
                    saved = progress.stop_clock(saved)
                    save_state(state_dir / STATE, model, optimizer, progress)

        progress.end_epoch(
            learning_rate=schedule.learning_rate(settings, progress.epoch, steps - 1, steps),
            train_loss=progress.loss_sum / steps,
            validation_loss=validation_set.mean_loss(model),
        )
        accelerator.log(
            {name: progress.log[-1][name] for name in ("learning_rate", "validation_loss")}, progress.epoch * steps
        )
        progress.finished = progress.epoch == settings.epochs or progress.worse >= settings.patience
        if accelerator.is_main_process:
            if progress.best_epoch == progress.epoch:
                save_weights(model, state_dir / BEST)
            saved = progress.stop_clock(saved)
            save_state(state_dir / STATE, model, optimizer, progress)
    bar.close()
    for tracker in accelerator.trackers:
        tracker.finish()
    if accelerator.is_main_process:
        publish(target, state_dir, experiment, seed, store, model, progress)
    accelerator.wait_for_everyone()
    return target


class Objective(nn.Module):
    """A model and its loss as one module, so that a step is one call however often the model is rolled out in it."""

    def __init__(self, model: nn.Module, training: Training) -> None:
        super().__init__()
        self.model, self.loss, self.bf16 = model, LOSSES[training.loss], training.precision == "bf16"

    def forward(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the loss on normalised frames, and the quantizer's own loss."""
        # Not Accelerate's own mixed precision: that is fixed once per process, this per experiment.
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self.bf16):
            forecast = roll_out(self.model, inputs, targets.shape[1])
        return self.loss(forecast.frames.float(), targets), forecast.loss.float()


def prepare_model(
    model: models.SimVP, training: Training, device: torch.device | str
) -> tuple[Objective, torch.optim.Adam]:
    """Return a model on its device, made fast, with its loss; and its optimizer, to be given a learning rate.

    Each group of the optimizer's parameters says in ``factor`` what its learning rate is to be multiplied by.

    Raises:
        SvqkitError: ``quantizer_learning_rate`` is not 1, and the quantizer has nothing that it is about.
    """
    model = to_channels_last(sync_layers(model.to(device)))
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups: list[dict[str, Any]] = [{"params": trained, "factor": 1.0}]
    if training.quantizer_learning_rate != 1:
        slowed = {id(weight) for weight in model.quantizer.factors() if weight.requires_grad}
        if not slowed:
            raise SvqkitError(
                f"quantizer_learning_rate: {training.quantizer_learning_rate} is for a codebook and the matrix before "
                f"it; {type(model.quantizer).__name__} trains none that are mixed by weights. Leave it out, or use svq."
            )
        auto = training.quantizer_learning_rate == "auto"
        factor = 1 / model.quantizer.codebook_size if auto else training.quantizer_learning_rate
        groups = [
            {"params": [weight for weight in trained if id(weight) not in slowed], "factor": 1.0},
            {"params": [weight for weight in trained if id(weight) in slowed], "factor": factor},
        ]
    return Objective(model, training), torch.optim.Adam(groups, fused=True)


class Examples:
    """The windows of a split, normalised on the device."""

    def __init__(self, experiment: Experiment, store: Store, split: Split, accelerator: Accelerator) -> None:
        self.training, self.accelerator = experiment.training, accelerator
        self.windows = Windows(store, split, experiment.protocol, accelerator.device)
        normaliser = Normaliser.of(store, "test" if split == "test" else "train", experiment.protocol)
        self.normaliser = normaliser.to(accelerator.device)
        if split == "train" and len(self.windows) < self.training.batch_size:
            refuse_uneven("The only batch, of all windows:", len(self.windows), accelerator.num_processes)

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one training epoch."""
        return -(-len(self._order(0, 0)) // self.training.batch_size)

    def epoch(self, seed: int, epoch: int, skip: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the shuffled inputs and targets of an epoch, without the first ``skip`` batches.

        They are normalised and augmented on the device; a function of seed and epoch only, however many processes
        share them.
        """
        training = self.training
        rest = self._order(seed, epoch)[skip * training.batch_size :]
        for step, batch in enumerate(self._batches(rest, training.batch_size), start=skip):
            inputs, targets = self._normalised(batch)
            if training.augment:
                random = np.random.default_rng([seed, epoch, step])
                both = augment(torch.cat([inputs, targets], 1), training.augment, training.crop_scale, random)
                inputs, targets = both.split([inputs.shape[1], targets.shape[1]], dim=1)
            yield inputs, targets

    def example(self) -> tuple[Tensor, Tensor]:
        """Return a batch to try a step on."""
        return self._normalised(next(self._batches(self._order(0, 0), self.training.batch_size)))

    @torch.no_grad()
    def mean_loss(self, model: nn.Module) -> float:
        """Compute the mean loss over all windows, without the quantizer's own, model in eval mode.

        The reference has the mean over batches of 16 or 4, in which a smaller last batch counts as much as the others.
        """
        objective = Objective(model, self.training).eval()
        total = torch.zeros(2, device=self.accelerator.device, dtype=torch.float64)
        size = scoring_batch(self.windows) * self.accelerator.num_processes
        for batch in self._batches(np.arange(len(self.windows)), size):
            loss = objective(*self._normalised(batch))[0].double()
            total += torch.stack([loss * len(batch.inputs), torch.full_like(loss, len(batch.inputs))])
        loss_sum, count = self.accelerator.reduce(total, "sum").tolist()
        return loss_sum / count

    def _normalised(self, batch: Batch) -> tuple[Tensor, Tensor]:
        batch = batch.to(self.accelerator.device)
        return self.normaliser.forward(batch.inputs), self.normaliser.forward(batch.targets)

    def _order(self, seed: int, epoch: int) -> np.ndarray:
        return epoch_order(self.windows, seed, epoch, self.training.batch_size, self.training.steps_per_epoch)

    def _batches(self, order: np.ndarray, size: int) -> Iterator[Batch]:
        return batches(self.windows, order, size, self.accelerator.process_index, self.accelerator.num_processes)


def finite_values(
    losses: list[Tensor], progress: Progress, steps: int, state_dir: Path, accelerator: Accelerator
) -> Tensor:
    """Return the losses of the latest steps, each the mean over the processes, float64 on the host.

    Raises:
        SvqkitError: one of them is not finite; says at which step, and what to try.
    """
    values = accelerator.reduce(torch.stack(losses).double(), "mean").cpu()
    bad = ~values.isfinite()
    if bad.any():
        step = progress.epoch * steps + progress.step - len(losses) + int(bad.nonzero()[0]) + 1
        best = state_dir / BEST
        kept = f"The best weights so far stay in {best}" if progress.best_epoch else "No epoch was finished yet"
        raise SvqkitError(
            f"The loss is {values[bad][0].item()} at step {step} (epoch {progress.epoch + 1}); training stops. {kept}. "
            "Try a lower `learning_rate`, a `clip_norm` such as 1.0, `precision: fp32`, or look for wild values."
        )
    return values


def resume(
    state_dir: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    made_from: dict[str, Any],
    accelerator: Accelerator,
) -> Progress:
    """Return the progress of an earlier, stopped training, with its weights put back; or that of a fresh one.

    A state of other settings, data or code is not continued; it is set aside, not lost, nor are earlier ones.
    """
    earlier = read_progress(state_dir / STATE)
    if earlier is None:
        return Progress(made_from)
    if earlier.best_epoch and not (state_dir / BEST).exists():
        accelerator.print(f"The stopped training in {state_dir} has lost its best weights: begun afresh.")
        return Progress(made_from)
    if other := differences(earlier.fingerprint, made_from):
        names = (f"{state_dir.name}.old{number if number > 1 else ''}" for number in count(1))
        aside = next(path for path in map(state_dir.with_name, names) if not path.exists())
        accelerator.wait_for_everyone()  # whoever looked after it is moved would find nothing
        if accelerator.is_main_process:
            state_dir.rename(aside)
        accelerator.wait_for_everyone()
        accelerator.print(
            f"The stopped training in {state_dir} had {'; '.join(other)}: begun afresh, it is kept in {aside}."
        )
        return Progress(made_from)
    load_state(state_dir / STATE, model, optimizer)
    accelerator.print(f"Going on from {state_dir}: {earlier.epoch} epoch(s) and {earlier.step} step(s) are done.")
    return earlier


def fingerprint(experiment: Experiment, seed: int, store: Store) -> dict[str, Any]:
    """Return what a training's result depends on, ready for JSON: ``settings``, digests of ``data`` and of ``code``."""
    return {
        "settings": settings_of_training(experiment) | {"seed": seed},
        "data": store.digests,
        "code": code_of_training(experiment),
    }


def publish(
    target: Path, state_dir: Path, experiment: Experiment, seed: int, store: Store, model: nn.Module, progress: Progress
) -> None:
    """Write the run's folder, whole or not at all."""
    with replacing(target) as draft:
        draft.mkdir()
        shutil.copyfile(state_dir / BEST, draft / "best.safetensors")
        save_weights(model, draft / "last.safetensors")
        pd.DataFrame(progress.log).to_csv(draft / "log.csv", index=False)
        pd.DataFrame(progress.loss_log).to_csv(draft / "steps.csv", index=False)
        domain = Domain.of(store, experiment.protocol)
        write_config(draft, experiment, seed, domain.channels, domain.size, domain, progress.fingerprint)
        write_card(draft)
