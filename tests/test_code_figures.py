"""Figures of single codes and of a dataset, what codes decode to, and the units that go with scores."""

from dataclasses import replace
from math import pi
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
import untrained
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from rawfiles import LAT as RAW_LAT
from rawfiles import LON as RAW_LON
from rawfiles import RawFiles

from svqkit import evaluation, plots
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation.codebook import decode_codes, sample_frames, strongest_cells
from svqkit.paper.figures import codebook
from svqkit.paper.results import Results
from svqkit.plots.codebook import code_effects, random_similarity, rank_frequency, similarities
from svqkit.settings.params import Data, Params
from svqkit.settings.quantizers import MultiheadVQSettings, NoQuantizer, Quantizer, SVQSettings, VQSettings
from svqkit.training.paths import scores_path, store_path
from svqkit.training.runs import Run

LAT, LON = np.linspace(-80, 80, 9), np.arange(0, 360, 360 / 13)


def test_similarity_is_drawn_from_minus_one_to_one() -> None:
    figure = plots.similarity_figure(np.eye(5), [7, 3, 1, 0, 2])
    (image,) = figure.axes[0].images
    assert (image.norm.vmin, image.norm.vmax) == (-1, 1)
    assert "number 7" in figure.axes[0].get_xlabel()


def test_every_code_has_a_map_and_all_share_one_scale_around_zero() -> None:
    values = np.random.default_rng(0).normal(size=(3, 9, 13))
    activity = xr.DataArray(values, dims=("code", "lat", "lon"), coords={"code": [5, 9, 2], "lat": LAT, "lon": LON})
    figure = plots.code_maps(activity)
    maps = [axes for axes in figure.axes if axes.get_title().startswith("Code")]
    assert [axes.get_title() for axes in maps] == ["Code 5", "Code 9", "Code 2"]
    scales: list[Normalize] = [axes.collections[0].norm for axes in maps]
    assert all(scale.vmin == -scale.vmax == scales[0].vmin for scale in scales)


def test_mean_and_spread_have_their_own_scales_and_units() -> None:
    attrs = {"units": "K", "long_name": "t2m"}
    fields = xr.Dataset(
        {name: (("lat", "lon"), np.random.default_rng(1).normal(size=(9, 13)), attrs) for name in ("mean", "std")},
        coords={"lat": LAT, "lon": LON},
    )
    labels = [axes.get_xlabel() for axes in plots.mean_and_spread(fields).axes]
    assert labels.count("t2m [K]") == 2


@pytest.mark.parametrize(("unit", "squared"), [("K", "K²"), ("m s**-1", "(m s**-1)²")])
def test_the_mse_has_the_squared_unit(unit: str, squared: str) -> None:
    assert plots.metric_units(unit) == {"mae": unit, "rmse": unit, "wrmse": unit, "mse": squared}
    assert plots.metric_units("") == {}


@pytest.mark.parametrize(
    ("leads", "shown"), [(range(1, 13), [1, 5, 8, 12]), ([6, 12, 18, 24], [6, 12, 18, 24]), ([3], [3])]
)
def test_some_leads_are_spread_from_the_first_to_the_last(leads: range, shown: list[int]) -> None:
    assert plots.some_leads(xr.Dataset(coords={"lead": list(leads)})) == shown


def texts(figure: Figure) -> str:
    return "\n".join(item.get_text() for item in figure.findobj(matplotlib.text.Text))


def test_rank_and_frequency_have_a_plot_for_each_quantizer_and_a_line_for_each_seed() -> None:
    hard = {"share": np.array([0.25, 0.75, 0.0, 0.0]), "perplexity": 1.755, "dead_codes": 2}
    soft = {"share": np.full(10, 0.1), "perplexity": 10.0, "dead_codes": 0, "histogram": ([0, 1], [1])}
    figure = rank_frequency({"VQ": [hard, {**hard, "perplexity": 2.6}], "SVQ": [soft]})
    vq, svq = figure.axes
    assert vq.get_title() == "VQ\nperplexity 2–3 of 4"
    assert svq.get_title() == "SVQ\nperplexity 10 of 10"
    first, second, even = vq.lines
    assert first.get_xydata().tolist() == second.get_xydata().tolist() == [[1, 0.75], [2, 0.25]]
    assert even.get_xydata().tolist() == [[1, 0.25], [4, 0.25]]
    assert svq.lines[0].get_color() != first.get_color()


