"""Training: the same seed gives the same weights, also when it is killed on the way."""

import json
import sys
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.paper import gather
from svqkit.settings.params import Data, Experiment, as_tree, experiment_from_tree, load_params, override
from svqkit.training import journal, loop
from svqkit.training.card import model_card
from svqkit.training.checkpoint import read_progress
from svqkit.training.paths import run_path
from svqkit.training.runs import open_run

SMALL = {
    "model": {"hid_S": 4, "hid_T": 8, "N_T": 2, "mlp_ratio": 2.0, "drop_path": 0.2, "drop": 0.1},
    "quantizer": {"codebook_size": 50, "hidden_dim": 8},
    "training": {"epochs": 4, "batch_size": 4, "steps_per_epoch": 6, "warmup_epochs": 1, "patience": 4},
    "seeds": [0],
}


@dataclass(frozen=True)
class Training:
    """An experiment and its store; called, it trains below ``folder``."""

    experiment: Experiment
    store: Store
    folder: Path

    def __call__(self, changes: dict[str, Any] | None = None, seed: int = 0, below: str = "") -> Path:
        """Train with some settings changed and return the run's folder; ``below`` keeps trainings apart."""
        folder = self.folder / below
        changed = override(self.experiment, changes or {})
        return loop.train(changed, seed, self.store, folder / "runs", folder / "states")

    def state(self, below: str = "") -> Path:
        """Return the folder of what a stopped training of seed 0 needs."""
        return run_path(self.experiment, 0, self.folder / below / "states")


@pytest.fixture
def train(weather_data: Data, tmp_path: Path) -> Training:
    """SVQ on tiny data, with everything random that a model can have."""
    settings = load_params("params.yaml", "sample").experiment("weather_t2m-svq")
    experiment = override(settings, {**SMALL, "data": as_tree(weather_data)})
    return Training(experiment, prepare(experiment.data, tmp_path / "store.zarr"), tmp_path)


def assert_same_files(first: Path, second: Path, *names: str) -> None:
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_the_same_seed_gives_the_same_run_and_another_seed_does_not(train: Training) -> None:
    first, second, other = train(below="a"), train(below="b"), train(seed=1, below="c")
    assert_same_files(first, second, *sorted(path.name for path in first.iterdir()))
    assert (first / "last.safetensors").read_bytes() != (other / "last.safetensors").read_bytes()


def test_a_training_ends_with_a_card_that_may_be_edited(train: Training) -> None:
    run = open_run(train())
    card = (run.path / "README.md").read_text(encoding="utf-8")
    best = f"{run.log()['validation_loss'].min():.4g}"
    for words in (run.name, run.domain.title, best, "scores/sample/weather_t2m", "license: apache-2.0", "uncertainty"):
        assert words in card
    (run.path / "README.md").write_text(f"{card}\nMy notes.\n", encoding="utf-8")
    last = (run.path / "last.safetensors").stat().st_mtime_ns
    train()
    assert (run.path / "last.safetensors").stat().st_mtime_ns == last, "it is not trained again"
    assert "My notes." in (run.path / "README.md").read_text(encoding="utf-8")


def test_what_others_wrote_is_plain_text_in_a_card(train: Training) -> None:
    config = train() / "config.json"
    tree = json.loads(config.read_text(encoding="utf-8"))
    tree["domain"]["title"] = "<script>x</script>\n# [here](javascript:x)"
    config.write_text(json.dumps(tree), encoding="utf-8")
    assert r"\<script>x\</script> # [here\](javascript:x)" in model_card(open_run(config.parent), "")


def test_losses_are_logged_for_tensorboard_and_nothing_else_differs(train: Training, tmp_path: Path) -> None:
    plain, logged = train(below="plain"), override(train.experiment, {"training": {"log": "tensorboard"}})
    folders = [tmp_path / name for name in ("runs", "states", "logs")]
    path = loop.train(logged, 0, train.store, *folders)
    for weights in ("best.safetensors", "last.safetensors"):
        assert (path / weights).read_bytes() == (plain / weights).read_bytes()
    events = EventAccumulator(str(run_path(logged, 0, folders[2]))).Reload()
    for name, rows in (("train_loss", open_run(path).steps()), ("validation_loss", open_run(path).log())):
        assert [event.value for event in events.Scalars(name)] == pytest.approx(rows[name].tolist())
    assert [event.step for event in events.Scalars("validation_loss")] == [6, 12, 18, 24]
    again = loop.train(train.experiment, 0, train.store, *folders)
    assert open_run(again).experiment.training.log == "tensorboard", "with another log it is not trained again"
    assert gather.differences(logged, train.experiment) == ""


def test_without_the_package_a_log_is_refused(train: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(SvqkitError, match=r"svqkit\[tensorboard\]"):
        train({"training": {"log": "tensorboard"}})


def test_a_run_can_be_opened_and_says_how_it_went(train: Training) -> None:
    run = open_run(train())
    log = run.log()
    assert run.experiment == train.experiment
    assert list(log["epoch"]) == [1, 2, 3, 4]
    assert log["train_loss"].iloc[-1] < log["train_loss"].iloc[0]
    best, last = (run.model(name).state_dict() for name in ("best", "last"))
    assert all(torch.equal(best[name], last[name]) for name in last) == (log["validation_loss"].idxmin() == 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"quantizer": {"name": "none"}},
        {"quantizer": {"name": "vq", "codebook_size": 16}},
        {"training": {"precision": "bf16"}},
    ],
)
def test_other_quantizers_and_bf16_train(changes: dict, train: Training) -> None:
    if "quantizer" in changes:
        tree = as_tree(train.experiment) | changes
        train = replace(train, experiment=experiment_from_tree(tree, "test"))
        changes = {}
    log = open_run(train(changes)).log()
    assert log["train_loss"].iloc[-1] < log["train_loss"].iloc[0]


