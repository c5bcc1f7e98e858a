"""The files of the set-up agree with each other, and with what is installed."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

import svqkit

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
GROUPS = PROJECT["project"]["optional-dependencies"].values()
NAMED = map(Requirement, chain(PROJECT["project"]["dependencies"], *GROUPS, PROJECT["build-system"]["requires"]))
NEEDED = [need for need in NAMED if need.name != PROJECT["project"]["name"]]  # a group may name another one
SETUP_FILES = (
    "pyproject.toml requirements.lock environment.yml Makefile .ci/run .gitignore .gitattributes .dvc/config Dockerfile"
)


def entries(lock: str) -> list[str]:
    """The lock's logical lines: comments dropped, continued lines joined."""
    lines = [line for line in lock.splitlines() if not line.lstrip().startswith("#")]
    return [entry.strip() for entry in "\n".join(lines).replace("\\\n", " ").splitlines() if entry.strip()]


def pins(lock: str) -> list[Requirement]:
    return [Requirement(entry.split(" --hash=")[0]) for entry in entries(lock)]


def applies(pin: Requirement) -> bool:
    """Whether a pin is meant for the running interpreter and machine."""
    return pin.marker is None or pin.marker.evaluate()


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_lock_holds_exact_pins_with_hashes_and_nothing_else(lock):
    """Each entry is one exact version with its hashes."""
    assert len(entries(lock)) > 100
    for entry in entries(lock):
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", entry), entry[:60]


@pytest.mark.parametrize("need", NEEDED, ids=str)
def test_what_pyproject_names_is_pinned(need, lock):
    found = [pin for pin in pins(lock) if canonicalize_name(pin.name) == canonicalize_name(need.name)]
    assert found
    assert all(need.specifier.contains(only.version, prereleases=True) for pin in found for only in pin.specifier)


def test_at_most_one_pin_of_a_package_applies_here(lock):
    names = [canonicalize_name(pin.name) for pin in pins(lock) if applies(pin)]
    assert sorted(names) == sorted(set(names))


def test_what_is_installed_is_what_is_pinned(lock):
    # Not all of sys.path: setuptools, once imported, adds the packages that it carries along.
    folder = [sysconfig.get_path("purelib")]
    installed = {canonicalize_name(one.name): one.version for one in importlib.metadata.distributions(path=folder)}
    here = {pin: installed.get(canonicalize_name(pin.name)) for pin in pins(lock) if applies(pin)}
    strays = {str(pin): found for pin, found in here.items() if not found or not pin.specifier.contains(found, True)}
    assert strays == {}, "run `make setup`, and the tests by `make test`"


def test_what_the_code_imports_is_named_in_pyproject():
    """A package that is there only because another one needs it may leave with the next lock."""
    files = [file for folder in ("svqkit", "tests", "benchmarks") for file in ROOT.glob(f"{folder}/**/*.py")]
    local = {
        *(folder for file in files for folder in file.relative_to(ROOT).parts[:-1]),
        *(file.stem for file in files if file.relative_to(ROOT).parts[0] != "svqkit"),
    }
    named = {canonicalize_name(need.name) for need in NEEDED}
    sources = importlib.metadata.packages_distributions()
    undeclared = {}
    for file in files:
        for module in imported(file.read_text(encoding="utf-8")) - local - sys.stdlib_module_names:
            if not named & {canonicalize_name(name) for name in sources.get(module, [])}:
                undeclared.setdefault(module, file.relative_to(ROOT).as_posix())
    assert undeclared == {}


def imported(source: str) -> set[str]:
    """The top-level names of the modules that a source imports, at its head or further down."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module.partition(".")[0])
    return names


def test_conda_and_docker_install_the_lock_on_the_oldest_python_that_is_allowed():
    described = YAML(typ="safe").load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, from_pip = described["dependencies"]
    assert described["name"] == PROJECT["project"]["name"]
    assert pip == "pip"
    assert from_pip == {"pip": ["-r requirements.lock"]}
    number = re.fullmatch(r"python=(\d+\.\d+)", python).group(1)
    assert SpecifierSet(PROJECT["project"]["requires-python"]) == SpecifierSet(f">={number}")
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + number.replace(".", "")
    assert f"FROM python:{number}-slim\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_docker_is_sent_nothing_that_git_ignores():
    """Of folders at the top: an image begins as a fresh clone does."""
    ignored = {
        line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines() if line[:1] == "/"
    }
    ignored -= {"dist", "mydata", "my_params.yaml", "out.ipynb"}  # a user's own, or small
    assert ignored <= {*(ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()}


@pytest.mark.parametrize("name", [*SETUP_FILES.split(), ".dvcignore"])
def test_no_file_of_the_setup_names_an_address(name):
    """Nor an option of pip that would take one; but for what the metadata is about."""
    host = r"[\w+]+://\S*|\b[\w-]+(?:\.[\w-]+)*\.(?:org|com|net|io|dev|cn)\b"
    option = r"--(?:extra-)?index-url|--index\b|--default-index|--find-links|--trusted-host|(?m:^\s*-[if]\s)"
    text = re.sub(r"^\[project\.urls\]\n(.+\n)+", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert re.findall(f"{host}|{option}", text) == []


def test_the_citation_is_of_this_version():
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == svqkit.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    for work in (citation, *citation["references"]):
        assert work["title"]
        assert work["authors"]


def test_a_folder_from_a_zip_says_at_once_that_it_needs_git(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    # Not that of a make that runs these tests, which would have the inner one print where it is.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment["GIT_CEILING_DIRECTORIES"] = str(tmp_path.parent)
    for target in ("data", "repro", "test"):
        done = subprocess.run(
            ["make", target], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode
        assert "'git init' here is enough" in done.stderr
        assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]
