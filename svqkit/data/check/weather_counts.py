"""How many frames and windows a whole weather record has, from its periods and the definition of each protocol."""

import numpy as np

from svqkit.data.check.published import Counts
from svqkit.data.sources.weather import period_bounds
from svqkit.settings.data import SPLITS, Split, WeatherData
from svqkit.settings.params import Protocol


def weather_years(data: WeatherData) -> list[int]:
    """The years that the periods of the settings touch."""
    periods = [getattr(data, split) for split in SPLITS]
    return sorted({year for first, last in periods for year in range(int(first[:4]), int(last[:4]) + 1)})


def weather_frames(data: WeatherData) -> Counts:
    """Frames of each split when no hour lacks."""
    return {split: len(_hours(data, split)[:: data.hours_per_frame]) for split in SPLITS}


def weather_windows(data: WeatherData) -> dict[Protocol, Counts]:
    """Windows of each split when no hour lacks, by the definition of each protocol.

    "clean": all runs of consecutive frames. "paper": the reference drops the last hour of a period, thins the rest
    to the cadence, and leaves out the last window of those that fit.
    """
    offsets, length = data.paper_offsets, data.frames_in + data.frames_out
    span = offsets.targets[-1] - offsets.inputs[0] + 1 if offsets else length
    clean = {split: max(0, frames - length + 1) for split, frames in weather_frames(data).items()}
    paper = {split: max(0, len(_hours(data, split)[: -1 : data.hours_per_frame]) - span) for split in SPLITS}
    return {"clean": clean, "paper": paper}


def _hours(data: WeatherData, split: Split) -> np.ndarray:
    """The hours of a period from its first frame on."""
    first, after = period_bounds(getattr(data, split))
    hours = np.arange(first.astype(np.int64), after.astype(np.int64))
    return hours[int(-hours[0] % data.hours_per_frame) :]
