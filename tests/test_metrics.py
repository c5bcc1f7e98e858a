"""Scores against the formulas written out in numpy, and against what can be worked out by hand."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch
import xarray as xr
import xskillscore
from hypothesis import given
from hypothesis import strategies as st

from svqkit.evaluation.metrics import ROOTS, AnomalyCorrelation, GridErrors, grid_means, latitude_weights

LAT = np.array([80.0, 40.0, 0.0, -40.0, -60.0])
SHAPE = (7, 3, 2, 5, 6)  # windows, leads, channels, latitudes, longitudes
CORNERS = np.array([60.0, -60.0])  # both rows weigh the same


@dataclass(frozen=True)
class Case:
    """Forecasts, truth and climatology of some windows."""

    prediction: np.ndarray
    truth: np.ndarray
    climatology: np.ndarray

    def __post_init__(self) -> None:
        assert self.prediction.shape == self.truth.shape == self.climatology.shape

    def part(self, windows: slice) -> "Case":
        return Case(self.prediction[windows], self.truth[windows], self.climatology[windows])

    def tensors(self) -> list[torch.Tensor]:
        return [torch.from_numpy(part) for part in (self.prediction, self.truth, self.climatology)]


def weights_of(lat: np.ndarray = LAT) -> torch.Tensor:
    return latitude_weights(torch.from_numpy(lat))


def errors_of(*cases: Case) -> GridErrors:
    errors = GridErrors()
    for case in cases:
        errors.add(*case.tensors()[:2])
    return errors


def scores_of(errors: GridErrors, lat: np.ndarray = LAT) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Every metric per lead (L, C) and over leads (C,)."""
    means = grid_means(errors, weights_of(lat))
    scores = {name: mean.sqrt() if name in ROOTS else mean for name, mean in means.items()}
    return {name: (values[1:], values[0]) for name, values in scores.items()}


def correlation_of(*cases: Case, lat: np.ndarray = LAT) -> AnomalyCorrelation:
    correlation = AnomalyCorrelation(weights_of(lat))
    for case in cases:
        correlation.add(*case.tensors())
    return correlation


@pytest.fixture
def case() -> Case:
    """Temperatures in K: large against their anomalies, with a bias that differs by lead and channel."""
    draw = np.random.default_rng(0)
    climatology = draw.normal(280, 10, SHAPE)
    truth = climatology + draw.normal(0, 3, SHAPE) + 1
    bias = np.array([[0.5, -1], [2, 3], [0, 4]])[:, :, None, None]
    return Case(truth + draw.normal(0, 2, SHAPE) + bias, truth, climatology)


def test_latitude_weights_are_the_cosine_with_mean_one() -> None:
    weights = weights_of()
    assert weights.dtype == torch.float64
    np.testing.assert_allclose(weights, np.cos(np.radians(LAT)) / np.cos(np.radians(LAT)).mean(), rtol=1e-12)
    np.testing.assert_allclose(weights_of(np.array([0.0, 60.0])), [4 / 3, 2 / 3], rtol=1e-12)


def test_scores_worked_out_by_hand() -> None:
    """One window, two leads, one channel, rows at 0° and 60° (weights 4/3 and 2/3) of one point each."""
    truth = np.zeros((1, 2, 1, 2, 1))
    prediction = np.array([[3.0, -1.0], [0.0, 2.0]]).reshape(truth.shape)
    scores = scores_of(errors_of(Case(prediction, truth, truth)), np.array([0.0, 60.0]))
    by_hand = {
        "mse": ([5, 2], 3.5),
        "mae": ([2, 1], 1.5),
        "rmse": ([5**0.5, 2**0.5], 3.5**0.5),
        "wrmse": ([(19 / 3) ** 0.5, (4 / 3) ** 0.5], (23 / 6) ** 0.5),
    }
    assert by_hand.keys() == scores.keys()
    for name, (per_lead, over_leads) in by_hand.items():
        np.testing.assert_allclose(scores[name][0][:, 0], per_lead, rtol=1e-12)
        np.testing.assert_allclose(scores[name][1], [over_leads], rtol=1e-12)


def test_errors_are_their_formulas(case: Case) -> None:
    errors = errors_of(case)
    scores = scores_of(errors)
    error = case.prediction - case.truth
    w = (np.cos(np.radians(LAT)) / np.cos(np.radians(LAT)).mean())[:, None]
    all_but_lead, all_but_channel = (0, 3, 4), (0, 1, 3, 4)
    for name, field in {"mse": error**2, "mae": abs(error)}.items():
        np.testing.assert_allclose(scores[name][0], field.mean(all_but_lead), rtol=1e-12)
        np.testing.assert_allclose(scores[name][1], field.mean(all_but_channel), rtol=1e-12)
    for name, field in {"rmse": error**2, "wrmse": w * error**2}.items():
        per_lead, over_leads = np.sqrt(field.mean(all_but_lead)), np.sqrt(field.mean(all_but_channel))
        np.testing.assert_allclose(scores[name][0], per_lead, rtol=1e-12)
        np.testing.assert_allclose(scores[name][1], over_leads, rtol=1e-12)
        assert not np.allclose(over_leads, per_lead.mean(0), rtol=1e-3), "a mean of roots would be another number"
    np.testing.assert_allclose(errors.mean("bias"), error.mean(0), rtol=1e-10)
    assert errors.count == SHAPE[0]


def acc_by_formula(case: Case, axes: tuple[int, ...], lat: np.ndarray = LAT) -> np.ndarray:
    """Σ w f' t' / √(Σ w f'² · Σ w t'²), with anomalies from climatology less their plain mean."""
    w = (np.cos(np.radians(lat)) / np.cos(np.radians(lat)).mean())[:, None]
    f, t = case.prediction - case.climatology, case.truth - case.climatology
    f, t = f - f.mean(axes, keepdims=True), t - t.mean(axes, keepdims=True)
    return (w * f * t).sum(axes) / np.sqrt((w * f * f).sum(axes) * (w * t * t).sum(axes))


