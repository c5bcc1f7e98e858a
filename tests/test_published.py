"""Published numbers: each with its source, none changed on the way, found among ours only where that is certain."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from svqkit.paper import gather, published
from svqkit.plots.names import METRICS
from svqkit.settings.params import TRANSLATORS, Experiment, load_params, override
from svqkit.settings.quantizers import QUANTIZERS

ROOT = Path(__file__).parents[1]
SETTINGS = load_params(ROOT / "params.yaml", "paper")
NUMBERS = published.read()
SCORES = NUMBERS[NUMBERS["metric"].isin([*METRICS, "params_m", "flops_g", "fps_v100"])]


def value(dataset: str, method: str, metric: str, variable: str = "mean") -> float:
    """The one published number of that name."""
    own = NUMBERS[(NUMBERS["dataset"] == dataset) & (NUMBERS["method"] == method)]
    (found,) = own.loc[(own["metric"] == metric) & (own["variable"] == variable), "value"]
    return found


def test_every_number_has_a_source_and_a_known_metric_and_dataset() -> None:
    datasets = {name for names in NUMBERS["dataset"] for name in names.split("+")}  # a mean over several
    assert datasets - set(SETTINGS.datasets) == {"mmnist", "kth_10_20", "kth_10_40"}
    assert NUMBERS[["source", "method", "dataset"]].ne("").all(axis=None)
    assert np.isfinite(NUMBERS["value"]).all()
    assert (SCORES["value"] > 0).all()
    assert "ssim" not in set(NUMBERS["metric"]), "published SSIM has a data range of 2"
    others = set(NUMBERS["metric"]) - set(SCORES["metric"])
    assert others == {
        "mse_change_percent",
        "mae_change_percent",
        "lpips_change_percent",
        "mse_exceeds",
        "codebook_size",
    }


def test_no_number_is_lost_or_added() -> None:
    measured = ("mse", "mae", "rmse", "ssim", "psnr", "lpips", "params_m", "flops_g", "fps_v100")
    found = []
    for path in published.FOLDER.glob("*.csv"):
        with path.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found += [row["value"]] if "value" in row else [row[name] for name in measured if row.get(name)]
    assert Counter(map(float, found)) == Counter(NUMBERS["value"])


@pytest.mark.parametrize(
    ("dataset", "method", "metric", "expected"),
    [
        ("weather_t2m", "gSTA (SimVPv2)", "mse", 1.105),
        ("weather_tcc", "TAU", "mae", 0.14604),
        ("kth", "IncepU (SimVPv1)", "psnr", 27.46),
        ("kitticaltech", "DMVFN", "lpips", 0.04942),
        ("human", "SimVP+SVQ", "ssim_published", 0.9851),
        ("taxibj", "ConvNeXt", "mae", 14.90),
        ("weather_t2m", "SimVP+SVQ learnable, K=10000", "mse", 1.018),
        ("weather_t2m", "SimVP+SVQ frozen, K=10000", "mse", 1.023),
        ("weather_r", "ConvMixer", "params_m", 1.13),
    ],
)
def test_numbers_read_off_by_hand(dataset: str, method: str, metric: str, expected: float) -> None:
    assert value(dataset, method, metric) == expected


@pytest.mark.parametrize("metric", ["mse", "mae", "rmse"])
def test_the_sum_over_the_variables_of_mv_is_their_mean(metric: str) -> None:
    methods = set(NUMBERS.query("dataset == 'weather_mv' and variable == 'r'")["method"])
    assert len(methods) == 20
    for method in methods:
        mean = sum(value("weather_mv", method, metric, variable) for variable in "rtuv") / 4
        assert value("weather_mv", method, metric) == pytest.approx(mean, rel=1e-3)


def test_every_rmse_is_the_root_of_its_mse_where_neither_is_a_mean_over_variables() -> None:
    zoo = NUMBERS[NUMBERS["source"].str.startswith("OpenSTL")]
    rows = zoo[zoo["metric"].eq("rmse") & ~(zoo["dataset"].eq("weather_mv") & zoo["variable"].eq("mean"))]
    assert len(rows) == 84 + 80
    for row in rows.itertuples():
        assert row.value**2 == pytest.approx(value(row.dataset, row.method, "mse", row.variable), rel=4e-3)


def test_doubtful_numbers_keep_their_caveat() -> None:
    doubtful = NUMBERS[NUMBERS["doubtful"]]
    assert set(doubtful[["dataset", "method", "metric"]].itertuples(index=False, name=None)) == {
        ("weather_mv", "MogaNet base", "mae"),
        ("weather_mv", "MogaNet+SVQ", "mae"),
        ("kth", "SimVP+SVQ", "psnr"),
        ("weather_t2m", "backbones+VQ, VQ after the translator", "mse_exceeds"),
        ("weather_t2m", "VQ rivals in Figures 2 and 6", "codebook_size"),
        ("weather_t2m", "DGDM-Best, 50 epochs", "mse"),
        ("weather_r", "DGDM-Best, 50 epochs", "mse"),
        ("weather_uv10", "DGDM-Best, 50 epochs", "mse"),
        ("kth_10_20", "PFGNet", "psnr"),
        ("kth_10_40", "PFGNet", "psnr"),
    }


@pytest.mark.parametrize("dataset", ["weather_t2m", "weather_mv", "kth"])
def test_a_doubt_is_told_with_its_number(dataset: str) -> None:
    told = " ".join(published.notes([dataset]))
    doubtful = NUMBERS[NUMBERS["doubtful"] & NUMBERS["dataset"].eq(dataset)]
    assert len(doubtful) > 0
    for row in doubtful.itertuples():
        assert f"{row.value:.10g} ({row.source}); but {row.doubt}." in told


def test_counterparts_are_methods_of_the_files_and_settings_of_ours() -> None:
    ours = pd.read_csv(published.FOLDER / "counterparts.csv")
    assert set(ours["method"]) <= set(NUMBERS["method"])
    assert set(ours["translator"]) <= set(TRANSLATORS)
    assert set(ours["quantizer"]) <= set(QUANTIZERS)
    assert "TAU" not in set(ours["method"]), "it was trained with a further loss"
    assert "SimVP+SVQ" not in set(ours["method"]), "frozen or learnable is not said"


def found(*experiments: Experiment) -> dict[str, str]:
    """Which published methods some experiments are."""
    rows = [{**gather.settings_of(experiment), "label": experiment.name} for experiment in experiments]
    settings = ["stochastic", "learnable", "learnable_projection"]
    return published.counterparts(pd.DataFrame(rows).reindex(columns=[*dict.fromkeys([*rows[0], *settings, "label"])]))


def test_a_method_is_found_among_ours_by_settings() -> None:
    of_t2m = found(*(one for one in SETTINGS.of_dataset("weather_t2m") if "main" in one.studies))
    assert of_t2m["gSTA (SimVPv2)"] == "weather_t2m-none"
    assert of_t2m["SimVP+SVQ learnable, K=10000"] == "weather_t2m-svq"
    assert of_t2m["SimVP+SVQ frozen, K=10000"] == "weather_t2m-svq_frozen"
    assert "Swin Transformer" not in of_t2m


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"noise": 0.1}},
        {"training": {"quantizer_learning_rate": "auto"}},
        {"model": {"quantize_after_translator": True}},
        {"model": {"translator": "swin"}},
        {"quantizer": {"learnable": False}},
        {"quantizer": {"learnable_projection": False}},
        {"quantizer": {"name": "vq"}},
    ],
)
def test_an_experiment_that_differs_in_kind_is_not_the_published_method(changes: dict) -> None:
    svq = SETTINGS.experiment("weather_t2m-svq")
    method = "SimVP+SVQ learnable, K=10000"
    assert method in found(svq)
    assert method not in found(override(svq, changes))


def test_of_models_that_go_around_the_earth_and_others_the_others_are_published() -> None:
    svq = SETTINGS.experiment("weather_t2m-svq")
    wraps = override(svq, {"name": "weather_t2m-wraps", "model": {"longitude": "wrap"}})
    method = "SimVP+SVQ learnable, K=10000"
    assert found(wraps, svq)[method] == svq.name
    assert found(wraps)[method] == wraps.name


def test_frames_of_published_settings_are_ours() -> None:
    frames = NUMBERS.dropna(subset="frames_in").drop_duplicates("dataset")
    assert len(frames) == 9
    for row in frames.itertuples():
        data = SETTINGS.dataset(row.dataset)
        assert (data.frames_in, data.frames_out) == (row.frames_in, row.frames_out)
