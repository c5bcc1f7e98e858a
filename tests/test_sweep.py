"""Of each quantizer's learning rates the one with the lowest validation loss is compared, whatever the test says."""

from pathlib import Path

import pytest

from svqkit.settings.params import load_params
from tests.resultsfolder import results_folder

BASES = ("era5_uk-none", "era5_uk-svq")
# By experiment: the validation losses of its seeds. The lowest mean counts, not the lowest of all.
VALIDATION = {
    "era5_uk-none": (0.4, 0.4),
    "era5_uk-none-rate0_001": (0.1, 0.9),
    "era5_uk-none-rate0_01": (0.5, 0.5),
    "era5_uk-svq": (0.4, 0.4),
    "era5_uk-svq-rate0_001": (0.3, 0.4),
    "era5_uk-svq-rate0_01": (0.5, 0.6),
}
# Another order in the test split: it must not count.
ERRORS = {name: (3.0 - sum(losses), 3.1 - sum(losses)) for name, losses in VALIDATION.items()}
CHOSEN = {"era5_uk-none", "era5_uk-svq-rate0_001"}


def test_the_lowest_mean_validation_loss_chooses(tmp_path: Path) -> None:
    results = results_folder(tmp_path, ERRORS, validation=VALIDATION)
    runs = results.runs[results.runs["seed"] >= 0]
    assert set(runs[runs["chosen"]]["experiment"]) == CHOSEN
    assert dict(zip(runs["experiment"], runs["tuned"], strict=True)) == {
        name: next(base for base in BASES if name.startswith(base)) for name in VALIDATION
    }
    assert runs.set_index(["experiment", "seed"])["validation_loss"]["era5_uk-none-rate0_001", 1] == pytest.approx(0.9)


def test_chosen_ones_are_compared_with_each_other(tmp_path: Path) -> None:
    changes = results_folder(tmp_path, ERRORS, validation=VALIDATION).changes
    pairs = changes[changes["against"].eq("tuned") & changes["metric"].eq("mse")]
    assert set(zip(pairs["experiment"], pairs["base"], strict=True)) == {tuple(CHOSEN), tuple(CHOSEN)[::-1]}
    back = pairs.set_index("experiment")["relative"]
    expected = sum(ERRORS["era5_uk-svq-rate0_001"]) / sum(ERRORS["era5_uk-none"]) - 1
    assert back["era5_uk-svq-rate0_001"] == pytest.approx(expected, rel=0.05)


def test_without_a_sweep_nothing_is_chosen(tmp_path: Path) -> None:
    results = results_folder(tmp_path, {"weather_t2m-none": (1.0,), "weather_t2m-svq": (1.1,)})
    assert not results.runs["chosen"].fillna(False).any()
    assert "tuned" not in set(results.changes["against"])


def test_every_member_of_the_sweep_has_a_base_among_the_experiments() -> None:
    real = load_params(Path(__file__).parents[1] / "params.yaml", "real").experiments
    for name, one in real.items():
        if one.studies == ("sweep",):
            assert "real" in real[name.rpartition("-rate")[0]].studies
