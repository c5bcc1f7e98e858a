"""Does loading hold training back? Samples per second of the loader alone beside those of a training step.

    python -m benchmarks.loader [--profile sample|paper] [--device cpu|cuda] [--datasets kth human …] [--batch N]
                                [--frames 600] [--seconds 5] [--csv out.csv] [--folder /tmp/…]

For each dataset a synthetic store is made with the frames of the profile's published shape and type (random bytes or
floats), so that no real data are needed. "disk" reads every window from the store, by the processes that training
uses, "memory" from a store that is held in memory, as training does with small ones. The step is forward, loss,
backward and Adam on one batch that is on the device already. A ratio of 1 or more means that loading never waits if
it runs beside training; the kit asks for 3.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator

from benchmarks.stores import SHAPES, synthetic_store
from svqkit import models
from svqkit.atomic import replacing
from svqkit.data import windows as loading
from svqkit.data.store import Store
from svqkit.data.windows import Windows, batches
from svqkit.settings.params import Experiment, load_params, override
from svqkit.training.loop import Examples, prepare_model


def loader_rate(store: Store, batch_size: int, seconds: float, in_memory: bool) -> float:
    """Windows per second of the loader alone, after its first batch."""
    loading.IN_MEMORY_BYTES = 2**40 if in_memory else 0
    windows = Windows(store, "train")
    order = np.random.default_rng(0).integers(0, len(windows), 10_000 * batch_size)
    next(batches(windows, order, batch_size))
    count, begun = 0, time.perf_counter()
    while True:
        for batch in batches(windows, order, batch_size):
            count += len(batch.inputs)
            if (elapsed := time.perf_counter() - begun) >= seconds:
                return count / elapsed


def step_rate(experiment: Experiment, store: Store, device: torch.device, seconds: float) -> float:
    """Windows per second of a training step, after two steps that are not counted."""
    loading.IN_MEMORY_BYTES = 2**40
    accelerator = Accelerator(cpu=device.type == "cpu")
    examples = Examples(experiment, store, "train", accelerator)
    objective, optimizer = prepare_model(models.build(experiment, store.frame_shape), experiment.training, device)
    inputs, targets = next(examples.epoch(0, 0))

    def step() -> None:
        sum(objective(inputs, targets)).backward()
        optimizer.step()
        optimizer.zero_grad()

    for _ in range(2):
        step()
    return len(inputs) * rate(step, device, seconds)


def rate(step: Callable[[], None], device: torch.device, seconds: float) -> float:
    """Steps per second."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    count, begun = 0, time.perf_counter()
    while not count or time.perf_counter() - begun < seconds:
        step()
        wait()
        count += 1
    return count / (time.perf_counter() - begun)


def measure(name: str, options: argparse.Namespace, folder: Path) -> dict[str, float | str]:
    """One row: the rates of a dataset's loader and step, and their ratio."""
    experiment = load_params(options.params, options.profile).experiment(f"{name}-svq")
    if options.batch:
        experiment = override(experiment, {"training": {"batch_size": options.batch}})
    store = synthetic_store(folder, name, experiment, options.frames)
    size = experiment.training.batch_size
    disk, memory = (loader_rate(store, size, options.seconds, in_memory) for in_memory in (False, True))
    step = step_rate(experiment, store, torch.device(options.device), options.seconds)
    shutil.rmtree(store.path)
    return {
        "dataset": name,
        "batch": size,
        "disk [samples/s]": round(disk, 1),
        "memory [samples/s]": round(memory, 1),
        "step [samples/s]": round(step, 2),
        "disk / step": round(disk / step, 1),
        "memory / step": round(memory / step, 1),
    }


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loader", description=__doc__.splitlines()[0])
    parser.add_argument("--params", default="params.yaml")
    parser.add_argument("--profile", default="paper", help="whose models are trained")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--datasets", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--batch", type=int, default=0, help="instead of the profile's")
    parser.add_argument("--frames", type=int, default=600, help="frames of each synthetic store")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each rate")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--folder", type=Path, help="where the stores are made for a while; else a temporary folder")
    options = parser.parse_args(arguments)
    print(f"torch {torch.__version__}, {options.device}, {torch.get_num_threads()} threads", flush=True)
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name in options.datasets:
            rows.append(measure(name, options, Path(folder)))
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
    if options.csv:
        with replacing(options.csv) as draft:
            pd.DataFrame(rows).to_csv(draft, index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
