"""config.json of a run's folder: what was trained, on what, by which code; see :mod:`svqkit.runs`."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from svqkit.config import Experiment, as_tree
from svqkit.dependencies import counted
from svqkit.domain import Domain
from svqkit.journal import versions

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
    ``fingerprint`` of its training (see :func:`svqkit.training.fingerprint`) nobody can tell what it was made from.
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
        tree = json.loads((path / CONFIG).read_text(encoding="utf-8"))
        settings = {**counted(tree["experiment"]), "seed": tree["seed"]}
        return {"settings": settings, **tree["made_from"]} == fingerprint and tree["files"] == _digests(path)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _digests(path: Path) -> dict[str, str]:
    """By name the SHA-256 of each file of a run but config.json."""
    files = sorted(file for file in path.iterdir() if file.is_file() and file.name != CONFIG)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
