"""Every dataset of the paper on its bundled sample: nothing leaks into training, and `train` runs on its own."""

import re
import shutil
from collections.abc import Callable, Iterator
from itertools import combinations

import pytest
from nbformat import NotebookNode
from projectcopy import ROOT, Project, outputs_of

from svqkit.data import sources
from svqkit.data.plan import Plan
from svqkit.settings.data import SPLITS
from svqkit.settings.params import Params, Split, load_params

SHAPES = {
    "weather_t2m": (12, 12, 1, 32, 64),
    "weather_r": (12, 12, 1, 32, 64),
    "weather_uv10": (12, 12, 2, 32, 64),
    "weather_tcc": (12, 12, 1, 32, 64),
    "weather_mv": (4, 4, 12, 32, 64),
    "weather_hmv": (4, 4, 110, 32, 64),
    "kth": (10, 20, 1, 128, 128),
    "kitticaltech": (10, 1, 3, 128, 160),
    "human": (4, 4, 3, 256, 256),
    "taxibj": (4, 4, 2, 32, 32),
}
NAMES = tuple(SHAPES)
PUBLISHED = {"weather_t2m": (["2010", "2015"], ["2017", "2018"]), "weather_mv": (["1979", "2015"], ["2017", "2018"])}


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(ROOT)
    return load_params("params.yaml", "sample")


@pytest.mark.parametrize("name", NAMES)
def test_the_paper_profile_has_the_published_shape(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    published = load_params("params.yaml", "paper").dataset(name)
    *_, height, width = SHAPES[name]
    assert (published.frames_in, published.frames_out) == SHAPES[name][:2]
    assert getattr(published, "size", (height, width)) == (height, width)
    if name in PUBLISHED:
        assert ([*published.train], [*published.test]) == PUBLISHED[name]


def used(plan: Plan, split: Split) -> set[int]:
    """Every frame that a window of a split takes in or gives out, under clean."""
    windowing = plan.windows["clean"]
    return {
        int(start) + offset for start in windowing.starts[split] for offset in (*windowing.inputs, *windowing.targets)
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_frame_clip_or_person_of_the_test_is_seen_before(name: str, params: Params) -> None:
    plan = sources.plan(params.dataset(name))
    frames = {split: used(plan, split) for split in SPLITS}
    for one, other in combinations(SPLITS, 2):
        assert not frames[one] & frames[other], "a frame is in two splits"
    clips = {
        split: {clip for clip, start, stop in plan.clip_names if frames[split] & set(range(start, stop))}
        for split in SPLITS
    }
    assert not clips["test"] & (clips["train"] | clips["validation"]), "a clip is in two splits"
    people = {split: {person(clip) for clip in clips[split]} - {None} for split in SPLITS}
    assert bool(people["test"]) == (name in ("kth", "human"))
    assert not people["test"] & (people["train"] | people["validation"]), "a person is in two splits"
    if "time" in plan.axes:
        times = {split: plan.axes["time"][sorted(frames[split])] for split in SPLITS}
        assert times["train"].max() < times["validation"].min()
        assert times["validation"].max() < times["test"].min()


def person(clip: str) -> str | None:
    """``person01`` of KTH, ``S1`` of Human3.6M."""
    found = re.search(r"person\d\d|\bS\d+(?=_)", clip)
    return found.group() if found else None


@pytest.fixture(scope="module")
def execute(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., NotebookNode]]:
    """Executes notebooks of a fresh copy of the project, without data: the notebook fetches them."""
    project = Project(tmp_path_factory.mktemp("project"))
    with project.kernel() as execute:
        yield execute
    shutil.rmtree(project.folder)


# The others of weather are read and drawn as the two that are left.
LIKE_ANOTHER = ("weather_r", "weather_uv10", "weather_tcc", "weather_hmv")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LIKE_ANOTHER)) for name in NAMES]
)
def test_train_on_its_own_ends_with_scores_and_pictures(name: str, execute: Callable[..., NotebookNode]) -> None:
    short = {"training": {"epochs": 1, "steps_per_epoch": 2}}
    texts, pictures = outputs_of(execute("train", dataset=name, overrides=short))
    assert "mse_mean" in texts
    assert "Persistence" in texts
    assert "SVQ" in texts
    assert pictures >= 3, "the curves, a forecast beside the truth, where the error is"
