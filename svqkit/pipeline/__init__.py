"""What a notebook calls first: the project's folder, its parameters checked, errors that are meant for the user.

Every kernel imports this and waits for it, so it imports little; what executes notebooks is in
:mod:`svqkit.pipeline.executing`.
"""

import ast
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from svqkit.errors import SvqkitError, hint, listed, shown

# papermill begins the cell that it puts in with this comment.
INJECTED = "# Parameters"
# Whoever reads notebooks imports jsonschema, which would make a parser for a kind of web address that no notebook
# holds; that takes most of a second in every stage.
sys.modules.setdefault("rfc3987_syntax", None)


def start_notebook() -> None:
    """Begin a notebook: go to the project's folder, check and fit its parameters, keep errors of ours short.

    Raises:
        SvqkitError: papermill was given a parameter that the notebook does not have, or a value of another type.
    """
    from IPython import get_ipython

    shell = get_ipython()
    shell.set_custom_exc((SvqkitError,), _show_briefly)
    shell.run_line_magic("matplotlib", "inline")
    warnings.filterwarnings("ignore", message="IProgress not found")  # our bars are text: they show everywhere
    os.chdir(project_root())
    shell.user_ns.update(fitted_parameters(shell.user_ns["In"], shell.user_ns))


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


def fitted_parameters(cells: list[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Compare what papermill put in with the parameters cell before it, and return its values as of their own types.

    Args:
        cells: the cells run so far.
        values: of all names, as papermill has set them.

    Raises:
        SvqkitError: with the unknown name, and the names that there are; or with the value that is of another type.
    """
    for before, cell in reversed(list(pairwise(cells))):  # the last one, where a kernel has run several notebooks
        if cell.startswith(INJECTED):
            defaults, given = assigned_values(before), assigned_values(cell)
            check_parameters(given, defaults)
            return {name: fitted(name, values[name], defaults[name]) for name in given if name in values}
    return {}


def fitted(name: str, value: Any, default: Any) -> Any:
    """Return a parameter's value as of the type of its default: ``papermill -p`` makes another of what was typed.

    A whole number is the text of its digits where a text is expected, "false" is False, a text a list of itself.

    Raises:
        SvqkitError: it is of another type.
    """
    match default, value:
        case str(), None:
            return ""
        case str(), int() if not isinstance(value, bool):
            return str(value)
        case bool(), str() if value.lower() in ("true", "false"):
            return value.lower() == "true"
        case list(), str():
            return [value]
    # A text may be a list of texts, of paths; a parameter that is None by default is checked by what uses it.
    takes = {str: (str, list), float: (float, int)}.get(type(default), type(default))
    if default is not None and (not isinstance(value, takes) or isinstance(value, bool) != isinstance(default, bool)):
        kinds = {str: "text", bool: "true or false", int: "a whole number", float: "a number", list: "a list"}
        raise SvqkitError(
            f"The parameter `{name}` must be {kinds.get(type(default), 'a mapping')}, such as {default!r}; got "
            f"{shown(value)}. Papermill takes text by -r and any value by -y: -r {name} … or -y '{name}: …'."
        )
    return value


def check_parameters(given: Iterable[str], known: Iterable[str], notebook: str = "This notebook") -> None:
    """Compare given parameters with the known ones.

    Raises:
        SvqkitError: one is unknown; the message names those of ``notebook``.
    """
    known = list(known)
    for name in given:
        if name not in known:
            raise SvqkitError(f"{notebook} has no parameter {name!r}{hint(name, known)}. It has: {listed(known)}.")


def assigned_values(source: str) -> dict[str, Any]:
    """Return the names that a cell assigns at its top level, with their values; None for what is no literal."""
    values: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            try:
                value = ast.literal_eval(statement.value)
            except (ValueError, TypeError):
                value = None
            values |= {target.id: value for target in targets if isinstance(target, ast.Name)}
    return values


def _show_briefly(shell: Any, kind: type, error: BaseException, traceback: Any, tb_offset: int | None = None) -> None:
    """An error that is meant for the user is its message, without the way it took through the code."""
    shell._showtraceback(kind, error, [f"\033[31m{kind.__name__}\033[0m: {error}"])
