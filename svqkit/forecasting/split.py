"""All forecasts of a test split in one Zarr store, for others to score."""

from pathlib import Path

import numpy as np

from svqkit.atomic import replacing
from svqkit.data.sources.gridded import HOUR
from svqkit.data.store import Store
from svqkit.data.windows import batches, scoring_batch
from svqkit.errors import SvqkitError
from svqkit.evaluation.testset import TestSet
from svqkit.forecasting.layouts import of_windows
from svqkit.progress import progress
from svqkit.training.runs import Run


def write_test_forecasts(contestant: Run | str, store: Store, path: str | Path) -> Path:
    """Forecast every window of the test split, and write that as a Zarr store (format 2) in WeatherBench 2's layout.

    The forecasts are those that are scored under protocol "clean". They are written batch by batch, so that memory does
    not grow with the record; the store appears whole or not at all. For the layout see
    :func:`svqkit.forecasting.layouts.weatherbench2`; ``time`` has as many entries as the split has windows.

    Args:
        contestant: a run, "persistence" or "climatology".
        store: what is forecast, a lat-lon record.
        path: such as ``svq.zarr``; folders are made as needed.

    Returns:
        The path.

    Raises:
        SvqkitError: the record is none on a grid, the run was trained on windows of protocol "paper" that have gaps, or
            the disk is full.
    """
    path, name = Path(path), contestant.name if isinstance(contestant, Run) else contestant
    if store.kind != "grid":
        raise SvqkitError(
            f"{path}: only forecasts of lat-lon records are written for others to score; {store.path} is none."
        )
    if isinstance(contestant, Run) and not contestant.experiment.trained_for("clean"):
        raise SvqkitError(
            f"{name} was trained on windows with gaps (protocol paper); others score forecasts in even steps. Choose a "
            "run of protocol clean."
        )
    test = TestSet(store, "clean")
    forecaster, every = test.forecaster(contestant), np.arange(len(test.windows))
    with replacing(path) as draft, progress(len(every), f"{path.name}", "window") as bar:
        for batch in batches(test.windows, every, scoring_batch(test.windows)):
            batch = batch.to(test.device)
            forecasts = test.forecast(forecaster, batch, test.climatology(batch)).cpu().numpy()
            issued = store.times[batch.target_frames[:, 0]] - store.lead_step * HOUR
            laid = of_windows(forecasts, issued.astype("datetime64[ns]"), store).assign_attrs(forecast_by=name)
            chunks = {"encoding": {name: {"chunks": field.shape} for name, field in laid.data_vars.items()}}
            laid.to_zarr(draft, zarr_format=2, **({"append_dim": "time"} if draft.exists() else chunks))
            bar.update(len(forecasts))
    return path
