"""Which frames of a labelled record a model is given, and when the forecast frames are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from svqkit.data.domain import Domain
from svqkit.errors import SvqkitError
from svqkit.forecasting.arrays import last_frames, more_than_used

HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class Moments:
    """Frames of a record along its time axis.

    Attributes:
        places: of the input frames.
        last: coordinate of the last one; None without coordinates.
        step: from one frame ahead to the next.
        notes: what a user should know.
    """

    places: list[int]
    last: np.generic | None
    step: np.generic | None
    notes: tuple[str, ...] = ()

    def ahead(self, frames: Sequence[int]) -> np.ndarray | None:
        """The coordinates of the frames so many steps after the last input."""
        if self.last is None:
            return None
        return self.last + np.array([self.step * frame for frame in frames])


def in_hours(times: np.ndarray, domain: Domain) -> Moments:
    """The input frames of a record with dates (N,), counted back from its last in the model's own step.

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
    places = np.searchsorted(times, wanted).tolist()
    first = places[0]
    notes = [more_than_used(len(times), len(times) - first)] if first else []
    if len(times) - first > 1 - domain.inputs[0]:
        notes.append(f"of these every {domain.lead_step} hours one, counted back from the last")
    return Moments(places, times[-1], step.astype("timedelta64[ns]"), (*notes, *_other_hours(times[-1], domain)))


def in_frames(times: np.ndarray | None, count: int, domain: Domain) -> Moments:
    """The input frames of a record of ``count`` frames whose step the model does not know.

    Times, where there are any, are dates or numbers, and are continued by the step found among the frames used.

    Raises:
        SvqkitError: there are too few frames, or their times are not evenly spaced.
    """
    places, notes = last_frames(np.arange(count)[None], domain)
    places = places[0].tolist()
    if times is None:
        return Moments(places, None, None, notes)
    steps = np.diff(times[places[0] :])
    if len(steps) == 0 or (steps != steps[0]).any() or steps[0] <= np.zeros(1, steps.dtype)[0]:
        shown = ", ".join(map(str, np.unique(steps)[:5])) or "none"
        raise SvqkitError(f"The times of the frames used must rise in even steps; the steps are {shown}.")
    return Moments(places, times[-1], steps[0], notes)


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
    if domain.first_hour is None or (
        whole == last and int(whole.astype(np.int64)) % domain.lead_step == domain.first_hour
    ):
        return []
    usual = ", ".join(f"{hour:02d}" for hour in range(domain.first_hour, 24, domain.lead_step))
    if domain.lead_step == 1:
        return [f"the last frame is of {_show(last)}; the model was trained on full hours"]
    return [
        f"the last frame is of {_show(last)}; the model was trained on frames at {usual} h only: cut the input there"
    ]


def _show(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]"))
