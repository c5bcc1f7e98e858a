"""What the stores will need on the disk, and what is free there."""

import shutil
from pathlib import Path

from svqkit.data.check.findings import Report
from svqkit.data.check.wording import in_bytes


def disk_line(report: Report, stores: Path, free: int) -> str:
    """What the store of a dataset will need in ``stores``, beside the bytes that are ``free`` there."""
    if report.store_bytes is None:
        return "what the store will need can't be told before the files are whole"
    enough = "enough" if report.store_bytes < free else "NOT ENOUGH"
    when = " when whole" if report.when_whole else ""
    return (
        f"{in_bytes(report.store_bytes)} in {stores}/{when}: {report.frames:,} frames of {report.frame_bytes:,} bytes; "
        f"{in_bytes(free)} are free: {enough}"
    )


def free_bytes(stores: Path) -> int:
    """Bytes that are free where the stores will lie, whether the folder is there yet or not."""
    place = stores.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
