"""params.yaml: what fits is read as written, what does not is refused in words."""

import copy
import json
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from svqkit.errors import SvqkitError
from svqkit.settings.params import Experiment, Loss, Params, as_tree, experiment_from_tree, load_params, override
from svqkit.settings.quantizers import QUANTIZERS, CodebookInit, NoQuantizer, Quantizer, ResidualVQSettings

PARAMS = Path(__file__).resolve().parent.parent / "params.yaml"
DATASET = "weather_t2m"
SVQ = f"{DATASET}-svq"
Tree = dict[str, Any]
Place = tuple[str, ...]

SIZED = ("profiles", "sample", DATASET)
DATA, MODEL, TRAINING, SIZES = ((*SIZED, part) for part in ("data", "model", "training", "quantizers"))
EXPERIMENT = ("experiments", SVQ)
PAPER = (*EXPERIMENT, "profiles", "paper")
DATA_WORDS, MODEL_WORDS, TRAINING_WORDS, SIZES_WORDS = (".".join(part) for part in (DATA, MODEL, TRAINING, SIZES))

# Settings of the kind that params.yaml has; its own may change without a word here.
TEXT = """
profile: sample
datasets:
  weather_t2m: {source: weather, root: data/weather, variables: [t2m]}
profiles:
  sample:
    weather_t2m:
      data: {train: ["2010", "2013"], validation: ["2014", "2014"], test: ["2015", "2015"], gaps: split}
      model: {translator: gsta, hid_S: 16, hid_T: 64, N_S: 2, N_T: 2}
      quantizers:
        none: {}
        svq: {codebook_size: 1000, hidden_dim: 128, init: normal}
        vq: {codebook_size: 256, decay: 0.8}
      training: {loss: mae, epochs: 6, batch_size: 8, learning_rate: 5.0e-3, warmup_epochs: 1}
  paper:
    weather_t2m:
      data: {train: ["2010", "2015"], validation: ["2016", "2016"], test: ["2017", "2018"]}
      quantizers: {svq: {codebook_size: 10000}, vq: {}}
experiments:
  weather_t2m-svq: {dataset: weather_t2m, quantizer: {name: svq, learnable: true}, seeds: [0, 1, 2]}
  weather_t2m-none: {dataset: weather_t2m, quantizer: {name: none}}
  weather_t2m-vq: {dataset: weather_t2m, quantizer: {name: vq}}
"""


@pytest.fixture
def tree() -> Tree:
    """Settings that fit, to be spoiled."""
    return YAML(typ="safe").load(TEXT)


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    path = tmp_path_factory.mktemp("config") / "params.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return load_params(path)


@pytest.fixture(scope="module")
def experiment(params: Params) -> Experiment:
    return params.experiment(SVQ)


def put(tree: Tree, place: Place, value: object) -> Tree:
    """A copy of the tree with ``value`` at ``place``."""
    changed = branch = copy.deepcopy(tree)
    for key in place[:-1]:
        branch = branch.setdefault(key, {})
    branch[place[-1]] = value
    return changed


def load(tree: object, folder: Path, profile: str | None = None) -> Params:
    path = folder / "params.yaml"
    with path.open("w", encoding="utf-8") as file:
        yaml = YAML(typ="safe")
        yaml.sort_base_mapping_type_on_output = False
        yaml.dump(tree, file)
    return load_params(path, profile)


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(SvqkitError) as caught:
        act()
    return str(caught.value)


def holds_all(message: str, words: Iterable[str]) -> None:
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"


def test_the_file_names_the_profile_and_an_argument_wins(tree: Tree, tmp_path: Path) -> None:
    assert load(tree, tmp_path).profile == tree["profile"]
    assert load(tree | {"profile": "paper"}, tmp_path).profile == "paper"
    assert load(tree | {"profile": "paper"}, tmp_path, "sample").profile == "sample"


def test_a_profile_has_the_datasets_that_it_lists_and_others_have_the_rest(tree: Tree, tmp_path: Path) -> None:
    mine = f"{DATASET}_mine"
    tree["datasets"][mine] = tree["datasets"][DATASET] | {"root": "mine"}
    tree["profiles"]["real"] = {"datasets": [mine], "all": {}, mine: tree["profiles"]["sample"][DATASET]}
    tree["experiments"]["mine-svq"] = {"dataset": mine, "quantizer": {"name": "svq"}}
    there = {name: load(tree, tmp_path, name) for name in tree["profiles"]}
    assert {name: list(params.datasets) for name, params in there.items()} == {
        "sample": [DATASET], "paper": [DATASET], "real": [mine]
    }  # fmt: skip
    assert list(there["real"].experiments) == ["mine-svq"]
    assert "mine-svq" not in there["sample"].experiments
    holds_all(refusal(lambda: there["sample"].dataset(mine)), ["'sample'", repr(mine), "real"])
    tree["profiles"]["real"]["datasets"] = [f"{mine}s"]
    holds_all(refusal(lambda: load(tree, tmp_path)), ["profiles.real.datasets", f"did you mean {mine!r}"])


