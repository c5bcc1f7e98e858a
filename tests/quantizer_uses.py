"""The page docs/quantizers.md: which use of which quantizer is tested. `python -m tests.quantizer_uses` writes it.

A cell stands for tests: those that are marked with the use, for every way to set the quantizer. They pass, or no
change is accepted, so nothing is run here.
"""

import sys
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

import pytest
from quantizercases import CASES, linears, made, moves
from torch import nn

from svqkit.settings import quantizers as kinds

PAGE = Path(__file__).parents[1] / "docs/quantizers.md"
BEGIN, END = "<!-- Written by `python -m tests.quantizer_uses`: -->", "<!-- to here. -->"
YES = "✓"


def _of_moving(note: str) -> Callable[[nn.Module], str]:
    return lambda layer: note if moves(layer) else YES


def _of_linear(layer: nn.Module) -> str:
    return YES if linears(layer) else "–"


# What a cell says of a layer, by use.
USES: dict[str, Callable[[nn.Module], str]] = {
    "copy, state_dict": lambda layer: YES,
    "save_pretrained": lambda layer: YES,
    "autocast": lambda layer: YES,
    "half": lambda layer: YES,
    "compile": lambda layer: YES,
    "export": lambda layer: YES,
    "DDP": lambda layer: YES,
    "torch.func": _of_moving("eval"),
    "checkpoint": _of_moving("refused"),
    "wrapped": _of_linear,
    "int8": _of_linear,
}


def use(name: str) -> pytest.MarkDecorator:
    """Mark a test as one of a use in the table."""
    assert name in USES
    return pytest.mark.use(name)


def table() -> str:
    """A row for each quantizer, a column for each use."""
    rows = [["quantizer", *USES], ["---", *[":-:"] * len(USES)]]
    for kind in kinds.QUANTIZERS:
        layers = [made(case) for case, settings in CASES.items() if settings.name == kind]
        cells = [dict.fromkeys(say(layer) for layer in layers) for say in USES.values()]
        rows.append(
            [f"`{kind}`", *[", ".join(said for said in cell if len(cell) == 1 or said != "–") for cell in cells]]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def with_table(page: str) -> str:
    """The page with today's table between the marks."""
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
