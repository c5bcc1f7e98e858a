"""Notebooks on their own, in a fresh copy of the project: they fetch and prepare what they need."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from projectcopy import ROOT, Project, outputs_of

from svqkit.paper.page import as_markdown

SHORT = {"training": {"epochs": 1, "steps_per_epoch": 2}}
# Less to score, where the sample has much.
LESS = {"weather_t2m": {"data": {"test": "2015-01-01/2015-01-02"}}, "kth": {"data": {"test": [17]}}}
# Of weather one with a single variable and one with several on levels: all are read and drawn as one of these.
DATASETS = ("weather_t2m", "weather_mv", "kth", "kitticaltech", "human", "taxibj")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Iterator[Project]:
    project = Project(tmp_path_factory.mktemp("project"), warm)
    yield project
    shutil.rmtree(project.folder)


@pytest.fixture(scope="module")
def execute(project: Project) -> Iterator[Callable[..., NotebookNode]]:
    """Executes notebooks of the project in one kernel."""
    with project.kernel() as execute:
        yield execute


@pytest.mark.parametrize("name", DATASETS)
def test_train_ends_with_scores_and_pictures(name: str, execute: Callable[..., NotebookNode]) -> None:
    texts, pictures = outputs_of(execute("train", dataset=name, overrides=SHORT | LESS.get(name, {})))
    assert "MSE" in texts
    assert "Persistence" in texts
    assert "SVQ" in texts
    assert pictures >= 3, "the curves, a forecast beside the truth, where the error is"


def test_train_takes_a_translator_a_quantizer_and_a_seed(
    project: Project, execute: Callable[..., NotebookNode]
) -> None:
    execute("train", translator="poolformer", quantizer="fsq", seed=3, score=False, overrides=SHORT)
    (run,) = (project.folder / "scratch/runs/sample/weather_t2m").glob("*/seed3")
    assert run.parent.name == "weather_t2m-poolformer-fsq"


def test_the_page_of_evidence_is_what_its_numbers_give(project: Project, execute: Callable[..., NotebookNode]) -> None:
    shutil.copytree(ROOT / "docs/evidence", project.folder / "docs/evidence", dirs_exist_ok=True)
    executed = execute("evidence")
    executed.cells = [cell for cell in executed.cells if not cell.source.startswith(("%reset", "# Parameters"))]
    text, pictures = as_markdown(executed, "evidence")
    assert text == (ROOT / "docs/evidence.md").read_text(encoding="utf-8"), "run `make evidence`"
    assert set(pictures) == {path.name for path in (ROOT / "docs/evidence").glob("*.png")}


def test_an_unknown_parameter_is_one_clear_error(execute: Callable[..., NotebookNode]) -> None:
    with pytest.raises(CellExecutionError, match=r"has no parameter 'datset' \(did you mean 'dataset'\?\)"):
        execute("train", datset="weather_t2m")


def test_the_notebook_on_translators_runs(execute: Callable[..., NotebookNode]) -> None:
    assert outputs_of(execute("translators", profile="sample", samples=1, latents=[8, 16]))[1] == 1


def test_the_notebook_on_models_of_one_s_own_runs(execute: Callable[..., NotebookNode]) -> None:
    texts, pictures = outputs_of(execute("svq_in_your_model", steps=10, seeds=1, codes=50))
    assert pictures == 1
    assert all(word in texts for word in ("persistence", "plain", "SVQ", "VQ", "torch.Size([4, 50, 32])"))
