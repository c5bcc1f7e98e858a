"""``python -m svqkit.pipeline.stage_raw raw@kth``: digests of the raw files that a store is made from, as a small file.

prepare depends on it, not on the folder: raw files that were moved are the same, and so are those of a folder in which
only other datasets' files have changed.

    build/raw/<profile>/<dataset>.json   number, bytes and digest of the files, and what they say of themselves
"""

import argparse
import json
import sys
from pathlib import Path

from svqkit.atomic import replacing
from svqkit.data.rawfiles import raw_digest
from svqkit.data.sources import plan
from svqkit.errors import exit_status
from svqkit.pipeline.stage_settings import link_roots
from svqkit.settings.params import Data, load_params
from svqkit.training.paths import prepare_path, store_path

FOLDER = Path("build/raw")


def write(data: Data, target: Path, known: Path) -> None:
    """Write the file; ``known`` keeps the digests of files, as in :func:`svqkit.data.rawfiles.raw_digest`.

    Raises:
        SvqkitError: raw files are missing or don't fit the settings.
    """
    planned = plan(data)
    tree = raw_digest(planned.files, data.root, known) | {"title": planned.title}
    with replacing(target) as draft:
        draft.write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 after an error that is meant for the user."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.pipeline.stage_raw", description=__doc__.partition(": ")[2])
    parser.add_argument("stage", help="its name in dvc.yaml, which tells the dataset")
    dataset = parser.parse_args(arguments).stage.rpartition("@")[2]
    return exit_status(lambda: _run(dataset))


def _run(dataset: str) -> None:
    settings = load_params()
    data = settings.dataset(dataset)
    link_roots(settings)  # a copy of this folder that DVC makes (`dvc exp run --temp`) has none yet
    store = store_path(settings.profile, dataset)
    write(data, FOLDER / settings.profile / f"{dataset}.json", prepare_path(store) / "raw.json")


if __name__ == "__main__":
    sys.exit(main())
