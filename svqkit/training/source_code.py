"""Which modules of a package some code uses, found by reading it, and digests of what these modules do.

Imports are followed wherever they stand, also within functions, and so are strings that say where something is, as
registries have them ("svqkit.quantizers.svq:SVQ"). A package's ``__init__`` that offers a name of another module
leads there only when somebody asks for that name: who uses ``svqkit.quantizers.SVQ`` does not use its rivals.

A digest is of the code alone: comments, docstrings, layout and what an ``__init__`` merely offers don't count.
"""

import ast
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import resolve_name
from pathlib import Path
from typing import Any


class SourceCode:
    """The modules of a package, as they are written below its folder; each is read once."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.digest = cache(self._digest)
        self._uses = cache(self._read_uses)

    def used_by(self, names: Iterable[str], without: Collection[str] = ()) -> set[str]:
        """Return the modules that are used by ``names``, directly or through others.

        The package's own ``__init__`` counts only for who asks for something in it.

        Args:
            names: of modules, or of what is in them: "svqkit.training.loop", "svqkit.quantizers.SVQ", "svqkit.x:Y".
            without: modules, and packages with all below them, that are left out, with what only they use.
        """
        found: set[str] = set()
        seen: set[str] = set()
        waiting = [name.replace(":", ".") for name in names]
        while waiting:
            name = waiting.pop()
            module, inside = self._split(name)
            if name in seen or not module or _is_within(module, without):
                continue
            seen.add(name)
            for loaded in {module, *_packages_above(module)} - found:
                found.add(loaded)
                waiting += self._uses(loaded).followed
            waiting += self._uses(module).leads_to(inside)
        return found

    def names_in(self, source: str) -> set[str]:
        """Return the names of the package that some code, such as a notebook's, uses."""
        followed = self._uses_in(_code(source), self.folder.name, is_package=False).followed
        return {name for name in followed if self._split(name)[0]}

    def digests(self, names: Iterable[str], without: Collection[str] = ()) -> dict[str, str]:
        """Return the digest of each module that :meth:`used_by` finds, in the order of their names."""
        return {module: self.digest(module) for module in sorted(self.used_by(names, without))}

    def file(self, module: str) -> Path | None:
        """Return the file of a module, or None where there is no such module."""
        path = self.folder.parent.joinpath(*module.split("."))
        return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.exists()), None)

    def _file(self, module: str) -> Path:
        file = self.file(module)
        assert file is not None  # names that are followed are those of modules
        return file

    def _split(self, name: str) -> tuple[str, list[str]]:
        """Return the module of a name, and what it is called within it; "" for what is not of this package."""
        parts = name.split(".")
        for end in range(len(parts), 0, -1) if parts[0] == self.folder.name else ():
            if self.file(module := ".".join(parts[:end])):
                return module, parts[end:]
        return "", parts

    def _modules_in(self, package: str) -> list[str]:
        folder = self.folder.parent.joinpath(*package.split("."))
        return [file.stem for file in folder.glob("*.py") if file.name != "__init__.py"]

    def _digest(self, module: str) -> str:
        code = _WithoutImports(self._uses(module).offered).visit(_code(self._text(module)))
        # Python 3.13 leaves out fields that are empty lists, older versions don't.
        return hashlib.sha256(re.sub(r"(, )?\w+=\[\]", "", ast.dump(code)).encode()).hexdigest()[:16]

    def _text(self, module: str) -> str:
        return self._file(module).read_text(encoding="utf-8")

    def _read_uses(self, module: str) -> "_Uses":
        is_package = self._file(module).name == "__init__.py"
        package = module if is_package else module.rpartition(".")[0]
        return self._uses_in(_code(self._text(module)), package, is_package)

    def _uses_in(self, code: ast.Module, package: str, is_package: bool) -> "_Uses":
        imported = dict(_imports(code, package))
        # ``import a.b`` loads a.b, binds a, and offers nothing.
        followed = {alias.name for node in ast.walk(code) if isinstance(node, ast.Import) for alias in node.names}
        unused = {name: origin for name, origin in imported.items() if name != origin}
        for name in _names(code):
            first, _, rest = name.partition(".")
            if first in imported:
                followed.add(f"{imported[first]}.{rest}".rstrip("."))
                unused.pop(first, None)
        for text in _strings(code):
            if re.fullmatch(rf"{self.folder.name}(\.\w+)+(:\w+)?", text):
                followed.add(text.replace(":", "."))
            elif re.fullmatch(rf"{self.folder.name}(\.\w+)+\.", text):  # which module is known only when it runs
                followed |= {f"{text}{name}" for name in self._modules_in(text)}
        if is_package:
            return _Uses(frozenset(followed), unused)
        return _Uses(frozenset(followed | set(unused.values())), {})


@dataclass(frozen=True)
class _Uses:
    """What a module uses of others.

    Attributes:
        followed: the names that its own code needs.
        offered: of an ``__init__`` what it imports only for others to import from there: names by names in it.
    """

    followed: frozenset[str]
    offered: Mapping[str, str]

    def leads_to(self, inside: list[str]) -> list[str]:
        """Return where a name within the module leads; without one, all that it offers."""
        if not inside:
            return list(self.offered.values())
        return [".".join([self.offered[inside[0]], *inside[1:]])] if inside[0] in self.offered else []


def _is_within(module: str, packages: Collection[str]) -> bool:
    return module in packages or any(module.startswith(f"{package}.") for package in packages)


def _packages_above(module: str) -> Iterator[str]:
    """Return the packages that a module is in, but the outermost."""
    parts = module.split(".")
    return (".".join(parts[:end]) for end in range(2, len(parts)))


def _code(source: str) -> ast.Module:
    """Parse a module as it runs: without docstrings, ``__all__``, and what only type checkers read."""
    return _Stripped().visit(ast.parse(source))


class _Stripped(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_text else self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        return None if [_dotted(target) for target in node.targets] == ["__all__"] else self.generic_visit(node)

    def visit_If(self, node: ast.If) -> Any:
        if _dotted(node.test).rpartition(".")[2] != "TYPE_CHECKING":
            return self.generic_visit(node)
        return [self.visit(statement) for statement in node.orelse]


class _WithoutImports(ast.NodeTransformer):
    """Takes out the imports of some names."""

    def __init__(self, names: Collection[str]) -> None:
        self.names = names

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> ast.AST | None:
        node.names = [alias for alias in node.names if (alias.asname or alias.name) not in self.names]
        return node if node.names else None

    visit_ImportFrom = visit_Import


def _dotted(node: ast.AST) -> str:
    """Return "a.b.c" of such an expression, "" of any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def _imports(code: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """Yield what each imported name stands for; ``package`` is what relative imports start from."""
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (top, top)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                yield alias.asname or alias.name, origin if alias.name == "*" else f"{origin}.{alias.name}"


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names that code uses, with what is asked of them: "a.b.c" for a.b.c."""
    if dotted := _dotted(node):
        yield dotted
        return
    for child in ast.iter_child_nodes(node):
        yield from _names(child)


def _strings(code: ast.AST) -> Iterator[str]:
    return (node.value for node in ast.walk(code) if isinstance(node, ast.Constant) and isinstance(node.value, str))
