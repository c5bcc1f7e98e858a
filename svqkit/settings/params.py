"""params.yaml read into frozen dataclasses; whatever does not fit is refused before anything runs.

An experiment's settings stand in several places of params.yaml, the later one winning: ``profiles.<profile>.all``,
``profiles.<profile>.<dataset>``, the ``rules`` of both, the experiment's study (see :mod:`svqkit.settings.studies`)
and ``experiments.<experiment>``. A profile has the datasets that it lists under ``datasets``; without such a list all
that no other profile lists. Each place is checked by itself, in every profile, so that a mistake is told where
it stands; then the experiments of the chosen profile are put together.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, field, is_dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic.dataclasses import dataclass

from svqkit.errors import SvqkitError, choose, hint, listed
from svqkit.settings.data import SOURCES, Data, WeatherData
from svqkit.settings.data import Split as Split
from svqkit.settings.experiment import TRANSLATORS, Experiment, Model, Protocol, Studies, Study, Training
from svqkit.settings.experiment import Augmentation as Augmentation
from svqkit.settings.experiment import Compile as Compile
from svqkit.settings.experiment import Loss as Loss
from svqkit.settings.experiment import Precision as Precision
from svqkit.settings.quantizers import QUANTIZERS, NoQuantizer, Quantizer
from svqkit.settings.studies import Entry, Tree, changed, expand, join, mapping, names_in, section, spread
from svqkit.settings.types import NAME_RULE, STRICT, Name, Names, Seeds, checked, fit, is_name, refuse
from svqkit.userfiles import read_yaml


class Named(dict):
    """What fits a mapping in which a key may hold several names, with commas between them."""


# What fits a part of the file: the type of a setting, or by key what fits there.
ALL, DATASETS = "all", "datasets"
SETTINGS = {"model": Model, "training": Training, "seeds": Seeds}
SIZED = SETTINGS | {"quantizers": Named(QUANTIZERS)}
RULES = Named(dict.fromkeys([*QUANTIZERS, *TRANSLATORS, *get_args(Study)], SIZED))
FILE = {"profile": Any, "lpips_alexnet": str | None, "studies": dict.fromkeys(get_args(Study), Any), "experiments": Any}


@dataclass(frozen=True, config=STRICT)
class Params:
    """All of params.yaml for one profile.

    ``lpips_alexnet`` is a file with AlexNet's weights for LPIPS; empty: torchvision's own cache. ``sizes`` are the
    settings that the profile has for quantizers, by dataset and kind; ``elsewhere`` the datasets that only other
    profiles have, and which.
    """

    profile: str
    datasets: dict[str, Data]
    experiments: dict[str, Experiment]
    lpips_alexnet: str = ""
    sizes: dict[str, dict[str, Any]] = field(default_factory=dict)
    elsewhere: dict[str, list[str]] = field(default_factory=dict)

    def dataset(self, name: str) -> Data:
        """Return the dataset called ``name``.

        Raises:
            SvqkitError: there is none; the message lists the valid names, or the profile that has it.
        """
        if name in self.elsewhere:
            homes = " or ".join(self.elsewhere[name]) or "none: list it in one"
            raise SvqkitError(
                f"Profile {self.profile!r} does not have the dataset {name!r}. The profile that has it is {homes}. "
                "Name it (`-p profile …` of papermill, `--profile …`), or set `profile` in params.yaml."
            )
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
    problems: list[str] = []
    tree = mapping(_read(Path(path)), str(path), problems)
    sections = ("datasets", "profiles", "studies", "experiments")
    datasets, profiles, studies, experiments = (mapping(tree.get(key), key, problems) for key in sections)
    refuse(f"{path} doesn't fit", problems)

    sources = {key: str(section(datasets, key).get("source", WeatherData.source)) for key in datasets}
    kinds = {key: SOURCES.get(source) for key, source in sources.items()}
    of_profile: dict[str, Any] = {ALL: _section(SOURCES), **{key: _section(kind or Any) for key, kind in kinds.items()}}
    of_profile[DATASETS] = str | Names
    fits = {"datasets": {key: kind or Data for key, kind in kinds.items()}}
    check(FILE | fits | {"profiles": dict.fromkeys(profiles, Named(of_profile))}, tree, "", problems)
    entries = expand(studies, experiments, datasets, problems)
    for entry in entries.values():
        _check_layers(entry, profiles, problems)
    for kind, keys in (("datasets", [*datasets]), ("profiles", [*profiles]), ("experiments", [*entries])):
        problems += [f"{kind}: {key!r} {NAME_RULE}" for key in keys if not is_name(key) or key in (ALL, DATASETS)]
    problems += [] if profiles else ["profiles: expected at least one, got none"]
    refuse(f"{path} doesn't fit", problems)
    name: Any = profile or tree.get("profile")
    choose(profiles, name, "profile")
    listing = {key: names_in(part[DATASETS]) for key, part in profiles.items() if DATASETS in (part or ())}
    for key, names in listing.items():
        unknown = [one for one in names if one not in datasets]
        problems += [f"profiles.{key}.{DATASETS}: unknown dataset {one!r}{hint(one, datasets)}" for one in unknown]
    refuse(f"{path} doesn't fit", problems)

    unlisted = set(datasets).difference(*listing.values())
    homes = {one: [key for key in profiles if one in listing.get(key, unlisted)] for one in datasets}
    elsewhere = {one: keys for one, keys in homes.items() if name not in keys}
    sized = spread({key: part for key, part in section(profiles, name).items() if key != DATASETS})
    built: dict[str, Any] = {}
    usual: dict[str, Any] = {}
    for dataset, source in sources.items():
        if dataset in elsewhere:
            continue
        where = f"profiles.{name}.{dataset}"
        if not {ALL, dataset} & sized.keys():
            problems.append(f"{where}: profiles.{name} says nothing of dataset {dataset!r}; add its sizes")
        usual[dataset] = given = _usual(sized, dataset, source)
        data = join({"source": source}, datasets[dataset], *(part.get("data") for part in given))
        built[dataset] = fit(Data, data, f"datasets.{dataset} with {where}.data", problems)
        for part in ("model", "training"):
            fit(SETTINGS[part], join(*(written.get(part) for written in given)), f"{where}.{part}", problems)
    refuse(f"{path} doesn't fit", problems)
    made: dict[str, Any] = {}
    for key, entry in entries.items():
        if entry.dataset in elsewhere:
            continue
        about = {"name": key, "profile": name, "dataset": entry.dataset, "data": as_tree(built[entry.dataset])}
        settings = about | _settings(entry, name, usual[entry.dataset])
        made[key] = fit(Experiment, settings, entry.layers[-1].where, problems)
    refuse(f"{path} doesn't fit", problems)
    sizes = {dataset: join(*(part["quantizers"] for part in given)) for dataset, given in usual.items()}
    return Params(name, built, made, tree.get("lpips_alexnet") or "", sizes, elsewhere)


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
    return checked(Experiment, tree, where, f"{where} is not a run of this version of svqkit")


def override(experiment: Experiment, changes: Mapping[str, Any]) -> Experiment:
    """Return the experiment with some settings changed, checked as params.yaml is: ``{"training": {"epochs": 2}}``.

    Another kind of quantizer starts from its own defaults: ``{"quantizer": {"name": "vq"}}``.

    Raises:
        SvqkitError: the changes don't fit.
    """
    tree = changed(as_tree(experiment), changes)
    return checked(Experiment, tree, "overrides", f"The overrides of {experiment.name} don't fit")


def _read(path: Path) -> Any:
    try:
        return read_yaml(path)
    except FileNotFoundError as error:
        raise SvqkitError(f"No {path} here ({Path.cwd()}). Run from the project's folder, or name the file.") from error


def _section(data: Any) -> dict[str, Any]:
    """What fits in a profile under a dataset whose settings are of the kind ``data``."""
    return SIZED | {"data": data, "rules": RULES}


def check(fits: Any, tree: Any, where: str, problems: list[str]) -> None:
    """Add to ``problems`` what doesn't fit in a part of the file; settings may be missing, others come in elsewhere.

    Args:
        fits: a type of settings, or by key what fits there.
        tree: what is there.
        where: how problems call it.
        problems: of all that is checked together.
    """
    if not isinstance(fits, dict):
        nothing = tree is None and (is_dataclass(fits) or fits is Quantizer)
        fit(fits, {} if nothing else tree, where, problems, complete=False)
        return
    for key, value in mapping(tree, where, problems).items():
        for name in names_in(key) if isinstance(fits, Named) else [key]:
            if name in fits:
                check(fits[name], value, f"{where}.{key}".lstrip("."), problems)
            else:
                problems.append(f"{where or 'the file'}: unknown key {name!r}{hint(name, fits)}; valid: {listed(fits)}")


def _check_layers(entry: Entry, profiles: Mapping[str, Any], problems: list[str]) -> None:
    """Check what params.yaml says of an experiment, place by place, also of other profiles."""
    for number, layer in enumerate(entry.layers):
        so_far = Entry(entry.dataset, entry.layers[: number + 1]).settings("")
        kind = section(so_far, "quantizer").get("name") if "quantizer" in so_far else NoQuantizer.name
        fits = SETTINGS | {"quantizer": QUANTIZERS.get(str(kind), Quantizer)}
        own = {"dataset": Name, "studies": Studies} if layer.where.startswith("experiments.") else {}
        by_profile = {"profiles": dict.fromkeys(profiles, fits)}
        check({**fits, **own, "protocol": Protocol, **by_profile}, layer.tree, layer.where, problems)


def _usual(profile: Mapping[str, Any], dataset: str, source: str) -> list[Tree]:
    """What a profile says of all datasets, and of this one, with a key for each quantizer."""
    every = {**section(profile, ALL), "data": section(section(profile, ALL), "data").get(source)}
    return [_by_quantizer(every), _by_quantizer(section(profile, dataset))]


def _by_quantizer(written: Mapping[str, Any]) -> Tree:
    return {**written, "quantizers": spread(section(written, "quantizers"))}


def _settings(entry: Entry, profile: str, usual: list[Tree]) -> Tree:
    """The settings of an experiment: what is usual for its dataset, the rules that fit it, what it says itself."""
    own = {"quantizer": {"name": NoQuantizer.name}} | entry.settings(profile)
    kind, model = own["quantizer"]["name"], join(*(written.get("model") for written in usual), own.get("model"))
    traits = {kind, model.get("translator", Model.translator), *entry.studies[:1]}
    rules = [
        _by_quantizer(rule or {})
        for written in usual
        for key, rule in section(written, "rules").items()
        if traits & set(names_in(key))
    ]
    sized = join(*usual, *rules)
    settings = {"model": {}, "training": {}, "studies": list(entry.studies), "quantizer": sized["quantizers"].get(kind)}
    return join(settings, {key: sized[key] for key in SETTINGS if key in sized}, own)