def test_a_frozen_codebook_stays_as_it_began(train: Training) -> None:
    frozen = {"quantizer": {"learnable": False}}
    whole = open_run(train(frozen))
    short = open_run(train(frozen | {"training": {"epochs": 1, "warmup_epochs": 0}}, below="short"))
    assert torch.equal(whole.model("last").quantizer.codes(), short.model("last").quantizer.codes())


@pytest.mark.parametrize("factor", [1.0, "auto"], ids=["", "slowed codebook"])
def test_interrupted_within_an_epoch_it_ends_the_same(
    factor: float | str, train: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    experiment = override(train.experiment, {"training": {"quantizer_learning_rate": factor}})
    train = replace(train, experiment=experiment)
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    whole = train(below="whole")
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
        train()
    assert 0 < saves[-1].step < 6, "the interruption must lie within an epoch"
    monkeypatch.setattr(loop, "save_state", real)
    assert_same_files(whole, train(), "best.safetensors", "last.safetensors", "log.csv", "steps.csv")


def test_seeds_that_are_done_are_not_trained_again(train: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    two = override(train.experiment, {"seeds": [0, 1]})
    folders = train.folder / "runs", train.folder / "states"
    begun = []
    real = loop.train

    def stop_at_the_second(experiment: Experiment, seed: int, *rest: object) -> Path:
        begun.append(seed)
        if seed == 1:
            raise KeyboardInterrupt
        return real(experiment, seed, *rest)

    monkeypatch.setattr(loop, "train", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        loop.train_all(two, train.store, *folders)
    assert begun == [0, 1]
    kept = (run_path(two, 0, folders[0]) / "last.safetensors").read_bytes()
    monkeypatch.setattr(loop.Objective, "forward", lambda *_: pytest.fail("seed 0 was trained again"))
    assert (real(two, 0, train.store, *folders) / "last.safetensors").read_bytes() == kept
    monkeypatch.undo()
    loop.train_all(two, train.store, *folders, train.folder / "journal")
    assert not run_path(two, 0, folders[1]).exists(), "what a stopped training needs is gone when all is done"
    noted = journal.read(two, train.folder / "journal")
    assert noted["runs"].keys() == {"seed0", "seed1"}, "also of the seed that was done before the stop"
    assert all(took["steps"] == 24 and took["seconds"] > 0 for took in noted["runs"].values())
    assert noted["versions"]["torch"] == version("torch")
    assert journal.read(two, train.folder / "nowhere") == {}


def test_the_losses_of_steps_have_the_epochs_mean(train: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_EVERY", 4)
    run = train()
    steps, log = pd.read_csv(run / "steps.csv"), pd.read_csv(run / "log.csv")
    assert list(steps["step"]) == [4, 6, 10, 12, 16, 18, 22, 24], "every 4 steps, and at the end of an epoch of 6"
    by_epoch = steps["train_loss"].to_numpy().reshape(4, 2) @ [4 / 6, 2 / 6]
    assert by_epoch == pytest.approx(log["train_loss"])


def test_a_state_whose_best_weights_are_lost_is_begun_afresh(train: Training) -> None:
    kept = {path.name: path.read_bytes() for path in train().iterdir()}
    (train.state() / "best.safetensors").unlink()  # as half of a removal leaves it
    assert {path.name: path.read_bytes() for path in train().iterdir()} == kept


def test_a_nan_loss_stops_and_keeps_the_last_good_weights(train: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = loop.Objective.forward, []

    def nan_at_the_tenth(self: loop.Objective, *frames: torch.Tensor) -> tuple:
        loss, own = real(self, *frames)
        calls.append(self.training)
        return (loss * float("nan") if sum(calls) == 10 else loss), own

    monkeypatch.setattr(loop.Objective, "forward", nan_at_the_tenth)
    with pytest.raises(SvqkitError, match=r"nan at step 10 \(epoch 2\).*learning_rate") as caught:
        train()
    kept = train.state() / "best.safetensors"
    assert str(kept) in str(caught.value)
    assert all(tensor.isfinite().all() for tensor in load_file(kept).values())
    assert not run_path(train.experiment, 0, train.folder / "runs").exists()


def test_early_stopping_counts_epochs_that_are_worse(train: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of equal losses the later one is kept and does not count, as in the reference."""

    def validated(losses: list[float], seed: int, **training: int) -> Path:
        remaining = iter(losses)
        monkeypatch.setattr(loop.Examples, "mean_loss", lambda *_: next(remaining))
        return train({"training": training}, seed)

    for seed, (patience, losses) in enumerate([(3, [5.0, 4.0, 4.5, 4.4, 4.3]), (2, [5.0, 4.0, 4.5, 4.0, 4.3])]):
        log = open_run(validated([*losses, 1.0], seed, epochs=6, patience=patience)).log()
        assert list(log["validation_loss"]) == losses
    run = validated([5.0, 4.0, 4.0], 2, epochs=3, patience=2)
    assert (run / "best.safetensors").read_bytes() == (run / "last.safetensors").read_bytes()


def test_what_is_validated_on_follows_the_protocol(train: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Spy(loop.Examples):
        def __init__(self, experiment: Experiment, store: Store, split: str, accelerator: object) -> None:
            seen.append(split)
            super().__init__(experiment, store, split, accelerator)

    monkeypatch.setattr(loop, "Examples", Spy)
    for protocol in ("clean", "paper"):
        train({"protocol": protocol, "training": {"epochs": 1, "warmup_epochs": 0}}, below=protocol)
    assert seen == ["train", "validation", "train", "test"]
