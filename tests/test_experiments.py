"""The table of experiments in params.yaml against the reference's configs, and what it must be to be run.

reference_configs.csv has one row for each config that a command of the reference's README names, for the ablations
beside them, and for the configs of the models without SVQ that the paper's tables compare with: facts, transcribed.
A blank is a setting that the config leaves out. ``commands`` counts the README's commands for it, ``devices`` is what
they ask for, ``readme_name`` is what the README calls the file where there is none of that name.
"""

import csv
import json
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from ruamel.yaml import YAML

from svqkit import models, quantizers
from svqkit.paper import published
from svqkit.settings.experiment import TRANSLATORS, Study
from svqkit.settings.params import Experiment, Params, as_tree, load_params

ROOT = Path(__file__).resolve().parent.parent
TREE = YAML(typ="safe").load(ROOT / "params.yaml")
with (Path(__file__).parent / "reference_configs.csv").open(encoding="utf-8", newline="") as _file:
    ROWS = list(csv.DictReader(_file))
Row = dict[str, str]

# What the reference's argument parser and its modules take where a config says nothing.
SILENT = {
    "warmup_epoch": "0",
    "patience": "10",
    "sched": "onecycle",
    "noise": "0",
    "alpha": "0",
    "devices": "1",
    "post_vq": "False",
    "freeze_projection": "False",
    "init_method": "normal",
    "hid_relu": "True",
    "out_relu": "False",
}
PARSER_EPOCHS = 200
# The epochs of the scores that OpenSTL publishes for models without SVQ.
PUBLISHED_EPOCHS = defaultdict(lambda: 50, kth=100, kitticaltech=100)
TRANSLATOR_NAMES = {"moga": "moganet", "mlp": "mlpmixer"}
KINDS = {
    "svq": "svq",
    "vq": "vq",
    "mhvq": "multihead_vq",
    "rvq": "residual_vq",
    "grvq": "grouped_residual_vq",
    "lfq": "lfq",
    "rlfq": "residual_lfq",
    "rfsq": "residual_fsq",
}
OUR_WORDS = {
    "separate_codebook_per_head": "separate_codebooks",
    "stochastic_sample_codes": "stochastic",
    "sample_codebook_temp": "temperature",
}

# Where the kit does something else on purpose: (experiment, setting) and why.
DEVIATIONS = {
    ("weather_mv-svq_frozen", "quantizer.learnable"): "the reference's config called frozen learns its codebook",
    (
        "weather_mv-svq_frozen",
        "model.quantize_after_translator",
    ): "and quantizes elsewhere than the one it is compared to",
    ("kth-none", "training.batch_size"): "batch_size says 8, the comment beside it 8 GPUs × 2; 16 is SVQ's too",
    ("weather_t2m-tau-none", "alpha"): "TAU's second loss, on differences of frames, is not part of the kit",
}
# Experiments that are another one under a second name, by profile: each name says what it stands for in its table.
SAME = {
    "sample": [{"weather_t2m-none", "weather_t2m-none-loss_mae"}],
    "paper": [{"weather_t2m-none", "weather_t2m-none-loss_mse"}],
}
# Studies that the reference has results, but no configs, of; or that are this kit's own.
WITHOUT_CONFIGS = {"stability", "controls", "init", "codebook_size", "loss", "sparsity", "published", "step"}
# Millions of parameters of the models without SVQ, as OpenSTL publishes them. Human3.6M's 11.3 is left out: the config
# with gSTA that is published makes 28.8.
PUBLISHED_SIZES = {
    "weather_t2m-none": 12.76,
    "weather_t2m-convmixer-none": 1.13,
    "weather_t2m-convnext-none": 10.09,
    "weather_t2m-hornet-none": 12.42,
    "weather_t2m-incepu-none": 14.67,
    "weather_t2m-mlpmixer-none": 11.10,
    "weather_t2m-moganet-none": 12.76,
    "weather_t2m-poolformer-none": 9.98,
    "weather_t2m-swin-none": 12.42,
    "weather_t2m-tau-none": 12.22,
    "weather_t2m-uniformer-none": 12.02,
    "weather_t2m-van-none": 12.15,
    "weather_t2m-vit-none": 12.41,
    "weather_r-none": 12.42,
    "weather_uv10-none": 12.42,
    "weather_tcc-none": 12.76,
    "weather_mv-none": 9.97,
    "kth-none": 12.2,
    "kitticaltech-none": 15.6,
    "taxibj-none": 9.96,
    "taxibj-convnext-none": 7.84,
}
CHANNELS = {"weather_uv10": 2, "weather_mv": 12, "weather_hmv": 110, "kitticaltech": 3, "human": 3, "taxibj": 2}


@cache
def params(profile: str) -> Params:
    return load_params(ROOT / "params.yaml", profile)


def frame_shape(one: Experiment) -> tuple[int, int, int]:
    """Frames (C, H, W): videos have the size of their settings."""
    size = (32, 32) if one.dataset == "taxibj" else getattr(one.data, "size", (32, 64))
    return CHANNELS.get(one.dataset, 1), *size


