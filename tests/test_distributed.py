"""Several processes: they train as one would, go on where another number of them stopped, and end when one dies."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from svqkit.data.augment import augment
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.devices import distributed as ours
from svqkit.errors import SvqkitError
from svqkit.models.simvp import perturb
from svqkit.quantizers import Gumbel
from svqkit.settings.params import Data, Experiment, as_tree, load_params, override
from svqkit.training import loop
from svqkit.training.__main__ import main
from svqkit.training.paths import run_path
from svqkit.training.runs import open_run

# Everything random that a model can have, and batch normalisation.
SMALL = {
    "model": {"hid_S": 4, "hid_T": 8, "N_T": 2, "mlp_ratio": 2.0, "drop_path": 0.2, "drop": 0.1, "noise": 0.1},
    "quantizer": {"codebook_size": 50, "hidden_dim": 8},
    "training": {"epochs": 2, "batch_size": 4, "steps_per_epoch": 25, "warmup_epochs": 1, "learning_rate": 1e-3},
    "seeds": [0],
}
TRAIN = """
import json, sys
from svqkit.settings.params import Data, as_tree, experiment_from_tree, load_params, override
from svqkit.training import loop
from svqkit.training.__main__ import main
from svqkit.data.store import Store
from svqkit.devices.distributed import rank_and_count

experiment, store, runs, states, dies = sys.argv[1:]
loop.LOG_EVERY = 1
step = loop.Examples.epoch

def epoch(self, seed, epoch, skip):
    for number, batch in enumerate(step(self, seed, epoch, skip)):
        if dies and epoch == 1 and number == 3 and rank_and_count()[0] == 1:
            raise RuntimeError("the second process dies here")
        yield batch

loop.Examples.epoch = epoch
loop.train(experiment_from_tree(json.loads(experiment), "test"), 0, Store.open(store), runs, states)
"""


@given(st.lists(st.integers()), st.integers(1, 6))
def test_shares_are_neighbours_and_make_up_the_whole(many: list[int], count: int) -> None:
    shares = [ours.shard(many, rank, count) for rank in range(count)]
    assert [number for part in shares for number in part] == many
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_keeps_all_that_is_drawn() -> None:
    torch.manual_seed(3)
    drawn = ours.draw_shard(lambda rows: torch.rand(rows, 2), 5)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(5, 2))


def test_layers_are_replaced_with_their_weights_and_names() -> None:
    from timm.layers import DropPath as TimmDropPath

    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(TimmDropPath(0.3), nn.Dropout(0.2)), nn.Dropout(0.0))
    names = list(model.state_dict())
    ours.sync_layers(model)
    drop_path, dropout = model[1]
    assert (type(drop_path), drop_path.drop_prob) == (ours.DropPath, 0.3)
    assert (type(dropout), dropout.p) == (ours.Dropout, 0.2)
    assert list(model.state_dict()) == names


@pytest.mark.parametrize("training_mode", [True, False])
def test_batch_normalisation_of_one_process_is_torchs(training_mode: bool) -> None:
    torch.manual_seed(0)
    theirs = nn.BatchNorm2d(5).train(training_mode)
    nn.init.normal_(theirs.weight)
    nn.init.normal_(theirs.bias)
    state = {name: value.clone() for name, value in theirs.state_dict().items()}
    synced = ours.BatchNorm2d.like(nn.BatchNorm2d(5)).train(training_mode)
    synced.load_state_dict(state)
    x, y = (3 + 2 * torch.randn(6, 5, 4, 3)).expand(2, 6, 5, 4, 3).clone().requires_grad_().unbind()
    x.retain_grad()
    y.retain_grad()
    towards = torch.randn(6, 5, 4, 3)
    for module, frames in ((theirs, x), (synced, y)):
        (module(frames) * towards).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(synced.weight.grad, theirs.weight.grad, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(synced.bias.grad, theirs.bias.grad)
    torch.testing.assert_close(synced.state_dict(), theirs.state_dict())


def drawn_at_random(samples: torch.Tensor) -> dict[str, torch.Tensor]:
    """What every random part makes of samples."""
    torch.manual_seed(7)
    (gumbel,) = ours.sync_layers(nn.Sequential(Gumbel(4, codebook_size=7, hidden_dim=0))).train()
    parts: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "dropout": ours.Dropout(0.4),
        "drop path": ours.DropPath(0.4),
        "noise": lambda x: perturb(x, 0.5),
        "gumbel": lambda x: gumbel(x.flatten(0, 1)).output.unflatten(0, (-1, 3)),
        "augment": lambda x: augment(x, ["crop", "flip", "rotate"], 0.8, np.random.default_rng(5)),
    }
    made = {}
    for name, part in parts.items():
        torch.manual_seed(11)
        made[name] = part(samples).detach()
    return made


def one_of_two(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.manual_seed(0)
    samples = torch.randn(6, 3, 4, 6, 6)
    norm = DistributedDataParallel(nn.Sequential(ours.BatchNorm2d(4), nn.SiLU()))
    output = norm(ours.shard(samples, rank, 2)[:, 0])
    (output * torch.arange(6.0)).mean().backward()
    own = norm.module[0]
    found = drawn_at_random(ours.shard(samples, rank, 2))
    found |= {"norm": output.detach(), "norm weight": own.weight.grad, "norm mean": own.running_mean}
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_draw_and_normalise_as_one_does(tmp_path: Path) -> None:
    multiprocessing.start_processes(one_of_two, (str(tmp_path),), nprocs=2, start_method="forkserver")
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2))
    torch.manual_seed(0)
    samples = torch.randn(6, 3, 4, 6, 6)
    for name, whole in drawn_at_random(samples).items():
        torch.testing.assert_close(torch.cat([first[name], second[name]]), whole, msg=name)
    norm = nn.BatchNorm2d(4)
    output = nn.functional.silu(norm(samples[:, 0]))
    (output * torch.arange(6.0)).mean().backward()
    torch.testing.assert_close(torch.cat([first["norm"], second["norm"]]), output.detach())
    for half in (first, second):
        torch.testing.assert_close(half["norm weight"], norm.weight.grad)
        torch.testing.assert_close(half["norm mean"], norm.running_mean)


@pytest.fixture
def experiment(weather_data: Data) -> Experiment:
    settings = load_params("params.yaml", "sample").experiment("weather_t2m-svq")
    return override(settings, {**SMALL, "data": as_tree(weather_data)})


@pytest.fixture
def store(experiment: Experiment, tmp_path: Path) -> Store:
    return prepare(experiment.data, tmp_path / "store.zarr")


def train_here(experiment: Experiment, store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training by this process."""
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    loop.train(experiment, 0, store, folder / "runs", folder / "states")


