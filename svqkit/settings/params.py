"""params.yaml read into frozen dataclasses; whatever does not fit is refused before anything runs.

An experiment's settings come from four places of params.yaml, the later one winning: ``datasets.<dataset>``
(what is forecast), ``profiles.<profile>.<dataset>`` (periods, sizes of the model and of each quantizer, training,
seeds), ``experiments.<experiment>`` (what this experiment does differently) and
``experiments.<experiment>.profiles.<profile>`` (what it does differently in that profile only). This module imports no
torch, so that a typing error in params.yaml is answered at once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from svqkit.errors import SvqkitError, choose, hint, listed, shown
from svqkit.settings.data import SOURCES, Data, Split, WeatherData
from svqkit.settings.quantizers import QUANTIZERS, Quantizer
from svqkit.settings.types import (
    MOST_LAYERS,
    NAME_RULE,
    STRICT,
    Channels,
    Fraction,
    Name,
    Natural,
    Odd,
    Positive,
    Seeds,
    is_name,
)
from svqkit.userfiles import read_yaml

__all__ = [
    "Data",
    "Experiment",
    "Params",
    "Split",
    "Study",
    "as_tree",
    "experiment_from_tree",
    "load_params",
    "override",
]

# The registry of translators: where the class of each is. Strings, since this module imports no torch.
TRANSLATORS = {
    "convmixer": "svqkit.models.translators.convmixer:ConvMixer",
    "convnext": "svqkit.models.translators.convnext:ConvNeXt",
    "gsta": "svqkit.models.translators.gsta:GSTA",
    "hornet": "svqkit.models.translators.hornet:HorNet",
    "incepu": "svqkit.models.translators.incepu:IncepU",
    "mlpmixer": "svqkit.models.translators.mlpmixer:MLPMixer",
    "moganet": "svqkit.models.translators.moganet:MogaNet",
    "poolformer": "svqkit.models.translators.poolformer:PoolFormer",
    "swin": "svqkit.models.translators.swin:Swin",
    "tau": "svqkit.models.translators.tau:TAU",
    "uniformer": "svqkit.models.translators.uniformer:UniFormer",
    "van": "svqkit.models.translators.van:VAN",
    "vit": "svqkit.models.translators.vit:ViT",
}
Translator = Annotated[str, AfterValidator(lambda name: _translator(name))]
Loss = Literal["mae", "mse", "huber"]
Schedule = Literal["cosine", "onecycle", "constant"]
Precision = Literal["fp32", "bf16"]
Compile = Literal["auto", "off", "on", "graphs"]
Protocol = Literal["clean", "paper"]
Augmentation = Literal["crop", "flip", "rotate"]
# The questions that experiments answer together: a table of results each.
Study = Literal[
    "main",
    "translators",
    "noise",
    "quantizers",
    "stability",
    "controls",
    "parts",
    "relu",
    "init",
    "codebook_size",
    "loss",
    "sparsity",
    "published",
]

T = TypeVar("T")


@dataclass(frozen=True, config=STRICT)
class Model:
    """SimVP: N_S convolutions down and up again, and between them a translator of N_T blocks over time × space.

    ``noise`` is the share of input values that is perturbed while training.
    """

    translator: Translator = "gsta"
    hid_S: Channels = 32
    hid_T: Channels = 256
    N_S: Annotated[int, Field(ge=2, le=MOST_LAYERS, multiple_of=2)] = 2
    N_T: Annotated[int, Field(ge=2, le=MOST_LAYERS)] = 8
    spatio_kernel_enc: Odd = 3
    spatio_kernel_dec: Odd = 3
    mlp_ratio: Annotated[float, Field(gt=1, le=100)] = 8.0
    drop: Fraction = 0.0
    drop_path: Fraction = 0.1
    quantize_after_translator: bool = False
    noise: Fraction = 0.0

    @model_validator(mode="after")
    def _two_groups(self) -> "Model":
        if self.hid_S % 2:
            raise ValueError(f"hid_S must be even (its channels are normalised in two groups), got {self.hid_S}")
        return self


# What pydantic puts into the path of an error to say which kind it took.
_TAGS = {*QUANTIZERS, *SOURCES}


@dataclass(frozen=True, config=STRICT)
class Training:
    """How a model is fitted. ``learning_rate`` is the peak.

    ``steps_per_epoch`` ends an epoch after that many steps (0: all windows once); ``patience`` is the number of
    epochs with a worse validation loss than the best one after which training stops; ``clip_norm`` 0 does not clip.
    ``augment`` names what is done to training windows at random (see :mod:`svqkit.data.augment`); a crop keeps
    ``crop_scale`` of the height and width. ``torch_compile`` is whether the steps are compiled (see
    :mod:`svqkit.devices.performance`).
    """

    loss: Loss = "mae"
    epochs: Positive = 50
    batch_size: Positive = 16
    learning_rate: Annotated[float, Field(gt=0)] = 5e-3
    schedule: Schedule = "cosine"
    warmup_epochs: Natural = 5
    warmup_learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    min_learning_rate: Annotated[float, Field(ge=0)] = 1e-6
    patience: Positive = 10
    steps_per_epoch: Natural = 0
    clip_norm: Annotated[float, Field(ge=0)] = 0.0
    precision: Precision = "fp32"
    torch_compile: Compile = "auto"
    augment: tuple[Augmentation, ...] = ()
    crop_scale: Annotated[float, Field(gt=0, le=1)] = 0.95

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "Training":
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs ({self.warmup_epochs}) must be fewer than epochs ({self.epochs}), "
                "or the learning rate never reaches its peak"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class Experiment:
    """One experiment with everything that it needs: a dataset, a model, a quantizer, a training, its seeds.

    ``studies`` are the tables of results in which it stands.
    """

    name: Name
    profile: Name
    dataset: Name
    data: Data
    model: Model
    quantizer: Quantizer
    training: Training
    seeds: Seeds = (0,)
    protocol: Protocol = "clean"
    studies: Annotated[tuple[Study, ...], Field(min_length=1)] = ("main",)

    def trained_for(self, protocol: Protocol) -> bool:
        """Whether a protocol's windows are made as those that it is trained on; else scores there mean nothing."""
        return protocol == self.protocol or getattr(self.data, "paper_offsets", None) is None

    @model_validator(mode="after")
    def _each_once(self) -> "Experiment":
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: each seed once, got {list(self.seeds)}")
        if len(set(self.studies)) < len(self.studies):
            raise ValueError(f"studies: each study once, got {list(self.studies)}")
        return self


