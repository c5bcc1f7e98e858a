"""The numbers that the README quotes are those of results: of the record beside it, which a training here meets."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from resultsfolder import SETTINGS, gather_again, results_folder

from svqkit import evaluation
from svqkit.data.bundled import bundled_files
from svqkit.data.prepare import prepare
from svqkit.errors import SvqkitError
from svqkit.paper import readme
from svqkit.settings.params import override
from svqkit.training import loop
from svqkit.training.runs import open_run

PROJECT = Path(__file__).parents[1]
RECORD = readme.read_record(PROJECT / readme.RECORD)


def test_the_readme_shows_what_the_record_says() -> None:
    page = (PROJECT / readme.PAGE).read_text(encoding="utf-8")
    assert page == readme.with_block(page, readme.block(RECORD)), "run `make readme`, and write nothing there by hand"
    measured = readme.real_block(PROJECT / "docs/evidence")
    assert page == readme.with_block(page, measured, readme.BEGIN_REAL, readme.END_REAL)


def test_the_readme_says_how_many_models_are_trained() -> None:
    models = sum(len(experiment.seeds) for experiment in SETTINGS.experiments.values())
    page = (PROJECT / readme.PAGE).read_text(encoding="utf-8")
    assert f"trains {models} small models ({len(SETTINGS.experiments)} experiments" in page


def test_the_readme_says_of_speed_what_the_measurements_say() -> None:
    page, measured = (
        " ".join((PROJECT / path).read_text(encoding="utf-8").split()) for path in ("README.md", "docs/performance.md")
    )
    said = re.search(r"With 10,000 codes a training step.*?docs/performance\.md", page).group()
    quantities = re.findall(r"\d[\d.,]* (?:ms|s|MB|GB)\b", said)
    assert len(quantities) == 6
    assert [one for one in quantities if f" {one}" not in measured] == []


@pytest.mark.parametrize(
    "path", sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md")]), ids=lambda path: path.name
)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)[)#]", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


# --- pages made of notebooks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tour", "evidence"])
def test_the_page_on_the_web_is_the_notebook(name: str) -> None:
    """Its words and code; what they give is written by `make tour`, `make evidence`."""
    page, shown = (PROJECT / f"docs/{name}.md").read_text(encoding="utf-8"), 0
    for cell in nbformat.read(PROJECT / f"notebooks/{name}.ipynb", as_version=4).cells:
        place = page.find(cell.source.strip(), shown)
        assert place >= 0, f"run `make {name}`: docs/{name}.md lacks, or has elsewhere,\n{cell.source}"
        shown = place + len(cell.source.strip())
    pictures = {path.name for path in (PROJECT / "docs" / name).glob("*.png")}
    assert set(re.findall(rf"\]\({name}/(.*?\.png)\)", page)) == pictures


@pytest.mark.parametrize("path", sorted((PROJECT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_no_notebook_tells_results_in_its_own_words(path: Path) -> None:
    """What a clone gives is not what it gave elsewhere: a number in K, in % or with a spread comes from a cell."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    prose = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert re.findall(r"\d+\.\d+ ?(?:K\b|%|±|and)", prose) == []
    assert "when this was written" not in prose.lower()


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose runs of weather_t2m have the MSE 9, 10, 11 and, with SVQ, 12, 13; and an empty README."""
    errors = {"weather_t2m-none": [9.0, 10.0, 11.0], "weather_t2m-svq": [12.0, 13.0]}
    results = results_folder(tmp_path, errors, profile="sample")
    for name in results.runs["experiment"].unique():
        path = tmp_path / f"journal/sample/weather_t2m/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        machine = {"cpu": "Some CPU", "instructions": "AVX2", "threads": 2, "gpu": ""}
        path.write_text(json.dumps({"machine": machine, "versions": {"torch": "2.15"}, "runs": {}}))
    shutil.copytree(PROJECT / "docs/evidence", tmp_path / "docs/evidence")
    marks = [(readme.BEGIN_REAL, readme.END_REAL), (readme.BEGIN, readme.END)]
    page = "".join(f"{begin}\noutdated\n{end}\n" for begin, end in marks)
    (tmp_path / "README.md").write_text(f"Before.\n{page}After.\n", encoding="utf-8")
    (tmp_path / "params.yaml").write_text((PROJECT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    gather_again(tmp_path, SETTINGS)
    return tmp_path


def on_another_machine(project: Path, cpu: str) -> None:
    for path in (project / "journal").rglob("*.json"):
        tree = json.loads(path.read_text())
        path.write_text(json.dumps(tree | {"machine": tree["machine"] | {"cpu": cpu}}))


def test_the_table_is_written_from_results(project: Path) -> None:
    readme.main()
    page = (project / "README.md").read_text(encoding="utf-8")
    assert page.startswith("Before.\n")
    assert page.endswith("\nAfter.\n")
    assert "| SimVP | 3 | **10.00 ± 1.00** |" in re.sub(" +", " ", page)
    assert "Some CPU" in page
    assert "outdated" not in page
    readme.main()
    assert (project / "README.md").read_text(encoding="utf-8") == page, "made twice it is the same"


def test_another_machine_adds_its_scores_and_the_readme_says_how_far_they_are(project: Path) -> None:
    readme.main()
    on_another_machine(project, "Other CPU")
    scores = project / "scores/sample/weather_t2m/scores.csv"
    table = pd.read_csv(scores)
    table.loc[table["experiment"] == "weather_t2m-svq", "value"] += 0.25
    table.to_csv(scores, index=False)
    gather_again(project, SETTINGS)
    readme.main()
    page = " ".join((project / "README.md").read_text(encoding="utf-8").split())
    assert "12.75 ± 0.71" in page
    assert "SimVP 0.00, SVQ 0.25" in page
    assert "Some CPU" in page


def test_what_is_missing_is_said_and_nothing_is_written(project: Path) -> None:
    before = (project / "README.md").read_text(encoding="utf-8")
    next((project / "journal").rglob("*svq.json")).unlink()
    gather_again(project, SETTINGS)
    with pytest.raises(SvqkitError, match="weather_t2m-svq"):
        readme.main()
    assert (project / "README.md").read_text(encoding="utf-8") == before
    assert not (project / "docs/sample_scores.csv").exists()
    with pytest.raises(SvqkitError, match="must have the lines"):
        readme.with_block("A page without marks", "text")


# --- a training here -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_training_here_ends_near_the_scores_of_the_readme(tmp_path: Path) -> None:
    """Processors round differently and training amplifies that: the seed is met to 3 %, baselines to the last digit."""
    raw = tmp_path / "data"
    for file in bundled_files():
        if file.path.startswith("weather/2m_temperature/"):
            (raw / file.path).parent.mkdir(parents=True, exist_ok=True)
            content = (PROJECT / "data-store/files/md5" / file.md5[:2] / file.md5[2:]).read_bytes()
            (raw / file.path).write_bytes(content)
    chosen = SETTINGS.experiment("weather_t2m-none")
    chosen = override(chosen, {"data": {"root": str(raw / "weather")}, "seeds": [0]})
    store = prepare(chosen.data, tmp_path / "store.zarr")
    runs = [open_run(path) for path in loop.train_all(chosen, store, tmp_path / "runs", tmp_path / "states")]
    scores = evaluation.mean_over_channels(evaluation.evaluate(runs, store, tmp_path / "scores"))
    scores = scores[(scores["protocol"] == "clean") & (scores["lead"] == 0)]
    both = scores.merge(RECORD[RECORD["machine"] == RECORD["machine"].iloc[-1]], on=["experiment", "seed", "metric"])
    assert set(both["experiment"]) == {"persistence", "climatology", "weather_t2m-none"}
    away = (both["value_x"] / both["value_y"] - 1).abs()
    assert away[both["seed"] < 0].max() < 1e-4
    assert away[both["seed"] == 0].max() < 0.03