def test_later_places_win(tree: Tree, tmp_path: Path) -> None:
    tree = put(tree, (*DATA, "frames_in"), 5)
    tree = put(tree, (*EXPERIMENT, "training"), {"epochs": 9})
    tree = put(tree, (*EXPERIMENT, "model"), {"hid_T": 48})
    tree = put(tree, (*EXPERIMENT, "quantizer"), {"name": "svq", "codebook_size": 7})
    changed = load(tree, tmp_path).experiment(SVQ)
    assert changed.data.frames_in == 5
    assert (changed.training.epochs, changed.training.batch_size) == (9, 8)
    assert (changed.model.hid_T, changed.model.hid_S) == (48, 16)
    assert (changed.quantizer.codebook_size, changed.quantizer.hidden_dim) == (7, 128)
    assert changed.quantizer.init == "normal"
    other = load(tree, tmp_path).experiment(f"{DATASET}-none")
    assert (other.training.epochs, other.model.hid_T, other.quantizer.name) == (6, 64, "none")


def test_an_experiment_without_a_quantizer_is_plain(tree: Tree, tmp_path: Path) -> None:
    changed = load(put(tree, ("experiments", "plain"), {"dataset": DATASET}), tmp_path)
    assert changed.experiment("plain").quantizer == NoQuantizer()
    assert changed.experiment("plain").seeds == (0,)
    assert [one.name for one in changed.of_dataset(DATASET)] == [*tree["experiments"], "plain"]
    assert changed.of_dataset("another") == []


def test_what_an_experiment_does_in_one_profile_only_wins_there(tree: Tree, tmp_path: Path) -> None:
    paper = {
        "model": {"hid_T": 96},
        "training": {"loss": "mse", "epochs": 90},
        "quantizer": {"codebook_size": 50},
        "seeds": [7],
    }
    tree = put(tree, (*EXPERIMENT, "training"), {"epochs": 9, "batch_size": 3})
    plain = load(tree, tmp_path).experiment(SVQ)
    tree = put(tree, (*EXPERIMENT, "profiles"), {"paper": paper})
    assert load(tree, tmp_path).experiment(SVQ) == plain, "another profile is as it was"
    changed = load(tree, tmp_path, "paper").experiment(SVQ)
    assert (changed.model.hid_T, changed.seeds) == (96, (7,))
    assert (changed.training.loss, changed.training.epochs, changed.training.batch_size) == ("mse", 90, 3)
    assert (changed.quantizer.codebook_size, changed.quantizer.learnable) == (50, True)


def test_seeds_are_the_experiments_own_else_the_profiles_else_the_first(tree: Tree, tmp_path: Path) -> None:
    settings = load(put(tree, (*SIZED, "seeds"), [4, 5]), tmp_path)
    assert settings.experiment(SVQ).seeds == (0, 1, 2)
    assert settings.experiment(f"{DATASET}-none").seeds == (4, 5)
    assert load(tree, tmp_path, "paper").experiment(f"{DATASET}-none").seeds == (0,)


def test_an_experiment_stands_in_the_main_table_unless_it_says_otherwise(tree: Tree, tmp_path: Path) -> None:
    assert load(tree, tmp_path).experiment(SVQ).studies == ("main",)
    changed = load(put(tree, (*EXPERIMENT, "studies"), ["relu", "main"]), tmp_path).experiment(SVQ)
    assert changed.studies == ("relu", "main")
    assert experiment_from_tree(as_tree(changed), "here") == changed


def test_a_tree_from_before_there_were_studies_is_read(experiment: Experiment) -> None:
    tree = as_tree(experiment)
    del tree["studies"]
    assert experiment_from_tree(tree, "here") == experiment


@pytest.mark.parametrize("written", [[2010, 2013], ["2010", "2013"], ["2010-01", "2013-12-31"], ["2010-06", 2010]])
def test_a_period_is_an_interval_or_a_list_of_two_years_or_dates(written: list, tree: Tree, tmp_path: Path) -> None:
    for period in (written, "/".join(map(str, written))):
        changed = load(put(tree, (*DATA, "train"), period), tmp_path)
        assert changed.dataset(DATASET).train == tuple(map(str, written))


def test_unquoted_dates_of_yaml_are_dates(tmp_path: Path) -> None:
    text = TEXT.replace('["2010", "2013"]', "[2010-01-01, 2013-06-30]")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    assert load_params(tmp_path / "params.yaml", "sample").dataset(DATASET).train == ("2010-01-01", "2013-06-30")


STUDIES = """
studies:
  main:
    weather_t2m:
      none: {quantizer: {name: none}}
      svq: {quantizer: {name: svq, learnable: true}}
  translators:
    compare_with: weather_t2m-none
    weather_t2m: {model.translator: "swin, vit", quantizer.name: [none, svq], tau-none: {model: {translator: tau}}}
  noise:
    weather_t2m-none, weather_t2m-svq: {noise10: {model: {noise: 0.1}}}
  parts:
    compare_with: []
    weather_t2m-svq: {quantizer.codebook_size: {k16: 16, k64: 64}, training.loss: [mse]}
    weather_t2m-svq-k16-loss_mse: {other: {quantizer: {name: vq}}}
"""


@pytest.fixture
def study_tree(tree: Tree) -> Tree:
    tree["experiments"] = {}
    return tree | YAML(typ="safe").load(STUDIES)


def test_studies_make_experiments_of_what_they_vary(study_tree: Tree, tmp_path: Path) -> None:
    experiments = load(study_tree, tmp_path).experiments
    assert list(experiments) == [
        *("weather_t2m-none", SVQ),
        *(f"weather_t2m-{translator}-{kind}" for translator in ("swin", "vit") for kind in ("none", "svq")),
        "weather_t2m-tau-none",
        *("weather_t2m-none-noise10", f"{SVQ}-noise10"),
        *(f"{SVQ}-k16-loss_mse", f"{SVQ}-k16-loss_mse-other", f"{SVQ}-k64-loss_mse"),
    ]
    noise, small = experiments[f"{SVQ}-noise10"], experiments[f"{SVQ}-k16-loss_mse"]
    assert (noise.model.noise, noise.quantizer, noise.dataset) == (0.1, experiments[SVQ].quantizer, DATASET)
    assert (small.quantizer.codebook_size, small.quantizer.hidden_dim, small.training.loss) == (16, 128, "mse")
    other = experiments[f"{small.name}-other"]
    assert (other.quantizer.name, other.quantizer.codebook_size) == ("vq", 256), "not the base's, of another kind"
    assert experiments["weather_t2m-vit-svq"].model.translator == "vit"


