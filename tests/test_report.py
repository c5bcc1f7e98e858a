"""The report is one valid file that needs nothing else, leads only to what is there, and hides no doubt."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from htmlpage import Page
from matplotlib.figure import Figure
from resultsfolder import REAL, SIMULATED, results_folder

from svqkit.errors import SvqkitError
from svqkit.paper import claims, provenance, report
from svqkit.paper.results import Results
from svqkit.paper.tables.table import Column, Number, Row, Section, Table
from svqkit.plots import save

ROOT = Path(__file__).parents[1]
ERRORS = {"weather_t2m-none": [1.0, 1.1], "weather_t2m-svq": [0.9, 0.8], "taxibj-none": [1.0], "taxibj-svq": [2.0]}


def table(results: Results) -> Table:
    link = results.run_link("weather_t2m-svq")
    rows = (Row("<SVQ> & base", {"mse": Number(1.25, 0.5, 2, link)}),)
    return Table(
        "t1", "Errors of <everything> & more", "Small & <true>.", (Section("t2m", (Column("mse", "MSE"),), rows),)
    )


def no_table(results: Results) -> Table:
    raise SvqkitError("No runs of <noise> & so on.")


def draw(key: str, results: Results) -> list[object]:
    if key == "f2":
        raise SvqkitError("No video <here> & now.")
    return []


@pytest.fixture(autouse=True, scope="module")
def _few_entries() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "TABLES", {"t1": table, "t2": no_table})
        patch.setattr(report, "FIGURES", {"f1": "", "f2": "", "f3": ""})
        patch.setattr(report, "draw", draw)
        yield


def made(root: Path, note: str = SIMULATED) -> tuple[Path, Results]:
    """A report of results beside tables, figures, notebooks, settings and journals."""
    results = results_folder(root, ERRORS, note)
    folder = results.reports_root / "paper"
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    for name in ("f1_a", "f1_b", "f10"):
        save(figure, folder / "figures" / name)
    (folder / "figures" / "f1_a.txt").write_text("Rise of <a> & b. Of 2 seeds.\n", encoding="utf-8")
    for name in ("notebooks/train-taxibj-svq.ipynb", "notebooks/report.ipynb", "tables/t1.md", "taxibj/maps rmse.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    (root / "params.yaml").write_text("lpips: '</pre><script>&amp;'\n", encoding="utf-8")
    (root / "data.dvc").write_text("outs:\n- {md5: abc.dir, path: data}\n", encoding="utf-8")
    lock = {
        "stages": {
            "evaluate@taxibj": {"outs": [{"path": "scores", "md5": "0f0f"}]},
            "report": {"outs": [{"path": "r", "md5": "e1e1"}]},
        }
    }
    (root / "dvc.lock").write_text(json.dumps(lock), encoding="utf-8")
    journal = root / "journal" / "paper" / "taxibj" / "taxibj-svq.json"
    journal.parent.mkdir(parents=True)
    run = {"seconds": 36.0, "steps": 72, "steps_per_second": 2.0, "peak_memory_gb": 0.5}
    machine = {"cpu": "A & B", "cores": 2, "gpu": "", "memory_gb": 8.0, "system": "Linux"}
    journal.write_text(json.dumps({"machine": machine, "versions": {"torch": "0.1"}, "runs": {"seed0": run}}))
    gathered = provenance.gather(results, root / "params.yaml", root / "journal", root)
    return report.write_report(results, claims.judge_all(results), gathered), results


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of simulated data."""
    return made(tmp_path_factory.mktemp("a folder"))[0]


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_the_file_needs_nothing_else(path: Path, page: Page) -> None:
    text = path.read_text(encoding="utf-8")
    assert not page.tags["script"]
    assert not page.tags["link"]
    assert not re.search(r"url\(|@import|https?://", text)
    assert [picture for picture in page.pictures if not str(picture["src"]).startswith("data:image/png;base64,")] == []
    assert text.startswith("<!DOCTYPE html>")


