"""How results were made: settings, data, versions, the state of each stage, machines and durations of trainings."""

import subprocess
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from svqkit.errors import SvqkitError
from svqkit.paper.gathered import Results
from svqkit.training.runs import versions
from svqkit.userfiles import read_json


def provenance(
    results: Results, params: str | Path = "params.yaml", raw: str | Path = "build/raw", project: str | Path = "."
) -> dict[str, Any]:
    """Return all that is known of how ``results`` were made; what is not there is said to be missing.

    Args:
        results: what is reported.
        params: the settings' file.
        raw: where the stage of that name leaves the digests of raw files.
        project: the folder of data.dvc, dvc.lock and .git.

    Returns:
        ``profile``; ``settings``, the text of params.yaml; ``tracked``, what data.dvc tracks: (path, md5); ``raw``, by
        dataset what its files say of themselves, and their number, bytes and digest; ``commit`` of the code;
        ``versions`` of what writes this and ``trained_with``, others that trainings had; ``outputs`` of the stages of
        dvc.lock: (stage, path, md5); ``trainings``, rows of runs with what each took; ``hours`` of them together;
        ``unknown``, experiments that left no journal.

    Raises:
        SvqkitError: the settings can't be read.
    """
    project, ours = Path(project), versions()
    try:
        settings = Path(params).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SvqkitError(f"The settings at {params} can't be read ({error}). Name params.yaml.") from error
    trained = results.runs[results.runs["seed"] >= 0]
    noted = trained[trained["seconds"].notna()]
    theirs = {version for text in trained["versions"].dropna() for version in text.split(", ") if version}
    return {
        "profile": results.profile,
        "settings": settings,
        "tracked": [(out["path"], out.get("md5", "")) for out in _yaml(project / "data.dvc").get("outs", [])],
        "raw": [
            {"dataset": row.dataset, "note": row.data, **_digest(Path(raw) / results.profile / f"{row.dataset}.json")}
            for row in results.runs.drop_duplicates("dataset").itertuples()
        ],
        "commit": commit_of(project),
        "versions": ours,
        "trained_with": sorted(theirs - {f"{name} {version}" for name, version in ours.items()}),
        "outputs": [
            (stage, out["path"], out.get("md5", ""))
            for stage, entry in sorted(_yaml(project / "dvc.lock").get("stages", {}).items())
            for out in entry.get("outs", [])
            if stage != "report"  # what stands there is of the time before
        ],
        "trainings": noted.to_dict("records"),
        "hours": float(noted["seconds"].sum()) / 3600,
        "unknown": sorted(set(trained["experiment"]) - set(noted["experiment"])),
    }


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


def _yaml(path: Path) -> dict[str, Any]:
    """A file of DVC's; empty where there is none."""
    return (YAML(typ="safe").load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


def _digest(path: Path) -> dict[str, Any]:
    """What the stage `raw` noted of a dataset's files; no files where it has not run here."""
    return {"files": 0, "bytes": 0, "digest": "", **(read_json(path) if path.exists() else {})}
