"""Times and grid of an input against those that a model was trained on."""

from collections.abc import Sequence

import numpy as np

from svqkit.data.domain import Domain
from svqkit.data.sources.gridded import HOUR, shown_time
from svqkit.errors import SvqkitError
from svqkit.forecasting.inputs import more_than_used

# Degrees by which two coordinates of the same place may differ: those of float32 do by about 3e-5.
NEAR = 1e-3


def in_hours(times: np.ndarray, domain: Domain) -> tuple[np.ndarray, list[str]]:
    """Pick the times of the input frames out of a record's (N,), counted back from its last in the model's own step.

    A record with more frames between is thinned; notes tell of it.

    Raises:
        SvqkitError: the times don't rise, or the model's frames are not all there: the record is too short, its step
            is no whole part of the model's, or it has a hole.
    """
    if (np.diff(times) <= 0 * HOUR).any():
        raise SvqkitError(
            "The times of the input don't rise from frame to frame. Sort them, each once: x.sortby('time')."
        )
    wanted = times[-1:] + np.array(domain.inputs) * domain.lead_step * HOUR
    absent = wanted[~np.isin(wanted, times)]
    if len(absent):
        raise SvqkitError(_why_absent(times, wanted, absent[-1], domain))
    first = int(np.searchsorted(times, wanted[0]))
    notes = [more_than_used(len(times), len(times) - first)] if first else []
    if len(times) - first > 1 - domain.inputs[0]:
        notes.append(f"of these every {domain.lead_step} hours one, counted back from the last")
    return wanted, [*notes, *_other_hours(times[-1], domain)]


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
            f"The input has {len(times)} frames from {shown_time(times[0])} to {shown_time(times[-1])}; the model "
            f"needs one at {shown_time(wanted[0])} too, since it looks at {len(wanted)}, one every {model}. Give more."
        )
    return (
        f"The input has no frame at {shown_time(absent)}; the model looks at {len(wanted)} frames, one every {model}, "
        f"up to {shown_time(wanted[-1])}. Its times are irregular there: fill the hole, or cut the input before it."
    )


def _other_hours(last: np.datetime64, domain: Domain) -> list[str]:
    """A note when the model has never seen frames of this hour of the day."""
    whole = last.astype("datetime64[h]")
    if domain.first_hour is None or (whole == last and int(whole.astype(int)) % domain.lead_step == domain.first_hour):
        return []
    hours = ", ".join(f"{hour:02d}" for hour in range(domain.first_hour, 24, domain.lead_step))
    usual = "full hours" if domain.lead_step == 1 else f"frames at {hours} h only: cut the input there"
    return [f"the last frame is of {shown_time(last)}; the model was trained on {usual}"]


def matching_indices(name: str, theirs: np.ndarray, ours: Sequence[float]) -> np.ndarray:
    """Return indices such that ``theirs[indices]`` are the coordinates ``ours``; of lon whole turns don't count.

    Raises:
        SvqkitError: the axes have other coordinates.
    """
    theirs, ours = np.asarray(theirs, float), np.asarray(ours, float)
    if theirs.shape == ours.shape:
        apart = theirs[None] - ours[:, None]
        if name == "lon":
            apart = (apart + 180) % 360 - 180
        indices = np.abs(apart).argmin(axis=1)
        if len(set(indices.tolist())) == len(ours) and np.abs(apart).min(axis=1).max() < NEAR:
            return indices
    raise SvqkitError(
        f"The input lies on another grid than the model was trained on: {name} has {_described(theirs)}, the model's "
        f"{_described(ours)}. Interpolate it to that grid, or cut it, e.g. with xarray's interp or sel."
    )


def _described(axis: np.ndarray) -> str:
    return f"{len(axis)} places from {axis[0]:g} to {axis[-1]:g}" if len(axis) else "none"