def test_the_anomaly_correlation_is_its_formula(case: Case) -> None:
    correlation = correlation_of(case)
    np.testing.assert_allclose(correlation.value(), acc_by_formula(case, (0, 3, 4)), rtol=1e-10)
    np.testing.assert_allclose(correlation.over_leads(), acc_by_formula(case, (0, 1, 3, 4)), rtol=1e-10)


def test_an_anomaly_correlation_worked_out_by_hand() -> None:
    """Four points that weigh the same; forecast anomalies 1, −1, 2, −2, true ones 1, −1, −1, 1."""
    climatology = np.full((1, 1, 1, 2, 2), 280.0)
    f = np.array([1.0, -1.0, 2.0, -2.0]).reshape(climatology.shape)
    t = np.array([1.0, -1.0, -1.0, 1.0]).reshape(climatology.shape)
    case = Case(climatology + f, climatology + t, climatology)
    expected = (1 + 1 - 2 - 2) / np.sqrt(10 * 4)
    np.testing.assert_allclose(correlation_of(case, lat=CORNERS).value(), [[expected]], rtol=1e-12)


def test_scores_by_area_are_those_of_xskillscore(case: Case) -> None:
    """Its correlation takes the weighted mean of the anomalies away, WeatherBench's ACC the plain one: the two are the
    same where every row's anomalies have mean 0."""
    dims, over = ("window", "lead", "channel", "lat", "lon"), ["window", "lat", "lon"]
    area = xr.DataArray(np.cos(np.radians(LAT)), dims="lat")
    anomalies = [part - case.climatology for part in (case.prediction, case.truth)]
    f, t = (xr.DataArray(part - part.mean((0, 4), keepdims=True), dims=dims) for part in anomalies)
    centred = Case(f.values + case.climatology, t.values + case.climatology, case.climatology)
    weights = area.broadcast_like(f.isel(lead=0, channel=0))
    wrmse, _ = scores_of(errors_of(centred))["wrmse"]
    np.testing.assert_allclose(wrmse, xskillscore.rmse(f, t, over, weights), rtol=1e-12)
    acc = correlation_of(centred).value()
    np.testing.assert_allclose(acc, xskillscore.pearson_r(f, t, over, weights), rtol=1e-10)


@given(st.lists(st.integers(0, SHAPE[0]), max_size=4).map(sorted))
def test_added_in_pieces_the_scores_are_the_same(cuts: list[int]) -> None:
    draw = np.random.default_rng(1)
    whole = Case(*(draw.normal(280, 5, (SHAPE[0], 2, 1, 5, 2)) for _ in range(3)))
    edges = [0, *cuts, SHAPE[0]]
    pieces = [whole.part(slice(a, b)) for a, b in pairwise(edges)]
    expected = scores_of(errors_of(whole))
    for name, (per_lead, _) in scores_of(errors_of(*pieces)).items():
        np.testing.assert_allclose(per_lead, expected[name][0], rtol=1e-12)
    np.testing.assert_allclose(correlation_of(*pieces).value(), correlation_of(whole).value(), rtol=1e-10)
    np.testing.assert_allclose(correlation_of(*pieces).over_leads(), correlation_of(whole).over_leads(), rtol=1e-10)


@pytest.mark.parametrize("bias", [2.0, -0.5, 0.0])
def test_a_constant_bias_is_every_error_and_does_not_touch_the_correlation(bias: float, case: Case) -> None:
    shifted = Case(case.truth + bias, case.truth, case.climatology)
    errors = errors_of(shifted)
    scores = scores_of(errors)
    expected = {"mse": bias**2, "mae": abs(bias), "rmse": abs(bias), "wrmse": abs(bias)}
    for name, value in expected.items():
        np.testing.assert_allclose(scores[name][0], value, rtol=1e-10)
        np.testing.assert_allclose(scores[name][1], value, rtol=1e-10)
    np.testing.assert_allclose(errors.mean("bias"), bias, rtol=1e-10)
    np.testing.assert_allclose(correlation_of(shifted).value(), 1, rtol=1e-12)
    np.testing.assert_allclose(correlation_of(shifted).over_leads(), 1, rtol=1e-12)


@pytest.mark.parametrize("precision", [np.float64, np.float32])
@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_a_forecast_without_anomaly_has_no_correlation(precision: type, shift: float, case: Case) -> None:
    climatology = case.climatology.astype(precision)
    bland = Case(climatology.astype(np.float64) + shift, case.truth, climatology.astype(np.float64))
    assert correlation_of(bland).value().isnan().all()
    assert correlation_of(bland).over_leads().isnan().all()
    turned = Case(bland.truth, bland.prediction, bland.climatology)
    assert correlation_of(turned).value().isnan().all(), "nor has a truth without one"


def test_single_precision_input_is_summed_in_double() -> None:
    draw = np.random.default_rng(2)
    prediction, truth, climatology = (draw.normal(280, 1, (9, 2, 1, 5, 8)).astype(np.float32) for _ in range(3))
    single = Case(prediction, truth, climatology)
    double = Case(*(part.astype(np.float64) for part in (prediction, truth, climatology)))
    expected = scores_of(errors_of(double))
    for name, (per_lead, _) in scores_of(errors_of(single)).items():
        np.testing.assert_allclose(per_lead, expected[name][0], rtol=1e-12)
    np.testing.assert_allclose(correlation_of(single).value(), correlation_of(double).value(), rtol=1e-12)
