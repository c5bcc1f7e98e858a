"""Inspect a whole folder of raw files: every published dataset in turn."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from svqkit.data.bundled import README
from svqkit.data.check import human, kitticaltech, kth, sample, taxibj, weather
from svqkit.data.check.locate import absence, begun_weather, folder_of
from svqkit.data.check.report import Report
from svqkit.data.plan import declares_simulated
from svqkit.data.sources import first_sentence
from svqkit.errors import SvqkitError, choose
from svqkit.settings.params import Data, Params

# By source: (settings, folder, report to write the findings into).
INSPECTORS: Mapping[str, Callable[..., None]] = {
    "weather": weather.inspect,
    "kth": kth.inspect,
    "kitticaltech": kitticaltech.inspect,
    "human": human.inspect,
    "taxibj": taxibj.inspect,
}


def check(root: Path, params: Params, names: Sequence[str] = (), used: Params | None = None) -> list[Report]:
    """Return a report of each dataset called ``names``, or of all that are published.

    Args:
        root: the folder of raw files.
        params: what the files are compared with: profile paper.
        names: some datasets.
        used: the profile in use, for which the bundled sample is to be enough; without it ``params``.

    Raises:
        SvqkitError: there is no folder ``root``, or a name is not one of a published dataset.
    """
    if not root.is_dir():
        raise SvqkitError(
            f"There is no folder {root.absolute()}: `make data` fetches the bundled sample into data; "
            "for files of your own name the folder that holds weather, kth and so on."
        )
    used = used or params
    published = {name: data for name, data in params.datasets.items() if data.source in INSPECTORS}
    wanted = {name: choose(published, name, "published dataset") for name in names} or published
    # All weather lies in one folder: which of its datasets are meant is told by the variables that are there.
    meant = begun_weather(root, published) | set(names)
    return [_report(name, data, root, name in meant, used) for name, data in wanted.items()]


def _report(name: str, data: Data, root: Path, meant: bool, used: Params) -> Report:
    report = Report(name)
    folder = folder_of(root, data)
    if folder is None or (data.source == "weather" and not meant):
        report.notes.append(absence(data, folder))
        return report
    try:
        INSPECTORS[data.source](replace(data, root=str(folder)), folder, report)
    except (SvqkitError, OSError) as error:
        report.damaged.append(str(error))
    if report.folder is None:
        report.notes.append(absence(data, folder))
        return report
    readme = first_sentence(folder / README)
    report.says = report.says or (readme if declares_simulated(readme) else "")
    sample.inspect(replace(used.dataset(name), root=str(folder)), used.profile, report)
    return report
