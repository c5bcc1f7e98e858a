"""Which experiment a few words mean, how a new one is called, and what contradicts itself."""

import itertools
from typing import Any

import pytest
from ruamel.yaml import YAML

from svqkit.errors import SvqkitError
from svqkit.settings.params import Params, as_tree, load_params, override
from svqkit.settings.single_run import choose_run


@pytest.fixture(scope="module")
def settings() -> Params:
    return load_params("params.yaml", "sample")


def test_nothing_given_is_svq_on_the_dataset_as_params_yaml_has_it(settings: Params) -> None:
    chosen = choose_run(settings, "kth").experiment
    whole = settings.experiment("kth-svq")
    assert chosen == override(whole, {"seeds": list(whole.seeds[:1])})
    assert choose_run(settings, "kth", all_seeds=True).experiment == whole


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"quantizer": "vq"}, "weather_t2m-vq"),
        ({"translator": "swin"}, "weather_t2m-swin-svq"),
        ({"translator": "swin", "quantizer": "none"}, "weather_t2m-swin-none"),
        ({"translator": "gsta", "quantizer": "none"}, "weather_t2m-none"),
        ({"experiment": "weather_t2m-svq-noise10"}, "weather_t2m-svq-noise10"),
    ],
)
def test_what_params_yaml_has_under_that_name_is_that(settings: Params, given: dict[str, Any], name: str) -> None:
    chosen = choose_run(settings, "weather_t2m", **given, all_seeds=True).experiment
    assert chosen == settings.experiment(name)


def test_a_new_combination_has_its_own_name_and_the_profiles_sizes(settings: Params) -> None:
    choice = choose_run(settings, "kth", translator="gsta", quantizer="residual_vq", seed=3)
    chosen, base = choice.experiment, settings.experiment("kth-svq")
    assert (chosen.name, chosen.seeds) == ("kth-gsta-residual_vq", (3,))
    assert (chosen.model.translator, chosen.data, chosen.training) == ("gsta", base.data, base.training)
    assert settings.sizes["kth"]["residual_vq"].items() <= as_tree(chosen.quantizer).items()
    assert any("with the sizes that profiles.sample has for kth" in note for note in choice.notes)
    assert YAML(typ="safe").load(choice.text) == as_tree(chosen)


def test_overrides_win_over_sizes_and_name_the_run_too(settings: Params) -> None:
    by_words = choose_run(settings, "kth", translator="swin", quantizer="vq").experiment
    changes = {"model": {"translator": "swin"}, "quantizer": {"name": "vq"}}
    assert choose_run(settings, "kth", overrides=changes).experiment == by_words
    larger = choose_run(settings, "kth", quantizer="vq", overrides={"quantizer": {"codebook_size": 17}})
    assert larger.experiment.quantizer.codebook_size == 17


def test_with_an_experiment_what_differs_stands_behind_its_name(settings: Params) -> None:
    given = "weather_t2m-svq-noise10"
    chosen = choose_run(settings, "weather_t2m", given, translator="vit", quantizer="svq").experiment
    assert (chosen.name, chosen.model.noise) == (f"{given}-vit", 0.1)


def test_different_things_never_have_the_same_name(settings: Params) -> None:
    seen: dict[str, tuple[str, str]] = {}
    for translator, quantizer in itertools.product(("", "incepu", "gsta", "vit"), ("", "none", "svq", "vq", "lfq")):
        chosen = choose_run(settings, "kth", translator=translator, quantizer=quantizer).experiment
        what = chosen.model.translator, chosen.quantizer.name
        assert seen.setdefault(chosen.name, what) == what
        assert what == (translator or "incepu", quantizer or "svq")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"experiment": "weather_t2m-svq"}, "is on weather_t2m, the parameter `dataset` says 'kth'"),
        ({"seed": 1, "all_seeds": True}, "seed 1, `all_seeds`"),
        ({"seed": 1, "overrides": {"seeds": [2]}}, "seed 1, `all_seeds`"),
        ({"quantizer": "vq", "overrides": {"quantizer": {"name": "lfq"}}}, "'vq' by the parameter"),
        ({"translator": "vit", "overrides": {"model": {"translator": "tau"}}}, "'vit' by the parameter"),
        ({"overrides": {"name": "mine"}}, "can't be overridden"),
        ({"translator": "swim"}, "did you mean 'swin'"),
        ({"quantizer": "vqq"}, "unknown name 'vqq'"),
        ({"experiment": "kth-svk"}, "did you mean 'kth-svq'"),
        ({"seed": -1}, "got -1"),
        ({"overrides": {"quantizer": {"name": ["vq"]}}}, "unknown name"),
        ({"overrides": {"training": {"epoch": 2}}}, "did you mean 'epochs'"),
    ],
)
def test_what_contradicts_itself_or_is_unknown_is_refused(settings: Params, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SvqkitError) as caught:
        choose_run(settings, "kth", **given)
    assert said in str(caught.value)
