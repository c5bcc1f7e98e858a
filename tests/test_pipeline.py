"""The pipeline as `make repro` runs it, once from the tracked data on, and what is opened on its results.

In a copy of the project with very short trainings. What runs again after which change: tests/test_stage_graph.py.
"""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import browser
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from nbformat import NotebookNode
from openstlcases import SVQ, reference_weights
from projectcopy import Project, outputs_of, stages_in

DATASETS = ("weather_t2m", "taxibj")
KINDS = {"weather_t2m": ("none", "svq", "vq", "swin-svq"), "taxibj": ("none", "svq")}
EXPERIMENTS = tuple(f"{dataset}-{kind}" for dataset, kinds in KINDS.items() for kind in kinds)
STAGES = {
    "notebooks",
    "settings",
    *("costs", "gather", "tables", "paper_figures", "report"),
    *(f"{stage}@{dataset}" for stage in ("raw", "prepare", "evaluate", "figures") for dataset in DATASETS),
    *(f"train@{experiment}" for experiment in EXPERIMENTS),
}
# In this order: they share the copy of the project.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project after its first run, from the tracked data on."""
    project = Project(tmp_path_factory.mktemp("project"))
    project.run("dvc", "pull", "data.dvc")
    project.keep(*EXPERIMENTS)
    project.change(
        profiles__sample__taxibj__training__epochs=1,
        profiles__sample__taxibj__training__steps_per_epoch=2,
        profiles__sample__weather_t2m__data__test="2015-01-01/2015-01-03",
        profiles__sample__weather_t2m__training__epochs=2,
        profiles__sample__weather_t2m__training__steps_per_epoch=2,
        profiles__sample__weather_t2m__model__hid_S=4,
        profiles__sample__weather_t2m__model__hid_T=16,
    )
    for name in EXPERIMENTS:
        project.change(**{f"experiments__{name}__seeds": [0, 1] if name == "weather_t2m-svq" else [0]})
    assert stages_in(project.run("svqkit.pipeline.run_stages", "--jobs", "1")) == STAGES
    yield project
    shutil.rmtree(project.folder)


def test_results_are_there(project: Project) -> None:
    reports = project.folder / "reports/sample/weather_t2m"
    for name in ("results.md", "results.csv", "results.tex", "maps_rmse.png", "maps_bias.pdf", "error_over_lead.png"):
        assert (reports / name).stat().st_size > 100
    table = (reports / "results.md").read_text()
    assert all(f"| {name} " in table for name in ("SimVP", "SVQ", "Persistence", "Climatology"))
    assert "| VQ " in (reports / "results_quantizers.md").read_text()
    assert "Swin" in (reports / "results_translators.md").read_text()
    assert "| VQ " in (reports / "codebooks.md").read_text()
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
    drawn = {path.name for path in (reports / "sample/figures").iterdir()}
    stems = {name.partition(".")[0] for name in drawn}
    assert {stem.partition("_")[0] for stem in stems} == {f"f{number}" for number in range(1, 12)} - {"f9"}
    assert {"f3_rmse", "f3_difference", "f3_difference_north", "f4_change", "f8_codes_weather_t2m"} <= stems
    assert all({f"{stem}.png", f"{stem}.pdf", f"{stem}.txt"} <= drawn for stem in stems), "each with its caption"
    page = (reports / "index.html").read_text()
    for words in ('id="t1"', 'id="f3"', "be said with this data", "imulated"):
        assert words in page
    linked = {*re.findall(r'(?:src|href)="([^"#:]+)"', page)}
    assert "sample/notebooks/train-weather_t2m-svq.ipynb" in linked
    assert not [link for link in linked if not (reports / link).exists()]


@browser.needed
def test_the_whole_report_fits_a_browser(project: Project, tmp_path: Path) -> None:
    browser.check(project.folder / "reports/index.html", ".answer", tmp_path)


def test_metrics_are_readable(project: Project) -> None:
    shown = json.loads(project.run("dvc", "metrics", "show", "--json"))
    metrics = {Path(path).stem: entry["data"] for path, entry in shown[""]["data"].items()}
    assert metrics["weather_t2m-svq"]["mse"] > 0
    assert metrics.keys() >= {"persistence", "climatology", "weather_t2m-none", "weather_t2m-vq"}


