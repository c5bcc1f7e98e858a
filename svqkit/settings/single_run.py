"""One training from a few words: which experiment of params.yaml is meant, or what a new one of that kind is called."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, Node, Representer

from svqkit.errors import SvqkitError
from svqkit.settings.params import Experiment, Params, as_tree, override
from svqkit.settings.studies import join, section


@dataclass(frozen=True)
class Chosen:
    """What will be trained, and in words where its settings come from."""

    experiment: Experiment
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return all settings as YAML, below where they come from."""
        written, yaml = StringIO(), YAML()
        yaml.representer.add_representer(list, _on_one_line)
        yaml.dump(as_tree(self.experiment), written)
        return "\n".join([*(f"# {note}" for note in self.notes), written.getvalue().rstrip()])


def choose_run(
    settings: Params,
    dataset: str,
    experiment: str = "",
    translator: str = "",
    quantizer: str = "",
    seed: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    all_seeds: bool = False,
    params: str | Path = "params.yaml",
) -> Chosen:
    """Return the experiment that is meant; whatever is left empty is as the experiment says.

    Without ``experiment`` it is the one of params.yaml that has the name ``<dataset>-<quantizer>`` or, with another
    translator than the dataset's usual one, ``<dataset>-<translator>-<quantizer>``; where there is none, SVQ's on the
    dataset, changed, under that name. With ``experiment`` it is that one; another translator or quantizer is put
    behind its name, so that runs of different things never share a folder. A translator or quantizer within
    ``overrides`` counts the same. A new quantizer has the sizes that the profile gives for the dataset, else those of
    the first dataset of the profile that has some, else its defaults; ``overrides`` come on top of all.

    Args:
        settings: params.yaml, read.
        dataset: one of its datasets.
        experiment, translator, quantizer: names; "" is as above.
        seed: the one to train with; None: the first one of the experiment.
        overrides: see :func:`svqkit.settings.params.override`.
        all_seeds: train every seed of the experiment.
        params: the file of the settings, named in messages.

    Raises:
        SvqkitError: a name is unknown, or two of the arguments contradict each other.
    """
    settings.dataset(dataset)
    overrides = dict(overrides or {})
    translator = _agreed("translator", translator, section(overrides, "model").get("translator"))
    quantizer = _agreed("quantizer", quantizer, section(overrides, "quantizer").get("name"))
    if seed is not None and (all_seeds or "seeds" in overrides):
        raise SvqkitError(f"`seed` asks for seed {seed}, `all_seeds` or `overrides` for others. Leave one of them out.")
    if fixed := {"name", "profile", "dataset"} & overrides.keys():
        raise SvqkitError(
            f"A run's {min(fixed)} says what it is and where it lies, and can't be overridden. Use the parameter of "
            "that name, or give the run its own folder with `runs`."
        )
    base, name = _base(settings, dataset, experiment, translator, quantizer)
    notes = [f"begun from the experiment {base.name} of {params}"]
    changes: dict[str, Any] = {}
    if translator and translator != base.model.translator:
        changes["model"] = {"translator": translator}
        notes.append(f"translator {translator} instead of {base.model.translator}")
    if quantizer and quantizer != base.quantizer.name:
        owners = [dataset, *settings.sizes]
        owner = next((name for name in owners if quantizer in settings.sizes.get(name, {})), None)
        changes["quantizer"] = {"name": quantizer, **(settings.sizes[owner][quantizer] if owner else {})}
        sizes = f"with the sizes that profiles.{settings.profile} has for {owner}" if owner else "with its defaults"
        notes.append(f"quantizer {quantizer} instead of {base.quantizer.name}, {sizes}")
    if name in settings.experiments and name != base.name:
        raise SvqkitError(
            f"There is an experiment {name!r} in {params}, which is another one; ask for it by that name."
        )
    chosen = override(base, join(changes, overrides, {"name": name}, {} if seed is None else {"seeds": [seed]}))
    return Chosen(chosen if all_seeds else replace(chosen, seeds=chosen.seeds[:1]), tuple(notes))


def _on_one_line(representer: Representer, values: list[Any]) -> Node:
    return representer.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)


def _agreed(what: str, given: str, inside: Any) -> str:
    """The name that a parameter or ``overrides`` gives."""
    if given and inside and given != inside:
        raise SvqkitError(
            f"The {what} is {given!r} by the parameter `{what}` and {inside!r} by `overrides`. Leave one of them out."
        )
    return str(given or inside or "")


def _base(settings: Params, dataset: str, experiment: str, translator: str, quantizer: str) -> tuple[Experiment, str]:
    """The experiment to begin from, and the name of the run."""
    if experiment:
        base = settings.experiment(experiment)
        if base.dataset != dataset:
            raise SvqkitError(
                f"The experiment {experiment} is on {base.dataset}, the parameter `dataset` says {dataset!r}. "
                f"Give -p dataset {base.dataset}, or another experiment."
            )
        others = [(translator, base.model.translator), (quantizer, base.quantizer.name)]
        return base, "-".join([experiment, *(new for new, old in others if new and new != old)])
    usual = settings.experiment(f"{dataset}-svq")
    other = translator if translator != usual.model.translator else ""
    name = "-".join(part for part in (dataset, other, quantizer or usual.quantizer.name) if part)
    named = settings.experiments.get(name, usual)
    asked = translator in ("", named.model.translator) and quantizer in ("", named.quantizer.name)
    return (named if asked and named.dataset == dataset else usual), name
