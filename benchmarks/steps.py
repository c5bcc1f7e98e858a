"""A training step: its seconds and peak memory, of each translator with SVQ and without, ours and the published."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pandas as pd
import torch

from benchmarks import published
from benchmarks.rounds import as_each_runs, ratio, take_turns
from svqkit.devices.performance import compiled
from svqkit.errors import SvqkitError
from svqkit.paper.costs import Case, Subject, machine, out_of_memory_as_error
from svqkit.settings.params import Compile, Experiment, Precision, override

QUANTIZERS = ("none", "svq")
# Training windows of weather_t2m, 12 → 12 hours in 2010 to 2015 (52,584 hours), and the published epochs.
WINDOWS, EPOCHS = 52_584 - 23, 50


class OwnSubject(Subject):
    """Our step, compiled if that is asked for."""

    def compile(self, how: Compile) -> str:
        """Why it could not be compiled, or nothing."""
        reasons: list[str] = []
        self.objective.train()
        losses = compiled(self.objective, how, (self.inputs, self.targets), reasons.append)
        self.losses = losses
        return " ".join(reasons)

    def step(self, samples: int | None = None) -> None:
        """As :func:`svqkit.training.loop.train` takes it."""
        self.objective.train()
        losses = getattr(self, "losses", self.objective) if samples is None else self.objective
        sum(losses(self.inputs[:samples], self.targets[:samples])).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def measure(
    experiments: dict[str, Experiment],
    frame_shape: tuple[int, int, int],
    device: str,
    batch_size: int,
    repeats: int,
    ways: Sequence[tuple[Precision, Compile]],
    checkout: Path | None,
    until: float = math.inf,
) -> pd.DataFrame:
    """A row for each contestant; ``experiments`` are those without a quantizer and with SVQ, of one translator.

    Ours compete in each of ``ways``. After ``until``, by ``time.monotonic``, no further one is made ready.

    ``times`` is how many times longer the published step of the same quantizer takes, ``of_plain`` how many times
    longer the published step without a quantizer takes, ``of_own`` this step as a multiple of our own without a
    quantizer of the same kind: medians over the rounds.
    """
    rows: dict[str, dict[str, object]] = {}
    subjects: dict[str, Subject] = {}
    kinds: list[tuple[str, Precision, Compile]] = [("published", "fp32", "off")] if checkout else []
    kinds += [("svqkit", *way) for way in ways]
    for who, precision, how in kinds:
        for quantizer, experiment in experiments.items():
            name = f"{who} {quantizer} {precision} {how}"
            chosen = override(experiment, {"training": {"precision": precision}})
            maker = OwnSubject if who == "svqkit" else published.PublishedSubject
            row: dict[str, object] = {
                "part": "step",
                "dataset": experiment.dataset,
                "translator": experiment.model.translator,
                "quantizer": quantizer,
                "who": who,
                "precision": precision,
                "compile": how,
                "batch_size": batch_size,
                "codes": getattr(experiment.quantizer, "codebook_size", 0),
                "machine": machine(device),
                "note": "",
            }
            rows[name] = row
            if time.monotonic() > until:
                row["note"] = "left out: the time was over"
                continue
            try:
                with out_of_memory_as_error():
                    torch.manual_seed(0)
                    subject = maker(Case(chosen, "folded"), frame_shape, batch_size, device)
                    subject.check_fit()
                    row["peak_MB"] = subject.peak_bytes() / 1e6
                    if isinstance(subject, OwnSubject) and how != "off":
                        row["note"] = subject.compile(how)
            except SvqkitError as error:
                row["note"] = str(error)
                continue
            subjects[name] = subject
    turns = {name: subject.step for name, subject in subjects.items()}
    what = f"steps of {next(iter(experiments.values())).model.translator}"
    seconds = take_turns(turns, repeats, device, what, as_each_runs)
    for name, each in seconds.items():
        row = rows[name]
        row |= {"seconds": median(each), "samples_per_second": batch_size / median(each)}
        if row["dataset"] == "weather_t2m":
            row["hours_50_epochs"] = EPOCHS * (WINDOWS // batch_size) * median(each) / 3600
        same = f"published {row['quantizer']} fp32 off"
        if same in seconds and row["who"] == "svqkit":
            row["times"], row["times_low"], row["times_high"] = ratio(seconds[same], each)
        if "published none fp32 off" in seconds and row["quantizer"] == "svq":
            row["of_plain"] = ratio(seconds["published none fp32 off"], each)[0]
        own = f"{row['who']} none {row['precision']} {row['compile']}"
        if own in seconds and row["quantizer"] == "svq":
            row["of_own"] = ratio(each, seconds[own])[0]
    return pd.DataFrame(rows.values())
