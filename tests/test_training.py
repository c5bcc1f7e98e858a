"""Training: the same seed gives the same weights, also when it is killed on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.settings.params import Data, Experiment, as_tree, experiment_from_tree, load_params, override
from svqkit.training import journal, loop
from svqkit.training.checkpoint import read_progress
from svqkit.training.paths import run_path
from svqkit.training.runs import open_run

SMALL = {
    "model": {"hid_S": 4, "hid_T": 8, "N_T": 2, "mlp_ratio": 2.0, "drop_path": 0.2, "drop": 0.1},
    "quantizer": {"codebook_size": 50, "hidden_dim": 8},
    "training": {"epochs": 4, "batch_size": 4, "steps_per_epoch": 6, "warmup_epochs": 1, "patience": 4},
    "seeds": [0],
}


@pytest.fixture
def experiment(weather_data: Data) -> Experiment:
    """SVQ on tiny data, with everything random that a model can have."""
    settings = load_params("params.yaml", "sample").experiment("weather_t2m-svq")
    return override(settings, {**SMALL, "data": as_tree(weather_data)})


@pytest.fixture
def store(experiment: Experiment, tmp_path: Path) -> Store:
    return prepare(experiment.data, tmp_path / "store.zarr")


def weights(run: Path, name: str = "last") -> dict[str, torch.Tensor]:
    return load_file(run / f"{name}.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_seed_gives_the_same_run_and_another_seed_does_not(
    experiment: Experiment, store: Store, tmp_path: Path
) -> None:
    first = loop.train(experiment, 0, store, tmp_path / "a", tmp_path / "sa")
    second = loop.train(experiment, 0, store, tmp_path / "b", tmp_path / "sb")
    other = loop.train(experiment, 1, store, tmp_path / "c", tmp_path / "sc")
    for name in ("config.json", "log.csv", "steps.csv", "best.safetensors", "last.safetensors"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert not same(weights(first), weights(other))


def test_a_run_can_be_opened_and_says_how_it_went(experiment: Experiment, store: Store, tmp_path: Path) -> None:
    run = open_run(loop.train(experiment, 0, store, tmp_path / "runs", tmp_path / "states"))
    log = run.log()
    assert run.experiment == experiment
    assert list(log["epoch"]) == [1, 2, 3, 4]
    assert log["train_loss"].iloc[-1] < log["train_loss"].iloc[0]
    best = int(log["validation_loss"].idxmin())
    assert same(run.model("best").state_dict(), run.model("last").state_dict()) == (best == 3)


@pytest.mark.parametrize("quantizer", [{"name": "none"}, {"name": "vq", "codebook_size": 16}])
def test_the_other_quantizers_train(quantizer: dict, experiment: Experiment, store: Store, tmp_path: Path) -> None:
    tree = as_tree(experiment) | {"quantizer": quantizer}
    changed = experiment_from_tree(tree, "test")
    log = open_run(loop.train(changed, 0, store, tmp_path / "runs", tmp_path / "states")).log()
    assert log["train_loss"].iloc[-1] < log["train_loss"].iloc[0]


def test_a_frozen_codebook_stays_as_it_began(experiment: Experiment, store: Store, tmp_path: Path) -> None:
    frozen = override(experiment, {"quantizer": {"learnable": False}})
    run = open_run(loop.train(frozen, 0, store, tmp_path / "runs", tmp_path / "states"))
    one_epoch = override(frozen, {"training": {"epochs": 1, "warmup_epochs": 0}})
    short = open_run(loop.train(one_epoch, 0, store, tmp_path / "short", tmp_path / "states"))
    assert torch.equal(run.model("last").quantizer.codes(), short.model("last").quantizer.codes())


def test_interrupted_within_an_epoch_it_ends_with_the_same_weights(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    whole = loop.train(experiment, 0, store, tmp_path / "whole", tmp_path / "s1")
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    saves = []

    def save_then_stop(path: Path, *rest: object) -> None:
        real(path, *rest)
        saves.append(read_progress(path))
        if len(saves) == 5:
            raise KeyboardInterrupt

    real = loop.save_state
    monkeypatch.setattr(loop, "save_state", save_then_stop)
    with pytest.raises(KeyboardInterrupt):
        loop.train(experiment, 0, store, tmp_path / "cut", tmp_path / "s2")
    assert 0 < saves[-1].step < 6, "the interruption must lie within an epoch"
    monkeypatch.setattr(loop, "save_state", real)
    cut = loop.train(experiment, 0, store, tmp_path / "cut", tmp_path / "s2")
    for name in ("best", "last"):
        assert same(weights(whole, name), weights(cut, name))
    for log in ("log.csv", "steps.csv"):
        assert (whole / log).read_bytes() == (cut / log).read_bytes()


KILLED = """
import json, sys
from svqkit.settings.params import Data, as_tree, experiment_from_tree, load_params, override
from svqkit.training import loop
from svqkit.data.store import Store
tree, store, runs, states = sys.argv[1:]
loop.train(experiment_from_tree(json.loads(tree), "test"), 0, Store.open(store), runs, states)
"""


def test_killed_with_sigkill_it_ends_with_the_same_weights(
    experiment: Experiment, store: Store, tmp_path: Path
) -> None:
    longer = override(experiment, {"training": {"epochs": 60, "patience": 60}})
    arguments = [json.dumps(as_tree(longer)), str(store.path)]
    command = [sys.executable, "-c", KILLED, *arguments]
    state = run_path(longer, 0, tmp_path / "s2") / "state.safetensors"

    subprocess.run([*command, str(tmp_path / "whole"), str(tmp_path / "s1")], check=True, capture_output=True)
    stopped = subprocess.Popen([*command, str(tmp_path / "cut"), str(tmp_path / "s2")], stderr=subprocess.DEVNULL)
    while stopped.poll() is None and not (state.exists() and read_progress(state).epoch >= 2):
        time.sleep(0.01)
    os.kill(stopped.pid, signal.SIGKILL)
    assert stopped.wait() == -signal.SIGKILL, "it must be killed before it ends, or nothing is tested"
    assert not run_path(longer, 0, tmp_path / "cut").exists(), "an unfinished run must not look like a run"
    subprocess.run([*command, str(tmp_path / "cut"), str(tmp_path / "s2")], check=True, capture_output=True)

    whole, cut = (run_path(longer, 0, tmp_path / name) for name in ("whole", "cut"))
    assert same(weights(whole), weights(cut))
    assert (whole / "log.csv").read_bytes() == (cut / "log.csv").read_bytes()


def test_seeds_that_are_done_are_not_trained_again(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = override(experiment, {"seeds": [0, 1]})
    begun = []
    real = loop.train

    def stop_at_the_second(experiment: Experiment, seed: int, *rest: object) -> Path:
        if seed == 1 and len(begun) < 2:
            begun.append(seed)
            raise KeyboardInterrupt
        begun.append(seed)
        return real(experiment, seed, *rest)

    monkeypatch.setattr(loop, "train", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        loop.train_all(two, store, tmp_path / "runs", tmp_path / "states")
    first = run_path(two, 0, tmp_path / "runs")
    kept = weights(first)
    monkeypatch.setattr(loop.Objective, "forward", lambda *_: pytest.fail("seed 0 was trained again"))
    assert same(weights(real(two, 0, store, tmp_path / "runs", tmp_path / "states")), kept)
    monkeypatch.undo()
    loop.train_all(two, store, tmp_path / "runs", tmp_path / "states", tmp_path / "journal")
    assert not run_path(two, 0, tmp_path / "states").exists(), "what a stopped training needs is gone when all is done"
    noted = journal.read(two, tmp_path / "journal")
    assert noted["runs"].keys() == {"seed0", "seed1"}, "also of the seed that was done before the stop"
    assert all(took["steps"] == 24 and took["seconds"] > 0 for took in noted["runs"].values())
    assert noted["versions"]["torch"] == version("torch")


def test_a_training_that_was_not_noted_has_an_empty_journal(experiment: Experiment, tmp_path: Path) -> None:
    assert journal.read(experiment, tmp_path) == {}


def test_the_losses_of_steps_have_the_mean_that_the_epoch_has(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 4)
    run = loop.train(experiment, 0, store, tmp_path / "runs", tmp_path / "states")
    steps, log = pd.read_csv(run / "steps.csv"), pd.read_csv(run / "log.csv")
    assert list(steps["step"]) == [4, 6, 10, 12, 16, 18, 22, 24], "every 4 steps, and at the end of an epoch of 6"
    by_epoch = steps["train_loss"].to_numpy().reshape(4, 2) @ [4 / 6, 2 / 6]
    assert by_epoch == pytest.approx(log["train_loss"])


def test_a_state_of_other_settings_is_set_aside(
    experiment: Experiment, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    loop.train(experiment, 0, store, tmp_path / "runs", tmp_path / "states")
    changed = override(experiment, {"training": {"learning_rate": 1e-3}})
    again = loop.train(changed, 0, store, tmp_path / "runs", tmp_path / "states")
    assert "other settings" in capsys.readouterr().out
    assert run_path(experiment, 0, tmp_path / "states").with_name("seed0.old").exists()
    assert open_run(again).experiment.training.learning_rate == 1e-3


def test_a_state_whose_best_weights_are_lost_is_begun_afresh(
    experiment: Experiment, store: Store, tmp_path: Path
) -> None:
    first = loop.train(experiment, 0, store, tmp_path / "runs", tmp_path / "states")
    kept = {path.name: path.read_bytes() for path in first.iterdir()}
    (run_path(experiment, 0, tmp_path / "states") / "best.safetensors").unlink()  # as half of a removal leaves it
    again = loop.train(experiment, 0, store, tmp_path / "runs", tmp_path / "states")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == kept


def test_a_loss_that_turns_nan_stops_and_keeps_the_last_good_weights(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = loop.Objective.forward, []

    def nan_at_the_tenth(self: loop.Objective, *frames: torch.Tensor) -> tuple:
        loss, own = real(self, *frames)
        calls.append(self.training)
        return (loss * float("nan") if sum(calls) == 10 else loss), own

    monkeypatch.setattr(loop.Objective, "forward", nan_at_the_tenth)
    with pytest.raises(SvqkitError, match=r"nan at step 10 \(epoch 2\).*learning_rate") as caught:
        loop.train(experiment, 0, store, tmp_path / "runs", tmp_path / "states")
    kept = run_path(experiment, 0, tmp_path / "states") / "best.safetensors"
    assert str(kept) in str(caught.value)
    assert all(tensor.isfinite().all() for tensor in load_file(kept).values())
    assert not run_path(experiment, 0, tmp_path / "runs").exists()


def test_early_stopping_after_patience_epochs_without_a_better_loss(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([5.0, 4.0, 4.5, 4.4, 4.3, 1.0])
    monkeypatch.setattr(loop.Examples, "mean_loss", lambda *_: next(losses))
    patient = override(experiment, {"training": {"epochs": 6, "patience": 3}})
    log = open_run(loop.train(patient, 0, store, tmp_path / "runs", tmp_path / "states")).log()
    assert list(log["validation_loss"]) == [5.0, 4.0, 4.5, 4.4, 4.3]


def test_of_equal_losses_the_later_epoch_is_kept_and_does_not_count_for_patience(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the reference, whose recorder keeps a tie and whose early stopper counts only what is worse."""
    losses = iter([5.0, 4.0, 4.5, 4.0, 4.3, 1.0, 5.0, 4.0, 4.0])
    monkeypatch.setattr(loop.Examples, "mean_loss", lambda *_: next(losses))
    patient = override(experiment, {"training": {"epochs": 6, "patience": 2}})
    log = open_run(loop.train(patient, 0, store, tmp_path / "runs", tmp_path / "states")).log()
    assert list(log["validation_loss"]) == [5.0, 4.0, 4.5, 4.0, 4.3]
    next(losses)
    short = override(experiment, {"training": {"epochs": 3, "patience": 2}})
    run = loop.train(short, 1, store, tmp_path / "runs", tmp_path / "states")
    assert (run / "best.safetensors").read_bytes() == (run / "last.safetensors").read_bytes()


