"""What the explorers measure on single runs, against hand-derived values and numpy; and that their notebooks fit."""

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from rawfiles import RawFiles
from torch import Tensor
from untrained import a_run

from svqkit import data as datasets
from svqkit import evaluation, models, plots
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation.explore import AT_EACH_PLACE, sum_of_few
from svqkit.settings import quantizers as kinds
from svqkit.settings.params import Data
from svqkit.training.runs import Run

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SVQ = kinds.SVQSettings(codebook_size=16, hidden_dim=8)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    files = RawFiles(tmp_path_factory.mktemp("raw"))
    files.write("t2m")
    files.write("u10")
    return files.data(variables=("t2m", "u10"))


@pytest.fixture(scope="module")
def store(data: Data, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return prepare(data, tmp_path_factory.mktemp("stores") / "x.zarr")


@pytest.fixture(scope="module")
def make_run(data: Data, store: Store, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Makes a run that was never trained: its weights are those that its seed gives."""
    folder = tmp_path_factory.mktemp("runs")

    def make(quantizer: kinds.Quantizer, name: str = "", seed: int = 0, root: Path = folder, data: Data = data) -> Run:
        return a_run(root / "sample/tiny", data, store, quantizer, seed, name=name)

    return make


class Weighted:
    """A quantizer with given weights (P, K) at P places in a column, and codes (K, D)."""

    def __init__(self, weights: Tensor, codes: Tensor) -> None:
        self.weights, self._codes = weights, codes

    def codes(self) -> Tensor:
        return self._codes

    def weights_of(self, x: Tensor, codes: Tensor) -> Tensor:
        return self.weights[:, codes].T[None, :, :, None]


def kept(weights: Tensor, codes: Tensor, count: int, few: Tensor | None = None) -> Tensor:
    """What is left at each place, (P, D)."""
    latents = torch.zeros(1, codes.shape[1], len(weights), 1)
    return sum_of_few(Weighted(weights, codes), latents, count, few)[0, :, :, 0].T  # type: ignore[arg-type]


def test_the_largest_weights_in_size_stay_by_hand() -> None:
    weights = torch.tensor([[3.0, -5.0, 1.0], [0.5, 0.0, 2.0]])
    codes = torch.tensor([[1.0, 0.0], [0.0, 1.0], [10.0, 10.0]])
    assert kept(weights, codes, 1).tolist() == [[0, -5], [20, 20]]
    assert kept(weights, codes, 2).tolist() == [[3, -5], [20.5, 20]]
    assert kept(weights, codes, 2, torch.tensor([2, 0])).tolist() == [[13, 10], [20.5, 20]]
    assert kept(weights, codes, 0).tolist() == [[0, 0], [0, 0]]


@given(st.integers(1, 6), st.integers(1, 8), st.data())
def test_as_many_terms_stay_as_were_asked_for(places: int, size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, size))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    weights, codes = random.normal(size=(places, size)), random.normal(size=(size, 3))
    expected = [sum(row[k] * codes[k] for k in np.argsort(-abs(row))[:count]) + np.zeros(3) for row in weights]
    found = kept(*(torch.from_numpy(part).float() for part in (weights, codes)), count)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    "quantizer",
    [
        SVQ,
        kinds.SVQSettings(codebook_size=16, hidden_dim=8, output_relu=True),
        kinds.SoftmaxSettings(codebook_size=16, hidden_dim=8),
        kinds.VQSettings(codebook_size=8),
        kinds.ResidualVQSettings(codebook_size=8, num_quantizers=2),
        kinds.LFQSettings(codebook_size=16),
    ],
    ids=lambda settings: settings.name,
)
def test_all_codes_forecast_the_same(quantizer: kinds.Quantizer, make_run: Callable[..., Run], store: Store) -> None:
    run = make_run(quantizer, f"all-{quantizer.name}-{getattr(quantizer, 'output_relu', '')}")
    usage = evaluation.codebook_usage(run, store)
    table = evaluation.error_by_codes_kept(run, store, usage, windows=2)
    size = len(usage.share)
    assert table["codes"].max() == size
    assert table.loc[table["codes"] == size, "error"].to_numpy() == pytest.approx(1, abs=1e-4)
    nothing = table.loc[table["codes"] == 0, "error"].to_numpy()
    assert nothing[0] == nothing[1] != pytest.approx(1, abs=1e-6), "no code is no code, in both ways"
    if usage.kurtosis is None:  # a hard quantizer gives no place more codes than it has stages
        hard = table.query(f"kept == '{AT_EACH_PLACE}' and codes >= 2")["error"]
        assert hard.to_numpy() == pytest.approx(1, abs=1e-4)


def test_a_quantizer_whose_output_is_no_sum_of_codes_is_refused(make_run: Callable[..., Run], store: Store) -> None:
    run = make_run(kinds.MultiheadVQSettings(codebook_size=8, heads=2, codebook_dim=4))
    with pytest.raises(SvqkitError, match="no sum of its codes"):
        evaluation.error_by_codes_kept(run, store, evaluation.codebook_usage(run, store))


def test_what_cannot_be_compared_is_refused(make_run: Callable[..., Run], data: Data, tmp_path: Path) -> None:
    svq = make_run(SVQ, root=tmp_path)
    elsewhere = make_run(kinds.NoQuantizer(), root=tmp_path, data=replace(data, frames_out=1))
    with pytest.raises(SvqkitError, match=r"two runs or more, got .*tiny-svq"):
        evaluation.open_comparable([svq.path])
    with pytest.raises(SvqkitError, match="Only runs on the same data"):
        evaluation.open_comparable([svq.path, elsewhere.path])
    with pytest.raises(SvqkitError, match="are called tiny-svq-seed0"):
        evaluation.open_comparable([svq.path, svq.path])
    with pytest.raises(SvqkitError, match="No finished run at"):
        evaluation.open_comparable([svq.path, tmp_path / "nowhere"])


@pytest.mark.parametrize("name", [path.stem for path in sorted(NOTEBOOKS.glob("*.ipynb"))])
def test_a_notebook_asks_only_for_what_there_is(name: str) -> None:
    code = "\n".join(
        cell.source for cell in nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4).cells if cell.cell_type == "code"
    )
    packages = {"plots": plots, "evaluation": evaluation, "models": models, "data": datasets}
    asked = {
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in packages
    }
    assert [f"{package}.{part}" for package, part in sorted(asked) if not hasattr(packages[package], part)] == []


def test_a_diagnosis_tells_what_the_evaluation_tells(
    make_run: Callable[..., Run], store: Store, tmp_path: Path
) -> None:
    run = make_run(SVQ)
    scores = evaluation.evaluate([run], store, tmp_path / "scores")
    fields, cases = evaluation.read_errors(tmp_path / "scores"), evaluation.read_forecasts(tmp_path / "scores")
    for what, name in ((run, run.experiment.name), ("persistence", "persistence"), ("climatology", "climatology")):
        found = evaluation.diagnose(what, store, "u10")
        ours = scores[(scores["experiment"] == name) & (scores["protocol"] == "clean")].reset_index(drop=True)
        pd.testing.assert_frame_equal(found.scores, ours)
        if name in fields:
            xr.testing.assert_allclose(found.fields, fields[name])
            xr.testing.assert_allclose(evaluation.forecast_window(what, store), cases[name])
        assert found.errors is not None
        by_place = np.sqrt((found.errors**2).mean("window"))
        np.testing.assert_allclose(by_place, found.fields["rmse"].sel(channel="u10"), rtol=1e-4)


def test_errors_are_those_of_the_raw_frames_in_order(store: Store) -> None:
    errors = evaluation.diagnose("persistence", store, 0).errors
    assert errors is not None
    frames, starts = store.frames[:].astype(float), store.starts("test")
    expected = np.stack([frames[start + 2, 0] - frames[start + 3 : start + 5, 0] for start in starts])
    np.testing.assert_allclose(errors, expected, rtol=1e-4, atol=1e-4)
    assert (errors["time"].to_numpy().astype("datetime64[h]") == store.times[starts[:, None] + [3, 4]]).all()
    area = np.cos(np.deg2rad(store.lat))[:, None] * np.ones(len(store.lon))
    by_window = [np.average(one.mean(0), weights=area) ** 0.5 for one in expected**2]
    np.testing.assert_allclose(evaluation.window_rmse(errors), by_window, rtol=1e-4)


def test_the_truth_of_errors_is_that_of_their_windows_and_leads(make_run: Callable[..., Run], store: Store) -> None:
    run = make_run(SVQ)
    errors = evaluation.diagnose(run, store, "u10").errors
    assert errors is not None
    some = errors.isel(window=[40, 5, 6], lead=[1])
    truth = evaluation.truth_of(some, store)
    for window in (5, 6, 40):
        case = evaluation.forecast_window(run, store, window).sel(channel="u10", lead=[2])
        np.testing.assert_array_equal(truth.sel(window=window), case["truth"])
        np.testing.assert_allclose((truth + some).sel(window=window), case["prediction"], rtol=1e-5)


def test_errors_of_all_waves_are_the_wrmse_of_each_lead(store: Store) -> None:
    found = evaluation.diagnose("persistence", store, "u10")
    assert found.errors is not None
    power = evaluation.zonal_spectrum(found.errors).mean("window").sum("wavenumber")
    wrmse = found.scores.query("channel == 'u10' and metric == 'wrmse' and lead > 0")["value"]
    np.testing.assert_allclose(np.sqrt(power), wrmse, rtol=1e-5)


@pytest.mark.parametrize("window", [0, 7])
def test_any_window_can_be_looked_at(store: Store, window: int) -> None:
    case = evaluation.forecast_window("persistence", store, window)
    start = store.starts("test")[window]
    np.testing.assert_array_equal(case["truth"], store.frames[start + 3 : start + 5])


@pytest.mark.parametrize(
    ("what", "channel", "words"),
    [("persistence", "z", "no channel 'z'"), ("persistence", 9, "no channel 9"), ("persistance", 0, "did you mean")],
)
def test_what_cannot_be_diagnosed_is_said(what: str, channel: int | str, words: str, store: Store) -> None:
    with pytest.raises(SvqkitError, match=words):
        evaluation.diagnose(what, store, channel)


def test_worst_windows_do_not_overlap() -> None:
    rmse = pd.Series([1.0, 9.0, 10.0, 8.0, 1.0, 6.0])
    found = evaluation.worst_windows(rmse, np.arange(6), 3, 2)
    assert found.to_dict() == {2: 10.0, 5: 6.0}


def test_runs_are_compared_in_their_own_windows_and_seeds_by_names(make_run: Callable[..., Run], store: Store) -> None:
    runs = [make_run(kinds.NoQuantizer()), make_run(SVQ), make_run(SVQ, seed=1)]
    found = [evaluation.diagnose(run, store) for run in runs]
    (test,) = evaluation.compare_diagnoses(found, store, "tiny-none")
    whole = "channel == 'mean' and metric == 'mse' and lead == 0"
    means = [one.scores.query(whole)["value"].item() for one in found]
    assert test.relative == pytest.approx(means[1] / means[0] - 1, rel=1e-4)  # the second seed has no partner
    assert (test.seeds, test.windows) == (1, len(store.starts("test")))
    by_seed = [evaluation.diagnose(run, store, name=run.name) for run in runs[1:]]
    (test,) = evaluation.compare_diagnoses(by_seed, store, "tiny-svq-seed0", "mae")
    assert test.experiment == "tiny-svq-seed1"
