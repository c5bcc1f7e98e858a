"""config.json of a run's folder: what was trained, on what, by which code; see :mod:`svqkit.training.runs`."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svqkit.data.domain import Domain
from svqkit.errors import SvqkitError
from svqkit.settings.params import Experiment, as_tree
from svqkit.training.fingerprint import counted
from svqkit.training.journal import versions
from svqkit.userfiles import read_json

CONFIG = "config.json"


def write_config(
    path: Path,
    experiment: Experiment,
    seed: int,
    channels: tuple[str, ...],
    size: tuple[int, int],
    domain: Domain | None = None,
    fingerprint: Mapping[str, Any] | None = None,
) -> None:
    """Write config.json into a run's folder, after all other files; ``size`` is the height and width of frames.

    Without a ``domain`` the run can be evaluated on a store, but not asked for forecasts of its own. Without the
    ``fingerprint`` of its training (see :func:`.loop.fingerprint`) nobody can tell what it was made from.
    """
    tree = {
        "versions": versions(),
        "experiment": as_tree(experiment),
        "seed": seed,
        "channels": channels,
        "size": size,
    }
    if domain:
        tree["domain"] = {name: value for name, value in domain.tree().items() if name not in tree}
    if fingerprint:
        tree["made_from"] = {part: fingerprint[part] for part in ("data", "code")}
        tree["files"] = _digests(path)
    (path / CONFIG).write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")


def is_run_of(path: Path, fingerprint: Mapping[str, Any]) -> bool:
    """Return whether a finished run with this fingerprint is at ``path``, its files as its training left them."""
    try:
        tree = read_json(path / CONFIG)
        settings = {**counted(tree["experiment"]), "seed": tree["seed"]}
        return {"settings": settings, **tree["made_from"]} == fingerprint and tree["files"] == _digests(path)
    except (OSError, KeyError, TypeError, SvqkitError):
        return False


def _digests(path: Path) -> dict[str, str]:
    """By name the SHA-256 of each file of a run but config.json."""
    files = sorted(file for file in path.iterdir() if file.is_file() and file.name != CONFIG)
    return {file.name: _digest(file) for file in files}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
