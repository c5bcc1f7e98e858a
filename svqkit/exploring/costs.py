"""What runs cost: parameters, and the time and memory of their training where a journal tells."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from torch import nn

from svqkit.exploring.choosing import in_groups
from svqkit.training import journal
from svqkit.training.runs import Run


def costs_of(runs: Sequence[Run], journals: str | Path = "journal") -> pd.DataFrame:
    """One row for each of :func:`in_groups`: parameters, and what training took, means over seeds.

    Columns ``parameters``, ``of_quantizer`` (those between encoder and translator or behind it), ``steps_per_second``,
    ``seconds``, ``peak_memory_gb`` and ``machine``; the last four are missing without a journal in ``journals``.
    Times of different machines, or of a machine that did something else as well, are not to be compared.
    """
    rows = {}
    for name, seeds in in_groups(runs).items():
        model = seeds[0].model()
        rows[name] = {
            "parameters": _count(model),
            "of_quantizer": _count(model.quantizer),
            **_from_journal(seeds, journals),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("experiment")


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _from_journal(runs: Sequence[Run], journals: str | Path) -> dict[str, Any]:
    took = journal.by_seed(journal.read(runs[0].experiment, journals))
    entries = [took.get(run.seed, {}) for run in runs]
    means = {
        key: pd.Series([entry.get(key) for entry in entries], dtype=float).mean()
        for key in ("steps_per_second", "seconds", "peak_memory_gb")
    }
    machines = [entry.get("machine", {}) for entry in entries]
    names = dict.fromkeys(name for one in machines if (name := one.get("gpu") or one.get("cpu")))
    return means | {"machine": ", ".join(names) or None}
