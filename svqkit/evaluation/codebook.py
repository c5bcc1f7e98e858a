"""How a trained model uses its codebook on test data."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from svqkit.atomic import replacing
from svqkit.config import Data
from svqkit.data.store import Store
from svqkit.data.windows import Normaliser, Windows
from svqkit.errors import SvqkitError
from svqkit.quantizers import Usage
from svqkit.runs import Run

# Windows looked at, spread evenly over the test split: a codebook of 10,000 takes seconds, not minutes.
WINDOWS = 2


def has_codebook(run: Run) -> bool:
    """Whether the run's quantizer has codes to look at."""
    return run.experiment.quantizer.name != "none"


@torch.inference_mode()
def codebook_usage(run: Run, store: Store, data: Data, windows: int = WINDOWS) -> Usage:
    """The usage of the run's codebook over ``windows`` windows of the test split.

    Raises:
        SvqkitError: the run's quantizer has no codebook.
    """
    if not has_codebook(run):
        raise SvqkitError(f"{run.name} has no codebook: its quantizer is 'none'. Choose a run with svq or vq.")
    test = Windows(store, "test", data)
    chosen = np.unique(np.linspace(0, len(test) - 1, windows).round().astype(int)).tolist()
    model = run.model()
    frames = Normaliser.of(store).forward(test.__getitems__(chosen).inputs)
    return model.quantizer.usage(model.latents(frames))


def write_usage(usage: dict[str, Usage], path: Path) -> None:
    """Usages by name as one npz of plain arrays, ``<name>/<field>``."""
    arrays: dict[str, np.ndarray] = {}
    for name, one in usage.items():
        fields = asdict(one)
        if fields["histogram"] is not None:
            fields["edges"], fields["histogram"] = fields["histogram"]
        near_zero = fields.pop("near_zero")
        fields["thresholds"], fields["near_zero"] = list(near_zero), list(near_zero.values())
        arrays |= {f"{name}/{key}": np.asarray(value) for key, value in fields.items() if value is not None}
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_usage(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """What ``write_usage`` wrote: per name a dict of arrays."""
    usage: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path, allow_pickle=False) as file:
        for key in file.files:
            name, field = key.rsplit("/", 1)
            usage.setdefault(name, {})[field] = file[key]
    return usage
