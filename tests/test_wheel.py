"""The wheel in somebody else's environment: without extras it needs torch and little else."""

import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; on an error what it says of it."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this project, built from a copy as `pip install .` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "svqkit", folder / "svqkit", ignore=shutil.ignore_patterns("__pycache__"))
    run(
        *PIP,
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--wheel-dir",
        "dist",
        ".",
        cwd=folder,
    )
    (path,) = (folder / "dist").glob("*.whl")
    return path


def needs(name: str, found: dict[str, Distribution]) -> None:
    """Add an installed package, and without extras all that it needs, to those found."""
    if name.lower() in found:
        return
    found[name.lower()] = one = distribution(name)
    for need in map(Requirement, one.requires or []):
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            needs(need.name, found)


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """The Python of an environment with the wheel and what it says that it needs; and the names of these packages."""
    folder = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder)
    python = folder / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip())
    run(*PIP, "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=folder)
    found: dict[str, Distribution] = {}
    for need in metadata(wheel).get_all("Requires-Dist"):
        if "extra ==" not in need:
            needs(Requirement(need).name, found)
    for one in found.values():
        for top in {file.parts[0] for file in one.files or [] if file.parts[0] != ".."}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(sysconfig.get_path("purelib")) / top)
    return python, set(found)


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_the_metadata_is_complete_and_the_data_files_are_in(wheel: Path) -> None:
    said = metadata(wheel)
    assert said["Description-Content-Type"] == "text/markdown"
    assert "# svqkit" in said.get_payload()
    for name in ("Summary", "Author", "Keywords", "License-Expression", "Requires-Python"):
        assert said[name]
    assert len(said.get_all("Classifier")) > 3
    assert any(url.startswith("Paper, ") for url in said.get_all("Project-URL"))
    assert {"train", "figures", "pipeline", "dev"} <= set(said.get_all("Provides-Extra"))
    with zipfile.ZipFile(wheel) as archive:
        there = set(archive.namelist())
    files = [path for path in (ROOT / "svqkit").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {path.relative_to(ROOT).as_posix() for path in files} <= there


def test_the_readmes_snippet_runs_with_torch_and_little_else(bare: tuple[Path, set[str]], tmp_path: Path) -> None:
    python, installed = bare
    assert "torch" in installed
    assert not {"pandas", "xarray", "timm", "accelerate", "dvc", "papermill", "matplotlib", "jupyterlab"} & installed
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## SVQ in a model of your own\n")[1]
    (snippet, *_) = re.findall(r"^```python\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    program = f"import torch\nlatents = torch.randn(2, 32, 4, 4)\n{snippet}\nprint(quantized.output.shape)\n"
    program += (
        "import svqkit.quantizers as all_kinds\nprint(all_kinds.VQ(8, 16)(torch.randn(1, 8, 2, 2)).output.shape)\n"
    )
    said = run(python, "-I", "-c", program, cwd=tmp_path)
    assert said.splitlines()[-2:] == ["torch.Size([2, 32, 4, 4])", "torch.Size([1, 8, 2, 2])"]


def test_what_needs_more_says_which_extra(bare: tuple[Path, set[str]], tmp_path: Path) -> None:
    program = "import svqkit\ntry:\n    svqkit.load_run('x')\nexcept ImportError as error:\n    print(error)\n"
    assert "pip install 'svqkit[figures]'" in run(bare[0], "-I", "-c", program, cwd=tmp_path)