def test_pictures_are_embedded_as_they_are_with_caption_and_pdf(path: Path, page: Page) -> None:
    assert len(page.pictures) == 2  # f10 is not among the figures asked for, nor is it f1
    content = base64.b64decode(str(page.pictures[0]["src"]).partition(",")[2])
    assert content == (path.parent / "paper" / "figures" / "f1_a.png").read_bytes()
    assert (page.pictures[0]["width"], page.pictures[0]["height"]) == ("400", "200")
    assert page.pictures[0]["alt"] == "Rise of <a> & b"
    assert "paper/figures/f1_a.pdf" in page.links
    assert "Rise of <a> & b. Of 2 seeds." in page.text


def test_every_anchor_and_every_link_leads_somewhere(path: Path, page: Page) -> None:
    assert page.ids.most_common(1)[0][1] == 1
    assert {"t1", "t2", "f1", "f2", "f3", "claims", "provenance", "claim-weather_t2m"} <= set(page.ids)
    for link in page.links:
        parts = urlsplit(link)
        assert not parts.scheme
        if parts.path:
            assert (path.parent / unquote(parts.path)).exists(), link
        else:
            assert parts.fragment in page.ids, link
    assert any(link.endswith("runs/paper/weather_t2m/weather_t2m-svq") for link in page.links)
    assert "paper/notebooks/train-taxibj-svq.ipynb" in page.links
    assert "paper/tables/t1.md" in page.links
    assert "paper/taxibj/maps%20rmse.png" in page.links


def test_signs_are_words_and_not_html(page: Page) -> None:
    for words in ("Errors of <everything> & more", "<SVQ> & base", "Small & <true>.", "A & B", "</pre><script>&amp;"):
        assert words in page.text
    assert not page.tags["everything"]


def test_what_is_not_there_is_said_with_its_reason(page: Page) -> None:
    text = page.text
    assert "Not here: No runs of <noise> & so on." in text
    assert "Not here: No video <here> & now." in text
    assert re.search(r"Not here: no picture of it is in .*make figure F=f3", text)
    assert "no store here to ask" in text
    assert "3 experiments left no journal" in text
    assert "scores of kth" in text


def test_provenance_says_what_the_files_hold(page: Page) -> None:
    text = page.text
    tracked = "data.dvc tracks data , md5 abc.dir"
    for words in (tracked, "0f0f", "Linux", "A & B, 2 cores, 8 GB", "0.01 hours", "torch 0.1"):
        assert words in text
    assert "e1e1" not in text  # the report's own entry is of the time before
    assert "no git repository here" in text


def test_simulated_data_are_called_so_everywhere(path: Path, page: Page) -> None:
    assert "All data behind this page are simulated" in page.text
    about = [heading for heading in page.headings if heading != "Contents"]
    assert len(about) == 5
    assert all("simulated data" in heading for heading in about)
    printed = path.read_text(encoding="utf-8").partition("@media print")[2]
    assert re.search(r"\.banner \{ position: fixed", printed)


def test_real_data_are_not_called_simulated(tmp_path: Path) -> None:
    text = made(tmp_path, REAL)[0].read_text(encoding="utf-8")
    page = Page(text)
    assert 'class="banner"' not in text
    assert not any("simulated" in heading for heading in page.headings)


def test_equal_inputs_are_equal_files_and_the_size_is_stated(tmp_path: Path) -> None:
    path, results = made(tmp_path)
    first = path.read_bytes()
    gathered = provenance.gather(results, tmp_path / "params.yaml", tmp_path / "journal", tmp_path)
    report.write_report(results, claims.judge_all(results), gathered)
    assert path.read_bytes() == first
    stated = re.search(rb"is\s+([\d.]+) MB large", first)
    assert stated
    assert float(stated[1]) == round(len(first) / 1e6, 1)


def test_provenance_of_this_repository() -> None:
    """The files as DVC and git write them."""
    commit = provenance.commit_of(ROOT)
    assert re.match(r"[0-9a-f]{40}(, with uncommitted changes)?$|not known", commit)
    assert provenance.commit_of(ROOT / "tests").startswith("not known")


def test_settings_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    results = results_folder(tmp_path, {"taxibj-none": [1.0]})
    with pytest.raises(SvqkitError, match=r"nothere\.yaml"):
        provenance.gather(results, tmp_path / "nothere.yaml", tmp_path, tmp_path)
