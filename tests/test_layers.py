"""The core knows nothing of what is built on it, and no modules import each other in a circle."""

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "svqkit").rglob("*.py"))
}
WING = {"plots", "paper", "pipeline", "forecasting", "interop", "samples"}


def imported(module: str, by_strings: bool = False) -> Iterator[str]:
    """Yield the modules that ``module`` imports, wherever the import stands; if wanted also ``"svqkit.a.b:name"``."""
    package = module if FILES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{origin}.{alias.name}" for alias in node.names]
        elif by_strings and isinstance(node, ast.Constant) and re.fullmatch(r"svqkit(\.\w+)+:\w+", str(node.value)):
            names = [node.value.replace(":", ".")]
        for name in names:
            while name and name not in FILES:
                name = name.rpartition(".")[0]
            if name and name != module:
                yield name


def room(module: str) -> str:
    """Return the room of a module; that of a module at the top is its own name, and the package itself has none."""
    return module.split(".")[1] if "." in module else ""


# All that is not of the wing is of the core, but for the package itself, which offers `load_run`.
@pytest.mark.parametrize("name", sorted({room(module) for module in FILES} - WING - {""}))
def test_the_core_imports_nothing_of_the_wing(name: str) -> None:
    members = [module for module in FILES if room(module) == name]
    assert {(module, other) for module in members for other in imported(module, True) if room(other) in WING} == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter({module: set(imported(module)) for module in FILES}).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(error.args[1])}")
