"""Training with augmentation: stopped and resumed the same bit for bit, and only training windows are changed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from svqkit.data import prepare
from svqkit.data.augment import augment
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.settings.data import ArrayData
from svqkit.settings.params import Experiment, Model, Training, override
from svqkit.settings.quantizers import SVQSettings
from svqkit.training import loop
from svqkit.training.checkpoint import read_progress
from svqkit.training.paths import run_path
from svqkit.training.runs import open_run

SIZES = Model(hid_S=4, hid_T=8, N_S=2, N_T=2, mlp_ratio=2.0, drop=0.1, drop_path=0.2)
TRAINING = Training(
    epochs=3, batch_size=4, warmup_epochs=1, steps_per_epoch=6, augment=("crop", "flip"), crop_scale=0.8
)


def with_augment(experiment: Experiment, *names: str) -> Experiment:
    return override(experiment, {"training": {"augment": list(names)}})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Clips of bytes: a bright bar wanders to the right; frames are not square."""
    folder = tmp_path_factory.mktemp("clips")
    noise = np.random.default_rng(0).integers(0, 60, (12, 8, 1, 12, 16))
    clip, frame, x = np.ogrid[:12, :8, :16]
    bar = 180 * ((x - frame - clip) % 8 < 3)
    np.save(folder / "clips.npy", (noise + bar[:, :, None, None]).astype(np.uint8))
    data = ArrayData(root=str(folder / "clips.npy"), frames_in=2, frames_out=3)
    return prepare(data, folder / "store.zarr")


@pytest.fixture
def experiment(store: Store) -> Experiment:
    """With everything random that a training can have."""
    data = ArrayData(root="clips.npy", frames_in=2, frames_out=3)
    quantizer = SVQSettings(codebook_size=8, hidden_dim=4)
    return Experiment("tiny", "sample", "tiny", data, SIZES, quantizer, TRAINING)


def equal(one: Path, other: Path) -> bool:
    """Whether two runs ended with the same weights and wrote the same log."""
    for name in ("best", "last"):
        first, second = (load_file(run / f"{name}.safetensors") for run in (one, other))
        if first.keys() != second.keys() or not all(torch.equal(first[key], second[key]) for key in first):
            return False
    return (one / "log.csv").read_bytes() == (other / "log.csv").read_bytes()


@pytest.mark.parametrize("stop_at", [2, 4, 7])
def test_stopped_and_resumed_it_ends_with_the_same_weights(
    stop_at: int, experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = loop.train(experiment, 0, store, tmp_path / "whole", tmp_path / "s1")
    monkeypatch.setattr(loop, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(loop, "LOG_EVERY", 2)
    saves, real = [], loop.save_state

    def save_then_stop(path: Path, *rest: object) -> None:
        real(path, *rest)
        saves.append(read_progress(path))
        if len(saves) == stop_at:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_state", save_then_stop)
    with pytest.raises(KeyboardInterrupt):
        loop.train(experiment, 0, store, tmp_path / "cut", tmp_path / "s2")
    # Saved after steps 2, 4, 6 and at the end of each of the three epochs of six steps.
    assert (saves[-1].epoch, saves[-1].step) == {2: (0, 4), 4: (1, 0), 7: (1, 6)}[stop_at]
    monkeypatch.setattr(loop, "save_state", real)
    assert equal(whole, loop.train(experiment, 0, store, tmp_path / "cut", tmp_path / "s2"))


def test_training_windows_are_changed_and_a_step_has_its_own_changes(experiment: Experiment, store: Store) -> None:
    plain = loop.Examples(with_augment(experiment), store, "train", Accelerator())
    changed = loop.Examples(experiment, store, "train", Accelerator())
    steps = list(changed.epoch(3, 1))
    assert len(steps) == 6
    for step, ((inputs, targets), (seen, truth)) in enumerate(zip(steps, plain.epoch(3, 1), strict=True)):
        # Inputs and targets of a window are changed together.
        random = np.random.default_rng([3, 1, step, 0])
        both = augment(torch.cat([seen, truth], dim=1), ("crop", "flip"), 0.8, random)
        assert torch.equal(torch.cat([inputs, targets], dim=1), both)
        assert not torch.equal(inputs, seen)
    for skip in (1, 5):
        for (inputs, targets), (seen, truth) in zip(changed.epoch(3, 1, skip), steps[skip:], strict=True):
            assert torch.equal(inputs, seen)
            assert torch.equal(targets, truth)
    others = next(changed.epoch(3, 2))
    assert not torch.equal(others[0], steps[0][0])


def test_the_logged_loss_is_of_whole_validation_windows(experiment: Experiment, store: Store, tmp_path: Path) -> None:
    run = open_run(loop.train(experiment, 0, store, tmp_path / "runs", tmp_path / "states"))
    validation_set = loop.Examples(with_augment(experiment), store, "validation", Accelerator())
    assert run.log()["validation_loss"].iloc[-1] == pytest.approx(validation_set.mean_loss(run.model("last")), rel=1e-6)


def test_frames_that_are_not_square_are_refused_before_any_step(
    experiment: Experiment, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.optim.Adam, "step", lambda *_: pytest.fail("a step was made"))
    turned = with_augment(experiment, "crop", "rotate")
    with pytest.raises(SvqkitError) as caught:
        loop.train(turned, 0, store, tmp_path / "runs", tmp_path / "states")
    assert "augment: rotate needs square frames" in str(caught.value)
    assert "got (12, 16); take it off the list" in str(caught.value)
    assert not run_path(turned, 0, tmp_path / "runs").exists()
    assert not run_path(turned, 0, tmp_path / "states").exists(), "there is nothing to go on from"
