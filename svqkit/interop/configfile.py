"""Config files of the reference: Python that is read but never run, or the JSON that a training leaves."""

import ast
import json
import operator
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from svqkit.errors import SvqkitError
from svqkit.userfiles import read_text

# No config of the reference has a tenth of these.
MOST_BYTES, MOST_VALUES, LARGEST = 2**20, 10_000, 10**18
ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}


def read_configs(paths: list[Path]) -> dict[str, Any]:
    """Read several config files as one; where two set a key, the later one counts.

    Raises:
        SvqkitError: one can't be read, or holds more than values.
    """
    config: dict[str, Any] = {}
    for path in paths:
        config |= read_config(path)
    return config


def read_config(path: Path) -> dict[str, Any]:
    """Read a .json with one object, or a .py of assignments: literals, names assigned above, arithmetic, lists, dicts.

    Raises:
        SvqkitError: it can't be read, or holds more than that.
    """
    try:
        text = read_text(path, MOST_BYTES)
        if path.suffix == ".json":
            config = json.loads(text)
            if not isinstance(config, dict):
                raise SvqkitError(f"{path} must hold one object of keys and values, got {type(config).__name__}.")
        else:
            config = _assignments(ast.parse(text), path)
        _refuse_doubling(config, path)
        return config
    except (OSError, UnicodeDecodeError) as error:
        raise SvqkitError(f"The config {path} can't be read: {error}.") from error
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, SvqkitError):
            raise
        raise SvqkitError(f"{path} is not valid {'JSON' if path.suffix == '.json' else 'Python'}: {error}.") from error


def _refuse_doubling(config: dict[str, Any], path: Path) -> None:
    """Refuse lists of lists that are named again and again: written out, as checking them does, they have no end."""
    waiting: list[Any] = [config]
    for _ in range(MOST_VALUES):
        if not waiting:
            return
        value = waiting.pop()
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    raise SvqkitError(f"{path} has more than {MOST_VALUES:,} values, those of its lists counted each time. Write less.")


def _assignments(module: ast.Module, path: Path) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for line in module.body:
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
            continue  # a docstring
        if not isinstance(line, ast.Assign) or not all(isinstance(target, ast.Name) for target in line.targets):
            raise _refused(line, path)
        value = _value(line.value, config, path)
        config |= {target.id: value for target in line.targets if isinstance(target, ast.Name)}
    return config


def _value(node: ast.expr, known: Mapping[str, Any], path: Path) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in known:
        return known[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, known, path) for item in node.elts]
    if isinstance(node, ast.Dict) and None not in node.keys:
        keys = [_value(key, known, path) for key in node.keys if key is not None]
        if all(isinstance(key, str) for key in keys):
            return dict(zip(keys, (_value(value, known, path) for value in node.values), strict=True))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return {entry.arg: _value(entry.value, known, path) for entry in node.keywords if _named(entry, path)}
    if isinstance(node, ast.UnaryOp) and type(node.op) in SIGNS:
        return _computed(SIGNS[type(node.op)], node, path, _value(node.operand, known, path))
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        both = (_value(side, known, path) for side in (node.left, node.right))
        return _computed(ARITHMETIC[type(node.op)], node, path, *both)
    raise _refused(node, path)


def _computed(operation: Callable[..., Any], node: ast.expr, path: Path, *numbers: Any) -> Any:
    if not all(isinstance(number, int | float) for number in numbers):
        raise _refused(node, path)
    try:
        result = operation(*numbers)
    except ArithmeticError as error:
        raise SvqkitError(f"{path}, line {node.lineno}: {ast.unparse(node)}: {error}.") from error
    if abs(result) > LARGEST:
        raise SvqkitError(f"{path}, line {node.lineno}: {ast.unparse(node)} is more than {LARGEST:.0e}.")
    return result


def _named(keyword: ast.keyword, path: Path) -> bool:
    if keyword.arg is None:
        raise _refused(keyword.value, path)
    return True


def _refused(node: ast.AST, path: Path) -> SvqkitError:
    return SvqkitError(
        f"{path}, line {getattr(node, 'lineno', '?')}: {ast.unparse(node)!r} is not read. A config is never run, so "
        "it may only assign literals, names assigned above it, arithmetic of numbers, lists and dicts; write the "
        "value there, or give the model_param.json that the training left."
    )
