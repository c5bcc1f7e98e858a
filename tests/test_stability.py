"""Figures F6 and F7: how smoothly trainings go, and how weights are distributed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from resultsfolder import SETTINGS, texts
from scipy.stats import kurtosis

from svqkit.errors import SvqkitError
from svqkit.paper.figures import stability, weights
from svqkit.paper.figures.stability import Panel, rise_words, stability_figure
from svqkit.paper.results import Results
from svqkit.training.runs import Run

BEFORE, AFTER, BASE = "before the translator", "after the translator", "without quantizer"
positive = st.lists(st.floats(0.01, 100), min_size=1, max_size=20)


def steps(*losses: float) -> pd.DataFrame:
    return pd.DataFrame({"step": 25 * np.arange(1, len(losses) + 1), "train_loss": losses}, dtype=float)


@pytest.mark.parametrize(
    ("trainings", "words"),
    [
        ([(4.0, 2.0, 1.0)], "0 %"),
        ([(4.0, 2.0, 3.0, 1.0)], "50 %"),
        ([(4.0, 1.0, 3.0, 3.5)], "250 %"),  # against the lowest before it, not the loss before it
        ([(4.0, 2.0, 3.0), (4.0, 2.0, 2.2)], "50 %"),  # the worst of the seeds
        ([(0.1, -0.3, -0.1, -0.4)], "+0.2"),  # no ratio where a loss may be below zero
        ([(1.0, float("nan"), 0.5)], "diverged"),
        ([(3.0, 2.0), (1.0, float("inf"))], "diverged"),
    ],
)
def test_the_largest_rise_is_told(trainings: Sequence[Sequence[float]], words: str) -> None:
    assert rise_words([steps(*losses) for losses in trainings]) == words


@given(positive, st.floats(0.1, 10))
def test_the_rise_of_a_positive_loss_does_not_depend_on_its_units(losses: list[float], factor: float) -> None:
    exact = max(loss / min(losses[: at + 1]) for at, loss in enumerate(losses)) - 1
    words = rise_words([steps(*(factor * loss for loss in losses))])
    assert float(words.removesuffix(" %")) == pytest.approx(100 * exact, abs=0.51)


@given(positive)
def test_a_loss_that_only_falls_does_not_rise(losses: list[float]) -> None:
    assert rise_words([steps(*sorted(losses, reverse=True))]) == "0 %"


def test_each_seed_has_a_line_and_a_divergence_a_cross() -> None:
    panel = Panel(
        "VQ", {BEFORE: [steps(4, 2, 1), steps(4, 2, 1.1)], AFTER: [steps(4, 2, np.nan, np.nan)], BASE: [steps(4, 2, 1)]}
    )
    figure = stability_figure([panel], "MAE loss", "a title")
    (axes,) = figure.axes
    lines = [line for line in axes.lines if line.get_marker() != "x"]
    (cross,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert len(lines) == 4
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (50, 2)
    assert len({str(line.get_linestyle()) + str(line.get_color()) for line in lines}) == 3
    assert "rise 0 % before, diverged after" in axes.get_title()


@pytest.mark.parametrize(
    ("losses", "scale"), [((4, 1), "log"), ((3, 1), "linear"), ((4, 0.5, -0.1), "linear"), ((5, np.nan), "linear")]
)
def test_an_axis_is_logarithmic_where_a_positive_loss_falls_far(losses: tuple[float, ...], scale: str) -> None:
    figure = stability_figure([Panel("VQ", {BEFORE: [steps(*losses)]})], "MAE loss", "a title")
    assert figure.axes[0].get_yscale() == scale


@dataclass(frozen=True, eq=False)
class MadeResults(Results):
    """Results of weather_t2m with these runs and usages."""

    made: list[Run] = field(default_factory=list)
    usages: dict[str, Any] = field(default_factory=dict)
    datasets = ["weather_t2m"]  # noqa: RUF012 - stands for a property

    def runs(self, dataset: str, study: str | None = None) -> list[Run]:
        return [run for run in self.made if study is None or study in run.experiment.studies]

    def errors_of_persistence(self, dataset: str) -> xr.Dataset:
        return xr.Dataset(attrs={"data": "Simulated for a test", "windows": 7})

    def usage(self, dataset: str) -> dict[str, Any]:
        return self.usages


def run(folder: Path, name: str, seed: int, losses: Sequence[float] = ()) -> Run:
    path = folder / f"{name}-{seed}"
    path.mkdir()
    if losses:
        steps(*losses).to_csv(path / "steps.csv", index=False)
    return Run(path, SETTINGS.experiment(name), seed, ("t2m",), (4, 6))


def test_figure_6_has_a_panel_for_each_quantizer_and_its_base_beside_it(tmp_path: Path) -> None:
    runs = [
        run(tmp_path, "weather_t2m-none", 0, (3, 2, 2.5)),
        run(tmp_path, "weather_t2m-vq", 0, (3, 2, 1)),
        run(tmp_path, "weather_t2m-vq", 1, (3, 2, 2.2)),
        run(tmp_path, "weather_t2m-vq-after_translator", 0, (3, 2, 4)),
        run(tmp_path, "weather_t2m-lfq", 0, (1, 0.5, -0.5)),
        run(tmp_path, "weather_t2m-residual_vq", 0),  # no record of its steps
    ]
    (drawn,) = stability.draw(MadeResults(SETTINGS, made=runs))
    titles = [axes.get_title() for axes in drawn.figure.axes]
    assert titles == ["VQ\nrise 10 % before, 100 % after", "LFQ\nrise +0 before"]
    assert [len(axes.lines) for axes in drawn.figure.axes] == [4, 2]
    assert drawn.name == "f6_weather_t2m"
    assert "(simulated data)" in texts(drawn.figure)
    assert "of the base: 25 %" in drawn.caption
    absent = drawn.caption.partition("Not there: ")[2]
    assert "weather_t2m-residual_vq" in absent
    assert "weather_t2m-vq-after_translator" not in absent


def test_a_base_that_was_trained_with_another_loss_is_not_beside_it(tmp_path: Path) -> None:
    runs = [run(tmp_path, "weather_t2m-none-loss_mse", 0, (3, 2)), run(tmp_path, "weather_t2m-vq", 0, (3, 2))]
    (drawn,) = stability.draw(MadeResults(SETTINGS, made=runs))
    assert len(drawn.figure.axes[0].lines) == 1


def test_without_steps_there_is_no_figure_6(tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match=r"steps\.csv"):
        stability.draw(MadeResults(SETTINGS, made=[run(tmp_path, "weather_t2m-vq", 0)]))
    with pytest.raises(SvqkitError, match="study stability"):
        stability.draw(MadeResults(SETTINGS, made=[run(tmp_path, "weather_t2m-svq-loss_mse", 0, (2, 1))]))


def usage(random: np.random.Generator, spread: float) -> dict[str, Any]:
    """Of normal weights, some of which are ``spread`` times as large."""
    values = random.normal(size=20_000)
    values[:200] *= spread
    values /= values.std()
    counts, edges = np.histogram(values.clip(-8, 8), bins=64, range=(-8, 8))
    size = np.abs(values) / np.abs(values).max()
    return {
        "histogram": (edges, counts),
        "kurtosis": np.array(kurtosis(values, fisher=False)),
        "sparsity": {limit: float((size <= limit).mean()) for limit in (0.01, 0.1, 0.5)},
    }


def test_figure_7_has_a_panel_for_each_loss_and_price_on_one_axis(tmp_path: Path) -> None:
    names = ["weather_t2m-svq", "weather_t2m-svq-loss_mse", "weather_t2m-svq-l1_strong", "weather_t2m-none-loss_mse"]
    runs = [run(tmp_path, name, seed) for name in names for seed in SETTINGS.experiment(name).seeds]
    price = SETTINGS.experiment("weather_t2m-svq-l1_strong").quantizer.l1
    random = np.random.default_rng(0)
    usages = {f"{run.name}": usage(random, 8 if "l1" in run.name else 1) for run in runs if "none" not in run.name}
    (drawn,) = weights.draw(MadeResults(SETTINGS, made=runs, usages=usages))
    assert [axes.get_title() for axes in drawn.figure.axes] == ["MAE loss", "MSE loss", f"MAE loss, L1 = {price:g}"]
    assert [len(axes.patches) for axes in drawn.figure.axes] == [
        len(SETTINGS.experiment(name).seeds) for name in names[:3]
    ]
    assert len({axes.get_xlim() for axes in drawn.figure.axes}) == len({a.get_ylim() for a in drawn.figure.axes}) == 1
    words = [axes.texts[0].get_text() for axes in drawn.figure.axes]
    assert words[0].startswith("kurtosis 3.0 (")
    strong = next(use for name, use in usages.items() if "l1_strong" in name)
    assert words[2].startswith(f"kurtosis {float(strong['kurtosis']):.1f}")
    assert f"{strong['sparsity'][0.1]:.0%} below 10%" in words[2]


@settings(max_examples=5)
@given(st.integers(0, 2**32 - 1))
def test_the_drawn_density_is_one_in_all(seed: int) -> None:
    use = usage(np.random.default_rng(seed), 3)
    figure = weights.weights_figure({"MAE loss": [use]}, "a title")
    (stairs,) = figure.axes[0].patches
    values, edges, _ = stairs.get_data()
    assert (values * np.diff(edges)).sum() == pytest.approx(1)


def test_without_weights_there_is_no_figure_7(tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match="no such run"):
        weights.draw(MadeResults(SETTINGS, made=[run(tmp_path, "weather_t2m-none-loss_mse", 0)]))
    with pytest.raises(SvqkitError, match="no weights"):
        weights.weights_figure({"MAE loss": []}, "a title")
