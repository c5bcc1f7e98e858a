"""Runs that were never trained, to be evaluated."""

from pathlib import Path

import pandas as pd
import torch

from svqkit import models
from svqkit.data.store import Store
from svqkit.settings.params import Data, Experiment, Model, Training
from svqkit.settings.quantizers import Quantizer
from svqkit.training.checkpoint import save_weights
from svqkit.training.runs import Run, open_run, write_config


def a_run(
    folder: Path, data: Data, store: Store, quantizer: Quantizer, seed: int = 0, *, name: str = "", after: bool = False
) -> Run:
    """A run that was never trained, with the weights of its seed; ``after``: quantized after the translator."""
    sizes = Model(hid_S=4, hid_T=8, N_S=2, N_T=2, mlp_ratio=2.0, quantize_after_translator=after)
    name = name or f"tiny-{quantizer.name}"
    experiment = Experiment(name, "sample", "tiny", data, sizes, quantizer, Training(), seeds=(0, 1))
    path = folder / name / f"seed{seed}"
    path.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    save_weights(models.build(experiment, store.frame_shape), path / "best.safetensors")
    write_config(path, experiment, seed, tuple(store.channels), store.frame_shape[1:])
    log = {"epoch": [1], "learning_rate": 0.0, "train_loss": 1.0, "validation_loss": 1.0}
    pd.DataFrame(log).to_csv(path / "log.csv", index=False)
    return open_run(path)
