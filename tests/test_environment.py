"""The files of the set-up agree with each other, and with what is installed."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

import svqkit

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
NEEDED = [
    Requirement(line)
    for group in (
        PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"].values(),
        PROJECT["build-system"]["requires"],
    )
    for line in group
]
SETUP_FILES = [
    "pyproject.toml",
    "requirements.lock",
    "environment.yml",
    "Makefile",
    ".ci/run",
    ".gitignore",
    ".gitattributes",
    ".dvc/config",
    ".dvcignore",
]


def entries(lock: str) -> list[str]:
    """The lock's logical lines: comments dropped, continued lines joined."""
    lines = [line for line in lock.splitlines() if not line.lstrip().startswith("#")]
    return [entry.strip() for entry in "\n".join(lines).replace("\\\n", " ").splitlines() if entry.strip()]


def pins(lock: str) -> list[Requirement]:
    return [Requirement(entry.split(" --hash=")[0]) for entry in entries(lock)]


def version(pin: Requirement) -> str:
    return next(iter(pin.specifier)).version


def applies(pin: Requirement) -> bool:
    """Whether a pin is meant for the running interpreter and machine."""
    return pin.marker is None or pin.marker.evaluate()


def faults(lock: str) -> list[str]:
    """The entries of a lock that are anything but one exact version with its hashes."""
    wrong = []
    for entry in entries(lock):
        pin, *hashes = re.split(r"\s+--hash=", entry)
        exact = re.fullmatch(r"[\w.-]+==[\w.]+( ; [^#]+)?", pin.strip())
        if not (exact and hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes)):
            wrong.append(entry[:60])
    return wrong


def addresses(text: str) -> list[str]:
    """Places on a network that a text names, and pip's options that would take one."""
    host = r"[\w+]+://\S*|\b[\w-]+(?:\.[\w-]+)*\.(?:org|com|net|io|dev|cn)\b"
    option = r"--(?:extra-)?index-url|--index\b|--default-index|--find-links|--trusted-host|(?m:^\s*-[if]\s)"
    return re.findall(f"{host}|{option}", text)


def unmet(needed: list[Requirement], pinned: list[Requirement]) -> list[str]:
    """What is needed and not pinned, or pinned at a version that is ruled out."""
    missing = []
    for need in needed:
        found = [pin for pin in pinned if canonicalize_name(pin.name) == canonicalize_name(need.name)]
        if not found or not all(need.specifier.contains(version(pin), prereleases=True) for pin in found):
            missing.append(str(need))
    return missing


def strays(pinned: list[Requirement], installed: dict[str, str]) -> list[str]:
    """The pins meant for this machine that are not installed at just their version."""
    found = {canonicalize_name(name): number for name, number in installed.items()}
    here = {pin: found.get(canonicalize_name(pin.name)) for pin in pinned if applies(pin)}
    return [
        f"{pin} (installed: {number or 'no'})"
        for pin, number in here.items()
        if number is None or not pin.specifier.contains(number, prereleases=True)
    ]


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_the_lock_holds_exact_pins_with_hashes_and_nothing_else(lock):
    assert len(entries(lock)) > 100
    assert faults(lock) == []


def test_what_pyproject_names_is_pinned(lock):
    assert unmet(NEEDED, pins(lock)) == []


def test_at_most_one_pin_of_a_package_applies_here(lock):
    names = [canonicalize_name(pin.name) for pin in pins(lock) if applies(pin)]
    assert sorted(names) == sorted(set(names))


def test_what_is_installed_is_what_is_pinned(lock):
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
    assert strays(pins(lock), installed) == [], "run `make setup`, and the tests by `make test`"


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


def test_conda_installs_the_lock_on_the_oldest_python_that_is_allowed():
    described = YAML(typ="safe").load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    python, pip, from_pip = described["dependencies"]
    assert described["name"] == PROJECT["project"]["name"]
    assert pip == "pip"
    assert from_pip == {"pip": ["-r requirements.lock"]}
    number = re.fullmatch(r"python=(\d+\.\d+)", python).group(1)
    assert SpecifierSet(PROJECT["project"]["requires-python"]) == SpecifierSet(f">={number}")
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + number.replace(".", "")


@pytest.mark.parametrize("name", SETUP_FILES)
def test_no_file_of_the_setup_names_an_address(name):
    assert addresses((ROOT / name).read_text(encoding="utf-8")) == []


def test_the_citation_is_of_this_version():
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == svqkit.__version__
    assert citation["license"] == PROJECT["project"]["license"]
    for work in (citation, *citation["references"]):
        assert work["title"]
        assert work["authors"]
