"""A checkpoint of the reference becomes a run that everything else reads; or one clear error, and no trace."""

import argparse
import gzip
import json
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from openstlcases import SVQ, reference_weights
from rawfiles import RawFiles
from safetensors.torch import save, save_file

from svqkit import load_run
from svqkit.data.domain import Domain
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation import evaluate
from svqkit.interop.openstl import load, main
from svqkit.interop.weights import read_state_dict
from svqkit.settings.data import Offsets
from svqkit.settings.params import Data, as_tree, without_root
from svqkit.training.paths import store_path
from svqkit.training.runs import open_run

SHAPE = (4, 1, 4, 6)
CONFIG = {"hid_S": 8, "hid_T": 16, "N_S": 2, "N_T": 2, "mlp_ratio": 2.0, "method": "SimVPVQ", "vq_kwargs": SVQ}


class Trap:
    """A Python object in a checkpoint; unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.path, "ran")


class Folder:
    """A project's folder with params.yaml, a store, a config and a checkpoint of the reference."""

    def __init__(self, root: Path, data: Data) -> None:
        self.root = root
        tree = {
            "profile": "tiny",
            "datasets": {"weather_t2m": as_tree(data)},
            "profiles": {"tiny": {"weather_t2m": {}}},
            "experiments": {"weather_t2m-none": {"dataset": "weather_t2m", "training": {"epochs": 7}}},
        }
        (root / "params.yaml").write_text(json.dumps(tree), encoding="utf-8")
        prepare(data, store_path("tiny", "weather_t2m", root / "stores"))
        self.config("config.py", CONFIG)
        self.weights = reference_weights({**CONFIG, "in_shape": SHAPE})
        self.save(self.weights)

    def config(self, name: str, config: dict[str, Any]) -> None:
        path = self.root / name
        lines = "".join(f"{key} = {value!r}\n" for key, value in config.items())
        path.write_text(lines if path.suffix == ".py" else json.dumps(config), encoding="utf-8")

    def save(self, content: Any) -> None:
        torch.save(content, self.root / "checkpoint.pth")

    def convert(self, *more: str, configs: tuple[str, ...] = ("config.py",)) -> int:
        options = ["--params", "params.yaml", "--stores", "stores", "--runs", "runs"]
        paths = [str(self.root / part) if "." in part or part in ("stores", "runs") else part for part in options]
        named = [part for name in configs for part in ("--config", str(self.root / name))]
        known = ["--dataset", "weather_t2m", "--profile", "tiny"]
        return main([str(self.root / "checkpoint.pth"), *known, *paths, *named, *more])

    def run(self, name: str = "weather_t2m-openstl", seed: int = 0) -> Path:
        return self.root / "runs" / "tiny" / "weather_t2m" / name / f"seed{seed}"


@pytest.fixture
def folder(weather_data: Data, tmp_path: Path) -> Folder:
    return Folder(tmp_path, weather_data)


def test_the_run_forecasts_as_the_reference_does_and_can_be_evaluated(folder: Folder) -> None:
    assert folder.convert() == 0
    run = load_run(folder.run())
    frames = torch.randn(2, *SHAPE)
    expected = load({**CONFIG, "in_shape": SHAPE}, folder.weights)(frames)
    for weights in ("best", "last"):
        assert torch.equal(run.model(weights)(frames).frames, expected)
    assert (run.experiment.name, run.seed, run.channels, run.size) == ("weather_t2m-openstl", 0, ("t2m",), (4, 6))
    found, store = run.experiment, Store.open(folder.root / "stores/tiny/weather_t2m.zarr")
    assert (found.dataset, found.profile, found.seeds, found.protocol) == ("weather_t2m", "tiny", (0,), "clean")
    assert (found.training.epochs, found.quantizer.codebook_size) == (7, 30)
    assert without_root(as_tree(found.data)) == store.settings["data"]
    assert run.domain == Domain.of(store)
    assert run.forecast(store.frames[:4], frames=3).shape == (3, 1, 4, 6)
    assert run.log().empty
    assert list(run.log()) == ["epoch", "learning_rate", "train_loss", "validation_loss"]
    scores = evaluate([run], store, folder.root / "scores")
    mine = scores[(scores["experiment"] == "weather_t2m-openstl") & (scores["metric"] == "rmse")]
    assert len(mine) > 0
    assert (mine["value"] > 0).all()


