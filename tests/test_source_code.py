"""Which modules code uses, and when the digest of a module changes."""

from pathlib import Path
from textwrap import dedent

import pytest

from svqkit.training.source_code import SourceCode

# Who uses what in a package of made-up modules; each has a module beside it that nobody uses.
FILES = {
    "__init__": "from kit.never import x\nversion = 1",
    "never": "x = 1",
    "entry": """
        import os
        import kit.whole
        import kit.renamed as other
        from typing import TYPE_CHECKING
        from kit import deep
        from kit.deep.inner import value
        from .beside import thing
        if TYPE_CHECKING:
            from kit.never import x
        REGISTRY = {"a": "kit.by_name:draw"}
        def lazily():
            from kit.later import x
            return deep.offered(other.f(x))
        """,
    "whole": "",
    "renamed": "import kit.through",
    "through": "import kit.entry",  # a circle
    "beside": "thing = 1",
    "by_name": "def draw(): ...",
    "later": "x = 2",
    "deep/__init__": "from kit.deep.first import offered\nfrom kit.deep.second import unasked\n__all__ = ['unasked']",
    "deep/inner": "value = 3",
    "deep/first": "def offered(x): ...",
    "deep/second": "unasked = 1",
    "chosen": "def load(name): return __import__(f'kit.kinds.{name}')",
    "kinds/__init__": "",
    "kinds/one": "",
    "kinds/two": "",
    "everything": "from kit import deep\nprint(dir(deep))",
    "building": "import kit.builder",
    "builder/__init__": """
        from kit.builder.tool import tool
        from kit.never import x
        import kit.loaded
        def build(): return kit.named.f(tool)
        """,
    "loaded": "",
    "named": "",
    "builder/tool": "tool = 1",
}


@pytest.fixture
def code(tmp_path: Path) -> SourceCode:
    for name, text in FILES.items():
        path = tmp_path / "kit" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return SourceCode(tmp_path / "kit")


@pytest.mark.parametrize(
    ("names", "used"),
    [
        (
            ["entry"],
            {"entry", "whole", "renamed", "through", "deep", "deep.first", "deep.inner", "beside", "by_name", "later"},
        ),
        (["chosen"], {"chosen", "kinds", "kinds.one", "kinds.two"}),
        (["deep.unasked"], {"deep", "deep.second"}),
        (["deep"], {"deep", "deep.first", "deep.second"}),
        (["everything"], {"everything", "deep", "deep.first", "deep.second"}),
        (["builder.build"], {"builder", "builder.tool", "loaded", "named"}),
        (["by_name:draw", "later"], {"by_name", "later"}),
    ],
)  # fmt: skip
def test_imports_are_followed_wherever_they_stand(names: list[str], used: set[str], code: SourceCode) -> None:
    found = code.used_by([f"kit.{name}" for name in names])
    assert found == {f"kit.{name}" for name in used}


def test_what_is_left_out_is_left_out_with_what_only_it_uses(code: SourceCode) -> None:
    assert code.used_by(["kit.entry"], without={"kit.renamed", "kit.deep"}) == {
        "kit.entry", "kit.whole", "kit.beside", "kit.by_name", "kit.later"
    }  # fmt: skip


def test_a_notebook_s_code_is_read_like_a_module_s(code: SourceCode) -> None:
    assert code.names_in("from kit import deep, later\nimport numpy as np\nnp.array(deep.unasked)") == {
        "kit.deep.unasked", "kit.later"
    }  # fmt: skip


BEFORE = '''
"""A module."""
import os
from math import pi, tau  # both

__all__ = ["Circle"]


class Circle:
    """Round."""

    sides = 0
    """None."""

    def area(self, r):
        # as Archimedes found
        return pi * r**2 if r else None
'''


def digest(text: str, tmp_path: Path, name: str = "one.py") -> str:
    (tmp_path / "kit").mkdir(exist_ok=True)
    (tmp_path / "kit" / name).write_text(text)
    return SourceCode(tmp_path / "kit").digest("kit.one" if name == "one.py" else "kit")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# as Archimedes found", "# as everybody knows"),
        ('"""Round."""', '"""Round.\n\n    Very.\n    """'),
        ('"""A module."""\n', ""),
        ('"""None."""', '"""It has none."""'),
        ("pi * r**2 if r else None", "(\n            pi * (r ** 2) if r else None\n        )"),
        ('["Circle"]', '["Circle", "pi"]'),
        ("from math import pi, tau", "from math import (\n    pi,\n    tau,\n)"),
    ],
)
def test_comments_docstrings_and_layout_leave_a_digest_as_it_is(old: str, new: str, tmp_path: Path) -> None:
    assert old in BEFORE
    assert digest(BEFORE.replace(old, new), tmp_path) == digest(BEFORE, tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sides = 0", "sides = 1"),
        ("sides = 0", "sides = 0.0"),
        ("sides = 0", 'sides = "0"'),
        ("r**2", "r**3"),
        ("else None", "else 0"),
        ("import pi, tau", "import tau as pi"),
        ("class Circle:", "class Circle(object):"),
        ("def area(self, r):", "def area(self, r, /):"),
    ],
)
def test_other_code_has_another_digest(old: str, new: str, tmp_path: Path) -> None:
    assert old in BEFORE
    assert digest(BEFORE.replace(old, new), tmp_path) != digest(BEFORE, tmp_path)


def test_what_a_package_merely_offers_is_not_its_code(tmp_path: Path) -> None:
    before = "from kit.a import A\nA()\n"
    offering = f"{before}from kit.b import B\n__all__ = ['A', 'B']\n"
    assert digest(offering, tmp_path, "__init__.py") == digest(before, tmp_path, "__init__.py")
    assert digest(offering + "B()\n", tmp_path, "__init__.py") != digest(before, tmp_path, "__init__.py")
