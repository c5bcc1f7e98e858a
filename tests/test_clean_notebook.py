"""Notebooks that were opened and run are committed without what that left."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cleaned(text: bytes) -> bytes:
    command = [sys.executable, "-m", "svqkit.pipeline.clean_notebook"]
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout


@pytest.mark.parametrize("path", NOTEBOOKS[:2], ids=lambda path: path.stem)
def test_a_notebook_comes_back_from_being_run(path: Path) -> None:
    notebook = json.loads(path.read_bytes())
    for number, cell in enumerate(notebook["cells"]):
        cell["metadata"] = {"execution": {"started": "now"}, **cell["metadata"]}
        cell["id"] = f"other-{number}"
        if cell["cell_type"] == "code":
            cell |= {"execution_count": 3, "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}]}
    notebook["metadata"]["language_info"] = {"name": "python"}
    assert cleaned(json.dumps(notebook).encode()) == path.read_bytes()
    assert cleaned(path.read_bytes()) == path.read_bytes()


def test_what_is_no_notebook_stays_as_it_is() -> None:
    for text in (b"", b"\xff\xfe", b"[1]", b'{"cells": 3}', b"<<<<<<< HEAD\n{}"):
        assert cleaned(text) == text


def test_git_keeps_notebooks_by_the_filter_that_the_set_up_names(tmp_path: Path) -> None:
    """With the line of the Makefile and that of .gitattributes, in a repository of its own."""
    makefile = (ROOT / "Makefile").read_text()
    ((key, command),) = re.findall(r'git config (filter\.\w+\.clean) "([^"]+)"', makefile)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def git(*arguments: str) -> bytes:
        return subprocess.run(
            ["git", *arguments], cwd=tmp_path, env=environment, check=True, capture_output=True
        ).stdout

    git("init")
    git("config", key, command.replace("$(VENV_PYTHON)", sys.executable))
    (tmp_path / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    (tmp_path / "notebooks").mkdir()
    notebook = json.loads(NOTEBOOKS[0].read_bytes())
    notebook["cells"][-1]["metadata"]["editable"] = True
    (tmp_path / "notebooks/one.ipynb").write_text(json.dumps(notebook))
    git("add", "notebooks/one.ipynb")
    assert git("show", ":notebooks/one.ipynb") == NOTEBOOKS[0].read_bytes()
    git("config", key, command.replace("$(VENV_PYTHON)", "no/python"))
    (tmp_path / "notebooks/two.ipynb").write_text(json.dumps(notebook))
    git("add", "notebooks/two.ipynb")
    assert git("show", ":notebooks/two.ipynb") == (tmp_path / "notebooks/two.ipynb").read_bytes(), "without a .venv"
