"""Progress bars that show in a terminal, in a notebook, and through papermill and DVC."""

import os
import sys

from tqdm import tqdm

# Seconds between two redraws. What runs notebooks for a log file, where each redraw is a line, sets a longer time.
SECONDS = "SVQKIT_PROGRESS_SECONDS"


def progress(total: int, what: str, unit: str = "it", initial: int = 0, shown: bool = True) -> tqdm:
    """Return a progress bar over ``total`` steps, ``initial`` of them already done."""
    seconds = float(os.environ.get(SECONDS, 0.5))
    return tqdm(
        total=total,
        initial=initial,
        desc=what,
        unit=unit,
        mininterval=seconds,
        maxinterval=max(seconds, 10.0),
        ncols=100,
        file=sys.stderr,
        disable=not shown,
        leave=None,  # a bar below another one goes when it is done
    )
