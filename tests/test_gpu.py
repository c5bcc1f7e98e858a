"""What a GPU computes is what a CPU computes. Every test also runs with the CPU in the GPU's place, to try its code.

`make gpu` runs those of the GPU and then the benchmark. Elsewhere they are left out.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from svqkit import evaluation, models
from svqkit.data import windows
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.devices.distributed import shard
from svqkit.devices.performance import compiled
from svqkit.settings.params import Compile, Data, Experiment, as_tree, experiment_from_tree, load_params, override
from svqkit.settings.quantizers import QUANTIZERS
from svqkit.training import loop
from svqkit.training.paths import run_path
from svqkit.training.runs import open_run

SHAPE, BATCH = (2, 16, 24), 4
STEPS = {"cpu": 3, "cuda": 20}
SMALL = {"hid_S": 8, "hid_T": 16, "N_T": 3, "mlp_ratio": 2.0, "drop_path": 0.0}
CASES = {
    "none": {"name": "none"},
    "svq": {"name": "svq", "codebook_size": 200},
    "svq frozen": {"name": "svq", "codebook_size": 200, "learnable": False},
    "svq output_relu": {"name": "svq", "codebook_size": 200, "output_relu": True},
    "vq": {"name": "vq", "codebook_size": 64},
    "residual_vq": {"name": "residual_vq", "codebook_size": 64, "num_quantizers": 2},
    "lfq": {"name": "lfq", "codebook_size": 64},
    "fsq": {"name": "fsq"},
    "simvq": {"name": "simvq", "codebook_size": 64},
    "softmax": {"name": "softmax", "codebook_size": 200},
    "lista": {"name": "lista", "codebook_size": 64},
}
on_both = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)], indirect=True)


@pytest.fixture
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a test computes. On a GPU in all 24 bits of float32, which its convolutions don't do by themselves."""
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    if request.param == "cpu":
        hide_gpu(monkeypatch)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    return request.param


def hide_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")


def experiment(case: str = "svq", **training: object) -> Experiment:
    tree = as_tree(load_params("params.yaml", "sample").experiment("weather_t2m-svq"))
    tree["model"] |= SMALL
    tree["training"] |= {"learning_rate": 1e-3, **training}
    tree["quantizer"] = as_tree(QUANTIZERS[CASES[case]["name"]](**CASES[case]))
    return experiment_from_tree(tree, "test")


def frames(chosen: Experiment, device: str) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(5)
    lengths = chosen.data.frames_in, chosen.data.frames_out
    return tuple(torch.randn(BATCH, length, *SHAPE, generator=drawn).to(device) for length in lengths)


def prepared(chosen: Experiment, device: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    objective, optimizer = loop.prepare_model(models.build(chosen, SHAPE), chosen.training, device)
    return objective.train(), optimizer


def losses(chosen: Experiment, device: str, steps: int, how: Compile = "off") -> list[float]:
    """The losses of steps on the same frames."""
    objective, optimizer = prepared(chosen, device)
    both = frames(chosen, device)
    return take_steps(compiled(objective, how, both, pytest.fail), optimizer, both, steps)


def take_steps(
    step: Callable[..., tuple[Tensor, ...]], optimizer: torch.optim.Optimizer, both: Sequence[Tensor], count: int
) -> list[float]:
    found = []
    for _ in range(count):
        loss = sum(step(*both))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.detach().clone())  # a replayed graph writes the next one where this one is
    return torch.stack(found).tolist()


@on_both
@pytest.mark.parametrize("case", CASES)
def test_steps_have_the_losses_of_the_cpu(case: str, device: str) -> None:
    found, expected = (losses(experiment(case), where, STEPS[device]) for where in (device, "cpu"))
    assert found == pytest.approx(expected, rel=1e-4)


@on_both
@pytest.mark.parametrize("case", ["none", "svq", "svq output_relu", "vq"])
def test_bf16_is_finite_and_stays_near(case: str, device: str) -> None:
    found, expected = (losses(experiment(case, precision=how), device, STEPS[device]) for how in ("bf16", "fp32"))
    assert found == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=pytest.mark.gpu)], indirect=True)