def test_a_study_as_a_base_stands_for_all_its_experiments(study_tree: Tree, tmp_path: Path) -> None:
    study_tree["studies"]["sweep"] = {"noise": {"training.learning_rate": {"slow": 0.1, "fast": 0.2}}}
    experiments = load(study_tree, tmp_path).experiments
    bases = [name for name, experiment in experiments.items() if "noise" in experiment.studies and "-noise" in name]
    assert [name for name, experiment in experiments.items() if experiment.studies == ("sweep",)] == [
        f"{base}-{rate}" for base in bases for rate in ("slow", "fast")
    ]
    assert {experiments[base].studies for base in bases} == {("noise", "sweep")}
    fast = experiments[f"{SVQ}-noise10-fast"]
    assert (fast.model.noise, fast.training.learning_rate) == (0.1, 0.2)


def test_bases_and_those_to_compare_with_stand_in_a_study_s_table(study_tree: Tree, tmp_path: Path) -> None:
    experiments = load(study_tree, tmp_path).experiments
    assert experiments["weather_t2m-none"].studies == ("main", "translators", "noise")
    assert experiments[SVQ].studies == ("main", "noise"), "not in parts, which compares with nothing"
    assert experiments[f"{SVQ}-noise10"].studies == ("noise",)


def test_an_entry_of_an_experiment_changes_that_one_only(study_tree: Tree, tmp_path: Path) -> None:
    study_tree["experiments"] = {SVQ: {"training": {"epochs": 9}, "seeds": [4]}}
    experiments = load(study_tree, tmp_path).experiments
    assert (experiments[SVQ].training.epochs, experiments[SVQ].seeds) == (9, (4,))
    assert (experiments[f"{SVQ}-noise10"].training.epochs, experiments[f"{SVQ}-noise10"].seeds) == (6, (0,))


def test_what_a_profile_says_of_all_and_by_rule(study_tree: Tree, tmp_path: Path) -> None:
    sections = study_tree["profiles"]["sample"]
    sections["all"] = {
        "data": {"weather": {"frames_in": 3}},
        "model": {"hid_T": 8, "mlp_ratio": 2.0},
        "quantizers": {"svq, vq": {"codebook_size": 32}},
        "rules": {"none, vit": {"training": {"batch_size": 2}}, "noise": {"seeds": [7]}},
    }
    sections[DATASET]["rules"] = {"none": {"training": {"batch_size": 3}}}
    params = load(study_tree, tmp_path)
    experiments = params.experiments
    assert params.dataset(DATASET).frames_in == 3
    assert (experiments[SVQ].model.hid_T, experiments[SVQ].model.mlp_ratio) == (64, 2.0), "the dataset's own wins"
    assert params.sizes[DATASET]["vq"] == {"codebook_size": 256, "decay": 0.8}
    sizes = {name: experiments[name].training.batch_size for name in experiments}
    assert (sizes[SVQ], sizes["weather_t2m-vit-svq"], sizes["weather_t2m-none"]) == (8, 2, 3)
    assert experiments[f"{SVQ}-noise10"].seeds == (7,)


WRONG_STUDIES: list[tuple[Place, object, list[str]]] = [
    (("studies", "nois"), {}, ["studies: unknown key 'nois' (did you mean 'noise'?)"]),
    (("studies", "noise"), ["a"], ["studies.noise must be a mapping", "got ['a']"]),
    (("studies", "noise", "weather_t2m-svg"), {"a": {}}, ["unknown base 'weather_t2m-svg' (did you mean", DATASET]),
    (("studies", "noise", "compare_with"), "vq", ["studies.noise.compare_with: unknown experiment 'vq'"]),
    (("studies", "noise", SVQ), {"noise10": {}}, [f"studies.noise.{SVQ}: there is an experiment '{SVQ}-noise10'"]),
    (("studies", "noise", SVQ), {"a": 3}, [f"studies.noise.{SVQ}.a must be a mapping", "got 3"]),
    (("studies", "noise", SVQ), {"a": {"noise": 1}}, [f"studies.noise.{SVQ}.a: unknown key 'noise'", "valid: model"]),
    (("studies", "noise", SVQ), {"training.loss": ["l1"]}, [f"{SVQ}.training.loss", "'mae', 'mse' or 'huber'"]),
    (("studies", "noise", SVQ), {"training.loss": {}}, [f"{SVQ}.training.loss: has no values"]),
    (("studies", "noise", SVQ), {"../evil": {}}, [f"experiments: '{SVQ}-../evil' names folders"]),
    ((*SIZED, "rules"), {"nonne": {}}, [f"profiles.sample.{DATASET}.rules: unknown key 'nonne'", "did you mean"]),
    ((*SIZED, "rules"), {"none": {"data": {}}}, ["rules.none: unknown key 'data'", "valid: model, quantizers, seeds"]),
    (("profiles", "paper", "all"), {"data": {"kth": {"stride": 1}}}, ["paper.all.data.kth.stride: unknown key"]),
    (("profiles", "paper", DATASET, "model"), {"N_T": 1}, [f"paper.{DATASET}.model.N_T", "got 1"]),
    (("datasets", "all"), {"root": "x", "variables": ["a"]}, ["datasets: 'all' names folders"]),
]


