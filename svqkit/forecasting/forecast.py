"""A run and frames of the user's own → what comes after them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self
from warnings import warn

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from svqkit.data.domain import Domain
from svqkit.data.sources.gridded import HOUR
from svqkit.data.windows import SCORED, Batch
from svqkit.errors import SvqkitError, choose
from svqkit.evaluation import forecasters
from svqkit.forecasting import pretrained
from svqkit.forecasting.files import from_files, is_files
from svqkit.forecasting.inputs import ModelInput, far_off, from_array, from_model
from svqkit.forecasting.labelled import from_labelled
from svqkit.forecasting.layouts import LAYOUTS
from svqkit.quantizers.pretrained import local_folder
from svqkit.training.runs import Run

# Eleven years of hours: far beyond what any model can tell, and what most machines can hold.
MOST_FRAMES = 100_000


@dataclass(frozen=True)
class Forecast:
    """A forecast, and what it was made from.

    Attributes:
        result: in the form of the input.
        frames: (time, channel, lat, lon) or (time, channel, y, x): the input frames and, after them, those forecast,
            in the order of the run's channels and grid, of the first clip where there are several. ``time`` counts
            from the last input frame (0), in its attribute ``units``; ``valid`` is the time of each where it is known.
        notes: what a user should know of how the input was taken.
        last: when the last input frame is, where its time is known.
    """

    result: Any
    frames: xr.DataArray
    notes: tuple[str, ...]
    last: np.datetime64 | None = None


class ForecastingRun(Run):
    """A finished training that says what comes after frames of the user's own; see :meth:`open`."""

    def forecast(
        self, x: Any, frames: int | None = None, device: str | torch.device | None = None, layout: str = ""
    ) -> Any:
        """Return what comes after ``x``, in the same form; see :func:`forecast`.

        What a user should know of how ``x`` was taken is said by warnings.
        """
        made = forecast(self, x, frames, device, layout)
        for note in made.notes:
            warn(f"{self.name}: {note}", stacklevel=2)
        return made.result

    def save_pretrained(self, folder: str | Path, scores: str | Path = "scores") -> None:
        """Write settings, best weights and a model card into a folder, made if need be, for others to use.

        Args:
            folder: its config.json, best.safetensors, log.csv and README.md are written again.
            scores: where the evaluate stage's folders are; without this run's the card says so.

        Raises:
            SvqkitError: the run keeps too little of its data (an older one), or the disk is full.
        """
        pretrained.save(self, folder, scores)

    @classmethod
    def from_pretrained(cls, source: str | Path) -> Self:
        """Open a run from a folder, or by the id of one on a hub (``owner/name``; needs the package huggingface_hub).

        Raises:
            SvqkitError: there is none, or as :meth:`open` does.
        """
        return cls.open(local_folder(source, [*pretrained.FILES, pretrained.CARD]))


def forecast(
    run: Run, x: Any, frames: int | None = None, device: str | torch.device | None = None, layout: str = ""
) -> Forecast:
    """Forecast what comes after the last input frames of ``x``.

    The best weights of the run forecast the T frames after T frames; for more, the model is fed with its own frames,
    pass after pass, as often as it takes. Everything is computed as in :mod:`svqkit.evaluation`.

    Args:
        run: see :func:`svqkit.load_run`.
        x: a DataArray or Dataset with variables, levels, units and times as in the run's raw files; an array or a
            tensor (T, C, H, W) or (B, T, C, H, W) in the units of the raw files (images, and arrays with a ``range``
            but no ``units``: bytes, or floats in [0, 1]); or files: NetCDF, GRIB, Zarr (also a URL), .npy, a video, a
            folder, a pattern, or a list of paths. Only the last frames that the model takes are used.
        frames: how many; None: as many as the run was trained for.
        device: "cpu", "cuda", …; None: a GPU where there is one.
        layout: "weatherbench2" gives gridded forecasts as others score them, see
            :func:`svqkit.forecasting.layouts.weatherbench2`; "": the form of ``x``.

    Returns:
        The result in the form of ``x``: a DataArray, a Dataset (also for NetCDF; its attributes name the run), an
        array or tensor. A clip gives an array (L, C, H, W) of bytes at the model's size. Floats are not clipped.

    Raises:
        SvqkitError: the run keeps too little of its data (an older one), or ``x`` does not fit it: each says what was
            expected, what came and what to do.
    """
    domain = run.domain
    ahead = _ahead(frames, domain)
    lay_out = choose(LAYOUTS, layout, "layout") if layout else None
    data = run.experiment.data
    if isinstance(x, xr.DataArray | xr.Dataset):
        model_input = from_labelled(x, data, domain, ahead)
    elif is_files(x):
        model_input = from_files(x, data, domain, ahead)
    elif isinstance(x, np.ndarray | Tensor):
        model_input = from_array(x, domain, getattr(data, "axes", ""))
    else:
        raise SvqkitError(
            "Expected a DataArray or Dataset of xarray, a NumPy array, a tensor, or the path of a file; got "
            f"{type(x).__name__}."
        )
    predicted = predict(run, model_input.frames, len(ahead), device)
    result = model_input.restore(predicted)
    result = lay_out(result, model_input.last) if lay_out else result
    if isinstance(result, xr.Dataset):
        result.attrs |= {"forecast_by": run.name, "forecast_trained_on": domain.title}
    notes = [*model_input.notes, *far_off(model_input.frames, domain)]
    if domain.simulated:
        notes.append(f"the model was trained on this: {domain.title}")
    return Forecast(result, _frames(model_input, predicted, domain, ahead), tuple(notes), model_input.last)