@pytest.mark.parametrize(
    "content",
    [
        lambda weights: weights,
        lambda weights: OrderedDict((f"module.{name}", one) for name, one in weights.items()),
        lambda weights: {"epoch": 3, "model_state_dict": weights},
        lambda weights: {"epoch": 3, "optimizer": {"state": {}}, "state_dict": weights, "scheduler": {"last_epoch": 2}},
    ],
)
def test_a_bare_state_dict_and_a_whole_checkpoint_give_the_same_run(content: Any, folder: Folder) -> None:
    assert folder.convert("--name", "plain") == 0
    folder.save(content(folder.weights))
    assert folder.convert("--name", "other", "--seed", "3") == 0
    for name in ("best.safetensors", "last.safetensors", "log.csv"):
        assert (folder.run("other", 3) / name).read_bytes() == (folder.run("plain") / name).read_bytes()
    assert open_run(folder.run("other", 3)).seed == 3


def test_nothing_in_a_checkpoint_is_run(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    folder.save({"epoch": 1, "state_dict": folder.weights, "scheduler": Trap(folder.root / "trapped")})
    assert folder.convert() == 1
    said = capsys.readouterr().err
    assert "torch.save(checkpoint['state_dict'], 'weights.pth')" in said
    assert not (folder.root / "trapped").exists()
    assert not (folder.root / "runs").exists()


class Forged:
    """An array whose only element is an object at an address of a stranger's choice."""

    def __reduce__(self) -> tuple:
        return np.ndarray, ((1,), "O", b"A" * 8)


def test_nothing_of_numpy_s_is_made_for_a_checkpoint(folder: Folder) -> None:
    folder.save({"args": Forged(), "state_dict": folder.weights})
    (checkpoint,) = folder.root.glob("*.pth")
    assert read_state_dict(checkpoint).keys() == folder.weights.keys()
    folder.save({"state_dict": folder.weights | {"more": Forged()}})
    assert not isinstance(read_state_dict(checkpoint)["more"], np.ndarray)


def test_a_run_is_replaced_only_by_force_and_whole(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.convert() == 0
    before = {path.name: path.read_bytes() for path in folder.run().iterdir()}
    folder.save({name: one + 1 for name, one in folder.weights.items()})
    assert folder.convert() == 1
    assert "already" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.run().iterdir()} == before
    assert folder.convert("--force") == 0
    now = {path.name: path.read_bytes() for path in folder.run().iterdir()}
    assert now["best.safetensors"] != before["best.safetensors"]
    folder.save({name: one for name, one in folder.weights.items() if "codebook" not in name})
    assert folder.convert("--force") == 1, "a conversion that fails leaves the run that was there"
    assert {path.name: path.read_bytes() for path in folder.run().iterdir()} == now
    assert [path.name for path in folder.run().parent.iterdir()] == ["seed0"]


def test_the_command_tells_how_to_score_draw_and_explore(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.convert("--name", "mine", "--seed", "2") == 0
    said = capsys.readouterr().out
    path = folder.run("mine", 2)
    for words in (f"more_runs: [{path}]", "-p dataset weather_t2m", f"codebook_usage.ipynb out.ipynb -p run {path}"):
        assert words in said


def test_later_configs_win_and_a_trainings_json_is_one(folder: Folder) -> None:
    folder.config("wrong.py", {**CONFIG, "hid_T": 64})
    folder.config("model_param.json", {**CONFIG, "method": "simvpvq", "in_shape": SHAPE, "lr": 0.1, "device": "cuda"})
    assert folder.convert("--name", "a", configs=("wrong.py",)) == 1
    assert folder.convert("--name", "a", configs=("wrong.py", "model_param.json")) == 0
    assert open_run(folder.run("a")).experiment.model.hid_T == 16


@pytest.mark.parametrize(
    ("shape", "options", "said"),
    [
        ((12, 1, 4, 6), [], "in_shape (T, C, H, W) is (12, 1, 4, 6); weather_t2m of profile 'tiny' has (4, 1, 4, 6)"),
        ((4, 2, 4, 6), [], "(4, 2, 4, 6)"),
        ((4, 1, 32, 64), [], "(4, 1, 32, 64)"),
        (SHAPE, ["--dataset", "weather_r"], "Unknown dataset in profile 'tiny' 'weather_r'"),
        (SHAPE, ["--profile", "paper"], "Unknown profile 'paper'"),
        (SHAPE, ["--name", "a/b"], "'a/b' names folders"),
        (SHAPE, ["--stores", "nowhere"], "No prepared store"),
        (SHAPE, ["--config", "none.py"], "none.py can't be read"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(
    shape: tuple[int, ...], options: list[str], said: str, folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.config("config.py", {**CONFIG, "in_shape": shape})
    assert folder.convert(*options) == 1
    assert said in capsys.readouterr().err
    assert not (folder.root / "runs").exists()


SOME = {"enc.weight": torch.arange(3.0), "dec.bias": torch.ones(2)}
LIGHTNING = {
    "epoch": 3,
    "pytorch-lightning_version": "2.0.0",
    "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(1.0)}},
    "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}}],
    # As OpenSTL 1.0 keeps the statistics of its data.
    "hyper_parameters": {
        "test_mean": np.ones((1, 1)),
        "test_std": np.float32(2),
        "names": np.array(["a"]),
        "n": np.int64(1),
    },
}


def of_numpy_1(path: Path) -> None:
    """A checkpoint in which arrays are called as before NumPy 2."""
    torch.save(LIGHTNING | {"state_dict": SOME}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name).replace(b"numpy._core", b"numpy.core") for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def loop(path: Path) -> None:
    around: dict[str, Any] = {"state_dict": SOME}
    torch.save(around | {"model": around, "state_dict": around}, path)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: torch.save(SOME, path, _use_new_zipfile_serialization=False),
        lambda path: torch.save(LIGHTNING | {"state_dict": SOME}, path),
        of_numpy_1,
        loop,
        lambda path: torch.save({"args": argparse.Namespace(lr=0.1), "model": SOME, "optimizer": {"state": {}}}, path),
        lambda path: torch.save({"model": SOME, "model_ema": {name: one + 1 for name, one in SOME.items()}}, path),
        lambda path: torch.save({"model": {"state_dict": SOME}}, path),
        lambda path: torch.save({"module": SOME, "ds_config": {}}, path),
        lambda path: torch.save({"state_dict": None, "params": SOME}, path),
        lambda path: torch.save({"checkpoint": {"network": SOME}, "epoch": 3}, path),
        lambda path: torch.save({"epoch": 3, "ema": SOME}, path),
        lambda path: save_file(SOME, path),
    ],
)
def test_the_state_dict_of_a_file_is_found(write: Callable[[Path], object], tmp_path: Path) -> None:
    write(tmp_path / "x.pth")
    found = read_state_dict(tmp_path / "x.pth")
    assert {name: one.tolist() for name, one in found.items()} == {name: one.tolist() for name, one in SOME.items()}


@pytest.mark.parametrize(
    "said",
    [
        "[1]",
        '{"a": 1}',
        '{"weight_map": 3}',
        '{"weight_map": {}}',
        '{"weight_map": {"a": 3}}',
        '{"weight_map": {"a": [1]}}',
        '{"weight_map": {"a": "x.index.json"}}',
    ],
)
def test_an_index_that_names_no_files_of_weights_is_refused(said: str, tmp_path: Path) -> None:
    (tmp_path / "x.index.json").write_text(said)
    with pytest.raises(SvqkitError, match=r"x\.index\.json must have a weight_map"):
        read_state_dict(tmp_path / "x.index.json")


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
def test_weights_in_several_files_are_found_by_their_index(suffix: str, tmp_path: Path) -> None:
    """As hubs keep large ones; what lies elsewhere than beside the index is not read."""
    places = {}
    for number, (name, one) in enumerate(SOME.items()):
        places[name] = f"../elsewhere/model-{number}{suffix}"
        part = tmp_path / f"model-{number}{suffix}"
        save_file({name: one}, part) if suffix == ".safetensors" else torch.save({name: one}, part)
    index = tmp_path / f"model{suffix}.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    found = read_state_dict(index)
    assert {name: one.tolist() for name, one in found.items()} == {name: one.tolist() for name, one in SOME.items()}
    part.unlink()
    with pytest.raises(SvqkitError, match=f"There is no file .*{part.name}"):
        read_state_dict(index)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.pth", b"x")


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: None, "There is no file"),
        (lambda path: path.mkdir(), "it is a folder"),
        (lambda path: path.write_bytes(b""), "can't be read as a checkpoint"),
        (lambda path: path.write_bytes(b"Not Found"), "can't be read as a checkpoint"),
        (lambda path: path.write_bytes(b'{"error": 404}'), "can't be read as a checkpoint"),
        (lambda path: path.write_bytes(b"PK\x03\x04"), "can't be read as a checkpoint"),
        (lambda path: path.write_bytes(b"\n<!DOCTYPE html><html>"), "a web page"),
        (lambda path: path.write_bytes(b"\xef\xbb\xbf<html>"), "a web page"),
        (lambda path: path.write_bytes(b"<?xml?><Error>AccessDenied</Error>"), "a web page"),
        (lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid"), "a pointer of Git LFS"),
        (lambda path: path.write_bytes(gzip.compress(b"x" * 100)), "a gzip archive. Unpack it"),
        (zipped, "a ZIP archive of other files"),
        (lambda path: np.savez(path.open("wb"), a=1), "a ZIP archive of other files"),
        (lambda path: torch.jit.save(torch.jit.script(torch.nn.ReLU()), str(path)), "a program of TorchScript"),
        (lambda path: path.write_bytes(save(SOME)[:-4]), "can't be read as a checkpoint"),
        (lambda path: torch.save({}, path), "must hold a state_dict"),
        (lambda path: torch.save({"state_dict": None}, path), "must hold a state_dict"),
        (lambda path: torch.save({"state_dict": {"a": 1}}, path), "must hold a state_dict"),
        (lambda path: torch.save([SOME], path), "it holds list"),
        (lambda path: torch.save(torch.ones(2), path), "it holds Tensor"),
        (lambda path: torch.save(torch.nn.Linear(1, 1), path), "loading would run code from it"),
        (lambda path: torch.save({"model": SOME, "x": Trap(path.parent / "trapped")}, path), "would run code from it"),
        (lambda path: path.write_bytes(pickle.dumps(Trap(path.parent / "trapped"))), "would run code from it"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit", "ignore:.*pickle protocol")
def test_files_that_are_no_checkpoint_are_refused(write: Callable[[Path], object], said: str, tmp_path: Path) -> None:
    write(tmp_path / "some.pth")
    with pytest.raises(SvqkitError, match=r"some\.pth") as caught:
        read_state_dict(tmp_path / "some.pth")
    assert said in str(caught.value)
    assert not (tmp_path / "trapped").exists()


def test_a_checkpoint_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.pth"
    for zipped in (True, False):
        torch.save({"state_dict": SOME}, path, _use_new_zipfile_serialization=zipped)
        whole = path.read_bytes()
        for length in range(1, len(whole) - 1, max(1, len(whole) // 15)):
            path.write_bytes(whole[:length])
            with pytest.raises(SvqkitError, match=r"some\.pth"):
                read_state_dict(path)


def test_a_run_of_a_dataset_with_published_offsets_is_of_protocol_paper(raw: RawFiles, tmp_path: Path) -> None:
    """Its forecasts begin from the frames that the reference's windows have, and it is scored on these windows only."""
    raw.write()
    offsets = Offsets(inputs=(-17, -11, -5, 0), targets=(1, 7, 13, 19))
    folder = Folder(tmp_path, raw.data(frames_in=4, frames_out=4, paper_offsets=offsets))
    assert folder.convert() == 0
    run = load_run(folder.run())
    assert run.experiment.protocol == "paper"
    assert (run.domain.inputs, run.domain.targets) == (offsets.inputs, offsets.targets)
