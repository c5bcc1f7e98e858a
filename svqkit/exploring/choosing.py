"""Which runs an explorer compares: those that are named, or the first that are found; their settings and costs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.settings.params import Experiment, as_tree
from svqkit.training import journal
from svqkit.training.fingerprint import settings_of_training
from svqkit.training.runs import Run, any_run, finished_seeds, open_run

# What two trainings may differ in, beside what doesn't count, and still be seeds, or twins, of each other.
_OWN = ("name",)
_NAMED = 4  # runs in a message

# Names and places in tables, not what a training is made of.
_LEFT_OUT = {"name", "studies", "profile", "dataset"}
ABSENT = "–"


def codebook_run(folder: str | Path = "", root: str | Path = "runs") -> Run:
    """Return the run in ``folder``, or the first one below ``root`` that has a codebook.

    Raises:
        SvqkitError: it has no codebook; the message says which runs beside it have one, and what to open instead.
    """
    if not folder:
        return any_run(root, with_codebook=True)
    run = open_run(folder)
    if run.has_codebook:
        return run
    there = sorted(neighbours(run), key=lambda other: "main" not in other.experiment.studies)
    others = list(dict.fromkeys(other.path.as_posix() for other in there if other.has_codebook))
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    beside = f"Beside it these have one: {', '.join(others[:_NAMED])}{more}." if others else "No run beside it has one."
    raise SvqkitError(
        f"{run.path} has no codebook to look into: its quantizer is {run.experiment.quantizer.name!r}. {beside} "
        "To compare it with other runs, open compare_runs.ipynb."
    )


def neighbours(run: Run) -> list[Run]:
    """Return the other finished runs on the same dataset that lie where this one does: <dataset>/<experiment>/seed<n>.

    Those of another version of the kit, which can't be opened, are left out.
    """
    dataset = (run.path if len(run.path.parts) > 2 else run.path.absolute()).parents[1]
    folders = sorted(dataset.glob("*/seed*/config.json"))
    return [other for other in _opened(path.parent for path in folders) if other.path.resolve() != run.path.resolve()]


def related_runs(run: Run) -> dict[str, Run]:
    """Return the runs that differ from this one in their seed, or in what of the codebook learns; itself first.

    By what they are: ``"seed 0"``, ``"seed 1"``, ``"seed 0, frozen"``. A twin with another frozen part has this run's
    seed.
    """
    found = {f"seed {run.seed}": run}
    for other in neighbours(run):
        if _same(run, other):
            found.setdefault(f"seed {other.seed}", other)
        elif other.seed == run.seed and _same(run, other, but="learnable"):
            word = "learnable" if other.experiment.quantizer.learnable else "frozen"
            found.setdefault(f"seed {other.seed}, {word}", other)
    return found


def comparable(folders: Sequence[str | Path] = (), root: str | Path = "runs") -> list[Run]:
    """Return the runs in ``folders``, or else all seeds of the first base and SVQ experiments below ``root``.

    A folder of an experiment, which holds seed0, seed1, …, stands for all of them.

    Raises:
        SvqkitError: fewer than two runs, runs on different data, or two of one name.
    """
    paths = [path for folder in map(Path, folders) for path in finished_seeds(folder) or [folder]]
    runs = [open_run(path) for path in paths] or _base_and_svq(Path(root))
    if len(runs) < 2:
        raise SvqkitError(
            f"A comparison needs two runs or more, got {', '.join(str(run.path) for run in runs) or 'none'}. "
            f"Name their folders, or train with and without SVQ: `dvc repro`."
        )
    for run in runs[1:]:
        if _data_settings(run) != _data_settings(runs[0]):
            raise SvqkitError(
                f"Only runs on the same data can be compared: {runs[0].path} is of {_data_of(runs[0])}, {run.path} of "
                f"{_data_of(run)}, or of other periods. Name runs of one dataset."
            )
    names = [run.name for run in runs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        paths = " and ".join(str(run.path) for run in runs if run.name == twice)
        raise SvqkitError(f"Two of the runs are called {twice}: {paths}. Name each once.")
    return runs


def mapped_channel(store: Store, channel: int | str | None = None) -> int | str:
    """Return the channel that maps of errors are drawn of: the one asked for, else the first of temperature (units K).

    Raises:
        SvqkitError: the store has no maps, or no temperature; the message says what to open, or to ask for.
    """
    if store.kind != "grid":
        raise SvqkitError(
            f"{store.path} has frames, not maps: open compare_runs.ipynb, which compares runs of any data."
        )
    if channel is not None:
        return channel
    of_temperature = [index for index, unit in enumerate(store.units) if unit == "K"]
    if not of_temperature:
        raise SvqkitError(
            f"{store.path} has no temperature (units K). Give the channel to look at: {', '.join(store.channels[:20])}."
        )
    near_ground = [index for index in of_temperature if store.channels[index] == "t2m"]
    return (near_ground or of_temperature)[0]


def channel_name(store: Store, channel: int | str) -> str:
    """Return the name of a channel that is given by name or number, as scores have it."""
    return channel if isinstance(channel, str) else store.channels[channel]


def in_groups(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return the runs of each experiment, by its name, in the order in which they come.

    Of a single experiment each run is a group of its own, ``"<experiment>, seed 0"``: so seeds are compared.
    """
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.experiment.name, []).append(run)
    return found if len(found) > 1 else {one_seed(run.experiment.name, run.seed): [run] for run in runs}


