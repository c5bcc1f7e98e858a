"""What a training depends on: one definition for the stage of the pipeline, for resuming and for keeping a run.

These are its settings, but not where the raw files lie, which studies it is part of, which other seeds there are and
how it is watched; what its store holds; and the code, without comments and docstrings, of the modules that it uses:
the loop, SimVP, its own translator, its own quantizer and what these import.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from svqkit.settings.params import TRANSLATORS, Experiment, as_tree, without_root
from svqkit.training.source_code import SourceCode

# Modules that can't change a result; they are left out, with what only they use.
HELPERS = frozenset(
    {
        # The settings: their values are compared, and what they name is followed.
        "svqkit.settings",
        # A command line, which chooses settings.
        "svqkit.training.__main__",
        # What is refused, what is said when something is wrong, and while something is going on.
        "svqkit.userfiles",
        "svqkit.ownfiles",
        "svqkit.errors",
        "svqkit.progress",
        # A run in words.
        "svqkit.training.card",
        # Where files lie, and how they get there whole.
        "svqkit.atomic",
        "svqkit.training.paths",
        # Whether something is made again.
        "svqkit.training.fingerprint",
        "svqkit.training.source_code",
        # How a layer is kept on its own.
        "svqkit.quantizers.pretrained",
        # How a notebook begins, and when it is ended.
        "svqkit.pipeline",
        # Carried out when the store was made; later only its types are named.
        "svqkit.data.plan",
    }
)
# How much a codebook is used is asked of a trained model only; the journal notes seconds and machines on the side; how
# a run is written down and opened again has a number of its own, config.json's format.
NOT_IN_TRAINING = HELPERS | {"svqkit.quantizers.usage", "svqkit.training.journal", "svqkit.training.runs"}


@cache
def own_code() -> SourceCode:
    """Return the code of this package."""
    return SourceCode(Path(__file__).parents[1])


def settings_of_training(experiment: Experiment) -> dict[str, Any]:
    """Return the settings that can change what a training ends with, beside its seed, ready for JSON."""
    return counted(as_tree(experiment))


def counted(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of an experiment's settings, as plain dicts, can change what a training ends with."""
    kept = {key: value for key, value in tree.items() if key not in ("studies", "seeds")}
    training = {key: value for key, value in tree["training"].items() if key != "log"}
    return kept | {"data": without_root(tree["data"]), "training": training}


def with_uncounted(trained: Experiment, wanted: Experiment) -> Experiment:
    """Return ``trained`` with the settings that don't count from ``wanted``."""
    data = replace(trained.data, root=wanted.data.root)
    training = replace(trained.training, log=wanted.training.log)
    return replace(trained, data=data, training=training, studies=wanted.studies, seeds=wanted.seeds)


def model_classes(experiment: Experiment) -> tuple[str, str]:
    """Return the translator's and the quantizer's class, as the registries have them: "svqkit.….swin:Swin"."""
    return TRANSLATORS[experiment.model.translator], experiment.quantizer.layer


def code_of_training(experiment: Experiment) -> dict[str, str]:
    """Return the digest of each module that a training uses; its translator's and quantizer's under their class."""
    return _digests(("svqkit.training.loop",), model_classes(experiment), NOT_IN_TRAINING)


def code_of_model(experiment: Experiment) -> dict[str, str]:
    """Return the same of what a trained model uses by its translator and its quantizer."""
    return _digests((), model_classes(experiment), HELPERS)


@cache
def _digests(modules: tuple[str, ...], classes: tuple[str, ...], without: frozenset[str]) -> dict[str, str]:
    code = own_code().digests([*modules, *classes], without)
    # Under the class, since a registry that names another class of the same module is another dependency.
    modules_of = {name: name.partition(":")[0] for name in classes}
    rest = {module: digest for module, digest in code.items() if module not in modules_of.values()}
    return rest | {name: code.get(module, "not of svqkit") for name, module in modules_of.items()}


def differences(earlier: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return in words where two fingerprints differ, see :func:`svqkit.training.loop.fingerprint`.

    Of settings what they were and are, of data and code the parts and modules: "other code (svqkit.training.schedule)".
    """
    if not all(isinstance(part, Mapping) for part in earlier.values()):
        return ["a fingerprint of an earlier version of svqkit, which does not tell what differs"]
    found = []
    for part in wanted:
        changes = dict(_changes(earlier.get(part, {}), wanted[part]))
        if changes:
            values = [f"{key}: {before} → {after}" for key, (before, after) in changes.items()]
            found.append(f"other {part} ({', '.join(values if part == 'settings' else changes)})")
    return found


def _changes(earlier: Any, wanted: Any, key: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield each key, with dots, at which two trees differ, and both values."""
    if isinstance(earlier, Mapping) and isinstance(wanted, Mapping):
        for name in dict.fromkeys([*wanted, *earlier]):
            yield from _changes(earlier.get(name), wanted.get(name), f"{key}.{name}" if key else name)
    elif earlier != wanted:
        yield key, (earlier, wanted)
