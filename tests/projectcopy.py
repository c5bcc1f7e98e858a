"""A copy of the project in which tests run commands as a user does."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.util import run_sync
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from ruamel.yaml import YAML

from svqkit.pipeline.executing import ThisInterpreter
from svqkit.pipeline.kernel import private_folder
from svqkit.pipeline.stage_settings import update_trainings
from svqkit.pipeline.warm import SOCKET
from svqkit.settings.params import load_params
from svqkit.settings.studies import expand, names_in

ROOT = Path(__file__).parents[1]


class Project:
    """A copy of the project to run commands in.

    What these start is forked from the server at ``warm``; empty: from none. None: pipelines start one of their own,
    which those need whose stages run code of svqkit, since that looks for the pipeline above itself.
    """

    def __init__(self, folder: Path, warm: str | None = None) -> None:
        self.folder, self.warm = folder, warm
        names = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=True
        ).stdout.decode()
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, folder / name)
        (folder / "dvc.lock").unlink(missing_ok=True)
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        subprocess.run(["git", "add", "."], cwd=folder, check=True)

    @property
    def environment(self) -> dict[str, str]:
        """In which commands are run: with this interpreter's tools and without the network."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": path, "PYTHONPATH": str(self.folder), "https_proxy": "http://127.0.0.1:9"}
        return os.environ | own | ({} if self.warm is None else {SOCKET: self.warm})

    def run(self, *command: str, check: bool = True) -> str:
        """What a command prints; DVC is started as the pipeline starts it."""
        if command[0] == "dvc":
            command = ("svqkit.pipeline.watchdog", *command)
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout
        return done.stdout

    @contextmanager
    def kernel(self) -> Iterator[Callable[..., NotebookNode]]:
        """A kernel that executes notebooks, given by name and parameters, one after the other: it starts only once."""
        with private_folder() as (folder, transport):
            manager = ThisInterpreter.listening_in(folder, transport)

            def execute(name: str, **parameters: object) -> NotebookNode:
                notebook = load_notebook_node(str(self.folder / f"notebooks/{name}.ipynb"))
                given = parameterize_notebook(notebook, parameters, kernel_name="python3", language="python")
                given.cells.insert(0, new_code_cell("%reset -f"))
                client = NotebookClient(given, km=manager, startup_timeout=600, iopub_timeout=600)
                return client.execute(cwd=str(self.folder), env=self.environment)

            yield execute
            run_sync(manager.shutdown_kernel)(now=True)

    def repro(self) -> set[str]:
        """The stages that `dvc repro` ran."""
        return stages_in(self.run("dvc", "repro"))

    def change(self, **places: object) -> None:
        """Set values of params.yaml, such as ``profiles__sample=…`` for profiles.sample."""
        yaml = YAML()
        tree = yaml.load(self.folder / "params.yaml")
        for place, value in places.items():
            *above, last = place.split("__")
            branch = tree
            for key in above:
                branch = branch.setdefault(key, {})
            branch[last] = value
        yaml.dump(tree, self.folder / "params.yaml")

    def keep(self, *experiments: str) -> None:
        """Take all other experiments, and the datasets that none of these is on, out of params.yaml and dvc.yaml."""
        yaml = YAML()
        tree = YAML(typ="safe").load(self.folder / "params.yaml")
        entries = expand(tree.pop("studies"), tree["experiments"], tree["datasets"], [])
        tree["experiments"] = {
            name: {"dataset": entries[name].dataset, "studies": [*entries[name].studies], **entries[name].settings("")}
            for name in experiments
        }
        datasets = {entry["dataset"] for entry in tree["experiments"].values()}
        tree["datasets"] = {name: entry for name, entry in tree["datasets"].items() if name in datasets}
        for profile, sections in tree["profiles"].items():
            kept = {key: [name for name in names_in(key) if name in {"all", *datasets}] for key in sections}
            tree["profiles"][profile] = {", ".join(names): sections[key] for key, names in kept.items() if names}
        yaml.dump(tree, self.folder / "params.yaml")
        update_trainings(load_params(self.folder / "params.yaml"), self.folder / "trainings.yaml")
        pipeline = yaml.load(self.folder / "dvc.yaml")
        pipeline["metrics"] = [path for path in pipeline["metrics"] if path.split("/")[2] in datasets]
        yaml.dump(pipeline, self.folder / "dvc.yaml")


def stages_in(printed: str) -> set[str]:
    """The stages that ran, by what was printed."""
    return {line.split("'")[1] for line in printed.splitlines() if line.startswith("Running stage")}


def outputs_of(notebook: Path | NotebookNode) -> tuple[str, int]:
    """The plain texts that an executed notebook shows, and how many pictures."""
    if isinstance(notebook, Path):
        notebook = nbformat.read(notebook, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [output.get("data", {}).get("text/plain", "") for output in outputs]
    return " ".join(texts), sum("image/png" in output.get("data", {}) for output in outputs)
