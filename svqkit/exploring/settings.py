"""In which settings experiments differ."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from svqkit.settings.params import Experiment, as_tree

# Names and places in tables, not what a training is made of.
_LEFT_OUT = {"name", "studies", "profile", "dataset"}
ABSENT = "–"


def settings_that_differ(experiments: Sequence[Experiment]) -> pd.DataFrame:
    """A row for each setting that is not the same in all experiments, a column for each experiment.

    Settings are named as in params.yaml, ``training.loss``. One that an experiment's quantizer doesn't have is "–".
    """
    flat = {one.name: dict(_leaves(as_tree(one))) for one in experiments}
    keys = dict.fromkeys(key for settings in flat.values() for key in settings)
    rows = {key: {name: settings.get(key, ABSENT) for name, settings in flat.items()} for key in keys}
    table = {key: row for key, row in rows.items() if len(set(row.values())) > 1}
    return pd.DataFrame.from_dict(table, orient="index", columns=list(flat)).rename_axis("setting")


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if not prefix and key in _LEFT_OUT:
            continue
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)