def expected(row: Row) -> dict[str, Any]:
    """A config's settings in our words."""
    row = row | {key: row[key] or value for key, value in SILENT.items()}
    with_quantizer = row["method"] == "SimVPVQ"
    silent_epochs = PARSER_EPOCHS if with_quantizer else PUBLISHED_EPOCHS[row["experiment"].split("-")[0]]
    translator = row["model_type"].lower()
    settings = {
        "model.translator": TRANSLATOR_NAMES.get(translator, translator),
        "model.drop_path": float(row["drop_path"]),
        "model.noise": float(row["noise"]),
        "model.quantize_after_translator": row["post_vq"] == "True",
        "model.mlp_ratio": 8.0,
        "model.drop": 0.0,
        # Plain SimVP and TAU know no other loss, whatever a config says.
        "training.loss": row["loss"] if with_quantizer else "mse",
        "training.learning_rate": float(row["lr"]),
        "training.batch_size": int(row["batch_size"]) * int(row["devices"]),
        "training.schedule": row["sched"],
        "training.warmup_epochs": int(row["warmup_epoch"]),
        "training.epochs": int(row["epoch"] or silent_epochs),
        "training.patience": int(row["patience"]),
        "training.warmup_learning_rate": 1e-5,
        "training.min_learning_rate": 1e-6,
        "training.steps_per_epoch": 0,
        "training.clip_norm": 0.0,
        "training.precision": "fp32",
        "training.augment": (),
        "quantizer.name": KINDS[row["vq_type"]] if with_quantizer else "none",
        "alpha": float(row["alpha"]),
    }
    for size in ("hid_S", "hid_T", "N_S", "N_T", "spatio_kernel_enc", "spatio_kernel_dec"):
        settings[f"model.{size}"] = int(row[size])
    if row["vq_type"] == "svq":
        assert row["nonlinear"] == "True"
        settings |= {
            "quantizer.codebook_size": int(row["codebook_size"]),
            "quantizer.learnable": row["freeze_codebook"] == "False",
            "quantizer.learnable_projection": row["freeze_projection"] == "False",
            "quantizer.init": row["init_method"],
            "quantizer.hidden_dim": int(row["middim"]),
            "quantizer.hidden_relu": row["hid_relu"] == "True",
            "quantizer.output_relu": row["out_relu"] == "True",
            "quantizer.l1": 0.0,
        }
    elif with_quantizer:
        if row["codebook_size"]:
            settings["quantizer.codebook_size"] = int(row["codebook_size"])
        for word in row["other"].split():
            key, value = word.split("=")
            value = json.loads(value)
            settings[f"quantizer.{OUR_WORDS.get(key, key)}"] = tuple(value) if isinstance(value, list) else value
    return settings


def differences(row: Row) -> dict[str, tuple[Any, Any]]:
    """Settings of a row's experiment that are not the config's: the config's value and ours."""
    experiment = params("paper").experiment(row["experiment"])
    found = {}
    for place, value in expected(row).items():
        part, _, key = place.rpartition(".")
        ours = getattr(getattr(experiment, part), key) if part else 0.0
        if ours != value:
            found[place] = (value, ours)
    return found


@pytest.mark.parametrize("row", ROWS, ids=[row["config"] for row in ROWS])
def test_an_experiment_has_its_configs_settings(row: Row) -> None:
    unknown = {at: both for at, both in differences(row).items() if (row["experiment"], at) not in DEVIATIONS}
    assert not unknown, "setting: (the config's, ours)"


def test_known_deviations_are_still_deviations() -> None:
    found = {(row["experiment"], place) for row in ROWS for place in differences(row)}
    assert found == set(DEVIATIONS)


def test_what_has_no_config_is_of_a_study_without_configs_or_a_quantizer_of_ours() -> None:
    known = {row["experiment"] for row in ROWS}
    for experiment in params("paper").experiments.values():
        if experiment.name not in known:
            ours = experiment.quantizer.name in ("fsq", "simvq")
            assert ours or set(experiment.studies) <= WITHOUT_CONFIGS, experiment.name


@pytest.mark.parametrize("profile", ["sample", "paper"])
def test_no_experiment_is_another_one_under_a_second_name(profile: str) -> None:
    groups: dict[str, set[str]] = defaultdict(set)
    for experiment in params(profile).experiments.values():
        tree = as_tree(experiment)
        told_apart = {key: value for key, value in tree.items() if key not in ("name", "seeds", "studies")}
        groups[json.dumps(told_apart, sort_keys=True)].add(experiment.name)
    assert [names for names in groups.values() if len(names) > 1] == SAME[profile]


def test_a_name_begins_with_its_dataset_and_says_what_is_quantized() -> None:
    for experiment in params("paper").experiments.values():
        dataset, *rest = experiment.name.split("-")
        assert dataset == experiment.dataset
        quantizer = experiment.quantizer.name
        if quantizer == "svq" and not experiment.quantizer.learnable and "frozen_both" not in rest:
            quantizer = "svq_frozen"
        assert quantizer in rest, experiment.name
        main = params("paper").experiment(f"{dataset}-none").model.translator
        assert (experiment.model.translator in rest) == (experiment.model.translator != main), experiment.name


