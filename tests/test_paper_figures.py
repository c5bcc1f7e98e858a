"""The paper's figures as their notebook draws them: of little, a few, and a line about each other.

With more to draw: tests/test_pipeline.py.
"""

import re
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
from svqkit.settings.quantizers import NoQuantizer, VQSettings
from svqkit.training.paths import scores_path, store_path

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Path:
    """The executed notebook, of the results of one dataset with a base and VQ, not trained."""
    folder = tmp_path_factory.mktemp("project")
    files = RawFiles(folder / "raw")
    files.write("t2m")
    data = files.data(variables=("t2m",), frames_in=3, frames_out=5)
    store = prepare(data, store_path("sample", "tiny", folder / "stores"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(SOCKET, warm)
        experiments, runs = {}, []
        for quantizer, study in ((NoQuantizer(), "main"), (VQSettings(codebook_size=8), "quantizers")):
            run = a_run(Path("runs/sample/tiny"), data, store, quantizer)
            experiments[run.experiment.name] = replace(run.experiment, studies=(study,), seeds=(0,))
            runs.append(run.as_part_of(experiments[run.experiment.name]))
        evaluation.evaluate(runs, store, scores_path("sample", "tiny"))
        gather(Params("sample", {"tiny": data}, experiments))
        for name in ("params.yaml", "trainings.yaml", "dvc.yaml"):
            shutil.copy(ROOT / name, folder)
        executing.run("paper_figures", Path("executed.ipynb"), {}, ROOT / "notebooks")
    return folder


def test_a_figure_is_drawn_or_a_line_says_why_not(project: Path) -> None:
    drawn = {path.stem.partition("_")[0] for path in (project / "reports/sample/figures").iterdir()}
    cells = nbformat.read(project / "executed.ipynb", as_version=4).cells
    shown = [out["data"].get("text/markdown", "") for cell in cells for out in cell.get("outputs", []) if "data" in out]
    said = {f"f{found[1]}" for text in shown if (found := re.fullmatch(r"Figure (\d+) is not drawn\. .+", text))}
    assert said >= {"f2", "f3", "f5", "f6", "f7", "f9", "f10"}
    assert drawn >= {"f1", "f4"}
    assert drawn | said == {f"f{number}" for number in range(1, 12)}
