"""Evaluation: windows scored per second, ours and the published test loop.

The published loop gathers inputs, forecasts and truth of all windows in the host's memory and scores them there at the
end, images one after the other. Here its batches lie ready in memory, so its loading costs nothing; ours reads its
windows from a store. Both give MSE, MAE and RMSE (images: MSE, MAE, SSIM and PSNR); ours also those of each lead, grid
point and window. "scores" is the same with the last frame as the forecast, so that no model takes part.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from benchmarks import published
from benchmarks.rounds import as_each_runs, ratio, take_turns
from benchmarks.stores import synthetic_store
from svqkit import models
from svqkit.data.windows import batches
from svqkit.evaluation import forecasters
from svqkit.evaluation.testset import TestSet
from svqkit.models.simvp import roll_out
from svqkit.paper.costs import machine
from svqkit.settings.params import Experiment

BATCH = 16


def measure(
    experiments: dict[str, Experiment], device: str, windows: int, repeats: int, checkout: Path | None
) -> pd.DataFrame:
    """A row for the scores alone and for each model, ours and the published."""
    some = next(iter(experiments.values()))
    with tempfile.TemporaryDirectory() as folder:
        # A tenth of the frames is for testing; what is asked for is the number of its windows.
        frames = 10 * (windows + some.data.frames_in + some.data.frames_out)
        store = synthetic_store(Path(folder), some.dataset, some, frames)
        test = TestSet(store, "clean")
        turns: dict[tuple[str, str], Callable[[], None]] = {}
        for quantizer, experiment in {"": some, **experiments}.items():
            turns["svqkit", quantizer] = _ours(test, experiment if quantizer else None)
            if checkout:
                turns["published", quantizer] = _theirs(test, experiment if quantizer else None, experiment, device)
        seconds = take_turns(
            {" ".join(key): turn for key, turn in turns.items()}, repeats, device, "evaluation", as_each_runs
        )
        count = len(test.windows)
    rows = []
    for who, quantizer in turns:
        each = seconds[f"{who} {quantizer}"]
        row = {
            "part": "evaluation" if quantizer else "scores",
            "dataset": some.dataset,
            "translator": some.model.translator if quantizer else "",
            "quantizer": quantizer,
            "who": who,
            "precision": "fp32",
            "compile": "off",
            "batch_size": BATCH,
            "seconds": median(each),
            "samples_per_second": count / median(each),
            "machine": machine(device),
        }
        if who == "svqkit" and checkout:
            row["times"], row["times_low"], row["times_high"] = ratio(seconds[f"published {quantizer}"], each)
        rows.append(row)
    return pd.DataFrame(rows)


def _ours(test: TestSet, experiment: Experiment | None) -> Callable[[], None]:
    forecaster = forecasters.persistence
    if experiment:
        model = models.build(experiment, test.store.frame_shape)
        inputs = test.windows.inputs - test.windows.targets[0]
        forecaster = forecasters.of_model(model, test.normaliser, test.denormaliser, test.device, inputs)
    return lambda: test.evaluate(forecaster, "svqkit", 0).scores


def _theirs(test: TestSet, experiment: Experiment | None, some: Experiment, device: str) -> Callable[[], None]:
    store, score = test.store, published.metric()
    names = ["mse", "mae", "ssim", "psnr"] if store.kind == "image" else ["mse", "mae", "rmse"]
    mean, std = (np.array(part.cpu())[None, None] for part in (test.denormaliser.mean, test.denormaliser.std))
    loader = _loader(test)
    model = published.Published(experiment, store.frame_shape).to(device).eval() if experiment else None

    def run() -> None:
        gathered: list[Sequence[np.ndarray]] = []
        for inputs, targets in loader:
            with torch.no_grad():
                x, y = inputs.to(device), targets.to(device)
                forecast = roll_out(model, x, y.shape[1]).frames if model else x[:, -1:].expand_as(y)
            gathered.append([part.cpu().numpy() for part in (x, forecast, y)])
        _, forecasts, truth = (np.concatenate(part) for part in zip(*gathered, strict=True))
        score(forecasts, truth, mean, std, metrics=names, spatial_norm=store.kind != "image", return_log=False)

    return run


def _loader(test: TestSet) -> list[tuple[Tensor, Tensor]]:
    """Normalised batches on the host."""
    windows = test.windows
    return [
        (test.normaliser.forward(batch.inputs).cpu(), test.normaliser.forward(batch.targets).cpu())
        for batch in batches(windows, np.arange(len(windows)), BATCH)
    ]
