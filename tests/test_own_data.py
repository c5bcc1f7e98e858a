"""docs/own_data.md: every example of it runs, and what comes out has the size and the scores that it should have."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import chdir
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from svqkit import data, evaluation
from svqkit.data.sources import plan
from svqkit.settings.data import SPLITS, ArrayData
from svqkit.settings.params import Experiment, load_params, override
from svqkit.training import loop
from svqkit.training.paths import run_path, scores_path, store_path
from svqkit.training.runs import Run, open_run

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs/own_data.md"
# A few steps are enough to see that everything fits.
SHORT = {"training": {"epochs": 1, "steps_per_epoch": 3}}
# (C, H, W) of each dataset of the document.
FRAMES = {
    "region": (4, 21, 35),
    "ocean": (1, 16, 30),
    "storms": (5, 37, 51),
    "cells": (1, 40, 33),
    "radar": (1, 31, 45),
    "films": (1, 40, 56),
    "films_half": (3, 20, 28),
    "scans": (1, 33, 47),
}


@dataclass(frozen=True)
class Example:
    """A section of the document: code that makes files, a params file, commands, code that reads what came out."""

    title: str
    make: tuple[str, ...]
    params: str
    commands: tuple[str, ...]
    show: tuple[str, ...]


def examples() -> list[Example]:
    """The sections of the document that have blocks of code, in order."""
    found = []
    for section in re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
        kinds = [kind for kind, _ in blocks]
        place = kinds.index("yaml")
        assert kinds.count("yaml") == 1
        python = [[code for kind, code in part if kind == "python"] for part in (blocks[:place], blocks[place:])]
        commands = [line for kind, code in blocks if kind == "sh" for line in code.splitlines()]
        title = re.sub(r"\W+", "_", section.splitlines()[0])
        found.append(Example(title, tuple(python[0]), blocks[place][1], tuple(commands), tuple(python[1])))
    return found


EXAMPLES = examples()


@dataclass(frozen=True)
class Project:
    """A folder in which an example's files were made."""

    folder: Path
    example: Example
    names: dict

    @classmethod
    def of(cls, example: Example, folder: Path) -> "Project":
        names: dict = {}
        with chdir(folder):
            for code in example.make:
                exec(code, names)
            Path("my_params.yaml").write_text(example.params, encoding="utf-8")
        return cls(folder, example, names)

    @cached_property
    def experiments(self) -> list[Experiment]:
        described = load_params(self.folder / "my_params.yaml").experiments.values()
        return [override(experiment, SHORT) for experiment in described]

    def train(self) -> None:
        """What notebooks/train.ipynb does, for every experiment."""
        for chosen in self.experiments:
            with chdir(self.folder):
                store = data.open_or_prepare(chosen.data, store_path(chosen.profile, chosen.dataset))
                trained = loop.train_all(chosen, store, "scratch/runs", "scratch/states")
                folder = scores_path(chosen.profile, chosen.dataset, "scratch/scores")
                evaluation.evaluate([open_run(path) for path in trained], store, folder)

    def scores(self, experiment: Experiment) -> Path:
        return scores_path(experiment.profile, experiment.dataset, self.folder / "scratch/scores")

    def store(self, experiment: Experiment) -> data.Store:
        return data.Store.open(store_path(experiment.profile, experiment.dataset, self.folder / "stores"))

    def run(self, experiment: Experiment) -> Run:
        return open_run(run_path(experiment, 0, self.folder / "scratch/runs"))


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda example: example.title)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """An example that was carried out from its files to its scores."""
    project = Project.of(request.param, tmp_path_factory.mktemp("example"))
    project.train()
    return project


def test_what_is_printed_is_what_the_document_says(project: Project, capsys: pytest.CaptureFixture) -> None:
    assert project.example.show
    for code in project.example.show:
        with chdir(project.folder):
            exec(code, project.names)
        told = [line.partition("# ")[2] for line in code.splitlines() if "print(" in line or line.startswith("# ")]
        assert capsys.readouterr().out.splitlines() == [line for line in told if line]


def test_forecasts_have_the_frames_and_the_size_that_are_asked_for(project: Project) -> None:
    for experiment in project.experiments:
        settings, frame = experiment.data, FRAMES[experiment.dataset]
        for name in (f"{experiment.name}-seed0", "persistence"):
            forecast = evaluation.read_forecasts(project.scores(experiment))[name]
            assert forecast["prediction"].shape == forecast["truth"].shape == (settings.frames_out, *frame)
            assert forecast["observed"].shape == (settings.frames_in, *frame)
            assert all(np.isfinite(forecast[name]).all() for name in forecast)
            errors = evaluation.read_errors(project.scores(experiment))[name]
            assert errors["rmse"].shape == (frame[0], settings.frames_out, *frame[1:])
        step = getattr(settings, "hours_per_frame", 1)
        assert errors["lead"].values.tolist() == [step * lead for lead in range(1, settings.frames_out + 1)]


