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
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.settings.params import Experiment, Params, as_tree, load_params, without_root
from svqkit.training.fingerprint import code_of_model, code_of_training, settings_of_training

FOLDER = Path("build/settings")
# The studies whose models svqkit.paper.costs measures.
COSTED = {"translators", "codebook_size"}


def write(settings: Params, folder: Path = FOLDER) -> None:
    """Write the files of all stages, whole or not at all; what no stage reads any more is gone."""
    with replacing(folder) as draft:
        for name, tree in _files(settings):
            path = draft / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(tree, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _files(settings: Params) -> Iterator[tuple[str, Any]]:
    """The name of each file and what is in it."""
    yield "checked", True
    for name, tree in _of_stages(settings):
        yield f"{settings.profile}/{name}", tree


def _of_stages(settings: Params) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, data in settings.datasets.items():
        yield f"data/{name}", without_root(as_tree(data))
        members = settings.of_dataset(name)
        runs = {one.name: {"seeds": one.seeds, "studies": one.studies} for one in members}
        yield f"scoring/{name}", {"lpips_alexnet": settings.lpips_alexnet, "runs": runs, "code": _code(members)}
    for name, experiment in settings.experiments.items():
        trained = settings_of_training(experiment) | {"seeds": experiment.seeds}
        yield f"training/{name}", trained | {"code": code_of_training(experiment)}
    costed = [one for one in settings.experiments.values() if COSTED & set(one.studies)]
    yield "costs", {"models": {one.name: _model(one) for one in costed}, "code": _code(costed)}


def _model(experiment: Experiment) -> dict[str, Any]:
    """What a model costs depends on, of its settings."""
    tree = settings_of_training(experiment)
    return {part: tree[part] for part in ("model", "quantizer", "data")} | {
        part: tree["training"][part] for part in ("batch_size", "loss", "precision")
    }


def _code(experiments: Iterable[Experiment]) -> dict[str, str]:
    """The code of the translators and quantizers of all experiments."""
    return {module: digest for one in experiments for module, digest in code_of_model(one).items()}


def main() -> int:
    """The command line; 1 after an error that is meant for the user."""
    try:
        write(load_params())
    except SvqkitError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