def test_validation_is_on_the_validation_split_and_under_protocol_paper_on_the_test_split(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    class Spy(loop.Examples):
        def __init__(self, experiment: Experiment, store: Store, split: str, accelerator: object) -> None:
            seen.append(split)
            super().__init__(experiment, store, split, accelerator)

    monkeypatch.setattr(loop, "Examples", Spy)
    for protocol in ("clean", "paper"):
        short = override(experiment, {"protocol": protocol, "training": {"epochs": 1, "warmup_epochs": 0}})
        loop.train(short, 0, store, tmp_path / protocol, tmp_path / f"s{protocol}")
    assert seen == ["train", "validation", "train", "test"]


def test_weights_of_another_model_are_refused_with_what_differs(
    experiment: Experiment, store: Store, tmp_path: Path
) -> None:
    short = override(experiment, {"training": {"epochs": 1, "warmup_epochs": 0}})
    run = loop.train(short, 0, store, tmp_path / "runs", tmp_path / "states")
    wider = override(short, {"quantizer": {"codebook_size": 60}})
    other = loop.train(wider, 0, store, tmp_path / "wider", tmp_path / "s2")
    (run / "best.safetensors").write_bytes((other / "best.safetensors").read_bytes())
    with pytest.raises(SvqkitError, match=r"another model(.|\n)*quantizer.codebook.*\[60, 4\].*\[50, 4\]"):
        open_run(run).model()
    (run / "best.safetensors").write_bytes(b"cut off")
    with pytest.raises(SvqkitError, match="No readable weights"):
        open_run(run).model()


def test_bf16_trains(experiment: Experiment, store: Store, tmp_path: Path) -> None:
    half = override(experiment, {"training": {"precision": "bf16"}})
    log = open_run(loop.train(half, 0, store, tmp_path / "runs", tmp_path / "states")).log()
    assert log["train_loss"].iloc[-1] < log["train_loss"].iloc[0]