def one_seed(experiment: str, seed: int) -> str:
    """Return how a run is called beside another seed of its experiment."""
    return f"{experiment}, seed {seed}"


def _base_and_svq(root: Path) -> list[Run]:
    """The runs of the first dataset that was trained without a quantizer and, all else being equal, with SVQ."""
    for dataset in sorted({path.parents[2] for path in root.glob("*/*/*/seed*/config.json")}):
        by_name: dict[str, list[Run]] = {}
        for run in _opened(path.parent for path in sorted(dataset.glob("*/seed*/config.json"))):
            by_name.setdefault(run.experiment.name, []).append(run)
        # first those of the main results: a dataset may have many pairs
        order = sorted(by_name.values(), key=lambda runs: "main" not in runs[0].experiment.studies)
        for base in order:
            if base[0].experiment.quantizer.name == "none":
                for svq in order:
                    if svq[0].experiment.quantizer.name == "svq" and _same(base[0], svq[0], but="quantizer"):
                        return [*base, *svq]
    raise SvqkitError(f"No dataset in {root} was trained both with and without SVQ. Train: `dvc repro`.")


def _opened(folders: Iterable[Path]) -> list[Run]:
    runs = []
    for folder in folders:
        with suppress(SvqkitError):
            runs.append(open_run(folder))
    return runs


def _same(a: Run, b: Run, but: str = "") -> bool:
    """Whether two runs are of the same settings, whatever the one called ``but`` (the quantizer, or one of its own)."""
    trees = [settings_of_training(run.experiment) for run in (a, b)]
    if but and not all(but in tree or but in tree["quantizer"] for tree in trees):
        return False
    for tree in trees:
        for key in (*_OWN, but):
            tree.pop(key, None)
        tree.get("quantizer", {}).pop(but, None)
    return trees[0] == trees[1]


def _data_settings(run: Run) -> list[Any]:
    settings = settings_of_training(run.experiment)
    return [settings["dataset"], settings["data"]]


def _data_of(run: Run) -> str:
    return f"{run.experiment.dataset} ({run.experiment.profile})"


def settings_that_differ(experiments: Sequence[Experiment]) -> pd.DataFrame:
    """Return a row for each setting that is not the same in all experiments, a column for each experiment.

    Settings are named as in params.yaml, ``training.loss``. One that an experiment's quantizer doesn't have is "–".
    """
    flat = {experiment.name: dict(_leaves(as_tree(experiment))) for experiment in experiments}
    keys = dict.fromkeys(key for settings in flat.values() for key in settings)
    rows = {key: {name: settings.get(key, ABSENT) for name, settings in flat.items()} for key in keys}
    table = {key: row for key, row in rows.items() if len(set(row.values())) > 1}
    return pd.DataFrame.from_dict(table, orient="index", columns=list(flat)).rename_axis("setting")


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if not prefix and key in _LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def costs_of(runs: Sequence[Run], journals: str | Path = "journal") -> pd.DataFrame:
    """Return one row for each of :func:`in_groups`: parameters, and what training took, means over seeds.

    Columns ``parameters``, ``of_quantizer`` (those between encoder and translator or behind it), ``steps_per_second``,
    ``seconds``, ``peak_memory_gb`` and ``machine``; the last four are missing without a journal in ``journals``.
    Times of different machines, or of a machine that did something else as well, are not to be compared.
    """
    rows = {}
    for name, seeds in in_groups(runs).items():
        model = seeds[0].model()
        rows[name] = {
            "parameters": _count(model),
            "of_quantizer": _count(model.quantizer),
            **_from_journal(seeds, journals),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _from_journal(runs: Sequence[Run], journals: str | Path) -> dict[str, Any]:
    took = journal.by_seed(journal.read(runs[0].experiment, journals))
    entries = [took.get(run.seed, {}) for run in runs]
    means = {
        key: pd.Series([entry.get(key) for entry in entries], dtype=float).mean()
        for key in ("steps_per_second", "seconds", "peak_memory_gb")
    }
    machines = [entry.get("machine", {}) for entry in entries]
    names = dict.fromkeys(name for machine in machines if (name := machine.get("gpu") or machine.get("cpu")))
    return means | {"machine": ", ".join(names) or None}
