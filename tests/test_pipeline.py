"""The pipeline as a user runs it, in a copy of the project with very short trainings."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from nbformat import NotebookNode
from openstlcases import SVQ, reference_weights
from projectcopy import ROOT, Project, outputs_of

DATASETS = ("weather_t2m", "taxibj")
EXPERIMENTS = (
    *(f"{dataset}-{kind}" for dataset in DATASETS for kind in ("none", "svq", "svq_frozen")),
    "weather_t2m-vq",
    "weather_t2m-swin-svq",
)
PAPER = {"gather", "tables", "paper_figures", "report"}
STAGES = {
    "notebooks",
    "settings",
    "costs",
    *PAPER,
    *(f"{stage}@{dataset}" for stage in ("raw", "prepare", "evaluate", "figures") for dataset in DATASETS),
    *(f"train@{experiment}" for experiment in EXPERIMENTS),
}
# In this order: they share the copy of the project.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project after its first `dvc repro`, from the tracked data on."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.run("dvc", "pull", "data.dvc")
    project.keep(*EXPERIMENTS)
    project.change(
        profiles__sample__taxibj__training__epochs=1,
        profiles__sample__taxibj__training__steps_per_epoch=4,
        profiles__sample__weather_t2m__training__epochs=2,
        profiles__sample__weather_t2m__training__steps_per_epoch=4,
        profiles__sample__weather_t2m__model__hid_S=4,
        profiles__sample__weather_t2m__model__hid_T=16,
    )
    for name in EXPERIMENTS:
        project.change(**{f"experiments__{name}__seeds": [0, 1] if name == "weather_t2m-svq" else [0]})
    assert project.repro() == STAGES
    yield project
    shutil.rmtree(project.folder)


def test_results_are_there(project: Project) -> None:
    reports = project.folder / "reports/sample/weather_t2m"
    for name in ("results.md", "results.csv", "results.tex", "maps_rmse.png", "maps_bias.pdf", "error_over_lead.png"):
        assert (reports / name).stat().st_size > 100
    table = (reports / "results.md").read_text()
    assert all(f"| {name} |" in table for name in ("SimVP", "SVQ", "SVQ frozen", "Persistence", "Climatology"))
    assert "| VQ |" in (reports / "results_quantizers.md").read_text()
    assert "Swin" in (reports / "results_translators.md").read_text()
    assert "| VQ |" in (reports / "codebooks.md").read_text()
    assert "imulated" in table, "a table of simulated data says so"
    scores = pd.read_csv(project.folder / "scores/sample/weather_t2m/scores.csv")
    assert set(scores["protocol"]) == {"clean", "paper"}
    assert set(scores["metric"]) == {"mse", "mae", "rmse", "wrmse", "acc"}
    assert set(scores.loc[scores["experiment"] == "weather_t2m-svq", "seed"]) == {0, 1}
    assert sorted(scores["lead"].unique()) == list(range(13))


def test_results_of_traffic_are_there(project: Project) -> None:
    reports = project.folder / "reports/sample/taxibj"
    for name in ("results.md", "maps_rmse.png", "error_over_lead.png", "forecast_taxibj-svq.png"):
        assert (reports / name).stat().st_size > 100
    table = (reports / "results.md").read_text()
    assert all(
        words in table for words in ("SSIM (published)", "PSNR [dB]", "MAE (orig.)", "sums over a frame", "imulated")
    )
    assert "LPIPS is defined for grey or RGB frames" in table


def test_the_paper_is_there(project: Project) -> None:
    reports = project.folder / "reports"
    for key in ("t1", "t2", "t3", "t4", "t9"):
        for suffix in ("md", "csv", "tex"):
            assert (reports / f"sample/tables/{key}.{suffix}").stat().st_size > 100
        if key != "t9":  # costs are measured on random frames
            assert "imulated" in (reports / f"sample/tables/{key}.md").read_text()
    drawn = {path.stem.partition("_")[0] for path in (reports / "sample/figures").glob("*.png")}
    assert drawn >= {"f1", "f2", "f3", "f4", "f7", "f8", "f11"}
    page = (reports / "index.html").read_text()
    for words in ('id="t1"', 'id="f3"', "can't be said", "imulated", "data:image/png;base64,"):
        assert words in page
    linked = "runs/sample/weather_t2m/weather_t2m-svq"
    assert f"../{linked}" in page
    assert (project.folder / linked).exists()


def test_metrics_and_params_are_readable(project: Project) -> None:
    shown = json.loads(project.run("dvc", "metrics", "show", "--json"))
    metrics = {Path(path).stem: entry["data"] for path, entry in shown[""]["data"].items()}
    assert metrics["weather_t2m-svq"]["mse"] > 0
    assert metrics.keys() >= {"persistence", "climatology", "weather_t2m-none", "weather_t2m-vq"}
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qam", "a"], cwd=project.folder, check=True
    )
    project.change(**{"experiments__weather_t2m-svq__quantizer__learnable": False})
    assert "experiments.weather_t2m-svq.quantizer.learnable" in project.run("dvc", "params", "diff")
    project.change(**{"experiments__weather_t2m-svq__quantizer__learnable": True})


def test_opening_and_running_a_notebook_makes_no_other_stage_run(project: Project) -> None:
    path = project.folder / "notebooks/figures.ipynb"
    project.run("papermill", str(path), str(path))
    assert any(cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells)
    assert project.repro() <= {"notebooks", "settings"}, "nothing is made a second time"


def test_a_changed_setting_or_another_seed_reruns_that_experiment_and_what_depends_on_it(project: Project) -> None:
    first = project.folder / "runs/sample/taxibj/taxibj-none/seed0"
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in first.iterdir()}
    changes = {"weather_t2m-svq__training": {"learning_rate": 0.001}, "taxibj-none__seeds": [0, 1]}
    project.change(**{f"experiments__{key}": value for key, value in changes.items()})
    scored = {f"{stage}@{dataset}" for stage in ("evaluate", "figures") for dataset in DATASETS}
    assert project.repro() == {"settings", "train@weather_t2m-svq", "train@taxibj-none"} | scored | PAPER
    assert first.with_name("seed1").exists()
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in first.iterdir()} == before


def test_side_by_side_a_failing_training_stops_no_other_and_the_end_says_why(project: Project) -> None:
    project.change(profiles__sample__taxibj__training__steps_per_epoch=5)
    project.change(**{"experiments__taxibj-svq__training": {"learning_rate": 1e30}})
    printed = project.run("svqkit.pipeline.run_stages", "--jobs", "2", check=False)
    summary = printed[printed.rindex("stage(s) failed") :]
    assert "train@taxibj-svq: The loss is" in summary, "which, and why"
    assert "1 stage(s) failed" in printed
    scored = pd.read_csv(project.folder / "scores/sample/taxibj/scores.csv")
    assert set(scores_of(scored)) == {"taxibj-none", "taxibj-svq_frozen"}, "what was trained is scored"
    project.change(**{"experiments__taxibj-svq__training": {"learning_rate": 0.02}})
    printed = project.run("svqkit.pipeline.run_stages", "--jobs", "2")
    ran = {line.split("'")[1] for line in printed.splitlines() if line.startswith("Running stage")}
    assert ran == {"settings", "train@taxibj-svq", "evaluate@taxibj", "figures@taxibj"} | PAPER
    assert project.repro() == set(), "it leaves nothing to do for dvc repro"


def scores_of(table: pd.DataFrame) -> list[str]:
    """The experiments in a table of scores, without the baselines."""
    return list(table.loc[table["seed"] >= 0, "experiment"])


def test_a_dry_run_lists_every_run_of_the_paper(project: Project) -> None:
    project.change(profile="paper")
    printed = project.run("dvc", "repro", "--dry", "--force", check=False)
    project.change(profile="sample")
    listed = {line.split("'")[1] for line in printed.splitlines() if line.startswith("Running stage")}
    assert listed == STAGES


def test_moved_data_another_study_or_translator_and_comments_train_nothing(project: Project) -> None:
    (project.folder / "data").rename(project.folder / "moved")
    params = project.folder / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("root: data/", "root: moved/"))
    assert project.repro() == {"settings", *(f"raw@{dataset}" for dataset in DATASETS)}
    (project.folder / "moved").rename(project.folder / "data")
    params.write_text(before)
    for path in (project.folder / "svqkit/models").rglob("*.py"):
        path.write_text(path.read_text() + "\n# edited\n")
    registry = project.folder / "svqkit/settings/experiment.py"
    code = registry.read_text()
    registry.write_text(code.replace("TRANSLATORS = {", "TRANSLATORS = {\n    'mine': 'mine:Mine',"))
    project.change(**{"experiments__taxibj-svq__studies": ["main", "noise"]})
    stale = json.loads(project.run("dvc", "status", "--json"))
    assert {"settings", "evaluate@taxibj", "costs", *PAPER} <= stale.keys()
    ran = project.repro()
    registry.write_text(code)
    assert not [stage for stage in ran if stage.startswith(("raw", "prepare", "train"))]
    assert "evaluate@taxibj" in ran


def test_a_mistake_in_params_is_refused_before_anything_runs(project: Project) -> None:
    before = (project.folder / "params.yaml").read_text()
    project.change(**{"experiments__weather_t2m-vq__training": {"learning_rat": 0.1}})
    printed = project.run("dvc", "repro", check=False)
    assert "unknown key 'learning_rat' (did you mean 'learning_rate'?)" in printed
    (project.folder / "params.yaml").write_text(before)
    assert project.repro() <= {"settings"}


def test_a_variant_can_be_compared_as_readme_says(project: Project) -> None:
    (row,) = re.findall(r"^\| try a variant.*\|$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    *runs, compare = re.findall(r"`(dvc [^`]*)`", row)
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *author, "commit", "-qam", "a"], cwd=project.folder, check=True)
    for command in runs:
        project.run(*command.split())
    compared = project.run(*compare.split())
    lines = [line.split() for line in compared.splitlines() if line]
    scores = [line for line in lines if line[0].startswith("scores/")]
    assert ["params.yaml", "profiles.sample.taxibj.training.epochs", "1", "3", "2"] in lines
    assert {line[0].split("/")[2] for line in scores} == {"taxibj"}
    assert {line[1] for line in scores} >= {"mse", "mae", "ssim"}
    assert all(np.isfinite([float(number) for number in line[2:]]).all() for line in scores)
    assert len(lines) < 60, "it can be read"


def test_train_on_its_own_prepares_trains_and_shows_scores(project: Project, tmp_path: Path) -> None:
    for made in ("data", "stores", "scratch"):
        shutil.rmtree(project.folder / made, ignore_errors=True)
    out = tmp_path / "out.ipynb"
    given = {"dataset": "weather_t2m", "translator": "poolformer", "quantizer": "fsq", "seed": "3"}
    what = [word for name, value in given.items() for word in ("-p", name, value)]
    project.run("papermill", "notebooks/train.ipynb", str(out), *what)
    texts, pictures = outputs_of(out)
    assert "mse_mean" in texts
    assert pictures >= 3
    (run,) = (project.folder / "scratch/runs/sample/weather_t2m").glob("*/seed3")
    assert {"poolformer", "fsq"} <= set(run.parent.name.split("-"))


def test_an_unknown_parameter_to_papermill_is_one_clear_error(project: Project, tmp_path: Path) -> None:
    printed = project.run(
        "papermill", "notebooks/train.ipynb", str(tmp_path / "out.ipynb"), "-p", "datset", "weather_t2m", check=False
    )
    assert "has no parameter 'datset' (did you mean 'dataset'?)" in printed


@pytest.fixture(scope="module")
def execute(project: Project) -> Iterator[Callable[..., NotebookNode]]:
    """Executes notebooks of the project in one kernel."""
    with project.kernel() as execute:
        yield execute


@pytest.mark.parametrize("name", ["codebook_usage", "temperature_error_maps", "compare_runs"])
def test_the_explorers_open_on_a_run(name: str, execute: Callable[..., NotebookNode]) -> None:
    assert outputs_of(execute(name))[1] >= 3


def test_forecasting_after_own_frames(project: Project, execute: Callable[..., NotebookNode], tmp_path: Path) -> None:
    made = tmp_path / "after.nc"
    run = "runs/sample/weather_t2m/weather_t2m-svq/seed0"
    record = "data/weather/2m_temperature/2m_temperature_2015_5.625deg.nc"
    assert outputs_of(execute("forecast", run=run, input=record, frames=15, output=str(made)))[1] >= 1
    with xr.open_dataset(made) as after, xr.open_dataset(project.folder / record) as before:
        assert after.sizes["time"] == 15
        assert after["time"].values[0] - before["time"].values[-1] == np.timedelta64(1, "h")
        assert (after["lat"].values == before["lat"].values).all()


def test_the_notebook_on_translators_runs(execute: Callable[..., NotebookNode]) -> None:
    assert outputs_of(execute("translators", profile="sample", samples=1, latents=[8, 16]))[1] == 1


def test_the_notebook_on_models_of_one_s_own_runs(execute: Callable[..., NotebookNode]) -> None:
    texts, pictures = outputs_of(execute("svq_in_your_model", steps=10, seeds=1, codes=50))
    assert pictures == 1
    assert all(word in texts for word in ("persistence", "plain", "SVQ", "VQ", "torch.Size([4, 50, 32])"))


def test_a_checkpoint_of_the_reference_is_scored_drawn_and_explored(project: Project, tmp_path: Path) -> None:
    config = {"method": "SimVPVQ", "hid_S": 8, "hid_T": 16, "N_S": 2, "N_T": 2, "vq_kwargs": SVQ}
    (project.folder / "config.py").write_text("".join(f"{key} = {value!r}\n" for key, value in config.items()))
    torch.save(reference_weights({**config, "in_shape": (12, 1, 32, 64)}), project.folder / "weights.pth")
    where = ("--config", "config.py", "--dataset", "weather_t2m", "--profile", "sample", "--runs", "scratch/runs")
    project.run("svqkit.interop.openstl", "weights.pth", *where)
    run = "scratch/runs/sample/weather_t2m/weather_t2m-openstl/seed0"
    also = ("-y", f"more_runs: [{run}]", "-p", "scores", "scratch/scores")
    out = tmp_path / "out.ipynb"
    project.run("papermill", "notebooks/evaluate.ipynb", str(out), *also)
    project.run("papermill", "notebooks/figures.ipynb", str(out), *also, "-p", "reports", "scratch/reports")
    reports = project.folder / "scratch/reports/sample/weather_t2m"
    for name in ("results.md", "codebooks.md"):
        assert "openstl" in (reports / name).read_text()
    assert (reports / "forecast_weather_t2m-openstl.png").stat().st_size > 100
    project.run("papermill", "notebooks/codebook_usage.ipynb", str(out), "-p", "run", run)
    assert outputs_of(out)[1] >= 3
