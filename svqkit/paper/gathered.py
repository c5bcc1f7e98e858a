"""The tables that :mod:`svqkit.paper.gather` wrote, read again; what their columns are stands there."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import pandas as pd

from svqkit.ownfiles import read_parquet
from svqkit.plots.names import dataset_title


@dataclass(frozen=True, eq=False)
class Results:
    """The tables of a profile, as :mod:`svqkit.paper.gather` has them."""

    profile: str
    scores: pd.DataFrame
    runs: pd.DataFrame
    changes: pd.DataFrame
    costs: pd.DataFrame

    @classmethod
    def read(cls, profile: str, folder: str | Path = "results") -> Self:
        """Read the tables in ``<folder>/<profile>``.

        Raises:
            SvqkitError: one is not there, or damaged.
        """
        tables = [Path(folder) / profile / f"{name}.parquet" for name in ("scores", "runs", "changes", "costs")]
        again = "Gather the results first: `dvc repro gather`."
        return cls(profile, *(read_parquet(path, again) for path in tables))

    @cached_property
    def experiments(self) -> pd.DataFrame:
        """The first row of each experiment and baseline in ``runs``."""
        return self.runs.drop_duplicates(["dataset", "experiment"])

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """``changes`` with what is known of the experiment and, in columns that end in _of_base, of its base."""
        about = self.experiments.drop(columns=["base", "windows"])
        bases = about.add_suffix("_of_base").rename(
            columns={"dataset_of_base": "dataset", "experiment_of_base": "base"}
        )
        return self.changes.merge(about, "left", ["dataset", "experiment"]).merge(bases, "left", ["dataset", "base"])

    def notes(self, datasets: Iterable[str]) -> list[str]:
        """Return what must be said of datasets below a table: windows, what the data are, what was not computed."""
        about = self.runs.drop_duplicates("dataset")
        return [
            f"{dataset_title(row.dataset)}: {row.windows:,} test windows. {row.data}. {row.absent}".strip()
            for row in about[about["dataset"].isin(set(datasets))].itertuples()
        ]
