"""Killed at any file operation and called again, everything ends with the same bytes and leaves nothing behind."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from random import Random

import pytest
from kills import changes, killed
from rawfiles import RawFiles, files_below
from untrained import a_run

from svqkit.atomic import remove, replacing
from svqkit.data import prepare
from svqkit.data.store import Store
from svqkit.evaluation import evaluate
from svqkit.settings.params import Data, Experiment, as_tree, load_params, override
from svqkit.settings.quantizers import NoQuantizer, SVQSettings
from svqkit.training import loop

Operation = Callable[[], object]


def contents(folder: Path, *apart: str) -> dict[str, bytes]:
    """The bytes of every file below a folder, by name; without the files of some names, whose bytes differ."""
    return {name: content for name, (*_, content) in files_below(folder).items() if Path(name).name not in apart}


def points(operation: Operation, folder: Path, most: int) -> list[int]:
    """At which of its file operations to kill an operation: at most so many, the first and the last ones among them."""
    total = changes(operation, folder)
    assert total > 5, "it does something with files"
    if total <= most:
        return list(range(1, total + 1))
    ends = [1, *range(total - most // 2, total + 1)]
    return sorted({*ends, *Random(0).sample(range(2, total), most - len(ends))})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without progress bars."""
    monkeypatch.setenv("SVQKIT_PROGRESS_SECONDS", "600")


@pytest.fixture
def most() -> int:
    """How many kills of each kind: a few, as many as one likes with KILLS=100."""
    return int(os.environ.get("KILLS", "6"))


def a_file(path: Path, text: str) -> None:
    path.write_text(text)


def a_folder(path: Path, text: str) -> None:
    for name in ("a", "b", "c/d"):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)


