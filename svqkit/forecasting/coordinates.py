"""Times, grid and units of a labelled input against those that a model was trained on."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from svqkit.data.domain import Domain
from svqkit.errors import SvqkitError
from svqkit.forecasting.inputs import last_frames, more_than_used

HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class TimeSteps:
    """Frames of a record along its time axis.

    Attributes:
        indices: of the input frames.
        last: coordinate of the last one; None without coordinates.
        step: from one frame ahead to the next.
        notes: what a user should know.
    """

    indices: list[int]
    last: np.generic | None
    step: np.generic | None
    notes: tuple[str, ...] = ()

    def ahead(self, frames: Sequence[int]) -> np.ndarray | None:
        """Return the coordinates of the frames so many steps after the last input."""
        if self.last is None:
            return None
        return self.last + np.array([self.step * frame for frame in frames])


def in_hours(times: np.ndarray, domain: Domain) -> TimeSteps:
    """Pick the input frames of a record with dates (N,), counted back from its last in the model's own step.

    A record with more frames between is thinned.

    Raises:
        SvqkitError: the axis has no dates, or they don't rise; the model's frames are not all there: the record is too
            short, its step is no whole part of the model's, or it has a hole.
    """
    if not np.issubdtype(times.dtype, np.datetime64):
        raise SvqkitError(f"The time axis is {times.dtype}, expected dates. Decode it, e.g. with xarray.decode_cf.")
    times = times.astype("datetime64[ns]")
    if np.isnat(times).any() or (np.diff(times) <= 0 * HOUR).any():
        raise SvqkitError(
            "The times of the input don't rise from frame to frame. Sort them, each once: x.sortby('time')."
        )
    step = domain.lead_step * HOUR
    wanted = times[-1:] + np.array(domain.inputs) * step
    absent = wanted[~np.isin(wanted, times)]
    if len(absent):
        raise SvqkitError(_why_absent(times, wanted, absent[-1], domain))
    indices = np.searchsorted(times, wanted).tolist()
    first = indices[0]
    notes = [more_than_used(len(times), len(times) - first)] if first else []
    if len(times) - first > 1 - domain.inputs[0]:
        notes.append(f"of these every {domain.lead_step} hours one, counted back from the last")
    return TimeSteps(indices, times[-1], step.astype("timedelta64[ns]"), (*notes, *_other_hours(times[-1], domain)))


def in_frames(times: np.ndarray | None, count: int, domain: Domain) -> TimeSteps:
    """Pick the input frames of a record of ``count`` frames whose step the model does not know.

    Times, where there are any, are dates or numbers, and are continued by the step found among the frames used.

    Raises:
        SvqkitError: there are too few frames, or their times are not evenly spaced.
    """
    picked, notes = last_frames(np.arange(count)[None], domain)
    indices = picked[0].tolist()
    if times is None:
        return TimeSteps(indices, None, None, notes)
    steps = np.diff(times[indices[0] :])
    if len(steps) == 0 or (steps != steps[0]).any() or steps[0] <= np.zeros(1, steps.dtype)[0]:
        shown = ", ".join(map(str, np.unique(steps)[:5])) or "none"
        raise SvqkitError(f"The times of the frames used must rise in even steps; the steps are {shown}.")
    return TimeSteps(indices, times[-1], steps[0], notes)


def _why_absent(times: np.ndarray, wanted: np.ndarray, absent: np.datetime64, domain: Domain) -> str:
    steps = np.unique(np.diff(times[max(0, len(times) - 2 * len(wanted)) :]))
    model = f"{domain.lead_step:g} h"
    if len(times) < len(wanted):
        return f"The input has {len(times)} frame(s), the model needs {len(wanted)}, one every {model}. Give it more."
    if len(steps) == 1 and (domain.lead_step * HOUR) % steps[0] != 0 * HOUR:
        return (
            f"The input has a frame every {steps[0] / HOUR:g} h, the model was trained on one every {model}. Give it "
            "frames of that step, or of a whole part of it."
        )
    if wanted[0] < times[0]:
        return (
            f"The input has {len(times)} frames from {_show(times[0])} to {_show(times[-1])}; the model needs one at "
            f"{_show(wanted[0])} too, since it looks at {len(wanted)}, one every {model}. Give it more."
        )
    return (
        f"The input has no frame at {_show(absent)}; the model looks at {len(wanted)} frames, one every {model}, up to "
        f"{_show(wanted[-1])}. Its times are irregular there: fill the hole, or cut the input before it."
    )


def _other_hours(last: np.datetime64, domain: Domain) -> list[str]:
    """A note when the model has never seen frames of this hour of the day."""
    whole = last.astype("datetime64[h]")
    if domain.first_hour is None or (whole == last and int(whole.astype(int)) % domain.lead_step == domain.first_hour):
        return []
    hours = ", ".join(f"{hour:02d}" for hour in range(domain.first_hour, 24, domain.lead_step))
    usual = "full hours" if domain.lead_step == 1 else f"frames at {hours} h only: cut the input there"
    return [f"the last frame is of {_show(last)}; the model was trained on {usual}"]


def _show(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]"))


# Degrees by which two coordinates of the same place may differ: those of float32 do by about 3e-5.
NEAR = 1e-3


def matching_indices(name: str, theirs: np.ndarray, ours: np.ndarray, around: float | None = None) -> np.ndarray:
    """Return indices such that ``theirs[indices]`` are the coordinates ``ours``.

    ``around`` 360 takes longitudes that differ by whole turns as the same.

    Raises:
        SvqkitError: the axes have other coordinates.
    """
    theirs, ours = np.asarray(theirs, float), np.asarray(ours, float)
    if theirs.shape == ours.shape:
        apart = theirs[None] - ours[:, None]
        if around:
            apart = (apart + around / 2) % around - around / 2
        indices = np.abs(apart).argmin(axis=1)
        if len(set(indices.tolist())) == len(ours) and np.abs(apart).min(axis=1).max() < NEAR:
            return indices
    raise SvqkitError(
        f"The input lies on another grid than the model was trained on: {name} {_describe_axis(theirs)}, the model's "
        f"{_describe_axis(ours)}. Interpolate it to that grid, or cut it, e.g. with xarray's interp or sel."
    )


def _describe_axis(axis: np.ndarray) -> str:
    if axis.ndim != 1 or len(axis) == 0:
        return f"of shape {axis.shape}"
    return f"has {len(axis)} places from {axis[0]:g} to {axis[-1]:g}"


_WORDS_OF_UNITS = {
    "k": ("kelvin", "degk"),
    "celsius": ("degc", "c", "°c", "deg_c", "degree_celsius", "degrees_celsius"),
    "%": ("percent",),
    "1": ("(0 - 1)", "(0-1)", "0-1", "dimensionless", "fraction", "~"),
    "m": ("meter", "metre"),
}
_UNITS = {word: unit for unit, words in _WORDS_OF_UNITS.items() for word in words}


def same_unit(first: str, second: str) -> bool:
    """Return whether both mean the same: "m/s" and "m s**-1" do, "K" and "degC" don't; no unit fits every unit."""
    return not first.strip() or not second.strip() or _plain(first) == _plain(second)


def _plain(unit: str) -> tuple[str, ...]:
    """Sorted factors with their powers: "m s**-1", "m/s" and "m.s-1" → ("m", "s-1")."""
    unit = _UNITS.get(unit.strip().lower(), unit.strip().lower())
    above, *below = unit.replace("**", "").replace("^", "").split("/")
    factors = _factors(above) + [_inverse(factor) for part in below for factor in _factors(part)]
    return tuple(sorted(factor for factor in factors if factor != "1"))


def _factors(product: str) -> list[str]:
    return [_UNITS.get(factor, factor) for factor in re.split(r"[\s.*·]+", product) if factor]


def _inverse(factor: str) -> str:
    """ "s" → "s-1", "m2" → "m-2"."""
    name, power = re.fullmatch(r"(.*?)([-+]?\d*)", factor).groups()
    return f"{name}{-int(power or 1)}"
