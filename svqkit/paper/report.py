"""``reports/index.html``: claims, tables, figures and where they come from, in one file that needs nothing else.

Pictures are embedded as they were drawn, the look is inside, nothing is fetched from elsewhere; links lead to runs,
notebooks and other files of the project's folder. Nothing in it is of the moment but what provenance measured.
"""

import base64
import os
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.paper.claims import RULES, Answer, Finding, Verdict
from svqkit.paper.provenance import Provenance
from svqkit.paper.results import Results
from svqkit.paper.tables import TABLES
from svqkit.paper.tables.formats import html

Link = tuple[str, str]  # where to, and the words
_CSS = {Answer.REPRODUCED: "yes", Answer.NOT_REPRODUCED: "no", Answer.OPEN: "open"}
_FIGURES = {
    "f1": "improvement over the base, by quantizer",
    "f2": "predicted and true frames",
    "f3": "maps of temperature, its error and the difference",
    "f4": "error over lead time",
    "f5": "error over the size of the codebook",
    "f6": "stability of training",
    "f7": "distribution of the code weights",
    "f8": "use of the codebook",
    "f9": "cost over the size of the codebook",
    "f10": "robustness to noise",
    "f11": "what the published protocol does to scores",
}


@dataclass(frozen=True)
class Picture:
    """A drawn picture, ready to be embedded."""

    name: str
    data: str
    width: int
    height: int
    caption: str
    pdf: str = ""

    @property
    def alt(self) -> str:
        """The first sentence of the caption."""
        return self.caption.split(". ")[0].rstrip(".")


@dataclass(frozen=True)
class Entry:
    """A table as HTML with links to its files, or a figure with its pictures; or why there is none."""

    key: str
    heading: str
    missing: str = ""
    html: str = ""
    files: tuple[Link, ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Folder:
    """What the pipeline wrote about one dataset."""

    name: str
    note: str
    files: tuple[Link, ...]
    notebooks: tuple[Link, ...]


def write_report(results: Results, verdicts: Sequence[Verdict], provenance: Provenance) -> Path:
    """Write ``index.html`` into the reports' folder, from what the other stages wrote there and the results.

    Args:
        results: scores, runs and costs; ``reports_root`` is where the report goes.
        verdicts: from :func:`svqkit.paper.claims.judge_all`.
        provenance: from :func:`svqkit.paper.provenance.gather`.

    Returns:
        The path of the file.
    """
    figures = [_figure(results, key) for key in _FIGURES]
    counts = Counter(verdict.answer for verdict in verdicts)
    alone = Counter(verdict.alone for verdict in verdicts if verdict.aside)
    content = {
        "simulated": results.simulated,
        "datasets": results.datasets,
        "trainings": _trainings(results),
        "pictures": sum(len(figure.pictures) for figure in figures),
        "counts": [(str(answer), counts[answer]) for answer in Answer],
        "alone": [(str(answer), count) for answer in Answer if (count := alone[answer])],
        "rules": _paragraphs(RULES),
        "verdicts": [_verdict(results, verdict) for verdict in verdicts],
        "tables": [_table(results, key) for key in TABLES],
        "figures": figures,
        "folders": [_folder(results, name) for name in results.datasets],
        "provenance": provenance,
    }
    template = _template()
    size = len(template.render(content, size="00.0 MB").encode())
    target = results.reports_root / "index.html"
    with replacing(target) as draft:
        draft.write_text(template.render(content, size=f"{size / 1e6:.1f} MB"), encoding="utf-8", newline="\n")
    return target


def _template() -> Any:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")


def _trainings(results: Results) -> int:
    scored = results.scores[results.scores["seed"] >= 0]
    return len(scored[["dataset", "experiment", "seed"]].drop_duplicates())


def _paragraphs(text: str) -> list[tuple[str, list[str]]]:
    """Plain text taken apart: each paragraph, and the items of a list that follows it."""
    found: list[tuple[str, list[str]]] = []
    for block in text.split("\n\n"):
        if block.startswith("- "):
            found[-1][1].extend(item.replace("\n", " ") for item in block.removeprefix("- ").split("\n- "))
        else:
            found.append((block.replace("\n", " "), []))
    return found


def _verdict(results: Results, verdict: Verdict) -> dict[str, Any]:
    return {
        "key": verdict.claim.key,
        "sentence": verdict.claim.sentence,
        "where": verdict.claim.where[0].upper() + verdict.claim.where[1:],
        "test": verdict.claim.test,
        "answer": str(verdict.answer),
        "css": _CSS[verdict.answer],
        "aside": verdict.aside,
        "reason": verdict.reason,
        "findings": [_finding(results, finding) for finding in verdict.findings],
    }


def _finding(results: Results, finding: Finding) -> dict[str, Any]:
    return {
        "what": finding.what,
        "number": finding.number,
        "basis": finding.basis,
        "answer": finding.answer and str(finding.answer),
        "links": [(_relative(results, path), Path(path).name) for path in finding.links],
    }


def _table(results: Results, key: str) -> Entry:
    heading = f"Table {key.removeprefix('t')}"
    files = _files(results, results.reports_root / results.profile / "tables", f"{key}.*")
    try:
        table = TABLES[key](results)
    except SvqkitError as error:
        return Entry(key, heading, str(error))
    return Entry(key, f"{heading}: {table.title}", html=html(table, results.reports_root), files=files)


def _figure(results: Results, key: str) -> Entry:
    heading = f"Figure {key.removeprefix('f')}: {_FIGURES[key]}"
    folder = results.reports_root / results.profile / "figures"
    drawn = sorted(path for path in folder.glob("*.png") if path.stem.split("_")[0] == key)
    if drawn:
        return Entry(key, heading, pictures=tuple(_picture(results, path) for path in drawn))
    return Entry(key, heading, f"No picture of it is in {folder}: paper_figures.ipynb in reports says why.")


def _picture(results: Results, path: Path) -> Picture:
    content = path.read_bytes()
    width, height = struct.unpack(">II", content[16:24])  # of a PNG's first chunk
    caption, pdf = path.with_suffix(".txt"), path.with_suffix(".pdf")
    return Picture(
        path.stem,
        base64.b64encode(content).decode("ascii"),
        width,
        height,
        caption.read_text(encoding="utf-8").strip() if caption.exists() else path.stem,
        _relative(results, pdf) if pdf.exists() else "",
    )


def _folder(results: Results, dataset: str) -> Folder:
    root = results.reports_root / results.profile
    names = {dataset, *(experiment.name for experiment in results.settings.of_dataset(dataset))}
    notebooks = [link for link in _files(results, root / "notebooks", "*-*.ipynb") if _stage_of(link[1])[1] in names]
    return Folder(
        dataset, results.data_note(dataset).rstrip("."), _files(results, root / dataset, "*"), tuple(notebooks)
    )


def _stage_of(notebook: str) -> tuple[str, str]:
    """``"train-kth-svq.ipynb"`` → ``("train", "kth-svq")``."""
    stage, _, name = notebook.removesuffix(".ipynb").partition("-")
    return stage, name


def _files(results: Results, folder: Path, pattern: str) -> tuple[Link, ...]:
    there = sorted(path for path in folder.glob(pattern) if path.is_file() and not path.stem.endswith(".failed"))
    return tuple((_relative(results, path), path.name) for path in there)


def _relative(results: Results, path: str | Path) -> str:
    """A path as seen from the report, as a link."""
    return quote(Path(os.path.relpath(path, results.reports_root)).as_posix())