def trained_by_two(
    experiment: Experiment, store: Store, folder: Path, dies: bool = False
) -> subprocess.CompletedProcess:
    """A training by two processes, its runs and states below ``folder``."""
    folder.mkdir(exist_ok=True)
    script = folder / "train.py"
    script.write_text(TRAIN)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    arguments = [script, json.dumps(as_tree(experiment)), store.path, folder / "runs", folder / "states"]
    command += [*map(str, arguments), "dies" if dies else ""]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


def losses(folder: Path, experiment: Experiment) -> np.ndarray:
    return open_run(run_path(experiment, 0, folder / "runs")).steps()["train_loss"].to_numpy()


def test_two_processes_have_the_losses_of_one_over_50_steps(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model that is rolled out, so that it is called twice in a step."""
    chosen = override(experiment, {"data": {"frames_out": 7}})
    store = prepare(chosen.data, tmp_path / "of_this_length.zarr")
    train_here(chosen, store, tmp_path / "1", monkeypatch)
    done = trained_by_two(chosen, store, tmp_path / "2")
    assert done.returncode == 0, done.stderr
    one, two = losses(tmp_path / "1", chosen), losses(tmp_path / "2", chosen)
    assert len(one) == 50
    np.testing.assert_allclose(two, one, rtol=0, atol=1e-6)


def test_a_process_that_dies_ends_all_with_its_traceback_and_another_number_goes_on(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    short = override(experiment, {"training": {"steps_per_epoch": 6}})
    done = trained_by_two(short, store, tmp_path / "cut", dies=True)
    assert done.returncode != 0
    assert "RuntimeError: the second process dies here" in done.stderr
    assert "train.py" in done.stderr, "the traceback says where"
    train_here(short, store, tmp_path / "cut", monkeypatch)
    assert re.search(r"1 epoch\(s\) and \d step\(s\) are done", capsys.readouterr().out)
    train_here(short, store, tmp_path / "whole", monkeypatch)
    np.testing.assert_allclose(losses(tmp_path / "cut", short), losses(tmp_path / "whole", short), rtol=0, atol=1e-6)


def test_the_command_lists_what_it_can_train(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--dataset", "taxibj", "--profile", "paper"]) == 0
    assert "taxibj-svq" in capsys.readouterr().out.split()
    assert main(["--list", "--dataset", "taxibi"]) == 1
    assert "did you mean 'taxibj'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([])


def test_a_list_that_nobody_reads_to_its_end_is_no_error() -> None:
    command = f"set -o pipefail; {shlex.quote(sys.executable)} -m svqkit.training --list | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_the_list_needs_no_torch_which_takes_seconds_to_import() -> None:
    program = "import runpy, sys; sys.modules['torch'] = None; runpy.run_module('svqkit.training', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", program, "--list"], capture_output=True, text=True, check=False)
    assert "weather_t2m-svq" in done.stdout.split(), done.stderr


def test_a_batch_that_processes_cannot_share_is_refused(experiment: Experiment, store: Store) -> None:
    def examples(batch_size: int, processes: int) -> loop.Examples:
        accelerator = SimpleNamespace(process_index=0, device=torch.device("cpu"), num_processes=processes)
        return loop.Examples(
            override(experiment, {"training": {"batch_size": batch_size}}), store, "train", accelerator
        )

    with pytest.raises(SvqkitError, match="batch_size 3 can't be shared evenly by 2 processes"):
        next(examples(3, 2).epoch(0, 0))
    windows = len(examples(4, 1).windows)
    with pytest.raises(SvqkitError, match=f"The only batch, of all windows: {windows} can't be shared evenly"):
        examples(2 * windows, windows - 1)