def test_a_run_that_was_trained_elsewhere_joins_and_is_not_trained_again(project: Project, tmp_path: Path) -> None:
    own, elsewhere = project.folder / "runs/sample/taxibj/taxibj-svq", tmp_path / "taxibj-svq"
    shutil.move(own, elsewhere)
    (project.folder / "journal/sample/taxibj/taxibj-svq.json").unlink()
    project.run("svqkit.pipeline.join", str(elsewhere))
    files = {path.relative_to(elsewhere): path.read_bytes() for path in elsewhere.rglob("*.*")}
    assert len(files) > 3
    assert {path.relative_to(own): path.read_bytes() for path in own.rglob("*.*")} == files
    noted = json.loads((project.folder / "journal/sample/taxibj/taxibj-svq.json").read_text())
    assert noted["runs"] == {}, "who trains notes how long it took"
    assert json.loads(project.run("dvc", "status", "--json", "train@taxibj-svq")) == {}

    config = elsewhere / "seed0/config.json"
    config.write_text(re.sub(r'"learning_rate": [\d.]+', '"learning_rate": 0.123', config.read_text()))
    printed = project.run("svqkit.pipeline.join", str(elsewhere), check=False)
    assert re.search(r"error: .*training\.learning_rate: 0\.123 → ", printed)
    assert (own / "seed0/config.json").read_bytes() == files[Path("seed0/config.json")]

    config.write_bytes(files[Path("seed0/config.json")].replace(b'"seed": 0', b'"seed": 7'))
    (elsewhere / "seed0").rename(elsewhere / "seed7")
    printed = project.run("svqkit.pipeline.join", str(elsewhere), check=False)
    assert re.search(r"error: .*seeds \[7\]", printed), "the stage would remove it"


@pytest.fixture(scope="module")
def execute(project: Project) -> Iterator[Callable[..., NotebookNode]]:
    """Executes notebooks of the project in one kernel."""
    with project.kernel() as execute:
        yield execute


@pytest.mark.parametrize("name", ["codebook_usage", "temperature_error_maps", "compare_runs"])
def test_the_explorers_open_on_a_run(name: str, execute: Callable[..., NotebookNode]) -> None:
    assert outputs_of(execute(name))[1] >= 3


def test_the_tour_goes_from_a_field_to_what_svq_is_worth(execute: Callable[..., NotebookNode]) -> None:
    texts, pictures = outputs_of(execute("tour", control="runs/sample/weather_t2m/weather_t2m-vq"))
    assert pictures >= 8
    assert "| Persistence |" in texts


def test_forecasting_after_own_frames(project: Project, execute: Callable[..., NotebookNode], tmp_path: Path) -> None:
    made = tmp_path / "after.nc"
    run = "runs/sample/weather_t2m/weather_t2m-svq/seed0"
    record = "data/weather/2m_temperature/2m_temperature_2015_5.625deg.nc"
    assert outputs_of(execute("forecast", run=run, input=record, frames=15, output=str(made)))[1] >= 1
    with xr.open_dataset(made) as after, xr.open_dataset(project.folder / record) as before:
        assert after.sizes["time"] == 15
        assert after["time"].values[0] - before["time"].values[-1] == np.timedelta64(1, "h")
        assert (after["lat"].values == before["lat"].values).all()


def test_a_checkpoint_of_the_reference_is_scored_drawn_and_explored(
    project: Project, execute: Callable[..., NotebookNode]
) -> None:
    config = {"method": "SimVPVQ", "hid_S": 8, "hid_T": 16, "N_S": 2, "N_T": 2, "vq_kwargs": SVQ}
    (project.folder / "config.py").write_text("".join(f"{key} = {value!r}\n" for key, value in config.items()))
    torch.save(reference_weights({**config, "in_shape": (12, 1, 32, 64)}), project.folder / "weights.pth")
    where = ("--config", "config.py", "--dataset", "weather_t2m", "--profile", "sample", "--runs", "scratch/runs")
    project.run("svqkit.interop.openstl", "weights.pth", *where)
    run = "scratch/runs/sample/weather_t2m/weather_t2m-openstl/seed0"
    execute("evaluate", more_runs=[run], scores="scratch/scores", forecasts="scratch/forecasts")
    written = {path.stem for path in (project.folder / "scratch/forecasts/sample/weather_t2m").iterdir()}
    assert written >= {"persistence", "climatology", "weather_t2m-svq-seed1", "weather_t2m-openstl-seed0"}
    execute("figures", more_runs=[run], scores="scratch/scores", reports="scratch/reports")
    reports = project.folder / "scratch/reports/sample/weather_t2m"
    for name in ("results.md", "codebooks.md"):
        assert "openstl" in (reports / name).read_text()
    assert (reports / "forecast_weather_t2m-openstl.png").stat().st_size > 100
    assert outputs_of(execute("codebook_usage", run=run))[1] >= 3