def predict(run: Run, frames: np.ndarray, count: int, device: str | torch.device | None = None) -> np.ndarray:
    """Forecast the ``count`` frames (B, count, C, H, W) float32 after frames (B, T, C, H, W) of the run's domain."""
    domain = run.domain
    scale = domain.normaliser if frames.dtype == np.uint8 else replace(domain.normaliser, scale=1.0)
    forecaster = forecasters.of_model(run.model(), scale, scale, _device(device))
    chunks = torch.from_numpy(np.ascontiguousarray(frames)).split(SCORED)
    # Of the targets a forecaster asks no more than how many there are.
    batches = [Batch(inputs, torch.empty(len(inputs), count), np.zeros(0)) for inputs in chunks]
    made = torch.cat([forecaster(batch, torch.empty(0)).cpu() for batch in batches]).numpy()
    if not np.isfinite(made).all():
        raise SvqkitError(
            f"{run.path} forecasts values that are NaN or infinite: its weights, or its means and standard deviations, "
            "are damaged or too large. Train the model again."
        )
    return made


def _ahead(frames: int | None, domain: Domain) -> tuple[int, ...]:
    """The steps ahead of the last input frame that are forecast."""
    count = len(domain.targets) if frames is None else frames
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or not 1 <= count <= MOST_FRAMES:
        raise SvqkitError(
            f"`frames` is how many frames to forecast, a whole number from 1 to {MOST_FRAMES:,}; got {frames!r}."
        )
    if domain.consecutive:
        return tuple(range(1, int(count) + 1))
    if count > len(domain.targets):
        raise SvqkitError(
            f"This run was trained on windows with frames at {[*domain.inputs, *domain.targets]}, which can't be fed "
            f"back: it forecasts {len(domain.targets)} frames at most, {count} were asked for."
        )
    return domain.targets[: int(count)]


def _device(wanted: str | torch.device | None) -> torch.device:
    if wanted is None or wanted == "":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        there = "cpu and cuda" if torch.cuda.is_available() else "cpu only"
        reason = str(error).splitlines()[0]
        raise SvqkitError(f"The device {str(wanted)!r} can't be used ({reason}); this machine has {there}.") from error
    return device


def _frames(model_input: ModelInput, predicted: np.ndarray, domain: Domain, ahead: tuple[int, ...]) -> xr.DataArray:
    scale = domain.scale if model_input.frames.dtype == np.uint8 else 1
    observed = model_input.frames[0].astype(np.float32) * np.float32(scale)
    values = from_model(np.concatenate([observed, predicted[0]]), domain, as_bytes=False)
    plane = ("lat", "lon") if domain.kind == "grid" else ("y", "x")
    axes = {name: (name, list(axis)) for name, axis in (("lat", domain.lat), ("lon", domain.lon)) if axis}
    time = domain.lead_step * np.array([*domain.inputs, *ahead])
    if model_input.last is not None:
        axes["valid"] = ("time", model_input.last + time * HOUR)
    return xr.DataArray(
        values,
        dims=("time", "channel", *plane),
        coords={
            "time": ("time", time, {"units": domain.lead_units}),
            "channel": list(domain.channels),
            "unit": ("channel", list(domain.own_units)),
            **axes,
        },
        name="frames",
        attrs={"data": domain.title},
    )
