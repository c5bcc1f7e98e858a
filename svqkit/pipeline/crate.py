"""``python -m svqkit.pipeline.crate``: what was run here, from which data and with which code, as an RO-Crate.

The crate is the project's folder; ``ro-crate-metadata.json`` describes it by the profile Process Run Crate. Each stage
in dvc.lock is an action: its instrument is svqkit at a commit, its objects are what it read, its results what it wrote,
each with DVC's digest of the content (of a folder that of its list of files). Digests of raw files are those of
``build/roots/…``, read by the stage ``raw``.

Source: w3id.org/ro/crate/1.1, w3id.org/ro/wfrun/process.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity, Entity, SoftwareApplication
from rocrate.rocrate import ROCrate
from ruamel.yaml import YAML

from svqkit.errors import SvqkitError, exit_status
from svqkit.paper.provenance import commit_of
from svqkit.training.runs import versions

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
LICENCE = "https://spdx.org/licenses/Apache-2.0"


def write(project: Path = Path()) -> Path:
    """Write the metadata of all stages that have run in a project's folder; return the file.

    Raises:
        SvqkitError: none has.
    """
    lock = project / "dvc.lock"
    if not lock.exists():
        raise SvqkitError(f"There is no {lock}: nothing has been run here. Run `make repro` first.")
    crate = ROCrate(version="1.1")
    crate.name = "Results of svqkit"
    crate.description = "Stores, trained models, scores, tables and figures, and how each was made."
    crate.datePublished = datetime.fromtimestamp(int(lock.stat().st_mtime), UTC)
    crate.license = crate.add(ContextEntity(crate, LICENCE, {"@type": "CreativeWork", "name": "Apache License 2.0"}))
    about = {"@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"}
    crate.root_dataset["conformsTo"] = crate.add(ContextEntity(crate, PROFILE, about))
    used = versions()
    code = crate.add(
        SoftwareApplication(
            crate,
            "#svqkit",
            {
                "name": "svqkit",
                "softwareVersion": f"{used.pop('svqkit')}, commit {commit_of(project)}",
                "softwareRequirements": [f"{name} {version}" for name, version in used.items()],
                "license": {"@id": LICENCE},
            },
        )
    )
    for name, stage in YAML(typ="safe").load(lock)["stages"].items():
        read = [_entity(crate, noted) for noted in stage.get("deps", []) if not noted["path"].startswith("svqkit")]
        made = [_entity(crate, noted) for noted in stage.get("outs", [])]
        action = crate.add_action(code, f"#{name}", read, made, {"name": name, "description": stage["cmd"]})
        crate.root_dataset.append_to("mentions", action)
    crate.metadata.write(project)
    return project / crate.metadata.id


def _entity(crate: ROCrate, noted: dict[str, Any]) -> Entity:
    """The file or folder that dvc.lock notes, added if it is not there yet."""
    folder = noted["md5"].endswith(".dir")
    if there := crate.dereference(f"{noted['path']}/" if folder else noted["path"]):
        return there
    about = {"identifier": f"md5:{noted['md5']}", "contentSize": str(noted["size"])}
    return (crate.add_directory if folder else crate.add_file)(dest_path=noted["path"], properties=about)


if __name__ == "__main__":
    sys.exit(exit_status(lambda: print(f"{write()}: what was run, from which data, with which code")))
