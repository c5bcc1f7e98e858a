"""How experiments, metrics, channels and units are called, and which colours they have."""

import pytest

from svqkit import plots
from svqkit.plots import names

SVQ, NONE, VQ = "weather_t2m-svq", "weather_t2m-none", "weather_t2m-vq"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("weather_t2m-svq_frozen", "SVQ frozen"),
        ("weather_t2m-none", "SimVP"),
        ("moving_mnist-vq", "VQ"),
        ("persistence", "Persistence"),
        ("climatology", "Climatology"),
        ("weather_t2m-svq-lr3", "SVQ, lr3"),
        ("weather_t2m-swin-none", "Swin"),
        ("weather_t2m-swin-svq", "Swin, SVQ"),
        ("weather_t2m-none-noise10", "SimVP, 10 % noise"),
        ("weather_t2m-svq_frozen-k2000-seed1", "SVQ frozen, K = 2000 (seed 1)"),
        ("weather_t2m-svq-init_trunc_normal", "SVQ, trunc normal codebook"),
        ("mine", "mine"),
    ],
)
def test_display_names(name: str, shown: str) -> None:
    assert plots.display_name(name) == shown


def test_two_datasets_in_one_figure_keep_their_full_names() -> None:
    assert plots.display_names(["a-svq", "b-svq", "a-none"]) == {"a-svq": "a-svq", "b-svq": "b-svq", "a-none": "SimVP"}


def test_each_kind_keeps_its_colour_and_all_differ() -> None:
    alone = plots.line_styles([SVQ])[SVQ]
    among = plots.line_styles(["x-new", NONE, "other", SVQ, VQ, "persistence", "climatology", "weather_t2m-svq_frozen"])
    assert plots.line_styles([f"{SVQ}-seed2"])[f"{SVQ}-seed2"] == alone
    assert among[SVQ] == alone == names.LINE_STYLES["svq"]
    assert len({style.colour for style in among.values()}) == len(among)


@pytest.mark.parametrize(("unit", "squared"), [("K", "K²"), ("m s**-1", "(m s**-1)²")])
def test_the_mse_has_the_squared_unit(unit: str, squared: str) -> None:
    assert plots.metric_units(unit) == {"mae": unit, "rmse": unit, "wrmse": unit, "mse": squared}
    original = {"mae_original": "°F", "rmse_original": "°F", "mse_original": "(°F)²"}
    assert plots.metric_units(unit, original="°F") == plots.metric_units(unit) | original


def test_a_share_has_no_units() -> None:
    assert names.with_units("RMSE", "(0 - 1)") == "RMSE"
    assert plots.metric_units("(0 - 1)") == plots.metric_units("") == {}


@pytest.mark.parametrize(
    ("channel", "shown"),
    [("t2m", "2 m temperature"), ("t_850", "temperature at 850 hPa"), ("inflow", "inflow"), ("my_field", "my_field")],
)
def test_channels_and_datasets_in_words(channel: str, shown: str) -> None:
    assert plots.field_name(channel) == shown
    assert (plots.dataset_title("weather_t2m"), plots.dataset_title("mine")) == ("2 m temperature", "mine")