@dataclass(frozen=True, config=STRICT)
class Params:
    """All of params.yaml for one profile.

    ``lpips_alexnet`` is a file with AlexNet's weights for LPIPS; empty: torchvision's own cache.
    """

    profile: str
    datasets: dict[str, Data]
    experiments: dict[str, Experiment]
    lpips_alexnet: str = ""

    def dataset(self, name: str) -> Data:
        """The dataset called ``name``; an unknown name is answered with the valid ones."""
        return choose(self.datasets, name, f"dataset in profile {self.profile!r}")

    def experiment(self, name: str) -> Experiment:
        """The experiment called ``name``; an unknown name is answered with the valid ones."""
        return choose(self.experiments, name, "experiment")

    def of_dataset(self, dataset: str) -> list[Experiment]:
        """The experiments on one dataset, in the order of params.yaml."""
        return [experiment for experiment in self.experiments.values() if experiment.dataset == dataset]


def load_params(path: str | Path = "params.yaml", profile: str | None = None) -> Params:
    """Read and check params.yaml.

    Args:
        path: the file.
        profile: take this profile instead of the one that the file names.

    Raises:
        SvqkitError: with every problem of the file in one message: unknown keys and names, wrong types and
            impossible values, each with its place and with what is valid there.
    """
    tree = _read(Path(path))
    _refuse_unknown(tree, {"profile", "lpips_alexnet", "datasets", "profiles", "experiments"}, str(path), "key")
    profiles = _mapping(tree.get("profiles"), f"{path}: profiles")
    name = profile or tree.get("profile")
    sized = _mapping(choose(profiles, name, "profile"), f"{path}: profiles.{name}")
    if not is_name(name):
        raise SvqkitError(f"{path}: the profile {name!r} {NAME_RULE}.")
    entries = _mapping(tree.get("datasets"), f"{path}: datasets")
    _refuse_unknown(sized, set(entries), f"{path}: profiles.{name}", "dataset")
    for dataset in entries:
        if dataset not in sized:
            raise SvqkitError(
                f"{path}: profiles.{name} says nothing of dataset {dataset!r}; add its periods and sizes."
            )
    problems = [f"datasets: {key!r} {NAME_RULE}" for key in entries if not is_name(key)]

    datasets = {}
    for dataset, entry in sized.items():
        where = f"profiles.{name}.{dataset}"
        entry = _mapping(entry, where)
        _refuse_unknown(entry, {"data", "model", "quantizers", "training", "seeds"}, where, "key")
        settings = _of_dataset(entries[dataset], entry, where)
        data = _build(Data, settings, f"datasets.{dataset} with {where}.data", problems)
        model = _build(Model, _mapping(entry.get("model"), where), f"{where}.model", problems)
        training = _build(Training, _mapping(entry.get("training"), where), f"{where}.training", problems)
        quantizers = _mapping(entry.get("quantizers"), f"{where}.quantizers")
        _refuse_unknown(quantizers, set(QUANTIZERS), f"{where}.quantizers", "quantizer")
        sizes = [
            _build(QUANTIZERS[kind], _mapping(settings, where), f"{where}.quantizers.{kind}", problems)
            for kind, settings in quantizers.items()
        ]
        if data and model and training and all(sizes) and is_name(dataset):
            datasets[dataset] = data

    experiments = {}
    keys = {f.name for f in fields(Experiment)} - {"name", "profile", "data"} | {"profiles"}
    for key, entry in _mapping(tree.get("experiments"), f"{path}: experiments").items():
        entry = _mapping(entry, f"experiments.{key}")
        _refuse_unknown(entry, keys, f"experiments.{key}", "key")
        unfit = list(_unfit_in_profiles(f"experiments.{key}", entry, profiles))
        problems += unfit
        dataset = entry.get("dataset")
        if not isinstance(dataset, str) or dataset not in entries:
            unknown = f"unknown dataset {dataset!r}{hint(dataset, entries)}" if dataset else "is missing"
            problems.append(f"experiments.{key}.dataset: {unknown}; valid: {listed(entries)}")
        elif dataset in datasets and not unfit:
            experiments[key] = _experiment(key, name, entry, entries[dataset], sized[dataset], problems)
    if problems:
        raise SvqkitError(f"{path} has {len(problems)} problem(s):\n" + "\n".join(f"  - {line}" for line in problems))
    alexnet = tree.get("lpips_alexnet") or ""
    if not isinstance(alexnet, str):
        raise SvqkitError(f"{path}: lpips_alexnet must be the name of a file, got {shown(alexnet)}.")
    return Params(profile=name, datasets=datasets, experiments=experiments, lpips_alexnet=alexnet)


