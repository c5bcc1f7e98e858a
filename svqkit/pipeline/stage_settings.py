"""``python -m svqkit.pipeline.stage_settings``: checks params.yaml and writes what each stage reads of it.

A stage depends on its own file, and so runs again when a setting changes that it reads, and not when another one
does. (DVC can name keys of params.yaml instead, but parses the whole file for each stage: 22 s for 143 stages.) The
files also tell the code that only some trainings use, so that a new translator makes none of the others stale.

    build/settings/<profile>/data/<dataset>.json         what is forecast, splits: for raw and prepare
    build/settings/<profile>/training/<experiment>.json  all that a training depends on but its store: for train
    build/settings/<profile>/scoring/<dataset>.json      which runs are scored, how, and the code of their models
    build/settings/<profile>/costs.json                  the models whose cost is measured, and their code
    build/settings/checked.json                          always the same: there once params.yaml has been checked. All
                                                         stages come after it, whatever is written in params.yaml

trainings.yaml, which is tracked, says which datasets the profile has, what the trainings are called, and on which
dataset each is: DVC must know its stages before any of them is run, and can't read the profiles and studies of
params.yaml. Where raw files lie it need not know: links in build/roots lead there.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError, exit_status
from svqkit.settings.params import Experiment, Params, as_tree, load_params, without_root
from svqkit.training.fingerprint import code_of_model, code_of_training, settings_of_training
from svqkit.userfiles import read_yaml

FOLDER = Path("build/settings")
TRAININGS = Path("trainings.yaml")
ROOTS = Path("build/roots")
_HEADER = "# Written from params.yaml by `settings`: the name of each dataset's root, the dataset of each training.\n"
# The studies whose models svqkit.paper.costs measures.
COSTED = {"translators", "codebook_size"}


def write(settings: Params, folder: Path = FOLDER) -> None:
    """Write the files of all stages, whole or not at all; what no stage reads any more is gone."""
    trees = {f"{settings.profile}/{name}": tree for name, tree in _of_stages(settings)} | {"checked": True}
    with replacing(folder) as draft:
        for name, tree in trees.items():
            path = draft / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(tree, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def update_trainings(settings: Params, path: Path = TRAININGS) -> str:
    """Bring the file that names DVC's stages up to date; return in words what has changed, "" if nothing has."""
    wanted = {
        "stores": {name: _place(data.root)[1] for name, data in settings.datasets.items()},
        "trainings": {name: experiment.dataset for name, experiment in settings.experiments.items()},
    }
    try:
        there = {part: dict(read_yaml(path)[part]) for part in wanted}
    except (OSError, SvqkitError, TypeError, KeyError, ValueError):  # there is none, or none that fits
        there = {part: {} for part in wanted}
    if [list(part.items()) for part in there.values()] == [list(part.items()) for part in wanted.values()]:
        return ""
    stores = "".join(f"  {key}: {json.dumps(name)}\n" for key, name in wanted["stores"].items())
    trainings = "".join(f"  {key}: {dataset}\n" for key, dataset in wanted["trainings"].items())
    with replacing(path) as draft:
        draft.write_text(f"{_HEADER}stores:\n{stores}trainings:\n{trainings}", encoding="utf-8")
    was, will = ([*tree["stores"].items(), *tree["trainings"].items()] for tree in (there, wanted))
    added = [name for name, value in will if (name, value) not in was]
    removed = [name for name, value in was if name not in dict(will)]
    changes = {"added": added, "removed": removed}
    return "; ".join(f"{what}: {_first_ten(names)}" for what, names in changes.items() if names) or "another order"


def link_roots(settings: Params, folder: Path = ROOTS) -> None:
    """Let DVC find the raw files of each dataset at ``<folder>/<dataset>/<name of their root>``, wherever they lie.

    DVC reads its stages before it runs one: if they named the roots, it would look for moved files where they were.
    Links are no output of a stage, since DVC would follow them and copy what they lead to. Each leads to the folder
    that a root lies in, since a link to nothing stops all of DVC. In the place of a root that is a URL, or is not
    there, stands a file with its name: then the stage `raw` runs, and says what is missing.
    """
    wanted = {}
    for dataset, data in settings.datasets.items():
        parent, name = _place(data.root)
        wanted[dataset] = os.path.relpath(parent, folder) if Path(parent, name).exists() else data.root
    if folder.is_dir() and wanted == {path.name: _found(path) for path in folder.iterdir()}:
        return
    with replacing(folder) as draft:
        draft.mkdir()
        for dataset, text in wanted.items():
            root = settings.dataset(dataset).root
            if text != root:
                draft.joinpath(dataset).symlink_to(text)
            else:
                draft.joinpath(dataset).mkdir()
                draft.joinpath(dataset, _place(root)[1]).write_text(root, encoding="utf-8")


def _place(root: str) -> tuple[str, str]:
    """The folder in which a root lies, and the root's name there."""
    return os.path.split(root.rstrip("/") if "://" in root else os.path.abspath(root))


def _found(path: Path) -> str:
    return os.readlink(path) if path.is_symlink() else "".join(file.read_text("utf-8") for file in path.iterdir())


def _first_ten(names: list[str]) -> str:
    return ", ".join(map(str, names[:10])) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _of_stages(settings: Params) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name of each file and what is in it."""
    for name, data in settings.datasets.items():
        yield f"data/{name}", without_root(as_tree(data))
        members = settings.of_dataset(name)
        runs = {member.name: {"seeds": member.seeds, "studies": member.studies} for member in members}
        yield f"scoring/{name}", {"lpips_alexnet": settings.lpips_alexnet, "runs": runs, "code": _code(members)}
    for name, experiment in settings.experiments.items():
        trained = settings_of_training(experiment) | {"seeds": experiment.seeds}
        yield f"training/{name}", trained | {"code": code_of_training(experiment)}
    costed = [experiment for experiment in settings.experiments.values() if COSTED & set(experiment.studies)]
    models = {experiment.name: _model(experiment) for experiment in costed}
    yield "costs", {"models": models, "code": _code(costed)}


def _model(experiment: Experiment) -> dict[str, Any]:
    """What a model costs depends on, of its settings."""
    tree = settings_of_training(experiment)
    return {part: tree[part] for part in ("model", "quantizer", "data")} | {
        part: tree["training"][part] for part in ("batch_size", "loss", "precision")
    }


def _code(experiments: Iterable[Experiment]) -> dict[str, str]:
    """The code of the translators and quantizers of all experiments."""
    return {module: digest for experiment in experiments for module, digest in code_of_model(experiment).items()}


def main() -> int:
    """Run the command line; return 1 after an error that is meant for the user."""
    return exit_status(_run)


def _run() -> None:
    settings = load_params()
    if changes := update_trainings(settings):
        raise SvqkitError(
            f"{TRAININGS}, from which DVC knows the trainings, did not fit params.yaml and has been written again "
            f"({changes}). Give the same command again."
        )
    write(settings)
    link_roots(settings)


if __name__ == "__main__":
    sys.exit(main())