@pytest.mark.parametrize(("place", "value", "words"), WRONG_STUDIES, ids=[words[0] for *_, words in WRONG_STUDIES])
def test_a_wrong_study_or_rule_is_refused_in_words(
    place: Place, value: object, words: list[str], study_tree: Tree, tmp_path: Path
) -> None:
    holds_all(refusal(lambda: load(put(study_tree, place, value), tmp_path)), words)


def places(tree: object, above: tuple = ()) -> Iterator[tuple]:
    for key, value in tree.items() if isinstance(tree, dict) else ():
        yield (*above, key)
        yield from places(value, (*above, key))


ODD = [None, 3, [], {}, "x", "a, b", [1, {"a": 2}], [[]], True, {"a": {"b": 1}}, {3: 4}, {"svq": None}, {"name": [1]}]


def test_what_is_odd_is_read_or_refused_wherever_it_stands(study_tree: Tree, tmp_path: Path) -> None:
    study_tree["experiments"] = {SVQ: {"profiles": {"sample": {"training": {"epochs": 3}}}}}
    study_tree["profiles"]["sample"]["all"] = {"data": {"weather": {}}, "rules": {"none, vit": {"seeds": [1]}}}
    for place, value in random.Random(0).sample([*product(places(study_tree), ODD)], 150):
        (tmp_path / "params.yaml").write_text(json.dumps(put(study_tree, place, value)))
        with suppress(SvqkitError):
            load_params(tmp_path / "params.yaml")


def test_a_thousand_experiments_are_read_at_once(study_tree: Tree, tmp_path: Path) -> None:
    study_tree["studies"]["main"][DATASET] |= {f"e{number}": {"model": {"noise": 0.5}} for number in range(1000)}
    (tmp_path / "params.yaml").write_text(json.dumps(study_tree))
    assert len(load_params(tmp_path / "params.yaml").experiments) == 1012


def test_a_key_that_dvc_would_break_into_two_lines_is_refused(study_tree: Tree, tmp_path: Path) -> None:
    tree = put(study_tree, ("studies", "noise", ", ".join([SVQ] * 5)), {})
    (tmp_path / "params.yaml").write_text(json.dumps(tree))
    message = refusal(lambda: load_params(tmp_path / "params.yaml"))
    holds_all(message, [f"studies.noise: '{SVQ}, {SVQ}", "is too long a key for DVC"])


def test_the_file_stays_short() -> None:
    lines = PARAMS.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 320
    assert max(map(len, lines)) <= 100


KEYS_OF_TRAINING = "valid: augment, batch_size, clip_norm, crop_scale, epochs, learning_rate"
UNKNOWN_KEYS: list[tuple[Place, list[str]]] = [
    (("datasts",), ["unknown key 'datasts'", "did you mean 'datasets'?", "profile, profiles"]),
    (("profiles", "sample", "weather"), ["profiles.sample: unknown key 'weather'", f"valid: all, datasets, {DATASET}"]),
    ((*SIZED, "modell"), [f"profiles.sample.{DATASET}: unknown key 'modell'", "valid: data, model, quantizers"]),
    (("datasets", DATASET, "vars"), [f"datasets.{DATASET}.vars: unknown key", "valid: frames_in, frames_out, gaps"]),
    (
        (*DATA, "paper_offsets", "input"),
        ["paper_offsets.input: unknown key", "did you mean 'inputs'?", "inputs, targets"],
    ),
    ((*DATA, "frame_in"), [f"{DATA_WORDS}.frame_in: unknown key", "did you mean 'frames_in'?"]),
    ((*MODEL, "hid_s"), [f"{MODEL_WORDS}.hid_s: unknown key 'hid_s' (did you mean 'hid_S'?)", "valid: N_S, N_T"]),
    ((*TRAINING, "epoch"), [f"{TRAINING_WORDS}.epoch: unknown key", "did you mean 'epochs'?", KEYS_OF_TRAINING]),
    ((*SIZES, "svqq"), [f"{SIZES_WORDS}: unknown key 'svqq'", "did you mean 'svq'?", "simvq, softmax, svq, vq"]),
    ((*SIZES, "svq", "size"), [f"{SIZES_WORDS}.svq.size: unknown key 'size'", "valid: codebook_size"]),
    ((*SIZES, "none", "size"), [f"{SIZES_WORDS}.none.size: unknown key 'size'", "valid: name"]),
    ((*EXPERIMENT, "seed"), [f"experiments.{SVQ}: unknown key 'seed'", "did you mean 'seeds'?"]),
    ((*EXPERIMENT, "profile"), [f"experiments.{SVQ}: unknown key 'profile'"]),
    ((*EXPERIMENT, "model"), [f"experiments.{SVQ}.model.bad: unknown key 'bad'", "valid: N_S, N_T"]),
    ((*EXPERIMENT, "training"), [f"experiments.{SVQ}.training.bad: unknown key 'bad'", KEYS_OF_TRAINING]),
    ((*EXPERIMENT, "quantizer", "decay"), [f"experiments.{SVQ}.quantizer.decay: unknown key", "valid: codebook_size"]),
]