def as_tree(settings: Any) -> dict[str, Any]:
    """A settings object as plain dicts and lists, ready for JSON."""
    return json.loads(json.dumps(asdict(settings)))


def without_root(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dataset's settings, as plain dicts, without the place of its raw files: moved, they are the same."""
    return {key: value for key, value in data.items() if key != "root"}


def experiment_from_tree(tree: Mapping[str, Any], where: str) -> Experiment:
    """The experiment that a run's config.json holds."""
    return _one_experiment(dict(tree), where, f"{where} is not a run of this version of svqkit")


def override(experiment: Experiment, changes: Mapping[str, Any]) -> Experiment:
    """The same experiment with some settings changed, checked as params.yaml is: ``{"training": {"epochs": 2}}``.

    Another kind of quantizer starts from its own defaults: ``{"quantizer": {"name": "vq"}}``.
    """
    settings = as_tree(experiment)
    kind = _mapping(changes.get("quantizer"), "overrides.quantizer").get("name")
    if kind not in (None, experiment.quantizer.name):
        settings["quantizer"] = {}
    settings = _join(settings, changes, "overrides")
    return _one_experiment(settings, "overrides", f"The overrides of {experiment.name} don't fit")


def _one_experiment(settings: dict[str, Any], where: str, complaint: str) -> Experiment:
    problems: list[str] = []
    experiment = _build(Experiment, settings, where, problems)
    if problems:
        raise SvqkitError(f"{complaint}:\n" + "\n".join(f"  - {line}" for line in problems))
    return experiment


def _experiment(key: str, profile: str, entry: dict, dataset: dict, sized: dict, problems: list[str]) -> Experiment:
    where = f"experiments.{key}"
    here = _mapping(_mapping(entry.get("profiles"), where).get(profile), where)
    if here:
        entry, where = _join(entry, here, where), f"{where} with its profiles.{profile}"
    quantizer = _mapping(entry.get("quantizer", {"name": "none"}), f"{where}.quantizer")
    sized_quantizer = _mapping(sized.get("quantizers"), f"{where}.quantizer").get(str(quantizer.get("name")))
    settings = {
        **({"seeds": sized["seeds"]} if "seeds" in sized else {}),
        **{part: value for part, value in entry.items() if part != "profiles"},
        "name": key,
        "profile": profile,
        "data": _of_dataset(dataset, sized, where),
        "model": _join(sized.get("model"), entry.get("model"), f"{where}.model"),
        "training": _join(sized.get("training"), entry.get("training"), f"{where}.training"),
        "quantizer": _join(sized_quantizer, quantizer, f"{where}.quantizer"),
    }
    return _build(Experiment, settings, where, problems)


def _unfit_in_profiles(where: str, entry: dict, profiles: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the names under an experiment's ``profiles``, also of profiles that are not the chosen one.

    A quantizer's ``name`` is not valid there: an experiment is of one kind, as its own name says, in every profile.
    """
    kind = _mapping(entry.get("quantizer"), f"{where}.quantizer").get("name", "none")
    parts = {"model": Model, "training": Training}
    if isinstance(kind, str) and kind in QUANTIZERS:
        parts["quantizer"] = QUANTIZERS[kind]
    for profile, changes in _mapping(entry.get("profiles"), f"{where}.profiles").items():
        place = f"{where}.profiles.{profile}"
        if profile not in profiles:
            yield f"{place}: unknown profile {profile!r}{hint(profile, profiles)}; valid: {listed(profiles)}"
            continue
        changes = _mapping(changes, place)
        yield from _unknown_keys(changes, {"model", "quantizer", "training", "seeds"}, place)
        for part in [part for part in parts if part in changes]:
            valid = {f.name for f in fields(parts[part])} - {"name"}
            yield from _unknown_keys(_mapping(changes[part], f"{place}.{part}"), valid, f"{place}.{part}")
        translator = _mapping(changes.get("model"), f"{place}.model").get("translator")
        if translator is not None and (not isinstance(translator, str) or translator not in TRANSLATORS):
            yield f"{place}.model.translator: {_unknown_translator(translator)}"


def _unknown_keys(tree: Mapping[str, Any], valid: set[str], where: str) -> Iterator[str]:
    for key in tree:
        if key not in valid:
            yield f"{where}.{key}: unknown key {key!r}{hint(key, valid)}; valid: {listed(valid)}"


def _of_dataset(entry: dict, sized: dict, where: str) -> dict[str, Any]:
    """The settings of a dataset: its entry with the profile's on top; without a source it is weather."""
    return {"source": WeatherData.source, **_join(entry, sized.get("data"), where)}


def _build(cls: type[T], settings: dict[str, Any], where: str, problems: list[str]) -> T | None:
    """An instance of ``cls``, or None with what is wrong added to ``problems``."""
    try:
        # Strict JSON takes exactly what YAML can say: lists for tuples, whole numbers for floats, nothing else.
        return TypeAdapter(cls).validate_json(json.dumps(settings, default=str))
    except TypeError as error:  # a date or a list as a key
        problems.append(f"{where}: {error}")
        return None
    except ValidationError as error:
        # A list whose items are wrong is called too short as well: that line would mislead.
        details = [one for one in error.errors() if one["type"] != "too_short" or not one["input"]]
        problems.extend(_explain(cls, settings, detail, where) for detail in details)
        return None


def _explain(cls: type, settings: Any, detail: Mapping[str, Any], where: str) -> str:
    """One line of pydantic's in our words: the place, the rule, what came, and what is valid."""
    path = [part for part in detail["loc"] if part not in _TAGS or part == detail["loc"][-1]]
    place = ".".join([where, *map(str, path)])
    if detail["type"] == "unexpected_keyword_argument":
        valid = _valid_keys(cls, settings, path[:-1])
        return f"{place}: unknown key {path[-1]!r}{hint(path[-1], valid)}; valid: {listed(valid)}"
    if detail["type"] in ("missing", "missing_argument"):
        return f"{place}: is missing"
    if detail["type"] == "union_tag_invalid":
        what, key = ("source", "source") if detail["ctx"]["discriminator"] == "'source'" else ("quantizer", "name")
        return f"{place}.{key}: unknown {what} {detail['ctx']['tag']!r}; valid: {detail['ctx']['expected_tags']}"
    if detail["type"] == "union_tag_not_found":
        return f"{place}.name: is missing; valid: {listed(QUANTIZERS)}"
    message = detail["msg"].removeprefix("Value error, ")
    came = "" if detail["type"] == "value_error" else f", got {shown(detail['input'])}"
    return f"{place}: {message}{came}"


def _valid_keys(cls: type, settings: Any, path: list[Any]) -> list[str]:
    """The keys that fit at ``path`` below ``cls``."""
    cls = SOURCES[settings["source"]] if cls is Data else cls
    for part in path:
        kind = {f.name: f.type for f in fields(cls)}[part]
        if part == "quantizer":
            kind = QUANTIZERS[settings["quantizer"].get("name")]
        if part == "data":
            kind = SOURCES[settings["data"].get("source")]
        cls = kind
    return [f.name for f in fields(cls)] if is_dataclass(cls) else []


def _translator(name: str) -> str:
    if name not in TRANSLATORS:
        raise ValueError(_unknown_translator(name))
    return name


def _unknown_translator(name: object) -> str:
    return f"unknown translator {name!r}{hint(name, TRANSLATORS)}; valid: {listed(TRANSLATORS)}"


def _read(path: Path) -> dict[str, Any]:
    try:
        return _mapping(read_yaml(path), str(path))
    except FileNotFoundError as error:
        raise SvqkitError(f"No {path} here ({Path.cwd()}). Run from the project's folder, or name the file.") from error
    except OSError as error:
        raise SvqkitError(f"{path} can't be read: {error}.") from error


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SvqkitError(f"{where} must be a mapping of keys to values, got {shown(value)}.")
    return dict(value)


def _join(base: Any, changes: Any, where: str) -> dict[str, Any]:
    """``base`` with ``changes`` on top, mapping by mapping."""
    joined = _mapping(base, where)
    for key, value in _mapping(changes, where).items():
        both = isinstance(value, Mapping) and isinstance(joined.get(key), Mapping)
        joined[key] = _join(joined[key], value, f"{where}.{key}") if both else value
    return joined


def _refuse_unknown(tree: Mapping[str, Any], valid: set[str], where: str, what: str) -> None:
    for key in tree:
        if key not in valid:
            raise SvqkitError(f"{where}: unknown {what} {key!r}{hint(key, valid)}. Valid: {listed(valid)}.")
