"""The experiments that the studies of params.yaml make, and how settings are laid over each other.

A study has, under the name of a base, what is changed in it, and makes an experiment ``<base>-<change>`` of each::

    relu:
      compare_with: weather_t2m-none          # in the study's table too, as every base is that is an experiment
      weather_t2m-svq:                        # the base: a dataset, or an experiment or a study that stands above
        quantizer.init: [kaiming, normal]     # a setting and its values: …-init_kaiming, …-init_normal
        relu_both:                            # a name and several settings
          quantizer: {hidden_relu: true, output_relu: true}

A study as a base stands for all experiments that it makes. Several settings with values are combined with each other.
Values may have names of their own (``quantizer.codebook_size: {k16: 16}``). ``compare_with: []`` keeps the bases out
of the table.
"""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from svqkit.errors import hint, listed, shown

Tree = dict[str, Any]
COMPARE_WITH = "compare_with"
# DVC, when it writes params.yaml, breaks longer ones into two lines, which is no YAML any more.
MOST_OF_A_KEY = 76
# Settings whose values say by themselves what they are: gsta, svq.
TELLING = ("model.translator", "quantizer.name")


@dataclass(frozen=True)
class Layer:
    """The settings that params.yaml has at one place."""

    where: str
    tree: Tree


@dataclass(frozen=True)
class Entry:
    """How params.yaml says that an experiment differs from its profile: one layer of settings over the other."""

    dataset: str
    layers: tuple[Layer, ...] = ()
    studies: tuple[str, ...] = ("main",)

    def settings(self, profile: str) -> Tree:
        """Return the settings of all layers in a profile."""
        settings: Tree = {}
        for layer in self.layers:
            everywhere = {key: value for key, value in layer.tree.items() if key != "profiles"}
            settings = changed(changed(settings, everywhere), section(section(layer.tree, "profiles"), profile))
        return settings


def names_in(key: Any) -> list[Any]:
    """Return the names that a key or a value holds: a text with commas between them, or a list."""
    if isinstance(key, str):
        return [name.strip() for name in key.split(",")]
    return key if isinstance(key, list) else [key]


