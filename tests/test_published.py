"""Published numbers: each with its source, none changed on the way, found among ours only where that is certain."""

import csv
import math
from collections import Counter
from pathlib import Path

import pytest

from svqkit.errors import SvqkitError
from svqkit.paper import published
from svqkit.plots.names import METRICS
from svqkit.settings.params import TRANSLATORS, Experiment, load_params, override
from svqkit.settings.quantizers import QUANTIZERS

ROOT = Path(__file__).parents[1]
ZOO, PAPER = (ROOT / "svqkit/paper/published" / name for name in ("openstl.csv", "svq_paper.csv"))
SETTINGS = load_params(ROOT / "params.yaml", "paper")
QUOTES = [quote for dataset in SETTINGS.datasets for quote in published.quotes(dataset)]


def value(dataset: str, method: str, metric: str, variable: str = "mean") -> float:
    """The one published number of that name."""
    (found,) = (
        quote.value
        for quote in published.quotes(dataset)
        if (quote.method, quote.metric, quote.variable) == (method, metric, variable)
    )
    return found


def test_every_number_has_a_source_a_known_dataset_and_a_known_metric() -> None:
    for quote in QUOTES:
        assert quote.source.strip()
        assert isinstance(quote.value, float)
        assert math.isfinite(quote.value)
        assert quote.value > 0
        assert quote.metric in (*METRICS, "params_m", "flops_g", "fps_v100")
        assert quote.metric != "ssim", "published SSIM has a data range of 2"


def test_no_number_is_lost_or_added_and_all_datasets_are_ours() -> None:
    measured = ("mse", "mae", "rmse", "ssim", "psnr", "lpips", "params_m", "flops_g", "fps_v100")
    with ZOO.open(encoding="utf-8") as zoo, PAPER.open(encoding="utf-8") as paper:
        found = [row[name] for row in csv.DictReader(zoo) for name in measured if row[name]]
        found += [row["value"] for row in csv.DictReader(paper)]
    assert Counter(map(float, found)) == Counter(quote.value for quote in QUOTES)


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
    methods = {quote.method for quote in published.quotes("weather_mv") if quote.variable == "r"}
    assert len(methods) == 20
    for method in methods:
        mean = sum(value("weather_mv", method, metric, variable) for variable in "rtuv") / 4
        assert value("weather_mv", method, metric) == pytest.approx(mean, rel=1e-3)


def test_every_rmse_is_the_root_of_its_mse_where_neither_is_a_mean_over_variables() -> None:
    pairs = {
        (quote.dataset, quote.variable, quote.method): quote.value
        for quote in QUOTES
        if quote.metric == "rmse" and (quote.dataset, quote.variable) != ("weather_mv", "mean")
    }
    assert len(pairs) == 84 + 80
    for (dataset, variable, method), rmse in pairs.items():
        assert rmse**2 == pytest.approx(value(dataset, method, "mse", variable), rel=4e-3)


def test_doubtful_numbers_keep_their_caveat() -> None:
    doubtful = [quote for quote in QUOTES if quote.doubtful]
    assert {(quote.dataset, quote.method, quote.metric) for quote in doubtful} == {
        ("weather_mv", "MogaNet base", "mae"),
        ("weather_mv", "MogaNet+SVQ", "mae"),
        ("kth", "SimVP+SVQ", "psnr"),
    }


def test_counterparts_are_methods_of_the_files_and_settings_of_ours() -> None:
    methods = {quote.method for quote in QUOTES}
    for method, ours in published.COUNTERPARTS.items():
        assert method in methods
        assert ours.translator in TRANSLATORS
        assert ours.quantizer in QUANTIZERS
    assert "TAU" not in published.COUNTERPARTS, "it was trained with a further loss"
    assert "SimVP+SVQ" not in published.COUNTERPARTS, "frozen or learnable is not said"


def like(method: str) -> set[str]:
    """Our experiments on t2m that a method is, whatever their loss."""
    ours = published.COUNTERPARTS[method]
    return {
        experiment.name
        for experiment in SETTINGS.of_dataset("weather_t2m")
        if ours.is_like(experiment) and "main" in experiment.studies
    }


def test_a_method_is_found_among_ours_by_settings() -> None:
    assert like("gSTA (SimVPv2)") == {"weather_t2m-none"}
    assert like("SimVP+SVQ learnable, K=10000") == {"weather_t2m-svq"}
    assert like("SimVP+SVQ frozen, K=10000") == {"weather_t2m-svq_frozen"}
    assert like("Swin Transformer") == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": {"noise": 0.1}},
        {"model": {"quantize_after_translator": True}},
        {"model": {"translator": "swin"}},
        {"quantizer": {"learnable": False}},
        {"quantizer": {"learnable_projection": False}},
        {"quantizer": {"name": "vq"}},
    ],
)
def test_an_experiment_that_differs_in_kind_is_not_the_published_method(changes: dict) -> None:
    svq = SETTINGS.experiment("weather_t2m-svq")
    ours = published.COUNTERPARTS["SimVP+SVQ learnable, K=10000"]
    other: Experiment = override(svq, changes)
    assert ours.is_like(svq)
    assert not ours.is_like(other)


def test_scores_of_other_lengths_do_not_compare() -> None:
    kth = SETTINGS.dataset("kth")
    assert published.compares("kth", kth)
    longer = override(SETTINGS.experiment("kth-svq"), {"data": {"frames_out": 40}}).data
    assert not published.compares("kth", longer)
    assert not published.compares("weather_hmv", SETTINGS.dataset("weather_hmv"))
    assert all(published.compares(dataset, SETTINGS.dataset(dataset)) for dataset in published.FRAMES)


GOOD = "dataset,method,metric,value,source\nkth,A,mse,1.5,somewhere\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace(",source", ",where"), "source"),
        (GOOD.replace("somewhere", ""), "line 2"),
        (GOOD.replace("1.5", "about 2"), "about 2"),
        (GOOD.replace("1.5", "inf"), "finite"),
        (GOOD.replace("kth", ""), "dataset"),
        (GOOD.replace("kth", "kht"), "kht"),
        (GOOD.replace("mse", "msee"), "msee"),
        (GOOD.replace(",source", ",source,more").replace("somewhere", "somewhere,1"), "columns"),
    ],
)
def test_a_file_with_a_fault_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "published.csv"
    path.write_text(GOOD, encoding="utf-8")
    assert published.read_paper(path) == [published.Quote("kth", "mean", "A", "mse", 1.5, "somewhere")]
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SvqkitError, match=message):
        published.read_paper(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match=r"nothing\.csv"):
        published.read_zoo(tmp_path / "nothing.csv")
