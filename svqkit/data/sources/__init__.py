"""Raw files of every kind: one module per source, with the name that `source` has in params.yaml."""

import importlib
import os
from dataclasses import replace
from pathlib import Path

from svqkit.config import Data
from svqkit.data.plan import Plan
from svqkit.userfiles import read_text, refuse_escape, refuse_special


def plan(data: Data) -> Plan:
    """Look at the raw files of a dataset, by the module that has the name of its source.

    Raises:
        SvqkitError: the files are missing, damaged or don't fit the settings.
    """
    found: Plan = importlib.import_module(f"svqkit.data.sources.{data.source}").plan(data)
    for path in found.files:
        refuse_special(path)
        if os.path.islink(path) or os.path.islink(path.parent):
            refuse_escape(path, Path(data.root))
    return found if found.title else replace(found, title=_first_sentence(Path(data.root) / "README.txt"))


def _first_sentence(path: Path) -> str:
    """What a README.txt beside the raw files begins with, where the files themselves have no place for a title."""
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError):
        return ""
    return " ".join(text.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
