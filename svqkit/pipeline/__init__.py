"""What a notebook calls first: the project's folder, its parameters checked, errors that are meant for the user.

Every kernel imports this and waits for it, so it imports little; what executes notebooks is in
:mod:`svqkit.pipeline.executing`.
"""

import ast
import os
import sys
import warnings
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from svqkit.errors import SvqkitError, hint, listed

# papermill begins the cell that it puts in with this comment.
INJECTED = "# Parameters"
# Whoever reads notebooks imports jsonschema, which would make a parser for a kind of web address that no notebook
# holds; that takes most of a second in every stage.
sys.modules.setdefault("rfc3987_syntax", None)


def start_notebook() -> None:
    """Begin a notebook: go to the project's folder, refuse unknown parameters, keep errors of ours short.

    Raises:
        SvqkitError: papermill was given a parameter that the notebook does not have.
    """
    from IPython import get_ipython

    shell = get_ipython()
    shell.set_custom_exc((SvqkitError,), _show_briefly)
    shell.run_line_magic("matplotlib", "inline")
    warnings.filterwarnings("ignore", message="IProgress not found")  # our bars are text: they show everywhere
    os.chdir(project_root())
    refuse_unknown_parameters(shell.user_ns["In"])


def project_root() -> Path:
    """Return the nearest folder, upwards from the current one, that holds dvc.yaml.

    Raises:
        SvqkitError: there is none.
    """
    start = Path.cwd()
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").exists():
            return folder
    raise SvqkitError(f"No dvc.yaml in {start} or above it. Run this from inside the project's folder.")


def refuse_unknown_parameters(cells: list[str]) -> None:
    """Compare what papermill put in with the parameters cell before it; ``cells`` are the cells run so far.

    Raises:
        SvqkitError: with the unknown name, and the names that there are.
    """
    for before, cell in pairwise(cells):
        if cell.startswith(INJECTED):
            check_parameters(assigned_names(cell), assigned_names(before))


def check_parameters(given: Iterable[str], known: Iterable[str], notebook: str = "This notebook") -> None:
    """Compare given parameters with the known ones.

    Raises:
        SvqkitError: one is unknown; the message names those of ``notebook``.
    """
    known = list(known)
    for name in given:
        if name not in known:
            raise SvqkitError(f"{notebook} has no parameter {name!r}{hint(name, known)}. It has: {listed(known)}.")


def assigned_names(source: str) -> list[str]:
    """Return names that a cell assigns at its top level."""
    targets = [
        target
        for statement in ast.parse(source).body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
    ]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _show_briefly(shell: Any, kind: type, error: BaseException, traceback: Any, tb_offset: int | None = None) -> None:
    """An error that is meant for the user is its message, without the way it took through the code."""
    shell._showtraceback(kind, error, [f"\033[31m{kind.__name__}\033[0m: {error}"])