SETTINGS_OF_DATA = [
    ("variables", [], ["at least 1 item", "got []"]),
    ("variables", "t2m", ["valid array", "got 't2m'"]),
    ("variables", ["t2m", "t2m"], [".variables: each of them once"]),
    ("levels", [500, 500], [".levels: each of them once"]),
    ("root", " ", [".root: String should match pattern"]),
    ("root", "a\0b", [".root: String should match pattern"]),
    ("levels", [500.5], ["valid integer", "500.5"]),
    ("source", "wether", ["'weather'", "got 'wether'"]),
    ("gaps", "skip", ["'error' or 'split'", "got 'skip'"]),
    ("hours_per_frame", 0, ["greater than 0", "got 0"]),
    ("frames_in", -1, ["greater than 0", "got -1"]),
    ("frames_out", True, ["valid integer", "got True"]),
    ("frames_out", 2.5, ["integer", "got 2.5"]),
    ("train", "2010", ["a period is written first/last, as in 2010/2015", "got '2010'"]),
    ("train", "2010/June", ["data.train.1: a date is written 2010, 2010-06 or 2010-06-30, got 'June'"]),
    ("train", "2010/2011/2012", ["at most 2 items"]),
    ("train", ["2010"], ["train.1"]),
    ("train", [True, "2013"], ["valid string", "got True"]),
    ("train", ["2010", "June"], ["data.train.1: a date is written 2010, 2010-06 or 2010-06-30, got 'June'"]),
    ("train", ["2010", "2011-02-29"], ["data.train.1: a date is written", "got '2011-02-29'"]),
    ("train", ["2013", "2010"], ["train: the last date '2010' lies before the first one '2013'"]),
    ("train", ["2010", "2014"], ["train ['2010', '2014'] and validation ['2014', '2014'] overlap"]),
    ("test", ["2013-12-31", "2015"], ["train ['2010', '2013'] and test ['2013-12-31', '2015'] overlap"]),
]
SETTINGS_OF_MODEL = [
    ("translator", "gst", ["unknown translator 'gst' (did you mean 'gsta'?)", "valid: convmixer, convnext"]),
    ("hid_S", 15, ["hid_S must be even", "got 15"]),
    ("hid_T", "64", ["valid integer", "got '64'"]),
    ("N_S", 3, ["multiple of 2", "got 3"]),
    ("N_S", 0, ["greater than or equal to 2", "got 0"]),
    ("N_T", 1, ["greater than or equal to 2", "got 1"]),
    ("spatio_kernel_enc", 4, ["must be odd", "got 4"]),
    ("spatio_kernel_dec", -3, ["greater than 0", "got -3"]),
    ("mlp_ratio", 1.0, ["greater than 1", "got 1.0"]),
    ("mlp_ratio", "8", ["valid number", "got '8'"]),
    ("drop", 1.0, ["less than 1", "got 1.0"]),
    ("drop_path", -0.1, ["greater than or equal to 0", "got -0.1"]),
    ("quantize_after_translator", 1, ["valid boolean", "got 1"]),
    ("longitude", "circular", ["'zeros' or 'wrap'", "got 'circular'"]),
]
SETTINGS_OF_TRAINING = [
    ("loss", "l1", ["'mae', 'mse' or 'huber'", "got 'l1'"]),
    ("schedule", "cos", ["'cosine', 'onecycle' or 'constant'", "got 'cos'"]),
    ("precision", "fp16", ["'fp32' or 'bf16'", "got 'fp16'"]),
    ("epochs", 0, ["greater than 0", "got 0"]),
    ("epochs", 1, ["warmup_epochs (1) must be fewer than epochs (1)"]),
    ("warmup_epochs", 6, ["warmup_epochs (6) must be fewer than epochs (6)"]),
    ("batch_size", -8, ["greater than 0", "got -8"]),
    ("learning_rate", 0.0, ["greater than 0", "got 0.0"]),
    ("learning_rate", float("inf"), ["finite number"]),
    ("learning_rate", float("nan"), ["got nan"]),
    ("learning_rate", False, ["valid number", "got False"]),
    ("clip_norm", -1.0, ["greater than or equal to 0", "got -1.0"]),
    ("patience", 0, ["greater than 0", "got 0"]),
    ("steps_per_epoch", -1, ["greater than or equal to 0", "got -1"]),
]
SETTINGS_OF_SVQ = [
    ("codebook_size", 0, ["greater than 0", "got 0"]),
    ("hidden_dim", -1, ["greater than or equal to 0", "got -1"]),
    ("learnable", "yes", ["valid boolean", "got 'yes'"]),
    ("init", "he", ["'kaiming', 'xavier', 'sparse', 'trunc_normal', 'orthogonal', 'uniform-random' or 'normal'"]),
]
SETTINGS_OF_VQ = [
    ("decay", 1.0, ["less than 1", "got 1.0"]),
    ("commitment_weight", -0.5, ["greater than or equal to 0", "got -0.5"]),
]
WRONG_VALUES = [
    (place, words, key, value, more)
    for place, words, rows in (
        (DATA, DATA_WORDS, SETTINGS_OF_DATA),
        (MODEL, MODEL_WORDS, SETTINGS_OF_MODEL),
        (TRAINING, TRAINING_WORDS, SETTINGS_OF_TRAINING),
        ((*SIZES, "svq"), f"{SIZES_WORDS}.svq", SETTINGS_OF_SVQ),
        ((*SIZES, "vq"), f"{SIZES_WORDS}.vq", SETTINGS_OF_VQ),
    )
    for key, value, more in rows
]


