"""The store of a dataset, prepared first when it is missing: what a notebook that is run on its own needs."""

import subprocess
import sys
from pathlib import Path

from svqkit.data.prepare import prepare
from svqkit.data.sources.zarrstore import is_url
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.settings.params import Data, as_tree, without_root


def open_or_prepare(data: Data, path: str | Path, again: bool = False) -> Store:
    """Open the store at ``path``; when it isn't there, make it from the raw files, fetched with DVC if need be.

    ``again`` makes it in any case. What a reader should know of the raw files is printed.

    Raises:
        SvqkitError: the raw files can't be had or do not fit.
    """
    store = _open_or_prepare(data, path, again)
    for note in store.notes:
        print(f"note: {note}", flush=True)
    return store


def _open_or_prepare(data: Data, path: str | Path, again: bool) -> Store:
    if not is_url(data.root) and not Path(data.root).exists():
        try:
            store = Store.open(path)
        except SvqkitError:
            store = None
        if store and store.made_from["data"] == without_root(as_tree(data)):
            return store
        _pull(Path(data.root))
    return prepare(data, path, again)


def _pull(root: Path) -> None:
    """Fetch the tracked data when ``root`` is part of it."""
    if not Path("data.dvc").exists() or root.parts[:1] != ("data",):
        raise SvqkitError(f"There is no {root.absolute()}. Put the raw files there, or change `root` in params.yaml.")
    print("The raw data are not here yet: dvc pull data.dvc", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "pull", "data.dvc"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SvqkitError(f"`dvc pull data.dvc` failed: {done.stderr.strip() or done.stdout.strip()}")
