"""A run's folder is all that a forecast needs: what it keeps of its data, and what older ones lack."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from quantizercases import NO_FOLDERS

import svqkit
from svqkit.data.domain import Domain
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.data.windows import Normaliser
from svqkit.errors import SvqkitError
from svqkit.evaluation import evaluate
from svqkit.settings.params import Data, Experiment, as_tree, load_params, override
from svqkit.settings.studies import join
from svqkit.training import loop
from svqkit.training.paths import scores_path
from svqkit.training.runs import open_run, write_config

GOLDEN = Path(__file__).parent / "golden/config_format1.json"
SMALL = {
    "model": {"hid_S": 4, "hid_T": 8, "N_T": 2, "mlp_ratio": 2.0},
    "quantizer": {"codebook_size": 20, "hidden_dim": 4},
    "training": {"epochs": 2, "batch_size": 4, "steps_per_epoch": 2, "warmup_epochs": 0},
    "seeds": [0],
}


@pytest.fixture
def experiment(weather_data: Data) -> Experiment:
    settings = load_params("params.yaml", "sample").experiment("weather_t2m-svq")
    return override(settings, {**SMALL, "data": as_tree(weather_data)})


@pytest.fixture
def store(experiment: Experiment, tmp_path: Path) -> Store:
    return prepare(experiment.data, tmp_path / "store.zarr")


@pytest.fixture
def path(experiment: Experiment, store: Store, tmp_path: Path) -> Path:
    return loop.train(experiment, 0, store, tmp_path / "runs", tmp_path / "states")


def test_import_svqkit_loads_no_torch_and_has_load_run() -> None:
    program = "import sys, svqkit; assert 'torch' not in sys.modules; from svqkit import load_run; print(load_run)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "ForecastingRun" in done.stdout
    with pytest.raises(AttributeError, match="no_such_name"):
        svqkit.no_such_name  # noqa: B018 - the access is what is tested


def test_a_copy_forecasts(path: Path, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = 270 + 20 * np.random.default_rng(0).random((4, 1, 4, 6), dtype=np.float32)
    before = svqkit.load_run(path).forecast(frames)
    copied = tmp_path / "elsewhere" / "my_run"
    shutil.copytree(path, copied)
    for gone in (path, tmp_path / "store.zarr", Path(experiment.data.root)):
        shutil.rmtree(gone)
    monkeypatch.chdir(copied.parent)
    np.testing.assert_array_equal(svqkit.load_run("my_run").forecast(frames), before)


def test_the_domain_is_what_the_store_and_the_training_had(path: Path, store: Store) -> None:
    domain = open_run(path).domain
    assert domain == Domain.of(store)
    assert (domain.kind, domain.channels, domain.units, domain.size) == ("grid", ("t2m",), ("K",), (4, 6))
    assert (domain.lead_step, domain.lead_units, domain.first_hour) == (1, "hours", 0)
    assert (domain.inputs, domain.targets) == ((-3, -2, -1, 0), (1, 2, 3, 4))
    assert domain.raw == store.settings["raw"]
    np.testing.assert_array_equal(domain.lat, store.lat)
    np.testing.assert_array_equal(domain.lon, store.lon)
    of_training = Normaliser.of(store)
    assert torch.equal(domain.normaliser.mean, of_training.mean)
    assert torch.equal(domain.normaliser.std, of_training.std)


def test_under_the_papers_offsets_frames_are_those_of_its_windows(weather_data: Data, tmp_path: Path) -> None:
    apart = as_tree(weather_data) | {"frames_in": 2, "frames_out": 2}
    apart["paper_offsets"] = {"inputs": [-5, 0], "targets": [1, 7]}
    settings = load_params("params.yaml", "sample").experiment("weather_t2m-svq")
    data = override(settings, {"data": apart}).data
    store = prepare(data, tmp_path / "apart.zarr")
    assert (Domain.of(store, "paper").inputs, Domain.of(store, "paper").targets) == ((-5, 0), (1, 7))
    assert not Domain.of(store, "paper").consecutive
    assert Domain.of(store, "clean").consecutive


def test_versions_are_kept_and_nothing_of_the_machine(path: Path) -> None:
    kept = json.loads((path / "config.json").read_text())
    assert {"svqkit", "torch", "numpy", "python"} <= kept["versions"].keys()
    assert kept["versions"]["numpy"] == np.__version__
    assert open_run(path).versions == kept["versions"]


def test_steps_are_the_looks_at_the_loss_and_may_be_absent(path: Path) -> None:
    run = open_run(path)
    assert list(run.steps()) == ["step", "train_loss"]
    assert run.steps()["step"].tolist() == [2, 4]
    (path / "steps.csv").unlink()
    assert run.steps().empty
    assert list(run.steps()) == ["step", "train_loss"]


def test_an_older_run_opens_but_says_that_it_must_be_trained_again(path: Path) -> None:
    run = open_run(path)
    write_config(path, run.experiment, run.seed, run.channels, run.size)
    older = svqkit.load_run(path)
    older.model()
    with pytest.raises(SvqkitError, match="Train it again"):
        older.forecast(np.zeros((4, 1, 4, 6), np.float32))
    tree = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(tree | {"domain": {"kind": "grid"}}))
    with pytest.raises(SvqkitError, match=r"keeps no 'title'.*Train it again"):
        _ = open_run(path).domain


def test_a_config_of_the_first_format_opens_as_it_is_written_today(tmp_path: Path) -> None:
    """It was written by the version before formats had a number."""
    shutil.copy(GOLDEN, tmp_path / "config.json")
    run = open_run(tmp_path)
    assert (run.name, run.channels, run.size) == ("taxibj-svq-seed0", ("inflow", "outflow"), (32, 32))
    (tmp_path / "again").mkdir()
    write_config(tmp_path / "again", run.experiment, run.seed, run.channels, run.size, run.domain)
    earlier, again = json.loads(GOLDEN.read_text()), json.loads((tmp_path / "again/config.json").read_text())
    assert again["format"] > 1
    assert "format" not in earlier
    for part in ("seed", "channels", "size"):
        assert again[part] == earlier[part]
    assert join(again["experiment"], earlier["experiment"]) == again["experiment"], "newer settings are as they were"
    assert again["domain"] | earlier["domain"] == again["domain"], "later versions may say more of it"
    assert run.versions == earlier["versions"]


def test_a_config_of_a_later_format_is_refused(path: Path) -> None:
    tree = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(tree | {"format": tree["format"] + 1}))
    with pytest.raises(SvqkitError, match="Update svqkit"):
        open_run(path)


def test_a_folder_of_seeds_is_the_lowest(path: Path, experiment: Experiment, capsys: pytest.CaptureFixture) -> None:
    for seed in (2, 10):
        shutil.copytree(path, path.with_name(f"seed{seed}"))
    assert svqkit.load_run(path.parent).path == path
    said = capsys.readouterr().out
    assert "seed0" in said
    assert "seed2, seed10" in said
    shutil.rmtree(path)
    assert svqkit.load_run(path.parent).path.name == "seed2", "by number, not by letters"


@pytest.mark.parametrize("above", [2, 3, 4])
def test_a_folder_of_several_experiments_is_answered_with_its_runs(path: Path, above: int) -> None:
    shutil.copytree(path, path.parents[1] / "another" / "seed3")
    with pytest.raises(SvqkitError, match=r"another \(seed3\).*weather_t2m-svq \(seed0\)"):
        svqkit.load_run(path.parents[above - 1])


def test_a_folder_without_a_finished_run_says_so(path: Path, tmp_path: Path) -> None:
    (path / "config.json").unlink()
    for folder in (path, path.parent, tmp_path / "nowhere"):
        with pytest.raises(SvqkitError, match="No finished run at"):
            svqkit.load_run(folder)


def test_a_run_is_given_away_with_a_card(path: Path, experiment: Experiment, store: Store, tmp_path: Path) -> None:
    frames = 270 + 20 * np.random.default_rng(0).random((4, 1, 4, 6), dtype=np.float32)
    run, given = svqkit.load_run(path), tmp_path / "given"
    run.save_pretrained(given, tmp_path / "scores")
    assert "Not scored yet" in (given / "README.md").read_text(encoding="utf-8")
    evaluate([run], store, scores_path(experiment.profile, experiment.dataset, tmp_path / "scores"))
    run.save_pretrained(given, tmp_path / "scores")
    assert sorted(file.name for file in given.iterdir()) == ["README.md", "best.safetensors", "config.json", "log.csv"]
    card = (given / "README.md").read_text(encoding="utf-8")
    for words in (
        run.name,
        "gsta",
        "4 × 6",
        run.domain.title,
        "Seed 0",
        "| clean | mse |",
        "apache-2.0",
        "uncertainty",
    ):
        assert words in card
    opened = type(run).from_pretrained(given)
    assert np.array_equal(opened.forecast(frames), run.forecast(frames))
    with pytest.raises(SvqkitError, match="There is no folder"):
        type(run).from_pretrained(tmp_path / "nothing")


def test_the_folder_of_a_run_that_is_given_away_may_be_in_the_home_folder(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    run = svqkit.load_run(path)
    run.save_pretrained("~/given")
    assert (tmp_path / "given/best.safetensors").exists()
    assert type(run).from_pretrained("~/given").name == run.name
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    for name in NO_FOLDERS:
        with pytest.raises(SvqkitError, match="can't be made a folder"):
            run.save_pretrained(name)


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"none")])
def test_a_run_without_readable_weights_is_not_given_away(
    path: Path, damage: Callable[[Path], object], tmp_path: Path
) -> None:
    run = svqkit.load_run(path)
    damage(path / "best.safetensors")
    with pytest.raises(SvqkitError, match="No readable weights"):
        run.save_pretrained(tmp_path / "given")
    assert not (tmp_path / "given").exists()
