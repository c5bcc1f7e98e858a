"""``reports/index.html``: the answer, claims, tables, figures and where they come from.

The look is inside; pictures lie beside it and nothing is fetched from elsewhere. Nothing in it is of the moment but
what provenance measured.
"""

import json
import os
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from svqkit.atomic import replacing
from svqkit.paper.claims import RULES, Verdict, does_svq_help
from svqkit.paper.gathered import Results
from svqkit.plots.names import dataset_title
from svqkit.plots.table import HOW_TO_READ

TABLES = [f"t{number}" for number in range(1, 10)]
FIGURES = [f"f{number}" for number in range(1, 12)]


def write_report(
    results: Results, verdicts: Sequence[Verdict], provenance: dict[str, Any], reports: str | Path = "reports"
) -> Path:
    """Write ``index.html`` into the reports' folder, from the results and what other stages wrote there.

    Args:
        results: what was gathered.
        verdicts: from :func:`svqkit.paper.claims.judge_all`.
        provenance: from :func:`svqkit.paper.provenance.provenance`.
        reports: where tables, figures and notebooks are, and the report goes.

    Returns:
        The path of the file.
    """
    reports = Path(reports)
    folder = reports / results.profile
    about = results.runs.drop_duplicates("dataset")
    simulated = about.loc[about["simulated"], "dataset"].tolist()
    drawn = sorted(folder.glob("figures/*.png"))
    content = {
        "profile": results.profile,
        "datasets": [
            {
                "name": row.dataset,
                "title": dataset_title(row.dataset),
                "note": row.data,
                "files": _links(reports, (folder / row.dataset).glob("*")),
                "notebooks": _links(
                    reports, [folder / "notebooks" / name for name in _notebooks(results, row.dataset)]
                ),
            }
            for row in about.itertuples()
        ],
        "simulated": simulated,
        "trainings": int((results.runs["seed"] >= 0).sum()),
        "short": does_svq_help(results),
        "verdicts": verdicts,
        "rules": RULES.split("\n\n"),
        "how_to_read": HOW_TO_READ,
        "tables": _tables(reports, folder),
        "figures": [
            {**one, "pictures": [_picture(reports, path) for path in drawn if path.stem.split("_")[0] == one["key"]]}
            for one in _asked(folder / "notebooks" / "paper_figures.ipynb", FIGURES)
        ],
        "provenance": provenance,
    }
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    target = reports / "index.html"
    with replacing(target) as draft:
        page = environment.get_template("report.html.j2").render(content)
        draft.write_text(page, encoding="utf-8", newline="\n")
    return target


def _asked(notebook: Path, keys: Sequence[str]) -> list[dict[str, Any]]:
    """The question that each section of an executed notebook answers, and its words; none where it has not run."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"] if notebook.exists() else []
    sections = ["".join(cell["source"]).split("\n\n", 1) for cell in cells if cell["cell_type"] == "markdown"]
    said = {heading.partition(":")[0].removeprefix("## ").lower(): (heading, words) for heading, *words in sections}
    found = ((key, *said.get(key, (key.upper(), []))) for key in keys)
    return [{"key": key, "title": heading.removeprefix("## "), "words": words} for key, heading, words in found]


def _tables(reports: Path, folder: Path) -> list[dict[str, Any]]:
    """Of each table what it answers, its part of a page with links as seen from here, and its files."""
    tables = _asked(folder / "notebooks" / "tables.ipynb", TABLES)
    for table in tables:
        page = folder / "tables" / f"{table['key']}.html"
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        table["html"] = text.replace('href="../', f'href="{folder.name}/')
        table["files"] = _links(reports, folder.glob(f"tables/{table['key']}.*"))
    return tables


def _picture(reports: Path, path: Path) -> dict[str, Any]:
    """A picture with its size, and its caption in two parts: what it shows, and what else must be said."""
    with path.open("rb") as file:
        width, height = struct.unpack(">II", file.read(24)[16:])  # of a PNG's first chunk
    beside = path.with_suffix(".txt")
    caption = " ".join(beside.read_text(encoding="utf-8").split()) if beside.exists() else path.stem
    sentences = re.split(r"(?<=[.?!]) (?=[A-Z])", caption)
    shown = 2 if len(" ".join(sentences[:2])) < 320 else 1
    return {
        "name": path.stem,
        "source": _relative(reports, path),
        "pdf": _relative(reports, path.with_suffix(".pdf")) if path.with_suffix(".pdf").exists() else "",
        "width": width,
        "height": height,
        "caption": " ".join(sentences[:shown]),
        "more": " ".join(sentences[shown:]),
    }


def _notebooks(results: Results, dataset: str) -> list[str]:
    own = results.runs.loc[results.runs["dataset"] == dataset, "notebook"].unique()
    return [*(f"{stage}-{dataset}.ipynb" for stage in ("prepare", "evaluate", "figures")), *sorted(own)]


def _links(reports: Path, paths: Any) -> list[tuple[str, str]]:
    """Where to, and the words, of the files that are there, each once."""
    there = sorted({path for path in paths if path.is_file() and not path.stem.endswith(".failed")})
    return [(_relative(reports, path), path.name) for path in there]


def _relative(reports: Path, path: Path) -> str:
    """A path as seen from the report, as a link."""
    return quote(Path(os.path.relpath(path, reports)).as_posix())
