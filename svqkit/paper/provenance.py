"""How results were made: settings, data, versions, the state of each stage, machines and durations of trainings."""

import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.paper.results import Results
from svqkit.settings.params import Experiment
from svqkit.training import journal
from svqkit.training.paths import store_path


@dataclass(frozen=True)
class RawData:
    """What a dataset was prepared from: the digest that its store keeps, or why there is none."""

    dataset: str
    note: str
    files: int = 0
    size: int = 0
    digest: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Output:
    """What a stage of the pipeline made, as dvc.lock has it."""

    stage: str
    path: str
    md5: str


@dataclass(frozen=True)
class Training:
    """What one training took, from its journal."""

    experiment: str
    seed: str
    seconds: float
    steps: int
    steps_per_second: float
    peak_memory_gb: float
    machine: str


@dataclass(frozen=True)
class Provenance:
    """How results were made.

    Attributes:
        profile, settings: the profile, and params.yaml as it stands.
        tracked: path and md5 of what data.dvc tracks.
        raw: what each dataset was prepared from.
        commit: of the code, or why it is not known.
        versions: by package, of what writes this.
        trained_with: other versions that trainings had, in words.
        outputs: of the stages of dvc.lock.
        trainings: what each took.
        unknown: experiments that left no journal.
    """

    profile: str
    settings: str
    tracked: tuple[tuple[str, str], ...]
    raw: tuple[RawData, ...]
    commit: str
    versions: dict[str, str]
    trained_with: tuple[str, ...]
    outputs: tuple[Output, ...]
    trainings: tuple[Training, ...]
    unknown: tuple[str, ...]

    @property
    def hours(self) -> float:
        """All trainings together."""
        return sum(training.seconds for training in self.trainings) / 3600


def gather(
    results: Results,
    params: str | Path = "params.yaml",
    journal_root: str | Path = "journal",
    project: str | Path = ".",
) -> Provenance:
    """Gather all that is known of how ``results`` were made; what is not there is said to be missing.

    Args:
        results: what is reported.
        params: the settings' file.
        journal_root: where trainings note what they took.
        project: the folder of data.dvc, dvc.lock and .git.

    Raises:
        SvqkitError: the settings can't be read.
    """
    project, versions = Path(project), journal.versions()
    experiments = [experiment for name in results.datasets for experiment in _scored(results, name)]
    journals = {member.name: journal.read(member, journal_root) for member in experiments}
    return Provenance(
        profile=results.profile,
        settings=_text(Path(params)),
        tracked=tuple(
            (str(out["path"]), str(out.get("md5", ""))) for out in _yaml(project / "data.dvc").get("outs", [])
        ),
        raw=tuple(_raw(results, name) for name in results.datasets),
        commit=commit_of(project),
        versions=versions,
        trained_with=tuple(sorted(set(_other_versions(journals.values(), versions)))),
        outputs=tuple(_outputs(project / "dvc.lock")),
        trainings=tuple(training for name, tree in journals.items() for training in _trainings(name, tree)),
        unknown=tuple(name for name, tree in journals.items() if not tree.get("runs")),
    )


def _scored(results: Results, dataset: str) -> list[Experiment]:
    there = set(results.scores.loc[results.scores["dataset"] == dataset, "experiment"])
    return [experiment for experiment in results.settings.of_dataset(dataset) if experiment.name in there]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SvqkitError(f"The settings at {path} can't be read ({error}). Name params.yaml.") from error


def _yaml(path: Path) -> dict[str, Any]:
    """A file of DVC's; empty where there is none."""
    return (YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def _raw(results: Results, dataset: str) -> RawData:
    note = results.data_note(dataset)
    try:
        raw = Store.open(store_path(results.profile, dataset, results.stores_root)).settings["raw"]
    except SvqkitError:
        return RawData(dataset, note, missing="no store here to ask")
    return RawData(dataset, note, int(raw["files"]), int(raw["bytes"]), str(raw["digest"]))


def commit_of(project: Path) -> str:
    """Return the commit, and whether tracked files differ from it."""
    if not (project / ".git").exists():
        return "not known: no git repository here"
    try:
        commit = _git(project, "rev-parse", "HEAD")
        changed = _git(project, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "not known: git could not be asked"
    return f"{commit}{', with uncommitted changes' * bool(changed)}"


def _git(project: Path, *words: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(project), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _outputs(lock: Path) -> Iterator[Output]:
    """Without the report's own: what stands there is of the time before."""
    for stage, entry in sorted(_yaml(lock).get("stages", {}).items()):
        if stage != "report":
            for out in entry.get("outs", []):
                yield Output(stage, str(out["path"]), str(out.get("md5", "")))


def _trainings(experiment: str, tree: dict[str, Any]) -> Iterator[Training]:
    for seed, took in sorted(journal.by_seed(tree).items()):
        yield Training(
            experiment,
            str(seed),
            float(took["seconds"]),
            int(took["steps"]),
            float(took["steps_per_second"]),
            float(took["peak_memory_gb"]),
            _machine(took.get("machine", {})),
        )


def _machine(machine: dict[str, Any]) -> str:
    """``"AMD EPYC, 2 cores, 7.6 GB, Linux 6.1"``, after the GPU if there is one."""
    cores = f"{machine['cores']} cores" if machine.get("cores") else ""
    memory = f"{machine['memory_gb']:g} GB" if machine.get("memory_gb") else ""
    parts = [machine.get("gpu"), machine.get("cpu"), cores, memory, machine.get("system")]
    return ", ".join(str(part) for part in parts if part)


def _other_versions(journals: Iterable[dict[str, Any]], versions: dict[str, str]) -> Iterator[str]:
    for took in (took for tree in journals for took in journal.by_seed(tree).values()):
        for name, version in took.get("versions", {}).items():
            if versions.get(name) != version:
                yield f"{name} {version}"