@pytest.mark.parametrize(
    ("place", "where", "key", "value", "words"),
    WRONG_VALUES,
    ids=[f"{place[-1]}.{key}={value}" for place, _, key, value, _ in WRONG_VALUES],
)
def test_a_wrong_value_is_one_problem_with_its_place_and_what_is_valid(
    place: Place, where: str, key: str, value: object, words: list[str], tree: Tree, tmp_path: Path
) -> None:
    message = refusal(lambda: load(put(tree, (*place, key), value), tmp_path))
    holds_all(message, [str(tmp_path / "params.yaml"), " 1 problem(s)", where, key, *words])


WRONG_ENTRIES: list[tuple[Place, object, list[str]]] = [
    (("profile",), "samples", ["Unknown profile 'samples' (did you mean 'sample'?)", "Valid: paper, sample"]),
    (("profile",), ["sample"], ["Unknown profile ['sample']", "Valid: paper, sample"]),
    (("profile",), None, ["Unknown profile None", "Valid: paper, sample"]),
    (("profiles", "sample"), {}, [f"profiles.sample says nothing of dataset '{DATASET}'"]),
    (("profiles",), ["sample"], ["profiles must be a mapping", "got ['sample']"]),
    ((*SIZED,), "small", [f"profiles.sample.{DATASET} must be a mapping", "got 'small'"]),
    ((*MODEL,), "gsta", [f"profiles.sample.{DATASET}.model must be a mapping", "got 'gsta'"]),
    (("datasets", DATASET, "source"), "wether", [f"datasets.{DATASET}.source: unknown source 'wether'", "'weather'"]),
    (("experiments",), ["a"], ["experiments must be a mapping"]),
    ((*EXPERIMENT, "dataset"), "weather", [f"experiments.{SVQ}.dataset: unknown dataset 'weather'", DATASET]),
    ((*EXPERIMENT, "dataset"), [DATASET], [f"experiments.{SVQ}.dataset: unknown dataset", f"valid: {DATASET}"]),
    ((*EXPERIMENT, "dataset"), None, [f"experiments.{SVQ}.dataset: is missing", f"valid: {DATASET}"]),
    ((*EXPERIMENT, "quantizer"), {"name": "svqs"}, [f"experiments.{SVQ}.quantizer.name: unknown name 'svqs'"]),
    ((*EXPERIMENT, "quantizer"), {"name": ["svq"]}, [f"experiments.{SVQ}.quantizer.name", "none, residual_fsq"]),
    ((*EXPERIMENT, "quantizer"), {"learnable": True}, ["quantizer.name: is missing", "valid: fsq, ", "svq, vq"]),
    ((*EXPERIMENT, "quantizer"), "svq", [f"experiments.{SVQ}.quantizer must be a mapping", "got 'svq'"]),
    ((*EXPERIMENT, "quantizer", "init"), "he", [f"{SVQ}.quantizer.init", "'kaiming', 'xavier'", "got 'he'"]),
    ((*EXPERIMENT, "training"), {"loss": "l1"}, [f"experiments.{SVQ}.training.loss", "'mae', 'mse' or 'huber'"]),
    ((*EXPERIMENT, "protocol"), "honest", [f"experiments.{SVQ}.protocol", "'clean' or 'paper'", "got 'honest'"]),
    ((*EXPERIMENT, "seeds"), [], [f"experiments.{SVQ}.seeds", "at least 1 item"]),
    ((*EXPERIMENT, "seeds"), [0, 1, 0], [f"experiments.{SVQ}.seeds: each of them once, got [0, 1, 0]"]),
    ((*EXPERIMENT, "seeds"), [-1], ["1 problem(s)", f"experiments.{SVQ}.seeds.0", "equal to 0, got -1"]),
    ((*EXPERIMENT, "seeds"), [True], ["1 problem(s)", f"experiments.{SVQ}.seeds.0", "valid integer, got True"]),
    ((*EXPERIMENT, "seeds"), 3, [f"experiments.{SVQ}.seeds", "valid array, got 3"]),
    ((*EXPERIMENT, "studies"), [], [f"experiments.{SVQ}.studies", "at least 1 item"]),
    ((*EXPERIMENT, "studies"), ["mian"], ["1 problem(s)", f"experiments.{SVQ}.studies.0", "'main'", "got 'mian'"]),
    ((*EXPERIMENT, "studies"), ["main", "main"], [f"{SVQ}.studies: each of them once, got ['main', 'main']"]),
    ((*EXPERIMENT, "profiles"), ["paper"], [f"experiments.{SVQ}.profiles must be a mapping"]),
    ((*EXPERIMENT, "profiles"), {"papr": {}}, ["unknown key 'papr' (did you mean 'paper'?)", "paper, sample"]),
    ((*PAPER, "seed"), 1, [f"{SVQ}.profiles.paper: unknown key 'seed'", "valid: model, quantizer, seeds"]),
    ((*PAPER, "dataset"), DATASET, [f"{SVQ}.profiles.paper: unknown key 'dataset'"]),
    ((*PAPER, "training"), 1, [f"{SVQ}.profiles.paper.training must be a mapping", "got 1"]),
    ((*PAPER, "training"), {"epoch": 1}, ["paper.training.epoch: unknown key 'epoch' (did you mean 'epochs'?)"]),
    ((*PAPER, "model"), {"hid_s": 1}, ["paper.model.hid_s: unknown key", "did you mean 'hid_S'?"]),
    ((*PAPER, "model"), {"translator": "gst"}, ["paper.model.translator: unknown translator 'gst'", "'gsta'"]),
    ((*PAPER, "quantizer"), {"decay": 0.5}, ["paper.quantizer.decay: unknown key 'decay'", "valid: codebook_size"]),
    ((*PAPER, "quantizer"), {"name": "vq"}, ["paper.quantizer.name: Input should be 'svq', got 'vq'"]),
    ((*PAPER[:-1], "sample"), {"training": {"epochs": 0}}, [f"{SVQ}.profiles.sample.training.epochs", "got 0"]),
    (("experiments", "a b"), {"dataset": DATASET}, ["'a b' names folders", "letters, digits, '_' and '-'"]),
    *((("lpips_alexnet",), value, ["1 problem(s)", "lpips_alexnet", f"got {value!r}"]) for value in ([], ["a"], 0, 3)),
    ((*EXPERIMENT, "seeds"), [2**70], ["1 problem(s)", f"experiments.{SVQ}.seeds.0", "less than or equal to"]),
    (("datasets", DATASET, "root"), "", [f"{DATASET}.root", "at least 1 character"]),
]


