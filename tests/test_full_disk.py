"""A disk that takes nothing more, or may not be written to, is one clear error, whatever is written there."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import nn

from svqkit.atomic import replacing
from svqkit.data import prepare
from svqkit.errors import SvqkitError
from svqkit.evaluation.codebook import write_usage
from svqkit.evaluation.fields import write_netcdf
from svqkit.forecasting.write import write_forecast
from svqkit.paper import costs
from svqkit.pipeline.commands import main as notebooks
from svqkit.pipeline.watchdog import lock_to_modify
from svqkit.plots.style import save
from svqkit.quantizers.usage import hard_usage
from svqkit.settings.data import ArrayData
from svqkit.training.checkpoint import Progress, save_state, save_weights

SIZE = 2**19
NOISE = np.random.default_rng(0).normal(size=SIZE).astype(np.float32)
CLIP = np.random.default_rng(0).integers(0, 256, (20, 1, 256, 256), dtype=np.uint8)


def a_figure(path: Path) -> None:
    figure = plt.figure(figsize=(8, 8))
    figure.figimage(NOISE.reshape(512, 1024), cmap="viridis")
    save(figure, path)


def a_state(path: Path) -> None:
    model = nn.Linear(512, 512)
    save_state(path, model, torch.optim.Adam(model.parameters()), Progress({}))


def a_store(path: Path) -> None:
    raw = path.parent.parent.parent / "raw.npy"
    if not raw.exists():
        np.save(raw, NOISE.reshape(128, 1, 64, 64))
    prepare(ArrayData(root=str(raw), frames_in=2, frames_out=1), path)


def a_text(path: Path) -> None:
    with replacing(path) as draft:
        draft.write_text("x" * 2**21)


def a_lock(path: Path) -> None:
    with lock_to_modify(str(path)) as lock:
        lock["stages"] = {"x": {"cmd": "x" * 2**21}}


# What writes each kind of file, more than 1 MiB of it.
WRITERS: dict[str, Callable[[Path], object]] = {
    "netcdf": lambda path: write_netcdf(xr.Dataset({"x": ("n", NOISE)}), path),
    "npz": lambda path: write_usage({"a": hard_usage(torch.randint(2**20, (2**20, 1)), 2**20)}, path),
    "npy": lambda path: write_forecast(NOISE, path.with_suffix(".npy")),
    "gif": lambda path: write_forecast(CLIP, path.with_suffix(".gif")),
    "mp4": lambda path: write_forecast(CLIP, path.with_suffix(".mp4")),
    "csv": lambda path: costs.write(pd.DataFrame({"x": NOISE}), path),
    "text": a_text,
    "dvc.lock": a_lock,
    "safetensors": lambda path: save_weights(nn.Linear(512, 1024), path),
    "state": a_state,
    "zarr": a_store,
    "png": a_figure,
}
# How much of a disk of 1 MiB is free.
ROOM = {"a quarter of it": 2**18, "a block or two": 2**13, "nothing": 0, "no further file": None}


def fill(disk: Path, free: int | None) -> None:
    """Leave so many bytes free; None: take the last file that can be made."""
    if free is None:
        subprocess.run(["mount", "-o", "remount,nr_inodes=20", str(disk)], check=True)
        with suppress(OSError):
            for number in range(20):
                (disk / f"filler{number}").touch()
        return
    left = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - free
    (disk / "filler").write_bytes(bytes(max(0, left)))


@pytest.mark.parametrize("room", ROOM)
@pytest.mark.parametrize("kind", WRITERS)
def test_whatever_is_written_says_that_the_disk_is_full(kind: str, room: str, small_disk: Path) -> None:
    target = small_disk / "results" / "x"
    (small_disk / "results").mkdir()
    fill(small_disk, ROOM[room])
    before = {path for path in small_disk.rglob("*") if ".prepare" not in path.parts}
    with pytest.raises(SvqkitError, match="The disk is full") as caught:
        WRITERS[kind](target)
    assert str(target) in str(caught.value)
    assert {path for path in small_disk.rglob("*") if ".prepare" not in path.parts} == before
    for path in small_disk.glob("filler*"):
        path.unlink()


@pytest.fixture
def read_only(small_disk: Path) -> Iterator[Path]:
    """A disk that nothing can be written to, not even by root."""
    (small_disk / "results").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    yield small_disk
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


@pytest.mark.parametrize("kind", WRITERS)
def test_what_may_not_be_written_says_so_and_speaks_of_no_full_disk(kind: str, read_only: Path) -> None:
    target = read_only / "results" / "x"
    with pytest.raises(SvqkitError, match="can't be written: Read-only file system") as caught:
        WRITERS[kind](target)
    assert str(target) in str(caught.value)
    assert "full" not in str(caught.value)


def test_a_folder_in_the_way_of_which_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(SvqkitError, match=r"can't be written: (Not a directory|File exists)"):
        a_text(tmp_path / "results" / "x" / "y")


def test_an_executed_notebook_says_that_the_disk_is_full(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    (tmp_path / "build/notebooks").mkdir(parents=True)
    printing = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print('x' * 2**21)")])
    nbformat.write(printing, tmp_path / "build/notebooks/large.ipynb")
    monkeypatch.chdir(tmp_path)
    assert notebooks(["run", "large", "--output", str(small_disk / "large.ipynb")]) == 1
    said = capfd.readouterr().err
    assert "error: The disk is full" in said
    assert "Traceback" not in said
