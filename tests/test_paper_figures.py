"""The paper's figures as their notebook draws them: of whatever there is, and a line about what there is not."""

import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from rawfiles import RawFiles
from untrained import a_run

from svqkit import evaluation
from svqkit.data.prepare import prepare
from svqkit.paper.gather import gather
from svqkit.pipeline import executing
from svqkit.pipeline.warm import SOCKET
from svqkit.settings.params import Params
from svqkit.settings.quantizers import NoQuantizer, SVQSettings, VQSettings
from svqkit.training.paths import scores_path, store_path

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Path:
    """The results of one dataset with a base, SVQ and VQ, none of them trained."""
    folder = tmp_path_factory.mktemp("project")
    files = RawFiles(folder / "raw")
    files.write("t2m")
    data = files.data(variables=("t2m",), frames_in=3, frames_out=5)
    store = prepare(data, store_path("sample", "tiny", folder / "stores"))
    experiments, runs = {}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(SOCKET, warm)
        for quantizer, studies in (
            (NoQuantizer(), ("main",)),
            (SVQSettings(codebook_size=12, hidden_dim=6), ("main", "quantizers")),
            (VQSettings(codebook_size=8), ("quantizers",)),
        ):
            run = a_run(Path("runs/sample/tiny"), data, store, quantizer)
            experiments[run.experiment.name] = replace(run.experiment, studies=studies, seeds=(0,))
            runs.append(run.as_part_of(experiments[run.experiment.name]))
        evaluation.evaluate(runs, store, scores_path("sample", "tiny"))
        gather(Params("sample", {"tiny": data}, experiments))
        for name in ("params.yaml", "trainings.yaml", "dvc.yaml"):
            shutil.copy(ROOT / name, folder)
        executing.run("paper_figures", Path("executed.ipynb"), {}, ROOT / "notebooks")
    return folder


def test_figures_are_drawn_of_what_there_is_with_captions(project: Path) -> None:
    drawn = {path.name for path in (project / "reports/sample/figures").iterdir()}
    stems = {name.partition(".")[0] for name in drawn}
    assert {"f1_tiny", "f3_rmse", "f3_difference", "f3_difference_north", "f4", "f4_change", "f8_codes_tiny"} <= stems
    assert all({f"{stem}.png", f"{stem}.pdf", f"{stem}.txt"} <= drawn for stem in stems)
    assert not any(stem.startswith(("f2", "f5", "f6", "f7", "f9", "f10")) for stem in stems)


def test_what_was_not_measured_is_said_in_a_line(project: Path) -> None:
    cells = nbformat.read(project / "executed.ipynb", as_version=4).cells
    said = [out["data"].get("text/markdown", "") for cell in cells for out in cell.get("outputs", []) if "data" in out]
    for figure in (2, 5, 6, 7, 9, 10):
        assert any(text.startswith(f"Figure {figure} is not drawn.") and "\n" not in text for text in said)
