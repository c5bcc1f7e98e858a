"""What the explorers (notebooks) ask of single runs, beyond what the evaluate stage writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser, Windows
from svqkit.errors import SvqkitError
from svqkit.evaluation import forecasters
from svqkit.evaluation.codebook import spread_windows
from svqkit.evaluation.fields import coordinates, error_fields, window_errors
from svqkit.evaluation.significance import Comparison, compare
from svqkit.evaluation.testset import TestSet, experiment_and_seed, sample_forecast
from svqkit.models.simvp import SimVP
from svqkit.quantizers import Quantized, Quantizer, Usage
from svqkit.quantizers.base import as_map, rows
from svqkit.training.fingerprint import settings_of_training
from svqkit.training.runs import Run, finished_seeds, open_run

AT_EACH_PLACE, EVERYWHERE = "the strongest at each place", "the same ones everywhere"


def open_comparable(folders: Sequence[str | Path]) -> list[Run]:
    """Return the runs in ``folders``; a folder of an experiment, which holds seed0, seed1, …, stands for all of them.

    Raises:
        SvqkitError: fewer than two runs, runs on different data, or two of one name.
    """
    runs = [open_run(path) for folder in folders for path in finished_seeds(folder) or [Path(folder)]]
    if len(runs) < 2:
        raise SvqkitError(
            f"A comparison needs two runs or more, got {', '.join(str(run.path) for run in runs) or 'none'}. "
            "Name their folders, or train with and without SVQ: `dvc repro`."
        )
    data = [[settings_of_training(run.experiment)[part] for part in ("dataset", "data")] for run in runs]
    names = [run.name for run in runs]
    for run, its_data in zip(runs, data, strict=True):
        if its_data != data[0]:
            raise SvqkitError(
                f"Only runs on the same data can be compared: {run.path} is of another dataset, or of other periods, "
                f"than {runs[0].path}. Name runs of one dataset."
            )
        if names.count(run.name) > 1:
            paths = " and ".join(str(other.path) for other in runs if other.name == run.name)
            raise SvqkitError(f"Two of the runs are called {run.name}: {paths}. Name each once.")
    return runs


@dataclass(frozen=True)
class Diagnosis:
    """What a run, or a baseline, did on the test split under protocol clean.

    Attributes:
        name: the experiment's, or the baseline's.
        seed: -1 of a baseline.
        scores: tidy, as ``evaluate`` writes them, without LPIPS.
        fields: error fields, as ``evaluate`` writes them.
        windows: "mse" and "mae" of each window, (n,), whose means are the scores: what runs are compared by.
        errors: forecast − truth of one channel, float32 (window, lead, lat, lon) or (window, lead, y, x), where one was
            asked for; the coordinate ``time`` (window, lead) is when that is, of a record with times.
    """

    name: str
    seed: int
    scores: pd.DataFrame
    fields: xr.Dataset
    windows: Mapping[str, np.ndarray]
    errors: xr.DataArray | None


def diagnose(contestant: Run | str, store: Store, channel: int | str | None = None, name: str = "") -> Diagnosis:
    """Diagnose a run, or a baseline by its name, in one pass over the test split.

    Args:
        contestant: a run, "persistence" or "climatology".
        store: what it is looked at on.
        channel: whose every error is kept, by name or number: 4 bytes for each window, lead and place.
        name: what it is called instead, as an experiment of one seed: so seeds can be compared with each other.

    Raises:
        SvqkitError: the store has no such baseline or channel, or no test window.
    """
    names = list(store.channels)
    index = names.index(channel) if channel in names else channel
    if index is not None and (isinstance(index, str) or not 0 <= index < len(names)):
        raise SvqkitError(f"{store.path} has no channel {channel!r}. Give one of: {', '.join(names[:20])}.")
    test, who = TestSet(store, "clean"), (name, 0) if name else experiment_and_seed(contestant)
    result = test.evaluate(test.forecaster(contestant), *who, index)
    kept = result.of_channel
    errors = None if index is None or kept is None else _errors_of_channel(kept, store, index)
    return Diagnosis(*who, result.scores, error_fields(result.errors, store), result.windows, errors)


def compare_diagnoses(diagnoses: Sequence[Diagnosis], store: Store, base: str, metric: str = "mse") -> list[Comparison]:
    """Compare each experiment with the one called ``base``, seed by seed and window by window; see :func:`compare`."""
    who = [(one.name, one.seed) for one in diagnoses]
    windows = window_errors(who, [one.windows for one in diagnoses], Windows(store, "test"))
    return [compare(windows, name, base, metric) for name in dict.fromkeys(name for name, _ in who) if name != base]


def forecast_window(contestant: Run | str, store: Store, window: int | None = None) -> xr.Dataset:
    """Return the forecast of a test window by its number, or of the one in the middle, as ``evaluate`` writes it."""
    test = TestSet(store, "clean")
    if window is not None:
        test.windows.starts = test.windows.starts[[window]]  # the middle of one is that one
    return sample_forecast(test, test.forecaster(contestant))


def _errors_of_channel(errors: np.ndarray, store: Store, channel: int) -> xr.DataArray:
    """The errors (n, L, H, W) of one channel in the test windows, with coordinates."""
    about = coordinates(store, errors.shape[1])
    about |= {"channel": store.channels[channel], "unit": store.units[channel], "window": np.arange(len(errors))}
    if "time" in store.group:
        times = store.times[store.starts("test")[:, None] + store.offsets()[1]]
        about["time"] = ("window", "lead"), times.astype("datetime64[ns]")
    return xr.DataArray(errors, about, ("window", "lead", *store.spatial_coords[0]))


def truth_of(errors: xr.DataArray, store: Store) -> xr.DataArray:
    """Return the truth of a :class:`Diagnosis`' errors, or of some of their windows and leads, in the same shape.

    So errors and truth together are the forecast. Only the frames between the first and the last are read.
    """
    targets = store.offsets()[1][errors["lead"].to_numpy() // store.lead_step - 1]
    places = store.starts("test")[errors["window"].to_numpy()][:, None] + targets
    channel = store.channels.index(errors["channel"].item())
    frames = store.frames[places.min() : places.max() + 1, channel]
    return errors.copy(data=np.float32(store.scale) * frames[places - places.min()])


def window_rmse(errors: xr.DataArray) -> pd.Series:
    """Return the RMSE of each window over leads and places, by area where these are on Earth; index ``window``."""
    squares: Any = errors**2
    if "lat" in errors.dims:
        squares = squares.weighted(np.cos(np.deg2rad(errors["lat"])).clip(min=0))
    return np.sqrt(squares.mean([dim for dim in errors.dims if dim != "window"])).to_series()


def worst_windows(rmse: pd.Series, starts: np.ndarray, apart: int, count: int) -> pd.Series:
    """Return the ``count`` largest of :func:`window_rmse`, none of which overlaps a worse one.

    Args:
        rmse: by window.
        starts: the first frame of each window, (n,).
        apart: frames that lie between two windows that don't overlap.
        count: how many.
    """
    chosen: list[int] = []
    for window in rmse.sort_values(ascending=False, kind="stable").index:
        if len(chosen) < count and all(abs(starts[window] - starts[one]) >= apart for one in chosen):
            chosen.append(window)
    return rmse[chosen]


@torch.inference_mode()
def error_by_codes_kept(run: Run, store: Store, usage: Usage, windows: int = 4) -> pd.DataFrame:
    r"""Return the error of a trained model whose quantizer adds up only n of its codes; nothing is trained again.

    Of :math:`y = \sum_k w_k c_k` only n terms stay: the n with the largest :math:`|w_k|` at each place, or the n codes
    that are the strongest on average, the same everywhere.

    Args:
        run: a run with a codebook.
        store: its store.
        usage: of the run, from which the strongest codes are taken.
        windows: how many test windows are forecast, spread evenly.

    Returns:
        Columns ``kept`` (one of the two ways), ``codes`` (n) and ``error``: the root over channels of the mean of
        MSE / MSE of the whole model, without unit; 1 is as good as with all codes.

    Raises:
        SvqkitError: the output of this quantizer is no sum of its codes.
    """
    model, batch, scale = run.model(), spread_windows(store, windows), Normaliser.of(store)
    quantizer, size = model.quantizer, len(usage.share)
    _check_sum(run, quantizer, model.latents(scale.forward(batch.inputs[:1])))
    counts = [0, *(2**power for power in range(size.bit_length()) if 2**power < size), size]
    whole, found = _error(model, batch, scale), []
    strongest = usage.strength.argsort(descending=True, stable=True)
    for kept in (AT_EACH_PLACE, EVERYWHERE):
        for count in counts:
            few = None if kept == AT_EACH_PLACE else strongest[:count]
            with _replaced(quantizer, count, few):
                found.append((kept, int(count), float((_error(model, batch, scale) / whole).mean().sqrt())))
    return pd.DataFrame(found, columns=["kept", "codes", "error"])


def sum_of_few(quantizer: Quantizer, latents: Tensor, count: int, few: Tensor | None) -> Tensor:
    """Return Σ w_k c_k over a few codes only, for latents (N, D, H, W).

    ``few`` are their numbers; None: at each place the ``count`` codes with the largest weight there, in size.
    """
    codes = quantizer.codes().to(latents.device)
    wanted = torch.arange(len(codes), device=latents.device) if few is None else few.to(latents.device)
    sums = []
    for latent in latents.split(1):  # all weights at all places of a map are in memory
        weights = rows(quantizer.weights_of(latent, wanted)).to(codes.dtype)
        if few is None:
            largest = weights.abs().topk(count, dim=1).indices
            weights = torch.zeros_like(weights).scatter(1, largest, weights.gather(1, largest))
        sums.append(as_map(weights @ codes[wanted], latent))
    return torch.cat(sums)


def _replaced(quantizer: Quantizer, count: int, few: Tensor | None) -> RemovableHandle:
    """Let a quantizer give the sum of few codes, as long as a ``with`` block lasts."""
    return quantizer.register_forward_hook(
        lambda _, given, result: Quantized(sum_of_few(quantizer, given[0], count, few), result.loss)
    )


def _check_sum(run: Run, quantizer: Quantizer, latents: Tensor) -> None:
    output = quantizer(latents).output
    summed = None
    if quantizer.codes().shape[1] == quantizer.dim:
        summed = sum_of_few(quantizer, latents, 1, torch.arange(len(quantizer.codes())))
    if summed is None or (summed - output).abs().max() > 1e-3 * output.abs().max():
        raise SvqkitError(
            f"What {run.name} makes of a place is no sum of its codes (quantizer {run.experiment.quantizer.name!r}: "
            "its stages are mixed once more), so that none can be left out. Leave this question out."
        )


def _error(model: SimVP, batch: Batch, scale: Normaliser) -> Tensor:
    """MSE (C,) in physical units, in float64."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    targets = scale.physical(batch.targets).double()
    forecast = forecasters.of_model(model, scale, scale, device)(batch, targets)
    return (forecast.cpu().double() - targets).square().mean((0, 1, 3, 4))
