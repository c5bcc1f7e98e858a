"""Config files of the reference: Python that is read but never run, or the JSON that a training leaves."""

import ast
import json
from pathlib import Path
from typing import Any

from svqkit.errors import SvqkitError, shown
from svqkit.userfiles import read_json, read_text

# No config of the reference has a hundredth of this.
MOST_BYTES = 2**20


def read_config(path: Path) -> dict[str, Any]:
    """Read a .json with one object, or a .py of literals, in which numbers set above and quotients may stand.

    Raises:
        SvqkitError: it can't be read, or holds more than that.
    """
    try:
        is_json = path.suffix == ".json"
        config = read_json(path) if is_json else _assignments(ast.parse(read_text(path, MOST_BYTES)), path)
    except SvqkitError:
        raise
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SvqkitError(f"The config {path} can't be read: {error}.") from error
    if not isinstance(config, dict):
        raise SvqkitError(f"{path} must hold one object of keys and values, got {type(config).__name__}.")
    return config


class _Numbers(ast.NodeTransformer):
    """Puts numbers for names and quotients of them, all that published configs need: ``hid_S``, ``5e-3 / 2``."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known

    def visit_Name(self, node: ast.Name) -> ast.expr:
        number = self.known.get(node.id)
        return ast.Constant(number) if isinstance(number, int | float) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Div):
            return ast.Constant(ast.literal_eval(node.left) / ast.literal_eval(node.right))
        return node


def _assignments(module: ast.Module, path: Path) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for line in module.body:
        match line:
            case ast.Expr(ast.Constant()):
                continue  # a docstring
            case ast.Assign([ast.Name(name)], value):
                try:
                    # By way of JSON, so that both kinds of file give the same plain values.
                    config[name] = json.loads(json.dumps(ast.literal_eval(_Numbers(config).visit(value))))
                    continue
                except (ValueError, TypeError, ArithmeticError):
                    pass
        raise SvqkitError(
            f"{path}, line {line.lineno}: {shown(ast.unparse(line))} is not read. A config is never run, so it may "
            "only assign literals, numbers set above by their names, and quotients; write the value there, or give the "
            "model_param.json that the training left."
        )
    return config
