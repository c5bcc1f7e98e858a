"""For the site: what docstrings write in Sphinx's way, formulas and references, as HTML."""

import re
from typing import Any

import griffe
from latex2mathml.converter import convert

ROLE = re.compile(r":(?:mod|func|class|meth|attr):`[~.]?([\w.]+)`")
REFERENCE = r'<autoref optional identifier="\1"><code>\1</code></autoref>'
FORMULA = re.compile(r"^\.\. math:: (.+?)(?:\n\n|\Z)|:math:`([^`]+)`", re.MULTILINE | re.DOTALL)


def formula(found: re.Match[str]) -> str:
    """A formula in MathML, on lines of its own or within a sentence."""
    alone, within = found.groups()
    return convert(within) if within else f"{convert(alone, display='block')}\n\n"


class Docstrings(griffe.Extension):
    """Turns roles of the docstrings into links, which stay plain code where the site has no page of it."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of one module, class or function."""
        if obj.docstring:
            obj.docstring.value = FORMULA.sub(formula, ROLE.sub(REFERENCE, obj.docstring.value))