@pytest.mark.parametrize("earlier", [None, a_file, a_folder])
@pytest.mark.parametrize("make", [a_file, a_folder])
def test_what_is_replaced_is_whole_after_two_kills(make: Callable, earlier: Callable | None, tmp_path: Path) -> None:
    def write(text: str, folder: Path) -> None:
        with replacing(folder / "x") as draft:
            make(draft, text)

    def whole(folder: Path) -> bool:
        return len({content for name, content in contents(folder).items() if name.startswith("x")}) <= 1

    count = changes(lambda: write("first", tmp_path / "count"), tmp_path)
    every = list(product(range(1, count + 6), range(count + 6)))
    for number, (at, again) in enumerate([*((at, 0) for at, again in every if not again), *Random(0).sample(every, 8)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        if earlier:
            earlier(folder / "x", "earlier")
        killed(lambda folder=folder: write("first", folder), folder, at)
        assert whole(folder)
        if again:
            killed(lambda folder=folder: write("second", folder), folder, again)
            assert whole(folder)
        # Somebody who fails at once: what was there before the kills, or one of theirs, must be there again.
        with pytest.raises(ZeroDivisionError), replacing(folder / "x"):
            1 / 0  # noqa: B018
        assert whole(folder)
        assert (folder / "x").exists() or not earlier
        write("last", folder)
        assert set(contents(folder).values()) == {b"last"}
        assert os.listdir(folder) == ["x"]


def test_a_folder_whose_removal_is_killed_is_gone_or_whole(tmp_path: Path) -> None:
    a_folder(tmp_path / "0" / "x", "whole")
    kept = contents(tmp_path / "0")
    at = 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        shutil.copytree(tmp_path / "0", folder)
        if not killed(lambda folder=folder: remove(folder / "x"), folder, at):
            break
        assert not (folder / "x").exists() or contents(folder) == kept
        remove(folder / "x")
        assert os.listdir(folder) == []
    assert at > 4


@pytest.fixture
def raw_data(raw: RawFiles, monkeypatch: pytest.MonkeyPatch) -> Data:
    """16 days, copied in several blocks of several chunks."""
    raw.write()
    monkeypatch.setattr("svqkit.data.store.CHUNK_BYTES", 24 * 4 * 6 * 4)
    monkeypatch.setattr(sys.modules["svqkit.data.prepare"], "BLOCK_BYTES", 4 * 24 * 4 * 6 * 4)
    return raw.data(frames_in=4, frames_out=4)


def test_prepare_killed_twice_leaves_the_same_store(raw_data: Data, tmp_path: Path, quick: None, most: int) -> None:
    whole, base = tmp_path / "whole", tmp_path / "base"
    prepare(raw_data, whole / "x.zarr")
    expected = contents(whole, "lock")
    assert not [name for name in expected if name.endswith("partial")]
    begun = points(lambda: prepare(raw_data, base / "x.zarr"), base, most)
    shutil.copytree(whole, base, dirs_exist_ok=True)
    redone = points(lambda: prepare(raw_data, base / "x.zarr", again=True), base, most)

    def dvc_removes(target: Path) -> None:
        shutil.rmtree(target, ignore_errors=True)

    for number, (first, second) in enumerate(_pairs(begun, redone, most)):
        folder = tmp_path / str(number)
        target = folder / "x.zarr"
        if first < 0:
            shutil.copytree(whole, folder)
        killed(lambda target=target: prepare(raw_data, target, again=True), folder, abs(first))
        if number % 3 == 0:
            killed(lambda target=target: dvc_removes(target), folder, 1 + number % 40)
        if second:
            killed(lambda target=target: prepare(raw_data, target, again=True), folder, second)
        killed(lambda target=target, again=number % 2 == 0: prepare(raw_data, target, again), folder)
        assert contents(folder, "lock") == expected, (first, second)
        shutil.rmtree(folder)


def _pairs(begun: list[int], redone: list[int], most: int) -> Iterable[tuple[int, int]]:
    """Where two calls are killed: the first where no store was (positive) or where one stood; 0: no second kill."""
    firsts = [*begun, *(-at for at in redone)]
    every = [(first, second) for first in firsts for second in [0, *redone]]
    return [(first, 0) for first in firsts] + Random(1).sample(every, 2 * most)


@pytest.fixture
def experiment(weather_data: Data) -> Experiment:
    settings = load_params("params.yaml", "sample").experiment("weather_t2m-svq")
    model = {"hid_S": 4, "hid_T": 8, "N_T": 2, "mlp_ratio": 2.0, "drop_path": 0.2}
    training = {"epochs": 2, "batch_size": 4, "steps_per_epoch": 2, "warmup_epochs": 1}
    small = {"model": model, "quantizer": {"codebook_size": 20, "hidden_dim": 8}, "training": training}
    return override(settings, small | {"seeds": [0, 1], "data": as_tree(weather_data)})


def test_training_killed_ends_in_the_same_bytes(experiment: Experiment, tmp_path: Path, quick: None, most: int) -> None:
    store = prepare(experiment.data, tmp_path / "store.zarr")

    def train(folder: Path) -> None:
        loop.train_all(experiment, store, folder / "runs", folder / "states", folder / "journal")

    train(tmp_path / "whole")  # here, so that no process of its own imports what is needed
    noted = next((tmp_path / "whole" / "journal").rglob("*.json")).name
    expected = contents(tmp_path / "whole", noted)
    assert not [name for name in expected if "states" in name]
    for at in points(lambda: train(tmp_path / "count"), tmp_path / "count", most):
        folder = tmp_path / str(at)
        assert killed(lambda folder=folder: train(folder), folder, at)
        killed(lambda folder=folder: train(folder), folder)
        assert contents(folder, noted) == expected, at
        assert any(folder.rglob(noted))
        shutil.rmtree(folder)


def test_evaluate_killed_leaves_the_same_scores(weather_data: Data, tmp_path: Path, quick: None, most: int) -> None:
    store = prepare(weather_data, tmp_path / "store.zarr")
    svq = SVQSettings(codebook_size=8, hidden_dim=4)
    runs = [a_run(tmp_path / "runs", weather_data, store, quantizer) for quantizer in (NoQuantizer(), svq)]
    small = Store.open(store.path)
    evaluate(runs, small, tmp_path / "whole" / "scores")
    expected = contents(tmp_path / "whole")
    for number, at in enumerate(points(lambda: evaluate(runs, small, tmp_path / "n" / "s"), tmp_path / "n", most)):
        folder = tmp_path / str(at)
        if number % 2:
            shutil.copytree(tmp_path / "whole", folder)
        killed(lambda folder=folder: evaluate(runs, small, folder / "scores"), folder, at)
        assert contents(folder / "scores") in ({}, contents(tmp_path / "whole" / "scores"))
        killed(lambda folder=folder: evaluate(runs, small, folder / "scores"), folder)
        assert contents(folder) == expected, at
        shutil.rmtree(folder)
