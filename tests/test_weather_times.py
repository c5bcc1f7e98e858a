"""Frames that are dated at other hours than midnight: daily means at noon, six hours from 03:00 on, half past."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from rawfiles import RawFiles

from svqkit.data.sources import weather
from svqkit.errors import SvqkitError


def later(hours: float, leave_out: tuple[int, ...] = ()) -> Callable[[xr.Dataset], xr.Dataset]:
    """The same file, dated ``hours`` later and without some of its frames."""

    def change(dataset: xr.Dataset) -> xr.Dataset:
        dated = dataset.assign_coords(time=dataset["time"] + np.timedelta64(round(60 * hours), "m"))
        return dated.isel(time=[frame for frame in range(dated.sizes["time"]) if frame not in leave_out])

    return change


@pytest.mark.parametrize(("hours", "phase"), [(24, 12), (24, 23), (6, 3), (6, 0), (3, 1)])
def test_frames_are_taken_at_the_hour_that_they_have(hours: int, phase: int, raw: RawFiles) -> None:
    raw.write(frames=16 * 24 // hours, hours=hours, change=later(phase))
    plan = weather.plan(raw.data(hours_per_frame=hours, frames_in=1, frames_out=1))
    np.testing.assert_array_equal(plan.axes["time"], raw.values()["time"].values)
    assert [len(plan.windows["clean"].starts[split]) for split in ("train", "validation", "test")] == [
        days * 24 // hours - 1 for days in (10, 3, 3)
    ]


def test_midnight_is_preferred_where_there_are_frames(raw: RawFiles) -> None:
    raw.write(change=later(5))  # hourly from 05:00 on
    plan = weather.plan(
        raw.data(hours_per_frame=6, train=("2010-01-02", "2010-01-10"), test=("2010-01-14", "2010-01-15"))
    )
    assert set(plan.axes["time"].astype("datetime64[h]").astype(int) % 6) == {0}


def test_a_hole_among_frames_at_noon_is_found(raw: RawFiles) -> None:
    raw.write(frames=16, hours=24, change=later(12, leave_out=(4,)))
    with pytest.raises(
        SvqkitError, match=r"A hole in the train period .*after 2010-01-04T12:00 until 2010-01-06T12:00"
    ):
        weather.plan(raw.data(hours_per_frame=24, frames_in=1, frames_out=1))
    with pytest.raises(SvqkitError, match=r"A hole in the test period .*after 2010-01-16T12:00 until 2010-01-18T12:00"):
        weather.plan(
            raw.data(
                hours_per_frame=24,
                frames_in=1,
                frames_out=1,
                train=("2010-01-06", "2010-01-10"),
                test=("2010-01-14", "2010-01-17"),
            )
        )


def test_frames_between_the_hours_only_are_refused_with_a_way_out(raw: RawFiles) -> None:
    raw.write(change=later(0.5))
    with pytest.raises(SvqkitError, match=r"no time is a full hour, the first is 2010-01-01T00:30\. Shift them"):
        weather.plan(raw.data())
