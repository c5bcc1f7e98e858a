"""params.yaml read into frozen dataclasses; whatever does not fit is refused before anything runs.

An experiment's settings stand in several places of params.yaml, the later one winning: ``profiles.<profile>.all``,
``profiles.<profile>.<dataset>``, the ``rules`` of both, the experiment's study (see :mod:`svqkit.settings.studies`)
and ``experiments.<experiment>``. Each place is checked by itself, in every profile, so that a mistake is told where
it stands; then the experiments of the chosen profile are put together.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from svqkit.errors import SvqkitError, choose, hint, listed, shown
from svqkit.settings.data import SOURCES, Data, WeatherData
from svqkit.settings.data import Split as Split
from svqkit.settings.experiment import TRANSLATORS, Experiment, Model, Protocol, Studies, Study, Training
from svqkit.settings.experiment import Augmentation as Augmentation
from svqkit.settings.experiment import Compile as Compile
from svqkit.settings.experiment import Loss as Loss
from svqkit.settings.experiment import Precision as Precision
from svqkit.settings.quantizers import QUANTIZERS, NoQuantizer, Quantizer
from svqkit.settings.studies import Entry, Tree, changed, expand, join, mapping, names_in, section, spread
from svqkit.settings.types import NAME_RULE, STRICT, Name, Seeds, is_name
from svqkit.userfiles import read_yaml

ALL = "all"
SECTIONS = ("datasets", "profiles", "studies", "experiments")
# What may be set by dataset, by rule and by experiment alike.
SETTINGS = {"model": Model, "training": Training, "seeds": Seeds}
# What pydantic puts into the path of an error to say which kind it took.
KINDS = QUANTIZERS | SOURCES
RULED = {*QUANTIZERS, *TRANSLATORS, *get_args(Study)}


@dataclass(frozen=True, config=STRICT)
class Params:
    """All of params.yaml for one profile.

    ``lpips_alexnet`` is a file with AlexNet's weights for LPIPS; empty: torchvision's own cache. ``sizes`` are the
    settings that the profile has for quantizers, by dataset and kind.
    """

    profile: str
    datasets: dict[str, Data]
    experiments: dict[str, Experiment]
    lpips_alexnet: str = ""
    sizes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def dataset(self, name: str) -> Data:
        """Return the dataset called ``name``.

        Raises:
            SvqkitError: there is none; the message lists the valid names.
        """
        return choose(self.datasets, name, f"dataset in profile {self.profile!r}")

    def experiment(self, name: str) -> Experiment:
        """Return the experiment called ``name``.

        Raises:
            SvqkitError: there is none; the message lists the valid names.
        """
        return choose(self.experiments, name, "experiment")

    def of_dataset(self, dataset: str) -> list[Experiment]:
        """Return the experiments on one dataset, in the order of params.yaml."""
        return [experiment for experiment in self.experiments.values() if experiment.dataset == dataset]


def load_params(path: str | Path = "params.yaml", profile: str | None = None) -> Params:
    """Read and check params.yaml.

    Args:
        path: the file.
        profile: take this profile instead of the one that the file names.

    Raises:
        SvqkitError: what the file says does not fit: unknown keys and names, wrong types and impossible values,
            together in one message, each with its place and with what is valid there.
    """
    checks = _Checks(path)
    tree = checks.keys(_read(Path(path)), {"profile", "lpips_alexnet", *SECTIONS}, str(path))
    datasets, profiles, studies, experiments = (
        mapping(tree.get(key), f"{path}: {key}", checks.problems) for key in SECTIONS
    )
    checks.finish()
    name = profile or tree.get("profile")
    sized = choose(profiles, name, "profile") or {}

    alexnet = checks.value(str | None, tree.get("lpips_alexnet"), "lpips_alexnet (the name of a file)") or ""
    checks.keys(studies, get_args(Study), "studies", "study")
    sources = checks.datasets(datasets)
    for key, written in profiles.items():
        checks.profile(written, sources, f"profiles.{key}")
    entries = expand(studies, experiments, datasets, checks.problems)
    for entry in entries.values():
        checks.entry(entry, profiles)
    for kind, names in (("datasets", datasets), ("profiles", profiles), ("experiments", entries)):
        checks.problems += [f"{kind}: {key!r} {NAME_RULE}" for key in names if not is_name(key) or key == ALL]
    checks.finish()

    built, sections = {}, {}
    for dataset, source in sources.items():
        where = f"profiles.{name}.{dataset}"
        sections[dataset] = given = _sections(sized, dataset, source)
        if len(given) == 1 and ALL not in sized:
            checks.problems.append(f"{where}: profiles.{name} says nothing of dataset {dataset!r}; add its sizes")
        of_data = join({"source": source}, datasets[dataset], *(part.get("data") for part in given))
        built[dataset] = checks.value(Data, of_data, f"datasets.{dataset} with {where}.data")
        for part, kind in (("model", Model), ("training", Training)):
            checks.value(kind, join(*(written.get(part) for written in given)), f"{where}.{part}")
    checks.finish()
    experiments = {}
    for key, entry in entries.items():
        about = {"name": key, "profile": name, "dataset": entry.dataset, "data": as_tree(built[entry.dataset])}
        settings = about | _settings(entry, name, sections[entry.dataset])
        experiments[key] = checks.value(Experiment, settings, entry.layers[-1].where)
    checks.finish()
    sizes = {dataset: join(*(part["quantizers"] for part in given)) for dataset, given in sections.items()}
    return Params(profile=name, datasets=built, experiments=experiments, lpips_alexnet=alexnet, sizes=sizes)


def as_tree(settings: Any) -> Tree:
    """Return a settings object as plain dicts and lists, ready for JSON."""
    return json.loads(json.dumps(asdict(settings)))


def without_root(data: Mapping[str, Any]) -> Tree:
    """Return a dataset's settings, as plain dicts, without the place of its raw files: moved, they are the same.

    What lies at a URL is known by nothing else: a URL stays.
    """
    return {key: value for key, value in data.items() if key != "root" or "://" in str(value)}


def experiment_from_tree(tree: Mapping[str, Any], where: str) -> Experiment:
    """Return the experiment that a run's config.json holds.

    Raises:
        SvqkitError: it is none of this version of svqkit; ``where`` is how the message calls it.
    """
    return _experiment(tree, where, f"{where} is not a run of this version of svqkit")


def override(experiment: Experiment, changes: Mapping[str, Any]) -> Experiment:
    """Return the experiment with some settings changed, checked as params.yaml is: ``{"training": {"epochs": 2}}``.

    Another kind of quantizer starts from its own defaults: ``{"quantizer": {"name": "vq"}}``.

    Raises:
        SvqkitError: the changes don't fit.
    """
    settings = changed(as_tree(experiment), changes)
    return _experiment(settings, "overrides", f"The overrides of {experiment.name} don't fit")


def _experiment(tree: Mapping[str, Any], where: str, complaint: str) -> Experiment:
    experiment, problems = _build(Experiment, tree, where)
    if problems:
        raise SvqkitError(_as_list(complaint, problems))
    return experiment


def _as_list(complaint: str, problems: Iterable[str]) -> str:
    return f"{complaint}:\n" + "\n".join(f"  - {line}" for line in problems)


def _read(path: Path) -> Any:
    try:
        return read_yaml(path)
    except FileNotFoundError as error:
        raise SvqkitError(f"No {path} here ({Path.cwd()}). Run from the project's folder, or name the file.") from error


def _sections(profile: Mapping[str, Any], dataset: str, source: str) -> list[Tree]:
    """What a profile says of a dataset, what it says of all first; with a key for each quantizer."""
    every = dict(profile.get(ALL) or {})
    every["data"] = section(every, "data").get(source)
    own = [written or {} for key, written in profile.items() if key != ALL and dataset in names_in(key)]
    return [{**written, "quantizers": spread(section(written, "quantizers"))} for written in (every, *own)]


def _settings(entry: Entry, profile: str, sections: list[Tree]) -> Tree:
    """The settings of an experiment: what its dataset's sections say, their rules that fit it, what it says itself."""
    own = entry.settings(profile)
    quantizer = own.setdefault("quantizer", {"name": NoQuantizer.name})
    model = join(*(written.get("model") for written in sections), own.get("model"))
    traits = {quantizer["name"], model.get("translator", Model.translator), *entry.studies[:1]}
    rules = [
        {**(rule or {}), "quantizers": spread(section(rule, "quantizers"))}
        for written in sections
        for key, rule in section(written, "rules").items()
        if traits & set(names_in(key))
    ]
    sized = join(*sections, *rules)
    defaults = {"model": {}, "training": {}, "studies": list(entry.studies)}
    sizes = {"quantizer": sized["quantizers"].get(quantizer["name"], {})}
    return join(defaults, {key: sized[key] for key in SETTINGS if key in sized}, sizes, own)


