"""The training mean by week of the year and time of day, written into a store."""

import numpy as np
import zarr

from svqkit.data import store as stores
from svqkit.data.plan import Plan


def write_climatology(group: zarr.Group, plan: Plan) -> list[int]:
    """Write the training mean by week and time of day for every week that occurs, and return those weeks.

    A week that training does not cover gets the mean over all training frames at that time of day.
    """
    frames, times = group["frames"], plan.axes["time"]
    slots = 24 // np.gcd(24, plan.lead_step)
    weeks = stores.week_of_year(times)
    slot = stores.slot_of_day(times, slots)
    occurring = np.unique(weeks)
    in_train = np.zeros(len(times), bool)
    for start, stop in plan.windows["clean"].clips["train"]:
        in_train[start:stop] = True
    shape = (len(occurring), slots, *frames.shape[1:])
    if "climatology" in group:
        del group["climatology"]  # of a call that was stopped here
    climatology = group.create_array(
        "climatology",
        shape=shape,
        dtype="float32",
        chunks=(1, *shape[1:]),
        dimension_names=("week", "slot", "channel", "lat", "lon"),
    )
    overall, overall_count = np.zeros(shape[1:]), np.zeros(slots)
    uncovered = []
    for index, week in enumerate(occurring):
        total, count = np.zeros(shape[1:]), np.zeros(slots)
        for run in _runs(np.flatnonzero(in_train & (weeks == week)), frames.chunks[0]):
            np.add.at(total, slot[run], frames[run[0] : run[-1] + 1].astype(np.float64))
            np.add.at(count, slot[run], 1)
        overall += total
        overall_count += count
        if (count > 0).all():
            climatology[index] = total / count[:, None, None, None]
        else:
            uncovered.append((index, total, count))
    fallback = overall / np.maximum(overall_count, 1)[:, None, None, None]
    fallback[overall_count == 0] = overall.sum(axis=0) / overall_count.sum()
    for index, total, count in uncovered:
        covered = (count > 0)[:, None, None, None]
        climatology[index] = np.where(covered, total / np.maximum(count, 1)[:, None, None, None], fallback)
    return occurring.tolist()


def _runs(indices: np.ndarray, longest: int) -> list[np.ndarray]:
    """Cut ``indices`` into runs of neighbours of at most ``longest``."""
    runs = np.split(indices, np.flatnonzero(np.diff(indices) != 1) + 1)
    return [run[i : i + longest] for run in runs if len(run) for i in range(0, len(run), longest)]
