"""KittiCaltech: KITTI to train, Caltech Pedestrian to test."""

from pathlib import Path

from svqkit.data.check import caltech, comparing, kitti
from svqkit.data.check.findings import Report
from svqkit.data.check.published import FACTS
from svqkit.settings.data import KittiCaltechData


def look(data: KittiCaltechData, place: Path, report: Report) -> None:
    """Look at both in ``place``, and write what is found into ``report``."""
    report.place = place
    kitti.look(data, place, report)
    caltech.look(place, report)
    made = comparing.try_plan(data, report)
    report.checks += comparing.windows(made, None, "no count of these files is published")
    fact = FACTS["kitticaltech published windows"]
    report.notes.append(f"published: {fact.numbers[0]:,} and {fact.numbers[1]:,} ({fact.source})")
