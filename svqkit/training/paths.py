"""Where things lie: ``stores/<profile>/<dataset>.zarr`` and ``runs/<profile>/<dataset>/<experiment>/seed<seed>``."""

from pathlib import Path

from svqkit.settings.params import Experiment


def store_path(profile: str, dataset: str, root: str | Path = "stores") -> Path:
    """Return the store of a dataset."""
    return Path(root) / profile / f"{dataset}.zarr"


def prepare_path(store: Path) -> Path:
    """Return the hidden folder beside a store for its stopped preparation and the digests of its raw files."""
    return store.parent / ".prepare" / store.name


def run_path(experiment: Experiment, seed: int, root: str | Path = "runs") -> Path:
    """Return the folder of the run of an experiment with a seed."""
    return Path(root) / experiment.profile / experiment.dataset / experiment.name / f"seed{seed}"


def scores_path(profile: str, dataset: str, root: str | Path = "scores") -> Path:
    """Return the folder of the scores of a dataset's runs."""
    return Path(root) / profile / dataset


def journal_path(experiment: Experiment, root: str | Path = "journal") -> Path:
    """Return the file of what was noted of an experiment's trainings."""
    return Path(root) / experiment.profile / experiment.dataset / f"{experiment.name}.json"
