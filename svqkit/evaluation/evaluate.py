"""Runs → scores, error fields, a sample forecast and codebook usage, for one dataset."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from svqkit.atomic import replacing
from svqkit.data.store import Store
from svqkit.devices.performance import freed_memory_kept
from svqkit.errors import SvqkitError
from svqkit.evaluation.codebook import write_codebooks
from svqkit.evaluation.fields import error_fields, window_errors, write_netcdf
from svqkit.evaluation.forecasters import baselines
from svqkit.evaluation.image_metrics import Lpips, alexnet_file, lpips_reason
from svqkit.evaluation.reading import read_measures, rows_of
from svqkit.evaluation.testset import TestSet, experiment_and_seed, sample_forecast
from svqkit.settings.params import Protocol
from svqkit.training.runs import Run, by_study


@freed_memory_kept()
def evaluate(runs: list[Run], store: Store, output: str | Path, alexnet: str = "") -> pd.DataFrame:
    """Score runs, persistence and climatology on the test split, and write what the figures are made from.

    Runs that were trained on the windows of protocol "paper" are not scored under "clean" where that has others.

    In the folder ``output``: scores.csv (tidy, both protocols), metrics/<experiment>.json (a summary for
    `dvc metrics show`), errors/<name>.nc (error fields) and forecasts/<name>.nc (one sample forecast) of the baselines
    and of the runs of their first study, "main" where it has some, windows.nc (the error of every run in every window,
    and how many rows the tables have), codebook.csv (perplexity, sparsity, … of every run with codes, tidy) and
    codebook.npz (the distributions behind it), notes.json (what could not be computed, and why).
    The folder is written whole or not at all.

    Args:
        runs: what is scored.
        store: what it is scored on.
        output: the folder.
        alexnet: a file with AlexNet's weights for LPIPS; empty: torchvision's cache.

    Returns:
        The scores.

    Raises:
        SvqkitError: the file ``alexnet`` is not there, or ``output`` can't be written.
    """
    tests, absent = _test_sets(store, _lpips(store, alexnet))
    scores: dict[Protocol, list[pd.DataFrame]] = {protocol: [] for protocol in tests}
    scored, windows = [], []
    first = next(iter(by_study(runs)), "")
    with replacing(output) as draft:
        contestants: list[Run | str] = [*baselines(store), *runs]
        for contestant in contestants:
            run, who = (contestant if isinstance(contestant, Run) else None), experiment_and_seed(contestant)
            for protocol, test in tests.items():
                if protocol == "clean" and run and not run.experiment.trained_for("clean"):
                    continue
                if protocol == "paper" and test.is_like(tests["clean"]):
                    scores[protocol].append(scores["clean"][-1].assign(protocol=protocol))
                    continue
                # Made again for each, so that one model is in memory at a time.
                forecaster = test.forecaster(contestant)
                result = test.evaluate(forecaster, *who)
                scores[protocol].append(result.scores)
                absent |= result.absent
                if protocol == "clean":
                    scored.append(who)
                    windows.append(result.windows)
                    if not run or first in run.experiment.studies:
                        file = f"{run.name if run else contestant}.nc"
                        write_netcdf(error_fields(result.errors, store), draft / "errors" / file)
                        write_netcdf(sample_forecast(test, forecaster), draft / "forecasts" / file)
        write_codebooks([run for run in runs if run.has_codebook], store, draft)
        table = pd.concat([part for parts in scores.values() for part in parts], ignore_index=True)
        table.to_csv(draft / "scores.csv", index=False)
        rows = {rows_of("scores.csv"): len(table), rows_of("codebook.csv"): len(read_measures(draft))}
        by_window = window_errors(scored, windows, tests["clean"].windows).assign_attrs(rows)
        write_netcdf(by_window, draft / "windows.nc")
        _write_json(absent, draft / "notes.json")
        for name, values in summary(table).items():
            _write_json(values, draft / "metrics" / f"{name}.json")
    return table


def summary(scores: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return per experiment the clean scores over all leads, mean over seeds: what `dvc metrics show` prints."""
    whole = scores.query("protocol == 'clean' and lead == 0 and channel == 'mean'")
    table = whole.groupby(["experiment", "metric"], sort=False)["value"].mean().unstack()
    return {
        name: {metric: float(f"{row[metric]:.7g}") for metric in table.columns if np.isfinite(row[metric])}
        for name, row in table.iterrows()
    }


def _test_sets(store: Store, lpips: Lpips | None) -> tuple[dict[Protocol, TestSet], dict[str, str]]:
    """The test sets of both protocols; where a record can't be scored under "paper", without that and with the reason.

    It may be too short for that protocol's windows, or hold a channel that is constant in the test period, by whose
    own spread that protocol divides.
    """
    tests: dict[Protocol, TestSet] = {"clean": TestSet(store, "clean", lpips)}
    try:
        tests["paper"] = TestSet(store, "paper", lpips)
    except SvqkitError as error:
        return tests, {"protocol paper": str(error)}
    return tests, {}


def _lpips(store: Store, alexnet: str) -> Lpips | None:
    """LPIPS where frames suit it and AlexNet's weights are there; else the scores say why not."""
    trunk = alexnet_file(alexnet)
    if trunk is None or store.kind != "image" or lpips_reason(*store.frame_shape, trunk) is not None:
        return None
    return Lpips(trunk, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def _write_json(content: dict, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
