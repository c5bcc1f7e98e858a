"""What DVC runs again after which change, in a copy of the project whose notebooks are not executed.

dvc.yaml, DVC, `settings`, `raw` and `notebooks` are the project's own. In the place of each notebook stands
stand_in.py, so that the whole pipeline takes seconds. tests/test_pipeline.py executes the notebooks.
"""

import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output
from projectcopy import ROOT, Project, stages_in

DATASETS = ("weather_t2m", "taxibj")
EXPERIMENTS = (*(f"{dataset}-{kind}" for dataset in DATASETS for kind in ("none", "svq")), "weather_t2m-swin-svq")
PAPER = {"gather", "tables", "paper_figures", "report"}
STAGES = {
    "notebooks",
    "settings",
    "costs",
    *PAPER,
    *(f"{stage}@{dataset}" for stage in ("raw", "prepare", "evaluate", "figures") for dataset in DATASETS),
    *(f"train@{experiment}" for experiment in EXPERIMENTS),
}
pytestmark = pytest.mark.slow
# In this order: they share the copy of the project.


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after its first `dvc repro`, from the tracked data on."""
    project = Project(tmp_path_factory.mktemp("project"), warm="")
    project.run("dvc", "pull", "data.dvc")
    project.keep(*EXPERIMENTS)
    pipeline = project.folder / "dvc.yaml"
    commands = re.compile(r'-m svqkit\.pipeline stage "\$DVC_STAGE"|-m svqkit\.paper\.gather')
    pipeline.write_text(commands.sub("tests/stand_in.py", pipeline.read_text()))
    project.change(profiles__sample__taxibj__training__epochs=1)
    assert project.repro() == STAGES
    return project


def commit(project: Project) -> None:
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *author, "commit", "-qam", "a"], cwd=project.folder, check=True)


def stages_on(datasets: Iterable[str], *kinds: str) -> set[str]:
    return {f"{kind}@{dataset}" for kind in kinds for dataset in datasets}


def test_what_has_changed_in_params_is_shown(project: Project) -> None:
    commit(project)
    project.change(**{"experiments__weather_t2m-svq__quantizer__learnable": False})
    assert "experiments.weather_t2m-svq.quantizer.learnable" in project.run("dvc", "params", "diff")
    project.change(**{"experiments__weather_t2m-svq__quantizer__learnable": True})


def test_opening_and_running_a_notebook_makes_no_other_stage_run(project: Project) -> None:
    path = project.folder / "notebooks/figures.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.execution_count, cell.outputs = number, [new_output("stream", text="1\n")]
    notebook.metadata["papermill"] = {"duration": 1.0}
    nbformat.write(notebook, path)
    assert project.repro() <= {"notebooks", "settings"}


def test_a_changed_setting_or_another_seed_reruns_that_experiment_and_what_depends_on_it(project: Project) -> None:
    first = project.folder / "runs/sample/taxibj/taxibj-none/seed0"
    before = first.read_bytes(), first.stat().st_mtime_ns
    changes = {"weather_t2m-svq__training": {"learning_rate": 0.001}, "taxibj-none__seeds": [0, 1]}
    project.change(**{f"experiments__{key}": value for key, value in changes.items()})
    expected = {"settings", "train@weather_t2m-svq", "train@taxibj-none"}
    assert project.repro() - {"costs"} == expected | stages_on(DATASETS, "evaluate", "figures") | PAPER
    assert first.with_name("seed1").exists()
    assert (first.read_bytes(), first.stat().st_mtime_ns) == before, "what is trained stays"


def test_side_by_side_a_failing_training_stops_no_other_and_the_end_says_why(project: Project) -> None:
    fails = project.folder / "fails"
    fails.write_text("train@taxibj-svq")
    changes = {f"taxibj-{kind}__training": {"learning_rate": 0.003} for kind in ("none", "svq")}
    project.change(**{f"experiments__{key}": value for key, value in changes.items()})
    printed = project.run("svqkit.pipeline.run_stages", "--jobs", "2", check=False)
    assert "1 stage(s) failed:\n  train@taxibj-svq: The loss is nan." in printed
    assert stages_in(printed) >= {"train@taxibj-none", "evaluate@taxibj", "figures@taxibj", "report"}
    fails.unlink()
    printed = project.run("svqkit.pipeline.run_stages", "--jobs", "2")
    assert stages_in(printed) == {"train@taxibj-svq", "evaluate@taxibj", "figures@taxibj"} | PAPER
    assert project.repro() == set(), "it leaves nothing to do for dvc repro"


def test_a_dry_run_lists_every_run_of_the_paper(project: Project) -> None:
    project.change(profile="paper")
    assert stages_in(project.run("dvc", "repro", "--dry", "--force", check=False)) == STAGES
    project.change(profile="sample")


def test_moved_data_another_study_or_translator_and_comments_train_nothing(project: Project) -> None:
    (project.folder / "data").rename(project.folder / "moved")
    params = project.folder / "params.yaml"
    before = params.read_text()
    params.write_text(before.replace("root: data/", "root: moved/"))
    assert project.repro() == {"settings"}
    file = next((project.folder / "moved/taxibj").iterdir())
    there = file.read_bytes()
    file.write_bytes(there + b"x")
    assert list(json.loads(project.run("dvc", "status", "--json", "raw"))) == ["raw@taxibj"]
    file.write_bytes(there)
    (project.folder / "moved").rename(project.folder / "data")
    params.write_text(before)
    for path in (project.folder / "svqkit/models").rglob("*.py"):
        path.write_text(path.read_text() + "\n# edited\n")
    registry = project.folder / "svqkit/settings/experiment.py"
    registry.write_text(registry.read_text().replace("TRANSLATORS = {", "TRANSLATORS = {\n    'mine': 'mine:Mine',"))
    project.change(**{"experiments__taxibj-svq__studies": ["main", "noise"]})
    stale = json.loads(project.run("dvc", "status", "--json"))
    assert {"settings", "evaluate@taxibj", "costs", "gather"} <= stale.keys()
    ran = project.repro()
    assert not [stage for stage in ran if stage.startswith(("raw", "prepare", "train"))]
    assert "evaluate@taxibj" in ran


def test_a_mistake_in_params_is_refused_before_anything_runs(project: Project) -> None:
    before = (project.folder / "params.yaml").read_text()
    project.change(**{"experiments__weather_t2m-svq__training": {"learning_rat": 0.1}})
    printed = project.run("dvc", "repro", check=False)
    assert "unknown key 'learning_rat' (did you mean 'learning_rate'?)" in printed
    assert stages_in(printed) == {"settings"}
    (project.folder / "params.yaml").write_text(before)
    assert project.repro() <= {"settings"}


def test_a_variant_can_be_compared_as_readme_says(project: Project) -> None:
    (row,) = re.findall(r"^\| try a variant.*\|$", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    *runs, compare = re.findall(r"`(dvc [^`]*)`", row)
    commit(project)
    for command in runs:
        project.run(*command.split())
    lines = [line.split() for line in project.run(*compare.split()).splitlines() if line]
    assert ["params.yaml", "profiles.sample.taxibj.training.epochs", "1", "3", "2"] in lines
    scores = [line for line in lines if line[0].startswith("scores/")]
    assert {Path(line[0]).parts[2] for line in scores} == {"taxibj"}
    assert {line[1] for line in scores} == {"mse"}, "scores that differ, and no other"


def test_a_part_alone_also_of_an_experiment_that_dvc_does_not_know_yet(project: Project) -> None:
    """As `make report` does it."""
    project.change(**{"experiments__taxibj-more": {"dataset": "taxibj"}})
    printed = project.run("svqkit.pipeline.run_stages", "--only", "settings", "gather")
    assert "trainings.yaml: added: taxibj-more" in printed
    assert stages_in(printed) == {"settings", "gather"}
