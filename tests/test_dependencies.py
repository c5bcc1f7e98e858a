"""Every stage depends on the code that it runs; trainings on their own modules, and on no others."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection
from pathlib import Path

import nbformat
import pytest
from ruamel.yaml import YAML

from svqkit.pipeline import stage_settings
from svqkit.settings.params import Experiment, load_params
from svqkit.training.fingerprint import HELPERS, NOT_IN_TRAINING, code_of_training, own_code

ROOT = Path(__file__).resolve().parents[1]
STAGES = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]

# Helpers that these stages do depend on.
SUBJECTS: dict[str, Collection[str]] = {
    "notebooks": {"svqkit.pipeline"},
    "settings": HELPERS,
    "raw": {"svqkit.data.plan"},
    "prepare": {"svqkit.data.plan"},
}
# The store is there: prepare has made it.
OPENS_THE_STORE = {"svqkit.data.prepare"}
# Tables and pictures that only the executed copy of the notebook shows: nobody should wait hours for another font.
SHOWN = {"svqkit.plots", "svqkit.data.describe"}
LEFT_OUT: dict[str, set[str]] = {
    "prepare": SHOWN,
    # The pipeline asks for no scores here (`score`).
    "train": SHOWN | OPENS_THE_STORE | {"svqkit.evaluation"} | (NOT_IN_TRAINING - HELPERS),
    # Nor for forecasts that others score (`forecasts`).
    "evaluate": {"svqkit.plots", "svqkit.forecasting"} | OPENS_THE_STORE,
}


def names_used(stage: str) -> set[str]:
    """What the notebook or the module that a stage runs uses of the package."""
    (module,) = re.findall(r"-m (svqkit[\w.]*)", command(stage))
    if "-m svqkit.pipeline stage" not in command(stage):
        return {module if own_code().file(module).name != "__init__.py" else f"{module}.__main__"}
    cells = nbformat.read(ROOT / "notebooks" / f"{stage}.ipynb", as_version=4).cells
    return own_code().names_in("\n".join(cell.source for cell in cells if cell.cell_type == "code"))


def command(stage: str) -> str:
    return " ".join(STAGES[stage].get("do", STAGES[stage])["cmd"].split())


def modules_used(stage: str, left_out: set[str]) -> set[str]:
    """The modules with any code of their own that a stage runs."""
    empty = own_code().digest("svqkit.data")
    found = own_code().used_by(names_used(stage), HELPERS - {*SUBJECTS.get(stage, ())} | left_out)
    return {module for module in found if own_code().digest(module) != empty}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_it_runs(stage: str) -> None:
    deps = [ROOT / dep for dep in STAGES[stage].get("do", STAGES[stage])["deps"] if "$" not in dep]
    used = modules_used(stage, LEFT_OUT.get(stage, set()))
    if stage == "train":  # by its file of settings
        of_any = [code_of_training(experiment) for experiment in load_params(ROOT / "params.yaml").experiments.values()]
        used -= {name.partition(":")[0] for name in set.intersection(*map(set, of_any))}
    missing = {module for module in used if not {own_code().file(module), *own_code().file(module).parents} & {*deps}}
    assert not missing, f"dvc.yaml: {stage} runs these, and does not depend on them"


def test_the_helpers_are_modules() -> None:
    assert all(own_code().file(module) for module in HELPERS)


class Copy:
    """A copy of the package, to be edited, with the files that the settings stage makes of it."""

    def __init__(self, folder: Path, before: dict[str, bytes]) -> None:
        self.folder, self.before = folder, before
        shutil.copytree(ROOT / "svqkit", folder / "svqkit", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("params.yaml", "trainings.yaml"):
            shutil.copy(ROOT / name, folder)

    def changed(self, kind: str = "") -> set[str]:
        """The files, of some kind, that differ from those of the package as it is here."""
        environment = os.environ | {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "svqkit.pipeline.stage_settings"]
        subprocess.run(command, cwd=self.folder, env=environment, check=True)
        after = files(self.folder / "build/settings")
        return {name for name in self.before if after.get(name) != self.before[name] and name.startswith(kind)}

    def add_code(self, *names: str, code: str = "CONSTANT = 1") -> None:
        for name in names:
            with (self.folder / "svqkit" / name).open("a", encoding="utf-8") as file:
                file.write(f"\n{code}\n")

    def replace(self, name: str, old: str, new: str) -> None:
        path = self.folder / "svqkit" / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


def files(folder: Path) -> dict[str, bytes]:
    made = folder / "sample"
    return {str(path.relative_to(made)): path.read_bytes() for path in made.rglob("*.json")}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("before")
    stage_settings.write(load_params(ROOT / "params.yaml", "sample"), folder)
    return files(folder)


@pytest.fixture
def copy(tmp_path: Path, before: dict[str, bytes]) -> Copy:
    return Copy(tmp_path, before)


EXPERIMENTS = load_params(ROOT / "params.yaml", "sample").experiments


def trainings(test: Callable[[Experiment], bool]) -> set[str]:
    return {f"training/{name}.json" for name, one in EXPERIMENTS.items() if test(one)}


def test_comments_and_docstrings_change_nothing(copy: Copy) -> None:
    for path in (copy.folder / "svqkit").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"""', '"""Now ', 1) + "\n\n# a comment\n", encoding="utf-8")
    assert copy.changed() == set()


def test_a_new_translator_changes_nothing(copy: Copy) -> None:
    section = (ROOT / "docs/add_your_own.md").read_text(encoding="utf-8").split("## A translator of one block\n")[1]
    blocks = re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    (copy.folder / "svqkit/models/translators/fnet.py").write_text(blocks[0], encoding="utf-8")
    copy.replace("settings/experiment.py", "TRANSLATORS = {\n", f"TRANSLATORS = {{\n{blocks[1]}")
    copy.add_code("quantizers/__init__.py", code="from svqkit.quantizers.mine import Mine")
    (copy.folder / "svqkit/quantizers/mine.py").write_text("class Mine: ...\n", encoding="utf-8")
    assert copy.changed() == set()


def test_code_changes_the_trainings_that_use_it(copy: Copy) -> None:
    copy.add_code("models/translators/swin.py", "quantizers/vq.py")
    used = {"swin", "vq", "multihead_vq", "residual_vq", "grouped_residual_vq", "simvq"}
    kinds = {name: {experiment.model.translator, experiment.quantizer.name} for name, experiment in EXPERIMENTS.items()}
    changed = {name for name in EXPERIMENTS if kinds[name] & used}
    scored = {EXPERIMENTS[name].dataset for name in changed}
    expected = {f"training/{name}.json" for name in changed} | {f"scoring/{name}.json" for name in scored}
    assert copy.changed() == expected | {"costs.json"}
    copy.add_code("training/schedule.py")
    assert copy.changed("training") == trainings(lambda _: True)


def test_code_that_no_training_uses_changes_none(copy: Copy) -> None:
    unused = ("progress.py", "training/journal.py", "training/runs.py", "atomic.py", "plots/maps.py", "paper/costs.py")
    copy.add_code(*unused, "data/plan.py", "evaluation/metrics.py", "data/prepare.py")
    assert copy.changed() == set()
    copy.add_code("quantizers/usage.py")
    assert copy.changed("training") == set()
    assert copy.changed("scoring") == {name for name in copy.before if name.startswith("scoring")}


def test_another_class_of_the_same_module_is_another_model(copy: Copy) -> None:
    copy.replace("settings/experiment.py", "translators.swin:Swin", "translators.swin:Other")
    assert copy.changed("training") == trainings(lambda experiment: experiment.model.translator == "swin")


def test_the_files_name_every_module_on_its_own(before: dict[str, bytes]) -> None:
    """So that `dvc diff` and people see which one changed."""
    tree = json.loads(before["training/kth-svq.json"])
    modules = {"training.loop", "training.schedule", "models.simvp", "data.windows"}
    classes = {"models.translators.incepu:IncepU", "quantizers.svq:SVQ"}
    assert {f"svqkit.{name}" for name in modules | classes} <= tree["code"].keys()
    assert "root" not in tree["data"]
    assert "studies" not in tree
