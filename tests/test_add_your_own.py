"""The examples of docs/add_your_own.md, put into a copy of the project as these say, train."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import pytest
from nbformat import NotebookNode
from projectcopy import ROOT, Project, outputs_of
from ruamel.yaml import YAML

DOCUMENT = ROOT / "docs/add_your_own.md"
# A few steps and two days of scores are enough to see that everything fits.
SHORT = {
    "training": {"epochs": 1, "steps_per_epoch": 3, "batch_size": 2},
    "data": {"test": "2015-01-01/2015-01-02"},
}


class Section:
    """A section of a document: the files that it names, and its blocks of code."""

    def __init__(self, title: str) -> None:
        self.text = DOCUMENT.read_text(encoding="utf-8").split(f"# {title}\n")[1].split("\n## ")[0]

    @cached_property
    def blocks(self) -> dict[str, list[str]]:
        """By language, in order."""
        found: dict[str, list[str]] = {}
        for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", self.text, flags=re.MULTILINE | re.DOTALL):
            found.setdefault(language, []).append(code)
        return found

    @cached_property
    def file(self) -> str:
        """Where its first block of Python goes: the path at the end of the line above."""
        return re.search(r"`([\w/]+\.py)`:\n\n```python\n", self.text).group(1)

    def parameters(self) -> dict[str, object]:
        """Those of its command, which executes train.ipynb, made short: what it overrides already stays."""
        (line,) = self.blocks["sh"]
        words = shlex.split(line)
        assert words[:3] == ["papermill", "notebooks/train.ipynb", "out.ipynb"]
        given: dict[str, object] = {"overrides": {}}
        for place, word in enumerate(words):
            if word == "-p":
                given[words[place + 1]] = words[place + 2]
            elif word == "-y":
                given |= YAML(typ="safe").load(words[place + 1])
        return given | {"overrides": given["overrides"] | SHORT}


TRANSLATOR, QUANTIZER = Section("A translator"), Section("A quantizer")
SHORT_TRANSLATOR = Section("A translator of one block")


def put_after(path: Path, line: str, addition: str) -> None:
    """Put lines after a line of a file, which must be there once."""
    text = path.read_text(encoding="utf-8")
    assert text.count(f"\n{line}\n") == 1, line
    path.write_text(text.replace(f"\n{line}\n", f"\n{line}\n{addition}"), encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, warm: str) -> Project:
    """A copy of the project with the document's translator and quantizer in it."""
    project = Project(tmp_path_factory.mktemp("project"), warm)
    folder = project.folder
    if (ROOT / "data").exists():  # else the copy fetches it
        (folder / "data").symlink_to(ROOT / "data")

    for section in (TRANSLATOR, SHORT_TRANSLATOR):
        layer, line = section.blocks["python"]
        (folder / section.file).write_text(layer, encoding="utf-8")
        put_after(folder / "svqkit/settings/experiment.py", "TRANSLATORS = {", line)

    layer, settings = QUANTIZER.blocks["python"]
    (folder / QUANTIZER.file).write_text(layer, encoding="utf-8")
    place = folder / "svqkit/settings/quantizers.py"
    text = place.read_text(encoding="utf-8")
    place.write_text(text.replace("\nQUANTIZERS =", f"\n{settings}\n\nQUANTIZERS ="), encoding="utf-8")
    put_after(folder / "params.yaml", "experiments:", *QUANTIZER.blocks["yaml"])
    return project


@pytest.fixture(scope="module")
def execute(project: Project) -> Iterator[Callable[..., NotebookNode]]:
    """Executes notebooks of the project in one kernel."""
    with project.kernel() as execute:
        yield execute


@pytest.mark.parametrize(
    ("section", "experiment", "part"),
    [
        pytest.param(
            TRANSLATOR, "weather_t2m-separable-svq", {"model": {"translator": "separable"}}, marks=pytest.mark.slow
        ),
        pytest.param(
            SHORT_TRANSLATOR, "weather_t2m-fnet-svq", {"model": {"translator": "fnet"}}, marks=pytest.mark.slow
        ),
        (QUANTIZER, "weather_t2m-topk", {"quantizer": {"name": "topk", "codebook_size": 256, "k": 8}}),
    ],
    ids=["translator", "translator of one block", "quantizer"],
)
def test_it_trains_as_the_document_says(
    execute: Callable[..., NotebookNode], project: Project, section: Section, experiment: str, part: dict
) -> None:
    texts, pictures = outputs_of(execute("train", **section.parameters()))
    assert "MSE" in texts, "the table of scores"
    assert pictures >= 3, "curves, a forecast, the error's map"
    run = project.folder / "scratch/runs/sample/weather_t2m" / experiment / "seed0"
    trained = json.loads((run / "config.json").read_text(encoding="utf-8"))["experiment"]
    assert trained["training"]["steps_per_epoch"] == 3
    for name, settings in part.items():
        assert settings.items() <= trained[name].items()


_CHECK = """
import torch
from svqkit import models
from svqkit.errors import SvqkitError
from svqkit.quantizers.topk import TopK
from svqkit.settings.params import load_params, override
settings = load_params()
svq, topk = (settings.experiment(f"weather_t2m-{name}") for name in ("svq", "topk"))
separable, fnet = (override(svq, {"model": {"translator": name}}) for name in ("separable", "fnet"))
for experiment, part in ((separable, "translator"), (fnet, "translator"), (topk, "quantizer")):
    model = models.build(experiment, (1, 6, 10))
    x = torch.randn(3, experiment.data.frames_in, 1, 6, 10)
    frames = model(x).frames
    assert frames.shape == x.shape
    frames.square().mean().backward()
    layer = getattr(model, part)
    print(type(layer).__name__, [name for name, values in layer.named_parameters() if not values.grad.any()])
# At least 47 of the 50 codes of a position have the weight 0.
usage = TopK(6, 50, k=3).usage(torch.randn(2, 6, 4, 5))
print(1 < usage.codes_per_position <= 3, 0.94 <= round(usage.near_zero[0.01], 2) < 0.98)
try:
    override(topk, {"quantizer": {"kk": 3}})
except SvqkitError as error:
    print(error)
"""


def test_every_parameter_of_it_learns_its_codebook_is_seen_its_settings_are_checked(project: Project) -> None:
    (project.folder / "check.py").write_text(_CHECK, encoding="utf-8")
    lines = project.run("check").splitlines()
    assert lines[:4] == ["Separable []", "FNet []", "TopK []", "True True"]
    assert "quantizer.kk: unknown key 'kk' (did you mean 'k'?)" in " ".join(lines[4:])