def test_rank_and_frequency_of_nothing_are_refused() -> None:
    for usage in ({}, {"VQ": []}, {"VQ": [{"share": np.zeros(4), "perplexity": 1.0, "dead_codes": 4}]}):
        with pytest.raises(SvqkitError):
            rank_frequency(usage)


@pytest.mark.parametrize(("width", "mean"), [(1, 1.0), (2, 2 / pi), (3, 0.5), (4, 4 / (3 * pi))])
def test_random_directions_are_as_alike_as_geometry_says(width: int, mean: float) -> None:
    assert random_similarity(width) == pytest.approx(mean)


@settings(max_examples=8)
@given(st.integers(2, 60))
def test_random_directions_are_as_alike_as_drawn_ones(width: int) -> None:
    first, second = np.random.default_rng(width).normal(size=(2, 40_000, width))
    cosine = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    assert random_similarity(width) == pytest.approx(np.abs(cosine).mean(), rel=0.03)


def test_similarities_stand_beside_chance() -> None:
    alike = np.array([[1.0, -0.5, 0.1], [-0.5, 1.0, 0.3], [0.1, 0.3, 1.0]])
    figure = similarities({"SVQ": alike, "VQ": np.eye(3)}, width=3)
    assert "SVQ\nmean |cos| 0.30 (random 0.50)" in texts(figure)
    assert "VQ\nmean |cos| 0.00 (random 0.50)" in texts(figure)
    with pytest.raises(SvqkitError, match="two codes"):
        similarities({"SVQ": np.eye(1)}, width=3)


def test_effects_of_codes_stand_in_rows_with_readable_numbers() -> None:
    draw = np.random.default_rng(0)
    coords = {"code": [5, 9], "lat": LAT, "lon": LON}
    weights, large, small = (
        xr.DataArray(scale * draw.uniform(-1, 1, (2, 9, 13)), coords, ("code", "lat", "lon")) for scale in (1, 1, 1e-5)
    )
    cells = [(0, 3), (8, 12)]
    figure = code_effects(weights + 4, large, small, cells, "K")
    said = texts(figure).split("\n")
    assert {"Code 5", "Code 9", "Change of forecast [K]", "Change of forecast [10⁻⁶ K]"} <= set(said)
    assert f"mean {float(weights[0].mean()) + 4:.2f}" in said
    first = figure.axes[0].collections[0].get_array()
    assert abs(float(first.mean())) < 1  # the mean is taken off
    crosses = [sum(line.get_marker() == "x" for line in axes.lines) for axes in figure.axes[:6]]
    assert [count > 0 for count in crosses] == [True, False, False] * 2
    with pytest.raises(SvqkitError, match="same codes"):
        code_effects(weights, large.assign_coords(code=[5, 8]), small, cells, "K")


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_the_strongest_cell_is_the_largest_in_size(seed: int, rows: int, columns: int) -> None:
    values = np.random.default_rng(seed).normal(size=(3, rows, columns))
    for code, (row, column) in enumerate(strongest_cells(xr.DataArray(values, dims=("code", "lat", "lon")))):
        assert abs(values[code, row, column]) == np.abs(values[code]).max()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    files = RawFiles(tmp_path_factory.mktemp("raw"))
    files.write("t2m")
    return files.data(variables=("t2m",), frames_in=3, frames_out=5)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def store(data: Data, project: Path) -> Store:
    return prepare(data, store_path("sample", "tiny", project / "stores"))


def a_run(project: Path, data: Data, store: Store, quantizer: Quantizer, after: bool = False) -> Run:
    name = f"tiny-{quantizer.name}" + "-after_translator" * after
    return untrained.a_run(project / "runs/sample/tiny", data, store, quantizer, name=name, after=after)


SVQ = SVQSettings(codebook_size=12, hidden_dim=6)


@pytest.mark.parametrize("after", [False, True])
def test_a_code_decodes_to_what_adding_it_by_hand_changes(project: Path, data: Data, store: Store, after: bool) -> None:
    """Put into the middle of SimVP step by step, without the hook; the forecast of 5 frames takes two passes of 3."""
    run = a_run(project, data, store, SVQ, after)
    model, frames = run.model().double(), sample_frames(store, 2).double()
    weights = model.quantizer.weights_of(model.latents(frames), torch.tensor([7])).detach()
    added = weights.std(correction=0) * model.quantizer.codes()[7].double()[:, None, None]

    def forecast(change: torch.Tensor) -> torch.Tensor:
        seen, made = frames, []
        for _ in range(2):
            latent, skip = model._encode(model._pad(seen.flatten(0, 1)))
            if not model.post:
                latent = model.quantizer(latent).output + change
            latent = model._translate(latent, len(seen))
            if model.post:
                latent = model.quantizer(latent).output + change
            seen = model._decode(latent, skip).reshape(seen.shape)
            made.append(seen)
        return torch.cat(made, 1)[:, :5]

    with torch.no_grad():
        expected = (forecast(added) - forecast(torch.zeros(()))).mean(0)[:, 0] * float(store.statistics()[1][0])
    found = decode_codes(run, store, [7])
    assert found.dims == ("code", "channel", "lead", "lat", "lon")
    assert np.allclose(found[0, 0], expected, rtol=1e-4, atol=1e-7)
    assert found["lead"].to_numpy().tolist() == [1, 2, 3, 4, 5]
    assert found["unit"].item() == "K"
    assert float(abs(found).max()) > 0


