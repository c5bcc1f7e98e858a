"""The report answers first, leads only to what is there, needs nothing from elsewhere, and hides no doubt."""

import json
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser
import pandas as pd
import pytest
from htmlpage import Page
from matplotlib.figure import Figure
from matplotlib.image import imread
from resultsfolder import REAL, SIMULATED, results_folder

from svqkit import plots
from svqkit.errors import SvqkitError
from svqkit.paper import claims, report
from svqkit.paper.gathered import Results
from svqkit.paper.provenance import commit_of, provenance

ROOT = Path(__file__).parents[1]
ERRORS = {"weather_t2m-none": [1.0, 1.1], "weather_t2m-svq": [0.9, 0.8], "taxibj-none": [1.0], "taxibj-svq": [2.0]}


def write(results: Results, root: Path) -> Path:
    made = provenance(results, root / "params.yaml", root / "raw", root)
    return report.write_report(results, claims.judge_all(results), made, root / "reports")


def made(root: Path, note: str = SIMULATED) -> tuple[Path, Results]:
    """A report of results beside tables, figures, notebooks, settings and journals."""
    journal = root / "journal/paper/taxibj/taxibj-svq.json"
    journal.parent.mkdir(parents=True)
    run = {"seconds": 36.0, "steps": 72, "steps_per_second": 2.0, "peak_memory_gb": 0.5}
    machine = {"cpu": "A & B", "cores": 2, "gpu": "", "memory_gb": 8.0, "system": "Linux"}
    journal.write_text(json.dumps({"machine": machine, "versions": {"torch": "0.1"}, "runs": {"seed0": run}}))
    results = results_folder(root, ERRORS, note)
    folder = root / "reports/paper"
    figure = Figure(figsize=(2, 1))
    figure.add_subplot().plot([1, 2])
    for name in ("f1_a", "f1_b", "f10"):
        plots.save(figure, folder / "figures" / name)
    (folder / "figures/f1_a.txt").write_text("Rise of <a> & b. Of 2 seeds. More words.\n", encoding="utf-8")
    for name in ("notebooks/train-taxibj-svq.ipynb", "notebooks/train-taxibj-none.ipynb", "taxibj/maps rmse.png",
                 "notebooks/train-weather_t2m-svq.ipynb", "notebooks/train-weather_t2m-none.ipynb"):  # fmt: skip
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    scores = results.scores.merge(results.runs, on=["dataset", "experiment", "seed"]).query("metric in ['mse', 'mae']")
    theirs = pd.DataFrame({"row": ["<Theirs> & more"], "metric": "mse", "value": 0.5, "source": "a <paper>"})
    cells = pd.concat(
        [
            plots.of_models(scores, results.pairs.query("against == 'base'")),
            plots.published_cells(theirs, "taxibj, beside published", "MSE, published"),
        ]
    )
    plots.show_table(
        cells, "T1. All", folder / "tables/t1", ["Small & <true>."], {"taxibj"} if note is SIMULATED else set()
    )
    asked = [{"cell_type": "markdown", "source": ["## T1: Is it <better>?\n", "\n", "Look & see."]}]
    (folder / "notebooks/tables.ipynb").write_text(json.dumps({"cells": asked}))
    (root / "params.yaml").write_text("lpips: '</pre><script>&amp;'\n", encoding="utf-8")
    (root / "data.dvc").write_text("outs:\n- {md5: abc.dir, path: data}\n", encoding="utf-8")
    outs = {"evaluate@taxibj": [{"path": "scores", "md5": "0f0f"}], "report": [{"path": "r", "md5": "e1e1"}]}
    lock = {"stages": {stage: {"outs": made} for stage, made in outs.items()}}
    (root / "dvc.lock").write_text(json.dumps(lock), encoding="utf-8")
    raw = root / "raw/paper/taxibj.json"
    raw.parent.mkdir(parents=True)
    raw.write_text(json.dumps({"files": 3, "bytes": 1000, "digest": "d1d1", "title": note}))
    return write(results, root), results


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of simulated data."""
    return made(tmp_path_factory.mktemp("a folder"))[0]


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_the_answer_and_figure_1_come_first(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    first = Page(text.partition("<main>")[2].partition("</section>")[0].strip() + "</section>")
    assert first.text.startswith("Does SVQ help? simulated data It depends Of 2 datasets")
    assert re.search(r"2 m temperature: MSE of SVQ .*: −19.0 % \[.*\] \(p .*2 seeds, 240 windows", first.text)
    assert "All data here are simulated" in first.text
    assert [picture["src"] for picture in first.pictures] == ["paper/figures/f1_a.png", "paper/figures/f1_b.png"]


def test_nothing_is_fetched_from_elsewhere(path: Path, page: Page) -> None:
    text = path.read_text(encoding="utf-8")
    assert not page.tags["script"]
    assert not page.tags["link"]
    assert not re.search(r"url\(|@import|https?://", text)
    assert text.startswith("<!DOCTYPE html>")
    assert len(text) < 200_000
    assert "prefers-color-scheme: dark" in text


def test_pictures_have_their_size_what_is_seen_and_a_pdf(path: Path, page: Page) -> None:
    assert len(page.pictures) == 5  # those of figure 1 twice; f10 is not figure 1
    for picture in page.pictures:
        height, width, _ = imread(path.parent / str(picture["src"])).shape
        assert (picture["width"], picture["height"]) == (str(width), str(height))
    assert page.pictures[0]["alt"] == "Rise of <a> & b. Of 2 seeds."
    assert "paper/figures/f1_a.pdf" in page.links
    assert "More words." in page.text


def test_every_anchor_and_every_link_leads_somewhere(path: Path, page: Page) -> None:
    assert page.ids.most_common(1)[0][1] == 1
    assert {"answer", "t1", "t9", "f1", "f11", "claims", "provenance", "claim-weather_t2m"} <= set(page.ids)
    for link in page.links:
        parts = urlsplit(link)
        assert not parts.scheme
        if parts.path:
            assert (path.parent / unquote(parts.path)).is_file(), link
        else:
            assert parts.fragment in page.ids, link
    assert "paper/notebooks/train-taxibj-svq.ipynb" in page.links
    assert "paper/tables/t1.md" in page.links
    assert "paper/taxibj/maps%20rmse.png" in page.links


@browser.needed
def test_in_a_browser_it_fits_and_answers_on_the_first_screen(path: Path, tmp_path: Path) -> None:
    browser.check(path, ".answer", tmp_path)


@browser.needed
def test_a_browser_sees_what_is_wrong_with_a_page(tmp_path: Path) -> None:
    page = tmp_path / "a page.html"
    page.write_text(
        '<!DOCTYPE html><p class="answer" style="margin-top: 2000px; width: 800px">An answer</p><img src="gone.png">'
        '<a href="#nowhere">A link</a><a href="gone.html">Another</a><script>console.error("so wrong")</script>'
    )
    (wide, narrow), wrong = browser.look(page, ".answer", [(1440, 900), (390, 844)], tmp_path)
    assert (wide["overflow"], narrow["overflow"]) == (0, pytest.approx(410, abs=40))
    assert wide["top"] == narrow["top"] == 2000
    assert wide["lost"] == ["nowhere"]
    assert all(words in wrong for words in ("404 /gone.png", "404 /gone.html", "so wrong"))


def test_signs_are_words_and_not_html(page: Page) -> None:
    for words in (
        "A & B",
        "<Theirs> & more",
        "a <paper>",
        "Small & <true>.",
        "T1: Is it <better>?",
        "Look & see.",
        "</pre><script>&amp;",
    ):
        assert words in page.text
    assert not page.tags["paper"]


def test_what_is_not_there_is_said(page: Page) -> None:
    for words in ("Not made yet", "Not drawn", "not noted here", "3 experiments left no journal", "scores of kth"):
        assert words in page.text


def test_provenance_says_what_the_files_hold(page: Page) -> None:
    tracked = "data.dvc tracks data , md5 abc.dir"
    for words in (tracked, "0f0f", "3 files, 1,000 bytes", "d1d1", "A & B, 2 cores, 8 GB", "0.01 hours", "torch 0.1"):
        assert words in page.text
    assert "e1e1" not in page.text  # the report's own entry is of the time before
    assert "no git repository here" in page.text


def test_simulated_data_are_called_so_everywhere_and_published_numbers_folded_away(path: Path, page: Page) -> None:
    assert all("simulated data" in heading for heading in page.headings)
    text = path.read_text(encoding="utf-8")
    assert "<summary>TaxiBJ, beside published</summary>" in text


def test_real_data_are_not_called_simulated(tmp_path: Path) -> None:
    page = Page(made(tmp_path, REAL)[0].read_text(encoding="utf-8"))
    assert not any("simulated" in heading for heading in page.headings)
    assert "Measured on the raw files" in page.text


def test_equal_inputs_are_equal_files(tmp_path: Path) -> None:
    path, results = made(tmp_path)
    first = path.read_bytes()
    assert write(results, tmp_path).read_bytes() == first


def test_provenance_of_this_repository() -> None:
    """The files as git writes them."""
    assert re.match(r"[0-9a-f]{40}(, with uncommitted changes)?$|not known", commit_of(ROOT))
    assert commit_of(ROOT / "tests").startswith("not known")


def test_settings_that_are_not_there_are_an_error(tmp_path: Path) -> None:
    results = results_folder(tmp_path, {"taxibj-none": [1.0]})
    with pytest.raises(SvqkitError, match=r"nothere\.yaml"):
        provenance(results, tmp_path / "nothere.yaml", tmp_path, tmp_path)