def test_the_main_table_has_three_of_every_dataset() -> None:
    main = {name for name, one in params("paper").experiments.items() if "main" in one.studies and name.count("-") == 1}
    assert main == {
        f"{dataset}-{kind}" for dataset in params("paper").datasets for kind in ("none", "svq", "svq_frozen")
    }


def test_every_study_compares_at_least_two_and_most_with_plain_svq() -> None:
    of_real = {"real": "real", "sweep": "real"}
    for study in get_args(Study):
        experiments = params(of_real.get(study, "paper")).experiments
        names = [one.name for one in experiments.values() if study in one.studies]
        assert len(names) > 1, study
        assert {"weather_t2m-svq", "era5_uk-svq"} & {*names} or study == "published", study


def test_all_quantizers_get_the_same_learning_rates_on_real_data() -> None:
    rates: dict[tuple, set[float]] = {}
    for one in params("real").experiments.values():
        if {"real", "sweep"} & set(one.studies):
            rest = replace(one.training, learning_rate=1.0)
            rates.setdefault((one.dataset, one.quantizer, rest, one.seeds), set()).add(one.training.learning_rate)
    assert len(rates) == 7 * len(params("real").datasets)
    assert len({frozenset(tried) for tried in rates.values()}) == 1


@pytest.mark.parametrize("profile", ["sample", "paper"])
def test_what_stands_beside_published_numbers_differs_from_main_ones_in_the_protocol(profile: str) -> None:
    """Of every main experiment with published numbers one is trained on the windows that they are of."""
    experiments = params(profile).experiments
    beside = {name: one for name, one in experiments.items() if "published" in one.studies}
    for name, one in beside.items():
        main = experiments[name.removesuffix("-protocol_paper")]
        assert replace(one, name=main.name, protocol="clean", studies=main.studies) == main
    main = [
        one for one in experiments.values() if "main" in one.studies and one.dataset in set(published.read()["dataset"])
    ]
    assert {one.name for one in main if not one.trained_for("paper")} == {
        name.removesuffix("-protocol_paper") for name in beside
    }
    assert all(one.trained_for("paper") and not one.trained_for("clean") for one in beside.values())


def test_all_translators_are_compared_on_t2m() -> None:
    compared = {
        one.model.translator for one in params("paper").of_dataset("weather_t2m") if "translators" in one.studies
    }
    assert compared == set(TRANSLATORS)


def test_seeds_are_several_where_kinds_are_compared_and_three_in_the_paper_s_main_tables() -> None:
    for profile, of_kinds in (("sample", (0, 1)), ("paper", (0, 1, 2))):
        for experiment in params(profile).experiments.values():
            main, t2m = "main" in experiment.studies, experiment.dataset == "weather_t2m"
            main |= "published" in experiment.studies
            expected = (0, 1, 2) if main and (t2m or profile == "paper") else (0,)
            if not main and {"quantizers", "controls"} & set(experiment.studies):
                expected = of_kinds
            assert experiment.seeds == expected, experiment.name


def test_the_pipeline_stays_small_enough_to_be_looked_over_at_once() -> None:
    datasets = params("sample").datasets
    pipeline = YAML(typ="safe").load(ROOT / "dvc.yaml")
    sizes = {"${stores}": len(datasets), "${trainings}": len(params("sample").experiments)}
    assert sum(sizes.get(stage.get("foreach"), 1) for stage in pipeline["stages"].values()) <= 170
    assert pipeline["metrics"] == [f"scores/${{profile}}/{dataset}/metrics" for dataset in datasets]


@pytest.mark.parametrize(
    "name",
    {(one.dataset, one.model, one.quantizer): name for name, one in params("sample").experiments.items()}.values(),
)
def test_a_samples_model_forecasts_frames(name: str) -> None:
    experiment = params("sample").experiment(name)
    frames = frame_shape(experiment)
    torch.manual_seed(0)
    model = models.build(experiment, frames).eval()
    with torch.no_grad():
        forecast = model(torch.randn(1, experiment.data.frames_in, *frames))
    assert forecast.frames.shape == (1, experiment.data.frames_in, *frames)
    assert forecast.frames.isfinite().all()


@pytest.mark.parametrize(("name", "millions"), PUBLISHED_SIZES.items())
def test_a_papers_model_without_svq_is_as_large_as_published(name: str, millions: float) -> None:
    experiment = params("paper").experiment(name)
    with torch.device("meta"):
        model = models.build(experiment, frame_shape(experiment))
    # Published sizes are cut, not rounded, to two decimals (weather, traffic) or one (video).
    assert sum(weight.numel() for weight in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


def test_the_papers_quantizers_take_latents_of_their_width() -> None:
    unlike = {(one.quantizer, one.model.hid_S): one.name for one in params("paper").experiments.values()}
    for (quantizer, width), name in unlike.items():
        latents = torch.randn(2, width, 4, 4)
        with torch.no_grad():
            quantized = quantizers.build(quantizer, width).eval()(latents)
        assert quantized.output.shape == latents.shape, name
        assert quantized.output.isfinite().all(), name
