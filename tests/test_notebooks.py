"""Notebooks: stripped sources, refused parameters, executed copies that repeat."""

import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from svqkit.errors import SvqkitError
from svqkit.pipeline import executing, fitted_parameters
from svqkit.pipeline.commands import main

ROOT = Path(__file__).parents[1]
SHIPPED = sorted((ROOT / "notebooks").glob("*.ipynb"))


def write(folder: Path, name: str, *cells: str, parameters: str = "x = 1") -> Path:
    """A notebook with a parameters cell and some more."""
    tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[new_markdown_cell("# A title"), tagged, *map(new_code_cell, cells)])
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_notebooks_are_thin(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert cells[0].cell_type == "markdown"
    assert [cell.metadata.get("tags") for cell in code[:2]] == [["parameters"], None]
    assert "start_notebook()" in code[1].source
    for cell in code:
        assert not cell.outputs, "outputs are not committed"
        assert cell.execution_count is None
        assert not any(line.startswith(("def ", "class ", "async ")) for line in cell.source.splitlines())
    assert all(line.count("#") >= 1 for line in code[0].source.splitlines()), "each parameter says what it is"


def test_there_is_a_notebook_for_every_stage_and_explorer() -> None:
    stages = {"prepare", "train", "evaluate", "figures", "costs", "tables", "paper_figures", "report"}
    explorers = {"forecast", "codebook_usage", "temperature_error_maps", "compare_runs"}
    assert {path.stem for path in SHIPPED} >= stages | explorers


def test_strip_gives_the_same_bytes_before_and_after_a_notebook_was_run(tmp_path: Path) -> None:
    path = write(tmp_path / "in", "a", "print(x)")
    executing.strip(tmp_path / "in", tmp_path / "out")
    before = (tmp_path / "out" / "a.ipynb").read_bytes()
    used = nbformat.read(path, as_version=4)
    used.metadata["language_info"] = {"name": "python"}
    for cell in used.cells:
        cell.id = f"new-{cell.id}"[:60]
        cell.metadata["collapsed"] = True
        cell.metadata.setdefault("tags", [])
    used.cells[2].execution_count = 7
    used.cells[2].outputs = [new_output("stream", text="1\n")]
    nbformat.write(used, path)
    executing.strip(tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out" / "a.ipynb").read_bytes() == before
    used.cells[2].source = "print(x + 1)"
    nbformat.write(used, path)
    executing.strip(tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out" / "a.ipynb").read_bytes() != before


def test_an_unknown_parameter_is_refused_with_the_known_ones() -> None:
    cells = ["", "dataset = 'a'\nseed = 0", "# Parameters\ndatset = 'b'\n", "start()"]
    with pytest.raises(SvqkitError, match=r"no parameter 'datset' \(did you mean 'dataset'\?\). It has: dataset, seed"):
        fitted_parameters(cells, {})
    assert fitted_parameters(["", cells[1], "start()", "later = 1"], {}) == {}


DEFAULTS = "text = ''\nnumber: int = 0\nshare = other = 0.5\nyes = False\nmany = []\ntree = {}\nseed = None"


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("yes", "false", False), ("yes", "True", True), ("yes", True, True), ("text", 2020, "2020"), ("text", None, ""),
        ("text", ["a", "b"], ["a", "b"]), ("many", "a", ["a"]), ("number", 3, 3), ("share", 1, 1), ("other", 0.1, 0.1),
        ("tree", {"a": 1}, {"a": 1}), ("seed", 3, 3), ("seed", "x", "x"),
    ],
)  # fmt: skip
def test_a_value_is_of_the_type_of_its_parameter(name: str, given: object, expected: object) -> None:
    cells = ["", DEFAULTS, f"# Parameters\n{name} = {given!r}"]
    assert fitted_parameters(cells, {name: given}) == {name: expected}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("yes", "maybe"), ("yes", 1), ("yes", None), ("text", 1e5), ("text", True), ("text", {}), ("number", "three"),
        ("number", 0.5), ("number", True), ("number", None), ("share", "half"), ("share", False), ("many", 3),
        ("many", {}), ("tree", "{'a': 1}"), ("tree", []),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_with_its_name(name: str, given: object) -> None:
    with pytest.raises(SvqkitError, match=f"parameter `{name}` must be"):
        fitted_parameters(["", DEFAULTS, f"# Parameters\n{name} = {given!r}"], {name: given})


def test_run_passes_output_through_and_repeats_to_the_byte(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    write(tmp_path / "in", "a", "import sys\nprint('value', x)\nprint('bar', file=sys.stderr)", "x + 1")
    for output in ("one", "two"):
        executing.run("a", tmp_path / f"{output}.ipynb", {"x": 41}, tmp_path / "in")
    captured = capfd.readouterr()
    assert "value 41" in captured.out
    assert "bar" in captured.err
    assert (tmp_path / "one.ipynb").read_bytes() == (tmp_path / "two.ipynb").read_bytes()
    executed = nbformat.read(tmp_path / "one.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].data["text/plain"] == "42"
    assert "bar" not in str(executed.cells[-2].outputs), "progress is no part of the record"


def test_the_kernel_is_the_interpreter_that_runs_the_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = tmp_path / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text('{"argv": ["/bin/false"], "display_name": "Wrong", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    write(tmp_path / "in", "a", "import sys\nsys.executable")
    executing.run("a", tmp_path / "out.ipynb", {}, tmp_path / "in")
    shown = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[-1].outputs[0].data["text/plain"]
    assert shown == repr(sys.executable)


def test_run_refuses_before_it_starts_and_says_what_failed(tmp_path: Path) -> None:
    write(tmp_path / "in", "a", "from svqkit.errors import SvqkitError\nraise SvqkitError(f'no {x}')")
    with pytest.raises(SvqkitError, match=r"No notebook 'b'.*There are: a"):
        executing.run("b", tmp_path / "out.ipynb", {}, tmp_path / "in")
    with pytest.raises(SvqkitError, match=r"no parameter 'y'.*It has: x"):
        executing.run("a", tmp_path / "out.ipynb", {"y": 1}, tmp_path / "in")
    with pytest.raises(SvqkitError, match=r"^no 5\n\(in cell"):
        executing.run("a", tmp_path / "out.ipynb", {"x": 5}, tmp_path / "in")
    assert not (tmp_path / "out.ipynb").exists()
    assert (tmp_path / "out.failed.ipynb").exists(), "the failed notebook is kept to look at"


def test_the_command_gives_one_line_and_code_1(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "nothing", "--output", "out.ipynb"]) == 1
    assert "error: No notebook 'nothing'" in capsys.readouterr().err