# Each unknown key is named with its place and the valid ones.
WRONG_ENTRIES += [
    (place, {"bad": 1} if place[-1] in ("model", "training") else {}, words) for place, words in UNKNOWN_KEYS
]


@pytest.mark.parametrize(
    ("place", "value", "words"), WRONG_ENTRIES, ids=[f"{place[-1]}={value}" for place, value, _ in WRONG_ENTRIES]
)
def test_a_wrong_entry_is_refused(place: Place, value: object, words: list[str], tree: Tree, tmp_path: Path) -> None:
    holds_all(refusal(lambda: load(put(tree, place, value), tmp_path)), words)


@pytest.mark.parametrize("name", ["root", "variables", "train"])
def test_a_setting_that_must_be_given_is_missed(name: str, tree: Tree, tmp_path: Path) -> None:
    for place in (tree["datasets"][DATASET], tree["profiles"]["sample"][DATASET]["data"]):
        place.pop(name, None)
    holds_all(refusal(lambda: load(tree, tmp_path)), ["1 problem(s)", f"{DATA_WORDS}.{name}: is missing"])


@pytest.mark.parametrize(
    ("place", "value"),
    [((*TRAINING, "quantizer_learning_rate"), "fast"), (("profiles", "sample", "datasets"), {}), ((*MODEL, "x"), 1)],
)
def test_a_problem_names_no_place_that_is_not_in_the_file(
    place: Place, value: object, tree: Tree, tmp_path: Path
) -> None:
    message = refusal(lambda: load(put(tree, place, value), tmp_path))
    assert f"{'.'.join(place)}:" in message
    assert not set("[]").intersection(message.partition(", got")[0])
    assert "literal" not in message


def test_a_profile_without_content_or_with_a_number_for_a_name(tree: Tree, tmp_path: Path) -> None:
    empty = put(put(tree, ("profiles", "empty"), None), ("profile",), "empty")
    assert f"profiles.empty says nothing of dataset '{DATASET}'" in refusal(lambda: load(empty, tmp_path))
    assert "profiles: 3 names folders" in refusal(lambda: load(put(tree, ("profiles", 3), {}), tmp_path, "3"))


@pytest.mark.parametrize("schedule", ["onecycle", "constant"])
def test_only_a_cosine_schedule_has_a_warm_up_that_must_end(schedule: str, experiment: Experiment) -> None:
    short = override(experiment, {"training": {"schedule": schedule, "epochs": 1}})
    assert short.training.epochs == 1


@pytest.mark.parametrize("kind", ["svq", "softmax", "gumbel"])
def test_a_hidden_layer_can_be_left_out(kind: str, experiment: Experiment) -> None:
    assert override(experiment, {"quantizer": {"name": kind, "hidden_dim": 0}}).quantizer.hidden_dim == 0