@pytest.mark.parametrize("how", ["on", "graphs"])
@pytest.mark.parametrize("case", ["none", "svq", "svq output_relu", "vq"])
def test_compiled_steps_and_replayed_graphs_have_the_losses_of_eager_ones(case: str, how: Compile, device: str) -> None:
    """For a CPU, where compiling takes minutes, tests/test_performance.py has the like."""
    found, expected = (losses(experiment(case), device, STEPS[device], kind) for kind in (how, "off"))
    assert found == pytest.approx(expected, rel=1e-4)


# --- whole trainings ------------------------------------------------------------------------------------------------


@pytest.fixture
def training(weather_data: Data) -> Experiment:
    settings = {"epochs": 2, "batch_size": 4, "steps_per_epoch": 6, "warmup_epochs": 0, "torch_compile": "off"}
    return override(experiment(**settings), {"data": as_tree(weather_data), "seeds": [0]})


@pytest.fixture
def store(training: Experiment, tmp_path: Path) -> Store:
    return prepare(training.data, tmp_path / "store.zarr")


def trained(training: Experiment, store: Store, folder: Path) -> pd.Series:
    """The training's losses."""
    path = loop.train(training, 0, store, folder / "runs", folder / "states")
    return open_run(path).steps()["train_loss"]


@on_both
def test_it_does_not_matter_where_the_frames_lie(
    device: str, training: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the device's memory; in the host's, and pinned; on the disk."""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    found = [trained(training, store, tmp_path / "resident")]
    monkeypatch.setattr(windows, "OF_FREE_MEMORY", 0.0)
    found.append(trained(training, store, tmp_path / "staged"))
    monkeypatch.setattr(windows, "IN_MEMORY_BYTES", 0)
    found.append(trained(training, store, tmp_path / "read"))
    assert [list(one) for one in found[1:]] == [pytest.approx(list(found[0]), rel=1e-5)] * 2


@on_both
def test_evaluation_has_the_scores_of_the_cpu(
    device: str, training: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(training, store, tmp_path)
    runs = [open_run(run_path(training, 0, tmp_path / "runs"))]
    found = evaluation.evaluate(runs, store, tmp_path / "here")
    hide_gpu(monkeypatch)
    expected = evaluation.evaluate(runs, store, tmp_path / "there")
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-6)


KILLED = """
import json, os, signal, sys
from pathlib import Path
from svqkit.data.store import Store
from svqkit.settings.params import experiment_from_tree
from svqkit.training import loop

experiment, store = experiment_from_tree(json.loads(sys.argv[1]), "test"), Store.open(sys.argv[2])
folder = Path(sys.argv[3])
loop.LOG_EVERY, loop.SAVE_SECONDS, saved, save = 2, 0.0, [], loop.save_state

def save_then_die(*given):
    save(*given)
    saved.append(1)
    if len(saved) == 5:
        os.kill(os.getpid(), signal.SIGKILL)

loop.save_state = save_then_die
loop.train(experiment, 0, store, folder / "runs", folder / "states")
"""


@on_both
def test_a_killed_training_goes_on(
    device: str,
    training: Experiment,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    whole = trained(training, store, tmp_path / "whole")
    command = [sys.executable, "-c", KILLED, json.dumps(as_tree(training)), str(store.path), str(tmp_path / "killed")]
    hidden = {} if device == "cuda" else {"CUDA_VISIBLE_DEVICES": "", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, env=os.environ | hidden, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert list(trained(training, store, tmp_path / "killed")) == pytest.approx(list(whole), rel=1e-4)
    assert "Going on from" in capsys.readouterr().out, "not begun afresh"


def one_of_two(rank: int, device: str, chosen: Experiment, folder: str) -> None:
    """A process that takes the steps on its half of the batch, on the only GPU."""
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    objective, optimizer = prepared(chosen, device)
    own = [shard(part, rank, 2) for part in frames(chosen, device)]
    found = take_steps(DistributedDataParallel(objective), optimizer, own, 4)
    Path(folder, f"{rank}.json").write_text(json.dumps(found))
    distributed.destroy_process_group()


@on_both
@pytest.mark.parametrize("case", ["svq", "vq"])
def test_two_processes_on_one_device_have_the_losses_of_one(case: str, device: str, tmp_path: Path) -> None:
    multiprocessing.spawn(one_of_two, (device, experiment(case), str(tmp_path)), nprocs=2)
    halves = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    both = [sum(pair) / 2 for pair in zip(*halves, strict=True)]
    assert both == pytest.approx(losses(experiment(case), device, 4), rel=1e-4)
