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
        steps = np.unique(np.diff(times[-2 * len(wanted) :])) / HOUR
        apart = f", one every {' or '.join(f'{step:g}' for step in steps[:3])} h," if len(steps) else ""
        raise SvqkitError(
            f"The input has {len(times)} frame(s){apart} up to {shown_time(times[-1])}; the model needs {len(wanted)}, "
            f"one every {domain.lead_step:g} h, and there is no frame at {shown_time(absent[-1])}. Give it frames of "
            "that step, or of a whole part of it, without a hole up to the last."
        )
    first = int(np.searchsorted(times, wanted[0]))
    notes = [*more_than_used(len(times), len(times) - first)]
    if len(times) - first > 1 - domain.inputs[0]:
        notes.append(f"of these every {domain.lead_step} hours one, counted back from the last")
    return wanted, [*notes, *_other_hours(times[-1], domain)]


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
    apart = np.asarray(theirs, float)[None] - np.asarray(ours, float)[:, None]
    if name == "lon":
        apart = (apart + 180) % 360 - 180
    near = np.abs(apart) < NEAR
    if (near.sum(axis=0) == 1).all() and (near.sum(axis=1) == 1).all():
        return near.argmax(axis=1)
    there, known = (
        f"{len(axis)} places" + (f" from {axis[0]:g} to {axis[-1]:g}" if len(axis) else "") for axis in (theirs, ours)
    )
    raise SvqkitError(
        f"The input lies on another grid than the model was trained on: {name} has {there}, the model's {known}. "
        "Interpolate it to that grid, or cut it, e.g. with xarray's interp or sel."
    )