def test_all_mistakes_are_listed_at_once(tree: Tree, tmp_path: Path) -> None:
    tree = put(tree, (*MODEL, "hid_S"), "many")
    tree = put(tree, (*TRAINING, "epoch"), 3)
    tree = put(tree, (*TRAINING, "loss"), "l1")
    tree = put(tree, ("experiments", "lost"), {"dataset": "nowhere"})
    tree = put(tree, (*EXPERIMENT, "seeds"), [1, 1])
    message = refusal(lambda: load(tree, tmp_path))
    places = [f"{MODEL_WORDS}.hid_S", f"{TRAINING_WORDS}.epoch", f"{TRAINING_WORDS}.loss", "experiments.lost.dataset"]
    holds_all(message, [" 5 problem(s)", *places, f"{SVQ}.seeds"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [1", "is not valid YAML"),
        (b"profile: sample\nprofile: paper", "is not valid YAML"),
        (b"\xff\xfe\xfa", "is not valid YAML"),
        (b"- a list", "must be a mapping"),
        (b"profile: !!binary aGVsbG8=", "line 1: a value of type 'binary'"),
        (b"profile:\n  !!set {a}", "line 2: a value of type 'set'"),
        (b"", "params.yaml doesn't fit"),
    ],
)
def test_a_file_that_is_no_settings_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    assert words in refusal(lambda: load_params(path))


def test_names_are_checked_in_every_profile_and_listed_at_once(tree: Tree, tmp_path: Path) -> None:
    tree = put(tree, (*PAPER, "training"), {"epoch": 3, "los": "mse"})
    tree = put(tree, (*EXPERIMENT, "profiles", "full"), {})
    tree = put(tree, (*MODEL, "hid_S"), "many")
    message = refusal(lambda: load(tree, tmp_path, "sample"))
    places = [
        "profiles.paper.training.epoch",
        "profiles.paper.training.los",
        "profiles: unknown key 'full'",
        f"{MODEL_WORDS}.hid_S",
    ]
    holds_all(message, [" 4 problem(s)", *places])


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    holds_all(refusal(lambda: load_params(tmp_path / "absent.yaml")), [str(tmp_path / "absent.yaml"), "No "])
    holds_all(refusal(lambda: load_params(tmp_path)), [str(tmp_path), "can't be read"])


def test_unknown_names_are_answered_with_the_valid_ones(params: Params) -> None:
    holds_all(refusal(lambda: params.experiment("weather_t2m-sqv")), [f"did you mean '{SVQ}'?", f"{DATASET}-none"])
    holds_all(refusal(lambda: params.dataset("t2m")), ["'t2m'", "profile 'sample'", f"Valid: {DATASET}"])


def test_an_override_of_the_kind_of_quantizer_starts_from_that_kind_s_defaults(experiment: Experiment) -> None:
    changed = override(experiment, {"quantizer": {"name": "residual_vq", "num_quantizers": 2}})
    assert changed.quantizer == ResidualVQSettings(num_quantizers=2)
    assert override(changed, {"quantizer": {"decay": 0.9}}).quantizer.num_quantizers == 2


def test_override_changes_what_it_names_and_nothing_else(experiment: Experiment) -> None:
    changed = override(experiment, {"training": {"epochs": 2}, "seeds": [5]})
    tree = as_tree(experiment)
    tree["training"]["epochs"], tree["seeds"] = 2, [5]
    assert as_tree(changed) == tree
    assert experiment.training.epochs == 6, "the experiment that was given stays as it was"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"training": {"epoch": 2}}, ["overrides.training.epoch: unknown key", "did you mean 'epochs'?"]),
        ({"training": {"epochs": 2.5}}, ["overrides.training.epochs", "got 2.5"]),
        ({"training": {"warmup_epochs": 50}}, ["overrides.training: warmup_epochs (50)"]),
        ({"quantizer": {"name": "rvq"}}, ["overrides.quantizer.name: unknown name 'rvq' (did you mean 'vq'?)"]),
        ({"quantizer": {"size": 2}}, ["overrides.quantizer.size: unknown key", "valid: codebook_size"]),
        ({"trainin": {}}, ["overrides.trainin: unknown key", "did you mean 'training'?"]),
        ({"seeds": [1, 1]}, ["each of them once"]),
        ({"model": {"hid_S": 3}, "data": {"gaps": "x"}}, ["overrides.model.hid_S", "overrides.data.gaps"]),
        ({"model": "gsta"}, ["overrides.model must be a mapping", "got 'gsta'"]),
    ],
)
def test_override_is_checked_as_the_file_is(changes: Tree, words: list[str], experiment: Experiment) -> None:
    holds_all(refusal(lambda: override(experiment, changes)), [experiment.name, *words])


@pytest.mark.parametrize("profile", ["sample", "paper"])
def test_an_experiment_comes_back_from_its_tree_also_through_json(profile: str) -> None:
    for experiment in load_params(PARAMS, profile).experiments.values():
        tree = as_tree(experiment)
        assert json.loads(json.dumps(tree)) == tree, "a tree is what JSON gives back"
        assert experiment_from_tree(tree, "here") == experiment


def test_a_tree_of_another_version_is_refused_with_its_place(experiment: Experiment) -> None:
    tree = put(as_tree(experiment), ("model", "depth"), 3)
    message = refusal(lambda: experiment_from_tree(tree, "runs/a/config.json"))
    holds_all(message, ["runs/a/config.json is not a run of this version", "model.depth: unknown key 'depth'"])


YEARS = ["2010", "2011"]
MONTHS = ["2010-01", "2010-02", "2010-12"]
DAYS = ["2010-01-01", "2010-01-31", "2010-02-28", "2010-12-31", "2011-01-01"]
DATES = st.sampled_from(YEARS + MONTHS + DAYS)
PERIODS = st.tuples(DATES, DATES)


@settings(max_examples=200)
@given(train=PERIODS, validation=PERIODS, test=st.just(("2012", "2012")) | PERIODS)
def test_periods_fit_just_when_each_has_a_day_and_no_day_is_in_two(
    experiment: Experiment, train: tuple[str, str], validation: tuple[str, str], test: tuple[str, str]
) -> None:
    def days(period: tuple[str, str]) -> list[np.datetime64]:
        first, after = np.datetime64(period[0], "D"), (np.datetime64(period[1]) + 1).astype("datetime64[D]")
        return list(np.arange(first, max(first, after)))

    periods = {"train": train, "validation": validation, "test": test}
    sets = [days(period) for period in periods.values()]
    fit = all(sets) and len(set().union(*sets)) == sum(map(len, sets))
    try:
        changed = override(experiment, {"data": {name: list(period) for name, period in periods.items()}})
    except SvqkitError:
        assert not fit
    else:
        assert fit
        assert (changed.data.train, changed.data.validation, changed.data.test) == tuple(periods.values())


def test_the_registries_have_just_the_names_that_settings_allow() -> None:
    from svqkit.quantizers import mixture
    from svqkit.training import loop

    kinds = get_args(get_args(Quantizer)[0])
    assert set(QUANTIZERS) == {kind.name for kind in kinds} == {kind().name for kind in kinds}
    assert set(mixture.CODEBOOK_INITS) == set(get_args(CodebookInit))
    assert set(loop.LOSSES) == set(get_args(Loss))
