"""Small results of experiments of params.yaml, for tests of claims and of the report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.text import Text

from svqkit.paper.gather import gather
from svqkit.paper.gathered import Results
from svqkit.settings.params import Loss, Params, load_params
from svqkit.training.paths import run_path, scores_path
from svqkit.training.runs import write_config

SETTINGS, MEASURED = (load_params(Path(__file__).parents[1] / "params.yaml", name) for name in ("sample", "real"))
REAL, SIMULATED = "ERA5, as it was measured", "Simulated for a test: <no> measurements & no model"
WINDOWS = 240
# The MSE of each seed, or its LPIPS or a measure of its codebook.
BySeed = Mapping[str, Sequence[float]]


def results_folder(
    root: Path,
    errors: BySeed,
    note: str = REAL,
    lpips: BySeed | None = None,
    measures: Mapping[str, BySeed] | None = None,
    losses: Mapping[str, Loss] | None = None,
    noise: float = 0.02,
    profile: str = "paper",
    costs: pd.DataFrame | None = None,
    steps: BySeed | None = None,
    validation: BySeed | None = None,
) -> Results:
    """Gathered results in which experiments have these errors: seed 0, 1, …, in ``WINDOWS`` random windows.

    Runs, scores and all else that they are gathered from lie below ``root``.

    Args:
        root: an empty folder.
        errors: MSE and MAE by experiment of params.yaml.
        note: what the data say of themselves.
        lpips, measures: by experiment; measures of codebooks by name first.
        losses: what experiments were trained with, if not as in params.yaml.
        noise: spread of a run's windows around what all runs have in common, relative to the error.
        profile: what the settings are said to be of.
        costs: what models cost.
        steps: training losses by reading, the same of each seed, by experiment.
        validation: the lowest validation loss of each seed, if not 1.
    """
    experiments = {
        name: replace(
            (SETTINGS.experiments | MEASURED.experiments)[name], seeds=tuple(range(len(values))), profile=profile
        )
        for name, values in errors.items()
    }
    for name, loss in (losses or {}).items():
        experiments[name] = replace(experiments[name], training=replace(experiments[name].training, loss=loss))
    names = list(dict.fromkeys(experiment.dataset for experiment in experiments.values()))
    settings = Params(profile, {name: (SETTINGS.datasets | MEASURED.datasets)[name] for name in names}, experiments)
    for dataset in names:
        folder = scores_path(profile, dataset, root / "scores")
        (folder / "errors").mkdir(parents=True)
        members = [name for name, experiment in experiments.items() if experiment.dataset == dataset]
        rows = [
            _score(name, seed, metric, value)
            for metric in ("mse", "mae")
            for name, seed, value in _each(errors, members)
        ]
        rows += [_score(name, seed, "lpips", value) for name, seed, value in _each(lpips or {}, members)]
        pd.DataFrame(rows).to_csv(folder / "scores.csv", index=False)
        found = [
            (name, seed, measure, value)
            for measure, by_seed in (measures or {}).items()
            for name, seed, value in _each(by_seed, members)
        ]
        pd.DataFrame(found, columns=["experiment", "seed", "metric", "value"]).to_csv(
            folder / "codebook.csv", index=False
        )
        _windows(list(_each(errors, members)), noise, note).to_netcdf(folder / "windows.nc", engine="netcdf4")
        persistence = xr.Dataset(
            coords={"channel": ["x"], "unit": ("channel", ["K"]), "lead": ("lead", [6], {"units": "hours"})},
            attrs={"data": note, "windows": WINDOWS},
        )
        persistence.to_netcdf(folder / "errors" / "persistence.nc", engine="netcdf4")
        (folder / "notes.json").write_text("{}", encoding="utf-8")
        for name, seed, _ in _each(errors, members):
            path = run_path(experiments[name], seed, root / "runs")
            path.mkdir(parents=True)
            write_config(path, experiments[name], seed, ("x",), (4, 8))
            lowest = (validation or {}).get(name, {seed: 1.0})[seed]
            losses_of = {
                "epoch": [1, 2],
                "learning_rate": 0.1,
                "train_loss": 1.0,
                "validation_loss": [lowest + 1, lowest],
            }
            pd.DataFrame(losses_of).to_csv(path / "log.csv", index=False)
            if name in (steps or {}):
                losses = pd.DataFrame({"train_loss": steps[name]}).rename_axis("step").reset_index()
                losses.to_csv(path / "steps.csv", index=False)
    if costs is not None:
        (root / "costs").mkdir()
        costs.to_csv(root / "costs" / f"{profile}.csv", index=False)
    return gather_again(root, settings)


def gather_again(root: Path, settings: Params) -> Results:
    """Gather what lies below ``root``."""
    folders = [root / name for name in ("runs", "scores", "costs", "journal", "results")]
    gather(settings, *folders)
    return Results.read(settings.profile, folders[-1])


def window_errors(runs: Sequence[tuple[str, int]], errors: np.ndarray, **attrs: object) -> xr.Dataset:
    """Return errors (run, window) as the evaluate stage writes them; MSE and MAE are the same."""
    count = errors.shape[1]
    return xr.Dataset(
        {"mse": (("run", "window"), errors), "mae": (("run", "window"), errors)},
        {
            "experiment": ("run", [name for name, _ in runs]),
            "seed": ("run", [seed for _, seed in runs]),
            "block": ("window", np.zeros(count, int)),
            "start": ("window", np.arange(count)),
        },
        attrs,
    )


def texts(figure: Figure) -> str:
    """Return all words of a figure."""
    return "\n".join(item.get_text() for item in figure.findobj(Text))


def _each(values: BySeed, members: Sequence[str]) -> list[tuple[str, int, float]]:
    return [(name, seed, value) for name in members for seed, value in enumerate(values.get(name, ()))]


def _score(name: str, seed: int, metric: str, value: float) -> dict[str, object]:
    where = {"protocol": "clean", "channel": "mean", "metric": metric, "lead": 0}
    return {"experiment": name, "seed": seed, **where, "value": value}


def _windows(runs: Sequence[tuple[str, int, float]], noise: float, note: str) -> xr.Dataset:
    """Errors whose mean over windows is that of the run."""
    random = np.random.default_rng(0)
    common = random.uniform(0.5, 1.5, WINDOWS)
    shapes = common / common.mean() + noise * random.standard_normal((len(runs), WINDOWS))
    shapes /= shapes.mean(1, keepdims=True)
    values = (shapes * np.array([[value] for *_, value in runs])).astype(np.float32)
    who = [(name, seed) for name, seed, _ in runs]
    return window_errors(who, values, kind="grid", frames_per_window=4, data=note)
