"""Clips, or the frames of one long record, shared out to training, validation and test."""

import math

from svqkit.data.plan import Clip
from svqkit.errors import SvqkitError
from svqkit.settings.data import Shares, Split


def share_out(count: int, shares: Shares, what: str = "clips") -> dict[Split, Clip]:
    """``count`` ``what`` in their order as train, validation and test: [start, stop) of each, at least one each.

    Raises:
        SvqkitError: there are too few of them.
    """

    def held_out(count: int) -> tuple[int, int]:
        # 100 times 0.29 is 28.999999999999996.
        validation, test = (max(1, math.floor(count * share + 1e-9)) for share in (shares.validation, shares.test))
        return validation, test

    validation, test = held_out(count)
    if validation + test >= count:
        needed = next(enough for enough in range(3, 10**9) if sum(held_out(enough)) < enough)
        raise SvqkitError(
            f"{count} {what} are too few to share out: {needed} are needed for validation {shares.validation}, test "
            f"{shares.test} and at least one to train on. Add {what}, or change `shares`."
        )
    train = count - validation - test
    return {"train": (0, train), "validation": (train, train + validation), "test": (train + validation, count)}