class _Checks:
    """Finds what does not fit in params.yaml, and refuses all of it at once."""

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self.problems: list[str] = []

    def finish(self) -> None:
        """Refuse the file if there are problems."""
        if problems := list(dict.fromkeys(self.problems)):
            raise SvqkitError(_as_list(f"{self.path} has {len(problems)} problem(s)", problems))

    def value(self, kind: Any, value: Any, where: str) -> Any:
        """Return ``value`` as an instance of ``kind``, None if it is none."""
        built, problems = _build(kind, value, where)
        self.problems += problems
        return built

    def part(self, kind: Any, value: Any, where: str) -> None:
        """Check settings that are completed elsewhere: nothing is missing, and they need not fit together yet.

        A ``kind`` that is None was refused by its name.
        """
        if kind is None:
            return
        if is_dataclass(kind) or kind is Quantizer:
            value = mapping(value, where, self.problems)
        self.problems += _build(kind, value, where, complete=False)[1]

    def keys(
        self, tree: Any, valid: Iterable[str], where: str, what: str = "key", several: bool = False
    ) -> Mapping[str, Any]:
        """Return a mapping whose keys are valid names of ``what``; ``several``: a key may be some with commas."""
        tree, valid = mapping(tree, where, self.problems), set(valid)
        for name in (name for key in tree for name in (names_in(key) if several else [key])):
            if name not in valid:
                self.problems.append(f"{where}: unknown {what} {name!r}{hint(name, valid)}; valid: {listed(valid)}")
        return tree

    def settings(self, tree: Any, kinds: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        """Return a mapping of settings, each of its own kind; None: looked at by somebody else."""
        tree = self.keys(tree, kinds, where)
        for key, value in tree.items():
            if kinds.get(key):
                self.part(kinds[key], value, f"{where}.{key}")
        return tree

    def datasets(self, datasets: Mapping[str, Any]) -> dict[str, str]:
        """Return the source of each dataset."""
        sources = {}
        for name, entry in datasets.items():
            entry = mapping(entry, f"datasets.{name}", self.problems)
            sources[name] = str(entry.get("source", WeatherData.source))
            self.part(SOURCES.get(sources[name], Data), entry, f"datasets.{name}")
        return sources

    def profile(self, profile: Any, sources: Mapping[str, str], where: str) -> None:
        """Check what a profile says of its datasets."""
        for key, written in self.keys(profile, {ALL, *sources}, where, "dataset", several=True).items():
            place = f"{where}.{key}"
            written = self.settings(written, SETTINGS | dict.fromkeys(("data", "quantizers", "rules")), place)
            if key == ALL:
                for source, data in self.keys(written.get("data"), SOURCES, f"{place}.data", "source").items():
                    self.part(SOURCES.get(source), data, f"{place}.data.{source}")
            for dataset in names_in(key):
                self.part(SOURCES.get(sources.get(dataset)), written.get("data"), f"{place}.data")
            self.sizes(written.get("quantizers"), f"{place}.quantizers")
            for names, rule in self.keys(written.get("rules"), RULED, f"{place}.rules", "name", several=True).items():
                rule = self.settings(rule, SETTINGS | {"quantizers": None}, f"{place}.rules.{names}")
                self.sizes(rule.get("quantizers"), f"{place}.rules.{names}.quantizers")

    def sizes(self, quantizers: Any, where: str) -> None:
        """Check the settings of kinds of quantizers."""
        for key, settings in self.keys(quantizers, QUANTIZERS, where, "quantizer", several=True).items():
            for name in names_in(key):
                self.part(QUANTIZERS.get(name), settings, f"{where}.{key}")

    def entry(self, entry: Entry, profiles: Mapping[str, Any]) -> None:
        """Check all layers of an experiment, also what is said of other profiles."""
        for number, layer in enumerate(entry.layers):
            so_far = Entry(entry.dataset, entry.layers[: number + 1]).settings("")
            kind = str(section(so_far, "quantizer").get("name")) if "quantizer" in so_far else NoQuantizer.name
            kinds = SETTINGS | {"quantizer": QUANTIZERS.get(kind, Quantizer)}
            own = {"dataset": Name, "studies": Studies} if layer.where.startswith("experiments.") else {}
            tree = self.settings(layer.tree, kinds | own | {"protocol": Protocol, "profiles": None}, layer.where)
            where = f"{layer.where}.profiles"
            for profile, changes in self.keys(tree.get("profiles"), profiles, where, "profile").items():
                changes = self.settings(changes, kinds, f"{where}.{profile}")
                if "name" in section(changes, "quantizer"):
                    self.problems.append(f"{where}.{profile}.quantizer.name: unknown key 'name': a quantizer is of one "
                                         "kind in every profile")  # fmt: skip


def _build(kind: Any, tree: Any, where: str, complete: bool = True) -> tuple[Any, list[str]]:
    """Return ``tree`` as an instance of ``kind``, or None and what is wrong with it.

    Args:
        complete: False: nothing is missing in ``tree``, and its settings need not fit together.
    """
    try:
        # Strict JSON takes exactly what YAML can say: lists for tuples, whole numbers for floats, nothing else.
        return _adapter(kind).validate_json(json.dumps(tree, default=str)), []
    except TypeError as error:  # a date or a list as a key
        return None, [f"{where}: {error}"]
    except ValidationError as error:
        details = error.errors(include_url=False)
    # A list whose items are wrong is called too short as well: that line would mislead.
    details = [detail for detail in details if detail["type"] != "too_short" or not detail["input"]]
    if not complete:
        details = [detail for detail in details if not _is_of_several(detail)]
    return None, [_explained(kind, detail, where) for detail in details]


def _is_of_several(detail: Mapping[str, Any]) -> bool:
    """Whether an error is of settings that are missing or don't fit together, not of one of them."""
    whole = detail["type"] == "value_error" and isinstance(detail["input"], Mapping)
    return whole or detail["type"] in ("missing", "missing_argument")


@cache
def _adapter(kind: Any) -> TypeAdapter:
    return TypeAdapter(kind)


def _explained(kind: Any, detail: Mapping[str, Any], where: str) -> str:
    """One error of pydantic's in our words: the place, the rule, what came, and what is valid."""
    path = [part for part in detail["loc"] if part not in KINDS or part == detail["loc"][-1]]
    where = ".".join([where, *map(str, path)])
    if detail["type"] == "unexpected_keyword_argument":
        valid = _valid_keys(kind, detail["loc"][:-1])
        return f"{where}: unknown key {path[-1]!r}{hint(path[-1], valid)}; valid: {listed(valid)}"
    if detail["type"] in ("missing", "missing_argument"):
        return f"{where}: is missing"
    if detail["type"] == "union_tag_invalid":
        what, key = ("source", "source") if detail["ctx"]["discriminator"] == "'source'" else ("quantizer", "name")
        return f"{where}.{key}: unknown {what} {detail['ctx']['tag']!r}; valid: {detail['ctx']['expected_tags']}"
    if detail["type"] == "union_tag_not_found":
        return f"{where}.name: is missing; valid: {listed(QUANTIZERS)}"
    message = detail["msg"].removeprefix("Value error, ")
    came = "" if detail["type"] == "value_error" else f", got {shown(detail['input'])}"
    return f"{where}: {message}{came}"


def _valid_keys(kind: Any, path: Iterable[Any]) -> list[str]:
    """The keys that fit at ``path`` below ``kind``; a path names which of several kinds was taken."""
    for part in path:
        kind = KINDS.get(part) or {field.name: field.type for field in fields(kind)}[part]
    return [field.name for field in fields(kind)] if is_dataclass(kind) else []
