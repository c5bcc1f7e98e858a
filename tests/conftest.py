"""What several test files share: one thread per worker, warm starts, tiny raw records, a small disk."""

import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from rawfiles import RawFiles

from svqkit.settings.params import Data

if TYPE_CHECKING:
    from torch import nn

# The same examples every time, and no verdict by the clock.
settings.register_profile("svqkit", max_examples=25, deadline=None, derandomize=True, database=None)
settings.load_profile("svqkit")


def pytest_configure() -> None:
    """Keep numeric libraries, not loaded yet, to one thread, so that xdist's workers don't fight over the cores.

    Processes that share a step are forked from a server that has imported for all of them. They can't be forked from
    this one: torch refuses that once its autograd has threads.
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    multiprocessing.set_forkserver_preload(["pytest", "torch._dynamo", "benchmarks.processes"])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first: a worker that comes to one at the end would work alone.

    Each file goes to one worker (`--dist loadfile` in the Makefile), so that what its tests share is made once.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def warm() -> Iterator[str]:
    """Where a server listens that forks Pythons which have their libraries, see svqkit.pipeline.warm.

    A worker of the pipeline has one of its own, unless its environment names one: this one serves many tests.
    """
    from svqkit.pipeline.kernel import private_folder

    with private_folder() as (folder, _):
        command = [sys.executable, "-m", "svqkit.pipeline.warm", str(folder / "warm")]
        server = subprocess.Popen(command, stdin=subprocess.PIPE)
        while not (folder / "warm").exists():
            assert server.poll() is None
            time.sleep(0.05)
        yield str(folder / "warm")
        server.stdin.close()
        server.wait()


@pytest.fixture
def raw(tmp_path: Path) -> RawFiles:
    """An empty folder for raw files."""
    return RawFiles(tmp_path / "raw")


@pytest.fixture
def weather_data(raw: RawFiles) -> Data:
    """A dataset of 16 hourly days on a grid of 4 × 6, its raw files written."""
    raw.write()
    return raw.data(frames_in=4, frames_out=4)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    gc.freeze()  # what is there already, after thousands of tests, needs no look
    yield folder
    gc.collect()  # closes the files that a failed write left open
    gc.unfreeze()
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def alexnet() -> SimpleNamespace:
    """The layers of torchvision's alexnet, with random weights."""
    import torch
    import torchvision

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SimpleNamespace(features=torchvision.models.alexnet(weights=None).features)


@pytest.fixture(scope="session")
def packaged(alexnet: SimpleNamespace) -> "nn.Module":
    """The lpips package's own network around it."""
    import lpips

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setattr(lpips.pretrained_networks.tv, "alexnet", lambda pretrained: alexnet)
        return lpips.LPIPS(net="alex", verbose=False)
