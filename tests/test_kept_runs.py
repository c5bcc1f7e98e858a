"""A finished run is kept as it is while nothing that it depends on has changed; what was begun is never lost."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zarr

from svqkit import data
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation import open_comparable
from svqkit.settings.params import Data, Experiment, as_tree, load_params, override
from svqkit.training import journal, loop
from svqkit.training.paths import run_path
from svqkit.training.runs import by_study, find_runs

SMALL = {
    "model": {"hid_S": 4, "hid_T": 8, "N_T": 2, "mlp_ratio": 2.0},
    "quantizer": {"codebook_size": 8, "hidden_dim": 4},
    "training": {"epochs": 2, "batch_size": 4, "steps_per_epoch": 3, "warmup_epochs": 0, "patience": 2},
    "seeds": [0],
    "studies": ["main"],
}


@pytest.fixture
def experiment(weather_data: Data) -> Experiment:
    settings = load_params("params.yaml", "sample").experiment("weather_t2m-svq")
    return override(settings, {**SMALL, "data": as_tree(weather_data)})


@pytest.fixture
def store(experiment: Experiment, tmp_path: Path) -> Store:
    return data.prepare(experiment.data, tmp_path / "stores/x.zarr")


class Trained:
    """Trainings in a folder, on a store; ``begun`` are the seeds that were trained, in order."""

    def __init__(self, folder: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.store, self.monkeypatch, self.begun = folder, store, monkeypatch, []
        real = loop.resume
        monkeypatch.setattr(loop, "resume", lambda *given: self.begun.append(self.seed_of(given[0])) or real(*given))

    @staticmethod
    def seed_of(state: Path) -> int:
        return int(state.name.removeprefix("seed"))

    def __call__(self, experiment: Experiment, **options: Any) -> dict[str, bytes]:
        """The files of the runs after training, by name."""
        self.begun.clear()
        store = Store.open(self.store.path)
        loop.train_all(experiment, store, *(self.folder / name for name in ("runs", "states", "journal")), **options)
        return self.files(experiment)

    def files(self, experiment: Experiment) -> dict[str, bytes]:
        runs = self.run(experiment).parent
        return {str(path.relative_to(runs)): path.read_bytes() for path in runs.rglob("*") if path.is_file()}

    def run(self, experiment: Experiment, seed: int = 0) -> Path:
        return run_path(experiment, seed, self.folder / "runs")

    def state(self, experiment: Experiment, seed: int = 0) -> Path:
        return run_path(experiment, seed, self.folder / "states")

    def stop(self, experiment: Experiment) -> None:
        """Train up to the end of the first epoch."""

        def save_and_stop(*given: Any) -> None:
            real(*given)
            raise KeyboardInterrupt

        real = loop.save_state
        with self.monkeypatch.context() as patched:
            patched.setattr(loop, "save_state", save_and_stop)
            with pytest.raises(KeyboardInterrupt):
                self(experiment)


@pytest.fixture
def train(tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch) -> Trained:
    return Trained(tmp_path, store, monkeypatch)


def test_what_a_killed_process_left_beside_a_kept_run_is_cleared(experiment: Experiment, train: Trained) -> None:
    """Killed after the run was put in its place: nobody writes it again, and DVC would hash the rest."""
    before = train(experiment)
    left = train.run(experiment).with_name(".seed0.part")
    (left / "old").mkdir(parents=True)
    (left / "lock").write_text("process 1")
    assert train(experiment) == before
    assert train.begun == []
    assert not left.exists()


@pytest.mark.parametrize(
    "changes", [{}, {"studies": ["main", "noise"]}, {"seeds": [0, 1]}, {"data": {"root": "/mnt/elsewhere"}}]
)
def test_what_a_run_does_not_depend_on_keeps_it(changes: dict, experiment: Experiment, train: Trained) -> None:
    before = train(experiment)
    after = train(override(experiment, changes))
    assert train.begun == [seed for seed in changes.get("seeds", []) if seed]
    assert {name: after[name] for name in before} == before


def other_setting(experiment: Experiment, *_: Any) -> Experiment:
    return override(experiment, {"training": {"learning_rate": 1e-3}})


def other_code(experiment: Experiment, _: Store, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.setattr(loop, "code_of_training", lambda _: {"svqkit.training.loop": "another"})
    return experiment


def other_frames(experiment: Experiment, store: Store, _: pytest.MonkeyPatch) -> Experiment:
    zarr.open_group(store.path).attrs["frames_digest"] = "another"
    return experiment


def other_windows(experiment: Experiment, store: Store, _: pytest.MonkeyPatch) -> Experiment:
    starts = zarr.open_group(store.path)["windows/clean/train"]
    starts[0] = starts[1]
    return experiment


def other_statistics(experiment: Experiment, store: Store, _: pytest.MonkeyPatch) -> Experiment:
    group = zarr.open_group(store.path)
    group.attrs["statistics"] = json.loads(json.dumps(group.attrs["statistics"]).replace('"mean": [', '"mean": [1'))
    return experiment


@pytest.mark.parametrize("change", [other_setting, other_code, other_frames, other_windows, other_statistics])
def test_what_a_run_depends_on_makes_it_anew(
    change: Callable, experiment: Experiment, store: Store, train: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = train(experiment)
    changed = change(experiment, store, monkeypatch)
    after = train(changed)
    assert train.begun == [0]
    assert after["seed0/config.json"] != before["seed0/config.json"]


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors", "log.csv", "steps.csv", "config.json"])
@pytest.mark.parametrize("spoil", [lambda path: path.write_bytes(b"cut"), lambda path: path.unlink()])
def test_a_run_that_is_not_as_its_training_left_it_is_made_anew(
    name: str, spoil: Callable[[Path], object], experiment: Experiment, train: Trained
) -> None:
    before = train(experiment)
    spoil(train.run(experiment) / name)
    assert train(experiment) == before
    assert train.begun == [0]


def test_a_run_that_was_copied_from_elsewhere_is_taken(experiment: Experiment, train: Trained, tmp_path: Path) -> None:
    before = train(experiment)
    other = Trained(tmp_path / "other machine", train.store, train.monkeypatch)
    shutil.copytree(train.run(experiment), other.run(experiment))
    assert other(experiment) == before
    assert other.begun == []
    assert journal.read(experiment, other.folder / "journal")["runs"] == {}


def test_a_run_of_an_earlier_version_is_made_anew(experiment: Experiment, train: Trained) -> None:
    before = train(experiment)
    path = train.run(experiment) / "config.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in tree.items() if key not in ("made_from", "files")}))
    assert train(experiment) == before
    assert train.begun == [0]


def test_a_new_seed_is_noted_beside_the_others(experiment: Experiment, train: Trained) -> None:
    train(experiment)
    path = train.folder / "journal/sample/weather_t2m/weather_t2m-svq.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps(tree | {"machine": {"cpu": "an older one"}}))
    more = override(experiment, {"seeds": [0, 1]})
    train(more)
    noted = journal.by_seed(journal.read(more, train.folder / "journal"))
    assert noted[0] == tree["runs"]["seed0"] | {"machine": {"cpu": "an older one"}, "versions": tree["versions"]}
    assert noted[1]["machine"] == journal.machine()


def test_runs_of_other_seeds_go_only_when_asked_to(experiment: Experiment, train: Trained) -> None:
    two = override(experiment, {"seeds": [0, 1]})
    before = train(two)
    assert train(experiment) == before, "a person may have trained them one by one"
    after = train(experiment, clear=True)
    assert after == {name: content for name, content in before.items() if name.startswith("seed0/")}
    assert journal.by_seed(journal.read(experiment, train.folder / "journal")).keys() == {0}


@pytest.mark.parametrize("clear", [True, False])
def test_a_failed_training_leaves_no_run_of_other_settings(clear: bool, experiment: Experiment, train: Trained) -> None:
    before = train(experiment)
    with pytest.raises(SvqkitError, match="loss is"):
        train(override(experiment, {"training": {"learning_rate": 1e30}}), clear=clear)
    assert train.files(experiment) == ({} if clear else before)


def test_a_stopped_training_goes_on(experiment: Experiment, train: Trained, capsys: pytest.CaptureFixture) -> None:
    train.stop(experiment)
    changes = {"studies": ["noise"], "seeds": [0, 1], "data": {"root": "/mnt/elsewhere"}}
    train(override(experiment, changes))
    assert "Going on from" in capsys.readouterr().out


def test_a_stopped_training_is_set_aside_with_what_differs_and_nothing_else(
    experiment: Experiment, store: Store, train: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    train.stop(experiment)
    code = loop.code_of_training(experiment)
    monkeypatch.setattr(loop, "code_of_training", lambda _: code | {"svqkit.training.schedule": "another"})
    zarr.open_group(store.path).attrs["frames_digest"] = "another"
    changes = {"training": {"learning_rate": 0.004, "patience": 1}}
    train(override(experiment, changes))
    said = capsys.readouterr().out
    was = experiment.training
    for told in (f"training.learning_rate: {was.learning_rate} → 0.004", "training.patience: 2 → 1", "frames"):
        assert told in said
    assert re.findall(r"svqkit[\w.]+", said) == ["svqkit.training.schedule"]
    assert not {"epochs", "batch_size", "windows", "attributes", "seed:"} & set(re.findall(r"\w+:?", said))


def test_set_aside_again_and_again_none_is_lost(experiment: Experiment, train: Trained) -> None:
    rates = [0.001, 0.002, 0.003, 0.004]
    for rate in rates:
        train.stop(override(experiment, {"training": {"learning_rate": rate}}))
    train(override(experiment, {"training": {"learning_rate": 0.005}}))
    kept = [loop.read_progress(path) for path in train.state(experiment).parent.glob("*/state.safetensors")]
    assert sorted(state.fingerprint["settings"]["training"]["learning_rate"] for state in kept) == rates


def test_a_stopped_training_beside_a_run_that_is_kept_stays(experiment: Experiment, train: Trained) -> None:
    other = override(experiment, {"training": {"learning_rate": 0.001}})
    train(experiment)
    train.stop(other)
    train(experiment)
    assert train.begun == []
    train(other)
    assert not train.state(experiment).exists()


def test_a_state_of_an_earlier_version_is_set_aside(
    experiment: Experiment, train: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(loop, "fingerprint", lambda *_: {"settings": "a1", "data": "b2", "code": "c3"})
        earlier.setattr(loop, "is_run_of", lambda *_: False)
        train.stop(experiment)
    train(experiment)
    assert train.state(experiment).with_name("seed0.old").exists()


def test_runs_stand_in_the_studies_that_params_yaml_has_now(experiment: Experiment, train: Trained) -> None:
    train(experiment)
    now = override(experiment, {"studies": ["noise", "relu"]})
    (run,) = find_runs([now], train.folder / "runs")
    assert by_study([run]) == {"noise": [run], "relu": [run]}


def test_what_is_trained_is_found_and_what_is_not_is_named(
    experiment: Experiment, train: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    train(experiment)
    (run,) = find_runs([override(experiment, {"seeds": [0, 1]})], train.folder / "runs")
    assert run.seed == 0
    assert f"not trained: {train.run(experiment, 1)}" in capsys.readouterr().out


def test_moved_raw_files_are_the_same(experiment: Experiment, store: Store, train: Trained, tmp_path: Path) -> None:
    """As `papermill notebooks/train.ipynb` does it, which prepares by itself."""
    before = train(experiment)
    moved = Path(experiment.data.root).rename(tmp_path / "moved")
    there = override(experiment, {"data": {"root": str(moved)}})
    kept = {path: path.stat().st_ino for path in store.path.rglob("*")}
    data.open_or_prepare(there.data, store.path)
    assert {path: path.stat().st_ino for path in store.path.rglob("*")} == kept
    assert train(there) == before
    assert train.begun == []
    fresh = data.prepare(there.data, tmp_path / "fresh/x.zarr")
    assert {path.relative_to(fresh.path): path.read_bytes() for path in fresh.path.rglob("*") if path.is_file()} == {
        path.relative_to(store.path): path.read_bytes() for path in store.path.rglob("*") if path.is_file()
    }


def test_runs_that_were_trained_before_and_after_a_move_can_be_compared(experiment: Experiment, train: Trained) -> None:
    train(experiment)
    there = {"data": {"root": "/mnt/elsewhere"}, "seeds": [1], "studies": ["noise"]}
    plain = override(experiment, {"quantizer": {"name": "none"}, "name": "weather_t2m-none", **there})
    train(plain)
    folders = [run_path(one, 0, train.folder / "runs").parent for one in (plain, experiment)]
    compared = open_comparable(folders)
    assert [run.name for run in compared] == ["weather_t2m-none-seed1", "weather_t2m-svq-seed0"]


def test_a_store_that_holds_the_place_of_its_raw_files_still_opens(experiment: Experiment, store: Store) -> None:
    """As those of earlier versions do, which held no digest of the frames either."""
    group = zarr.open_group(store.path)
    del group.attrs["frames_digest"]
    group.attrs["settings"] = group.attrs["settings"] | {"data": as_tree(experiment.data)}
    kept = {path: path.stat().st_ino for path in store.path.rglob("*")}
    data.open_or_prepare(experiment.data, store.path)
    shutil.rmtree(experiment.data.root)
    opened = data.open_or_prepare(experiment.data, store.path)
    assert {path: path.stat().st_ino for path in store.path.rglob("*")} == kept
    assert opened.digests["windows"] == store.digests["windows"]
    with pytest.raises(SvqkitError):
        data.open_or_prepare(override(experiment, {"data": {"frames_in": 5}}).data, store.path)
