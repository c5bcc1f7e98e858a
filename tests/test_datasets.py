"""Every dataset of the paper on its bundled sample: it has the published shape, and nothing leaks into training."""

import re
from itertools import combinations

import pytest
from projectcopy import ROOT

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