def section(tree: Any, key: str) -> Mapping[str, Any]:
    """Return the mapping under ``key``; an empty one where there is none."""
    value = tree.get(key) if isinstance(tree, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def spread(tree: Mapping[str, Any]) -> Tree:
    """Return the mapping with a key for each name instead of keys that hold several."""
    alone: Tree = {}
    for key, value in tree.items():
        for name in names_in(key):
            alone[name] = join(alone.get(name), value)
    return alone


def join(*trees: Mapping[str, Any] | None) -> Tree:
    """Return mappings laid over each other, key by key; the later one wins."""
    joined: Tree = {}
    for tree in trees:
        for key, value in (tree or {}).items():
            both = isinstance(value, Mapping) and isinstance(joined.get(key), Mapping)
            joined[key] = join(joined[key], value) if both else value
    return joined


def changed(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> Tree:
    """Return an experiment's settings with changes; another kind of quantizer starts from its own defaults."""
    kind = section(settings, "quantizer").get("name")
    if section(changes, "quantizer").get("name", kind) != kind:
        settings = {**settings, "quantizer": {}}
    return join(settings, changes)


def mapping(value: Any, where: str, problems: list[str]) -> Mapping[str, Any]:
    """Return ``value``, an empty mapping for nothing; what is no mapping is added to ``problems``."""
    for key in value if isinstance(value, Mapping) else ():
        if len(str(key)) > MOST_OF_A_KEY and " " in str(key):
            problems.append(f"{where}: {shown(key)} is too long a key for DVC; make two entries of it")
    if value is not None and not isinstance(value, Mapping):
        problems.append(f"{where} must be a mapping of keys to values, got {shown(value)}")
    return value if isinstance(value, Mapping) else {}


def expand(
    studies: Mapping[str, Any], experiments: Mapping[str, Any], datasets: Mapping[str, Any], problems: list[str]
) -> dict[str, Entry]:
    """Return the experiments of all studies, study by study, and after them those of ``experiments`` alone.

    Args:
        studies, experiments, datasets: sections of params.yaml.
        problems: what does not fit is added to it.
    """
    entries = _of_studies(studies, datasets, problems)
    for name, tree in experiments.items():
        where = f"experiments.{name}"
        tree = mapping(tree, where, problems)
        dataset = tree.get("dataset", entries[name].dataset if name in entries else None)
        if not isinstance(dataset, str) or dataset not in datasets:
            missing = "is missing" if dataset is None else f"unknown dataset {dataset!r}{hint(dataset, datasets)}"
            problems.append(f"{where}.dataset: {missing}; valid: {listed(datasets)}")
            continue
        entry = entries.get(name) or Entry(dataset, studies=tuple(map(str, names_in(tree.get("studies", "main")))))
        if entry.dataset != dataset:
            problems.append(f"{where}.dataset: by its study it is on {entry.dataset}, got {dataset!r}")
        entries[name] = replace(entry, layers=(*entry.layers, Layer(where, dict(tree))))
    return entries


def _of_studies(studies: Mapping[str, Any], datasets: Mapping[str, Any], problems: list[str]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    compared: dict[str, list[Any]] = {}
    made_by: dict[Any, list[str]] = {}
    for study, groups in studies.items():
        groups = dict(mapping(groups, f"studies.{study}", problems))
        compare_with = groups.pop(COMPARE_WITH, None)
        made: dict[str, Entry] = {}
        order: list[str] = []
        bases = [
            (base, changes)
            for key, changes in groups.items()
            for name in names_in(key)
            for base in made_by.get(name, [name])
        ]
        for base, changes in bases:
            start = Entry(base) if base in datasets else ChainMap(made, entries).get(base)
            where = f"studies.{study}.{base}"
            if start is None:
                above = [*made, *entries, *made_by, *datasets]
                problems.append(
                    f"{where}: unknown base {base!r}{hint(base, above)}; valid: experiments and studies that stand "
                    f"above, and the datasets {listed(datasets)}"
                )
                continue
            position = order.index(base) + 1 if base in order else len(order)  # beside its base
            for change, layer in _changes(mapping(changes, where, problems), where, problems):
                name = f"{base}-{change}"
                if name in ChainMap(made, entries):
                    problems.append(f"{where}: there is an experiment {name!r} already")
                made[name] = Entry(start.dataset, (*start.layers, layer), (study,))
                order.insert(position, name)
                position += 1
        entries |= {name: made[name] for name in order}
        made_by[study] = order
        if compare_with != []:
            compared[study] = [base for base, _ in bases if base not in datasets]
            compared[study] += names_in(compare_with) if compare_with else []
    for study, names in compared.items():
        for name in names:
            if not isinstance(name, str) or name not in entries:
                problems.append(f"studies.{study}.{COMPARE_WITH}: unknown experiment {name!r}{hint(name, entries)}")
            elif study not in entries[name].studies:
                entries[name] = replace(entries[name], studies=(*entries[name].studies, study))
    return entries


def _changes(changes: Mapping[str, Any], where: str, problems: list[str]) -> Iterator[tuple[str, Layer]]:
    """Each change of a base with its name: first settings and their values, combined, then those with names."""
    values = {
        key: _named_values(key, given)
        for key, given in changes.items()
        if str(key).startswith(("model.", "quantizer.", "training."))
    }
    problems += [f"{where}.{key}: has no values" for key, named in values.items() if not named]
    for names in product(*values.values()) if values else ():
        tree: Tree = {}
        for (key, named), name in zip(values.items(), names, strict=True):
            part, _, setting = key.partition(".")
            tree = join(tree, {part: {setting: named[name]}})
        yield "-".join(names), Layer(where, tree)
    for name, tree in changes.items():
        if name not in values:
            yield name, Layer(f"{where}.{name}", dict(mapping(tree, f"{where}.{name}", problems)))


def _named_values(key: str, given: Any) -> dict[str, Any]:
    """The values that a setting is given in turn, by name: {init_kaiming: kaiming}."""
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    prefix = "" if key in TELLING else f"{key.rpartition('.')[2]}_"
    return {f"{prefix}{value}".replace("-", "_"): value for value in names_in(given) if value is not None}
