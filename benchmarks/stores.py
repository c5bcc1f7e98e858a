"""Stores of random frames in the published shapes, so that benchmarks need no data."""

from pathlib import Path

import numpy as np

from svqkit import data
from svqkit.data.store import Store
from svqkit.settings.data import ArrayData
from svqkit.settings.params import Experiment

# Channels, height, width and type of the published frames (DESIGN.md, sections 6 and 7).
SHAPES: dict[str, tuple[int, int, int, str]] = {
    "weather_t2m": (1, 32, 64, "float32"),
    "weather_r": (1, 32, 64, "float32"),
    "weather_uv10": (2, 32, 64, "float32"),
    "weather_tcc": (1, 32, 64, "float32"),
    "weather_mv": (12, 32, 64, "float32"),
    "weather_hmv": (110, 32, 64, "float32"),
    "kth": (1, 128, 128, "uint8"),
    "kitticaltech": (3, 128, 160, "uint8"),
    "human": (3, 256, 256, "uint8"),
    "taxibj": (2, 32, 32, "float32"),
}


def synthetic_store(folder: Path, name: str, experiment: Experiment, frames: int) -> Store:
    """A store of random frames in the dataset's shape, made by prepare from an array file."""
    *shape, kind = SHAPES[name]
    random = np.random.default_rng(0)
    file = folder / f"{name}.npy"
    array = np.lib.format.open_memmap(file, "w+", dtype=kind, shape=(frames, *shape))
    for start in range(0, frames, 64):
        size = (min(64, frames - start), *shape)
        array[start : start + 64] = random.integers(0, 256, size) if kind == "uint8" else random.normal(size=size)
    array.flush()
    settings = ArrayData(
        root=str(file),
        frames_in=experiment.data.frames_in,
        frames_out=experiment.data.frames_out,
        channels=_names(shape),
    )
    store = data.prepare(settings, folder / f"{name}.zarr")
    file.unlink()
    return store


def _names(shape: list[int]) -> tuple[str, ...]:
    """Names for the channels, so that (110, 32, 64) isn't taken for channels last."""
    return tuple(f"channel_{number}" for number in range(shape[0]))