def test_a_code_that_is_nowhere_used_decodes_to_nothing(project: Path, data: Data, store: Store) -> None:
    run = a_run(project, data, store, VQSettings(codebook_size=64))
    usage = evaluation.codebook_usage(run, store)
    used, dead = int(usage.share.argmax()), int((usage.share == 0).nonzero()[0])
    found = abs(decode_codes(run, store, [used, dead])).max(("channel", "lead", "lat", "lon"))
    assert float(found[1]) == 0 < float(found[0])


def test_a_code_in_one_place_is_another_than_everywhere(project: Path, data: Data, store: Store) -> None:
    run = a_run(project, data, store, SVQ)
    everywhere, first_cell, other_cell = (decode_codes(run, store, [3], at) for at in (None, [(0, 0)], [(1, 2)]))
    assert not np.allclose(everywhere, first_cell)
    assert not np.allclose(first_cell, other_cell)
    assert decode_codes(run, store, [1, 3])[1].equals(everywhere[0]), "looking at codes leaves no trace"


@pytest.mark.parametrize(
    ("quantizer", "codes", "at", "words"),
    [
        (NoQuantizer(), [0], None, "has no codebook"),
        (MultiheadVQSettings(codebook_size=8, heads=2, codebook_dim=4), [0], None, "no latent vector"),
        (SVQ, [12], None, "no code 12; it has 0 to 11"),
        (SVQ, [], None, "none asked for"),
        (SVQ, [0, 1], [(0, 0)], "2 codes and 1 cells"),
        (SVQ, [0], [(2, 0)], r"maps of 2 × 3: there is no cell \(2, 0\)"),
    ],
)
def test_what_can_not_be_decoded_is_said(
    project: Path, data: Data, store: Store, quantizer: Quantizer, codes: list, at: list | None, words: str
) -> None:
    assert (len(RAW_LAT), len(RAW_LON)) == (4, 6)
    with pytest.raises(SvqkitError, match=words):
        decode_codes(a_run(project, data, store, quantizer), store, codes, at)


def test_figure_8_shows_frequencies_similarities_and_single_codes(project: Path, data: Data, store: Store) -> None:
    runs = [a_run(project, data, store, quantizer) for quantizer in (NoQuantizer(), SVQ, VQSettings(codebook_size=64))]
    folder = scores_path("sample", "tiny", project / "scores")
    evaluation.evaluate(runs, store, folder)
    experiments = {run.experiment.name: replace(run.experiment, seeds=(0,)) for run in runs}
    settings = Params("sample", {"tiny": data}, experiments)
    results = Results(settings, project / "runs", project / "scores", stores_root=project / "stores")
    drawn = {figure.name: figure for figure in codebook.draw(results)}
    assert list(drawn) == ["f8_frequency_tiny", "f8_similarity_tiny", "f8_codes_tiny"]
    assert [axes.get_title().split("\n")[0] for axes in drawn["f8_frequency_tiny"].figure.axes] == ["SVQ", "VQ"]
    assert "mean over lead times" in drawn["f8_codes_tiny"].caption
    assert all(store.title in figure.caption for figure in drawn.values())
    without_store = replace(results, stores_root=project / "nowhere")
    assert [figure.name for figure in codebook.draw(without_store)] == ["f8_frequency_tiny"]


def test_without_codes_there_is_no_figure_8(project: Path, data: Data, store: Store, tmp_path: Path) -> None:
    run = a_run(project, data, store, NoQuantizer())
    evaluation.evaluate([run], store, scores_path("sample", "tiny", tmp_path))
    settings = Params("sample", {"tiny": data}, {run.experiment.name: run.experiment})
    with pytest.raises(SvqkitError, match="no run with one was scored"):
        codebook.draw(Results(settings, project / "runs", tmp_path))