def forecast_by_hand(model: torch.nn.Module, frames: torch.Tensor, count: int) -> torch.Tensor:
    """``count`` frames after ``frames`` (B, T, C, H, W): padded here with their edges, so that the model does not."""
    height, width = frames.shape[-2:]
    edges = [(0, 0)] * 3 + [(0, -size % model.multiple) for size in (height, width)]
    passes: list[torch.Tensor] = []
    while sum(part.shape[1] for part in passes) < count:
        padded = torch.from_numpy(np.pad(frames.numpy(), edges, mode="edge"))
        frames = model(padded).frames[..., :height, :width]
        passes.append(frames)
    return torch.cat(passes, dim=1)[:, :count]


def squared_errors(store: data.Store, model: torch.nn.Module) -> np.ndarray:
    """Of every window of the test, in the units of the store, (window, lead, C, H, W)."""
    values = store.frames[:].astype(np.float32) * np.float32(store.scale)
    mean, std = np.float32(0), np.float32(1)
    if store.kind != "image":
        trained_on = np.concatenate([values[first:stop] for first, stop in store.clips("train")]).astype(np.float64)
        mean, std = (
            moment((0, 2, 3))[:, None, None].astype(np.float32) for moment in (trained_on.mean, trained_on.std)
        )
    starts, (inputs, targets) = store.starts("test"), store.offsets()
    seen = torch.from_numpy((values[starts[:, None] + inputs] - mean) / std)
    forecast = forecast_by_hand(model, seen, len(targets)).numpy() * std + mean
    return (forecast.astype(np.float64) - values[starts[:, None] + targets]) ** 2


@torch.inference_mode()
def test_scores_are_over_the_true_height_and_width(project: Project) -> None:
    for experiment in project.experiments:
        store = project.store(experiment)
        squares = squared_errors(store, project.run(experiment).model())
        assert squares.shape[1:] == (experiment.data.frames_out, *FRAMES[experiment.dataset])
        # Of images the sum over a frame; else the mean over height and width, and then over the channels.
        over_frame = squares.sum((2, 3, 4)) if store.kind == "image" else squares.mean((3, 4)).mean(2)
        per_lead = over_frame.mean(0)
        scores = evaluation.mean_over_channels(evaluation.read_scores(project.scores(experiment)))
        rows = scores.query(f"experiment == '{experiment.name}' and protocol == 'clean' and metric == 'mse'")
        np.testing.assert_allclose(rows["value"], [per_lead.mean(), *per_lead], rtol=1e-4)


@pytest.mark.slow
def test_the_first_example_of_arrays_runs_through_papermill(tmp_path: Path) -> None:
    project = Project.of(EXAMPLES[1], tmp_path)
    (tmp_path / "dvc.yaml").touch()  # what tells notebooks that this is the project
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (command,) = project.example.commands
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command), "-y", json.dumps({"overrides": SHORT})],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    cells = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
    shown = [output.get("data", {}) for cell in cells for output in cell.get("outputs", [])]
    assert sum("image/png" in data for data in shown) >= 3, "curves, a forecast, the error's map"
    assert any("MSE" in str(data) for data in shown if "image/png" not in data)
    experiment = project.experiments[0]
    forecast = evaluation.read_forecasts(project.scores(experiment))[f"{experiment.name}-seed0"]
    assert forecast["prediction"].shape == (6, 5, 37, 51)


def test_the_document_and_these_tests_know_the_same_datasets() -> None:
    named = {name for example in EXAMPLES for name in re.findall(r"^  (\w+): \{source", example.params, re.MULTILINE)}
    assert named == set(FRAMES)
    for example in EXAMPLES:
        for command in example.commands:
            words = shlex.split(command)
            assert words[:2] == ["papermill", "notebooks/train.ipynb"]
            assert f"  {words[words.index('dataset') + 1]}:" in example.params


def test_six_videos_of_53_frames_are_four_one_and_one(tmp_path: Path) -> None:
    np.save(tmp_path / "videos.npy", np.zeros((6, 53, 3, 100, 100), np.uint8))
    made = plan(ArrayData(root=str(tmp_path / "videos.npy")))
    assert made.frame_shape == (3, 100, 100)
    clips = made.windows["clean"].clips
    assert [len(clips[split]) for split in SPLITS] == [4, 1, 1]
    assert [len(made.windows["clean"].starts[split]) for split in SPLITS] == [4 * 34, 34, 34]
