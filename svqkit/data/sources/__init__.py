"""Raw files of every kind: one module per source, with the name that `source` has in params.yaml."""

import importlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from svqkit.data.bundled import README, is_left_over
from svqkit.data.plan import Plan, declares_simulated
from svqkit.errors import SvqkitError
from svqkit.settings.params import Data
from svqkit.userfiles import read_text, refuse_escape, refuse_special


def plan(data: Data) -> Plan:
    """Look at the raw files of a dataset, by the module that has the name of its source.

    Raises:
        SvqkitError: the files are missing, damaged or don't fit the settings.
    """
    try:
        found: Plan = importlib.import_module(f"svqkit.data.sources.{data.source}").plan(data)
    except OSError as error:
        where = error.filename or Path(data.root).absolute()
        raise SvqkitError(f"{where} can't be read ({error}). Put it there, or let this user read it.") from error
    _refuse_elsewhere(found.files, Path(data.root))
    readme = Path(data.root) / README
    title = found.title or first_sentence(readme)
    if title == found.title or is_left_over(readme, data.source):
        return found
    return replace(found, title=title, simulated=found.simulated or declares_simulated(title))


def _refuse_elsewhere(files: Sequence[Path], root: Path) -> None:
    """Refuse files that are none, or that lie outside ``root``; the root itself may be a link, or a single file."""
    for path in files:
        refuse_special(path)
    inside = [path for path in files if path != root]
    for path in {*(path.parent for path in inside), *(path for path in inside if path.is_symlink())}:
        refuse_escape(path, root)


def first_sentence(path: Path) -> str:
    """Return what a README.txt beside raw files without a title begins with; "" if it can't be read."""
    refuse_escape(path, path.parent)
    try:
        text = read_text(path)
    except (SvqkitError, OSError, UnicodeDecodeError):
        return ""
    return " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
