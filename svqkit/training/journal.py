"""The journal: what a training took, and on which machine, kept apart from its results.

``<root>/<profile>/<dataset>/<experiment>.json`` holds ``machine``, ``versions`` and, by seed, under ``runs``: seconds,
steps, steps_per_second, peak_memory_gb; a seed trained on another machine or with other versions has its own
``machine`` and ``versions``.
Runs and scores hold nothing of the kind, so that the same training gives the same files; the journal is what differs.
"""

import json
import os
import platform
import resource
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any

import psutil
import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from svqkit.atomic import replacing
from svqkit.ownfiles import read_tree
from svqkit.settings.params import Experiment
from svqkit.settings.types import STRICT, checked
from svqkit.training.checkpoint import Progress
from svqkit.training.paths import journal_path
from svqkit.training.runs import versions


@dataclass(frozen=True, config=STRICT)
class Journal:
    """What the file holds."""

    machine: dict[str, str | float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    runs: dict[Annotated[str, Field(pattern=r"^seed\d+$")], dict[str, Any]] = field(default_factory=dict)


def write(
    experiment: Experiment, done: Mapping[int, Progress | None], root: str | Path = "journal", clear: bool = False
) -> Path:
    """Note what trainings of an experiment took, by seed, beside what was noted of other seeds; return the file.

    ``done`` has None for a run that was made elsewhere: nothing is known of it. With ``clear`` what was noted of seeds
    that the experiment does not have is dropped.
    """
    shared = {"machine": machine(), "versions": versions()}
    runs = {}
    for seed, took in by_seed(read(experiment, root)).items():
        if not clear or seed in experiment.seeds:
            runs[f"seed{seed}"] = {key: value for key, value in took.items() if value != shared.get(key)}
    for seed, progress in done.items():
        if progress and progress.loss_log and progress.seconds > 0:
            steps = int(progress.loss_log[-1]["step"])
            runs[f"seed{seed}"] = {
                "seconds": round(progress.seconds, 1),
                "steps": steps,
                "steps_per_second": float(f"{steps / progress.seconds:.4g}"),
                "peak_memory_gb": peak_memory_gb(),
            }
    path = journal_path(experiment, root)
    with replacing(path) as draft:
        draft.write_text(json.dumps({**shared, "runs": runs}, indent=2) + "\n", encoding="utf-8")
    return path


def read(experiment: Experiment, root: str | Path = "journal") -> dict[str, Any]:
    """Return the journal of an experiment; empty when it was trained elsewhere, or before there were journals.

    Raises:
        SvqkitError: what is there is no journal.
    """
    path = journal_path(experiment, root)
    if not path.exists():
        return {}
    tree = read_tree(path, dict[str, Any])
    checked(Journal, tree, str(path))
    return tree


def by_seed(tree: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """Return what each training in a journal took, with its machine and versions."""
    shared = {part: tree[part] for part in ("machine", "versions") if part in tree}
    return {int(name.removeprefix("seed")): {**shared, **took} for name, took in tree.get("runs", {}).items()}


def machine() -> dict[str, Any]:
    """Return this machine: cpu, the instructions that torch uses of it, cores, threads, gpu ("" without), memory, …"""
    return {
        "cpu": _cpu(),
        "instructions": torch.backends.cpu.get_cpu_capability(),  # the digits of results depend on these
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def peak_memory_gb() -> float:
    """Return the most memory that this process has held, in GiB: of the GPU where there is one, else resident."""
    if torch.cuda.is_available():
        return round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def _cpu() -> str:
    """Return the processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
