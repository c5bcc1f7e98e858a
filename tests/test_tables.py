"""Tables: gathered results are tidy and whole, and one style writes them in every kind of text."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from htmlpage import Page
from hypothesis import given
from hypothesis import strategies as st
from resultsfolder import SETTINGS, SIMULATED, gather_again, results_folder

from svqkit import plots
from svqkit.errors import SvqkitError
from svqkit.evaluation import read_windows
from svqkit.evaluation.significance import compare
from svqkit.paper import gather, published
from svqkit.paper.costs import COLUMNS
from svqkit.paper.gathered import Results
from svqkit.plots import table
from svqkit.settings.params import override

ROOT = Path(__file__).parents[1]
T2M = "weather_t2m"
ERRORS = {
    f"{T2M}-none": [1.0, 1.2],
    f"{T2M}-svq": [0.9, 1.1],
    f"{T2M}-svq_frozen": [0.8],
    f"{T2M}-svq-k16": [1.3],
    f"{T2M}-svq_frozen-k16": [1.4],
    f"{T2M}-svq-init_kaiming": [1.5],
    f"{T2M}-svq-loss_mse": [1.6],
    f"{T2M}-swin-none": [2.0],
    f"{T2M}-swin-svq": [1.0],
    f"{T2M}-vit-none": [4.0],
    f"{T2M}-vit-svq": [3.0],
    f"{T2M}-none-noise10": [2.0],
    f"{T2M}-svq-noise10": [1.8],
    f"{T2M}-vq": [1.7],
    f"{T2M}-vq-after_translator": [2.7],
    f"{T2M}-mlp": [0.7],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def results(root: Path) -> Results:
    """Results of simulated weather_t2m only, as somebody with one dataset has them."""
    measures = {"perplexity": {f"{T2M}-svq": [3.0, 5.0]}, "codes": {f"{T2M}-svq": [250, 250]}}
    steps = ((f"{T2M}-none", "none", 0.1), (f"{T2M}-svq", "folded", 0.11), (f"{T2M}-svq", "plain", 0.2))
    costs = pd.DataFrame(steps, columns=["experiment", "form", "step_seconds"])
    costs = costs.assign(dataset=T2M, translator="gsta", codebook_size=0, parameters=1000, machine="a CPU")
    costs = costs.assign(batch_size=1, frame_shape="1 × 4 × 8").reindex(columns=list(COLUMNS))
    results_folder(root, ERRORS, SIMULATED, measures=measures, costs=costs, profile="sample")
    path = root / "scores/sample" / T2M / "scores.csv"
    clean = pd.read_csv(path)
    pd.concat([clean, clean.assign(protocol="paper")]).to_csv(path, index=False)
    return gather_again(root, SETTINGS)


# --- what is gathered ----------------------------------------------------------------------------------------------


def test_runs_say_what_is_known_of_each(results: Results) -> None:
    runs = results.runs.set_index(["experiment", "seed"])
    assert len(runs) == sum(map(len, ERRORS.values()))
    frozen = runs.loc[(f"{T2M}-svq_frozen", 0)]
    assert (frozen["kind"], frozen["label"], frozen["base"]) == ("svq_frozen", "SVQ frozen", f"{T2M}-none")
    assert frozen["differs"] == "learnable: no"
    assert runs.loc[(f"{T2M}-svq", 1), "perplexity"] == 5
    assert runs.loc[(f"{T2M}-svq", 0), "step_seconds"] == 0.11
    assert runs.loc[(f"{T2M}-swin-svq", 0), "base"] == f"{T2M}-swin-none"
    assert runs.loc[(f"{T2M}-svq-noise10", 0), "base"] == f"{T2M}-none-noise10"
    assert runs.loc[(f"{T2M}-svq-noise10", 0), "noise"] == 0.1
    assert runs["simulated"].all()
    assert set(results.scores["unit"]) == {"K", "K²"}


def test_every_pair_that_is_compared_is_tested_once(results: Results, root: Path) -> None:
    found = (
        results.changes.query("metric == 'mse'").groupby("against")[["experiment", "base"]].agg(list).to_dict("index")
    )
    pairs = {against: set(zip(*row.values(), strict=True)) for against, row in found.items()}
    named = lambda *names: tuple(f"{T2M}-{name}" for name in names)  # noqa: E731
    assert named("vq", "none") in pairs["base"]
    assert named("swin-svq", "swin-none") in pairs["base"]
    assert pairs["svq"] == {named("svq_frozen", "svq"), named("svq-init_kaiming", "svq")}
    assert pairs["frozen"] == {named("svq", "svq_frozen"), named("svq-k16", "svq_frozen-k16")}
    assert named("svq", "svq-k16") in pairs["smaller"]
    assert pairs["before"] == {named("vq-after_translator", "vq")}
    assert {named("svq", "mlp"), named("svq", "vq"), named("svq", "svq-loss_mse")} <= pairs["rival"]
    row = results.changes.query(f"experiment == '{T2M}-svq' and against == 'base' and metric == 'mae'").iloc[0]
    tested = compare(read_windows(root / "scores/sample" / T2M), *named("svq", "none"), "mae")
    assert tuple(row[["relative", "low", "high", "p_value"]]) == (
        tested.relative, tested.low, tested.high, tested.p_value
    )  # fmt: skip


def test_equal_results_are_equal_files(results: Results, root: Path) -> None:
    paths = sorted((root / "results/sample").glob("*.parquet"))
    before = [path.read_bytes() for path in paths]
    gather_again(root, SETTINGS)
    assert [path.stem for path in paths] == ["changes", "costs", "runs", "scores"]
    assert [path.read_bytes() for path in paths] == before


def test_variables_without_scores_of_their_own_are_means_over_levels(tmp_path: Path) -> None:
    results_folder(tmp_path, {"weather_mv-none": [1.0]}, profile="sample")
    folder = tmp_path / "scores/sample/weather_mv"
    rows = [
        {"experiment": "weather_mv-none", "seed": 0, "protocol": "clean", "channel": f"t_{level}", "metric": metric,
         "lead": 0, "value": value}
        for level, value in ((500, 1.0), (850, 7.0)) for metric in ("mae", "rmse")
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "scores.csv", index=False)
    channels = {"channel": ["t_500", "t_850"], "unit": ("channel", ["K", "K"]), "lead": [6]}
    xr.Dataset(coords=channels, attrs={"data": "ERA5", "windows": 9}).to_netcdf(folder / "errors/persistence.nc")
    found = gather_again(tmp_path, SETTINGS).scores.query("channel == 't'")
    assert dict(zip(found["metric"], found["value"], strict=True)) == {"mae": 4.0, "rmse": 5.0}


def test_without_scores_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match="dvc repro"):
        gather.gather(SETTINGS, scores=tmp_path, results=tmp_path / "results")
    with pytest.raises(SvqkitError, match="dvc repro gather"):
        Results.read("sample", tmp_path)


def test_differences_are_those_of_settings() -> None:
    svq = SETTINGS.experiment(f"{T2M}-svq")
    changed = override(svq, {"model": {"noise": 0.2}, "quantizer": {"init": "xavier", "learnable": False}})
    assert gather.differences(svq, svq) == ""
    assert gather.differences(changed, svq) == "noise: 0.2, learnable: no, init: xavier"
    other = gather.differences(override(svq, {"quantizer": {"name": "vq"}}), svq)
    assert other == "quantizer: vq, decay: 0.8, commitment_weight: 1.0"


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=9))
def test_the_largest_rise_is_its_definition(losses: list[float]) -> None:
    rises = [losses[t] / min(losses[: t + 1]) - 1 for t in range(len(losses))]
    assert gather.largest_rise(pd.Series(losses)) == pytest.approx(max(rises))
    assert gather.largest_rise(pd.Series([*losses, np.nan])) == np.inf


# --- cells and their style -----------------------------------------------------------------------------------------


def numbers(**columns: object) -> pd.DataFrame:
    """Three models, the second with two seeds, the last a baseline."""
    rows = [("kth-none", 0, 2.0), ("kth-svq", 0, 1.0), ("kth-svq", 1, 2.0), ("persistence", -1, 3.0)]
    frame = pd.DataFrame(rows, columns=["experiment", "seed", "value"])
    return frame.assign(**({"dataset": "kth", "metric": "mse", "unit": "K²"} | columns))


def shown(cells: pd.DataFrame) -> pd.DataFrame:
    """A table as text, with its marks."""
    return table.Section("kth", cells, []).written(str, "*{}*", "_{}_")


def test_a_cell_is_the_mean_over_seeds_with_their_spread() -> None:
    cells = plots.measured(numbers(folder="runs/kth-svq/seed0")).query("kind == 'measured'").set_index("row")
    assert cells["value"].to_dict() == {"SimVP": 2.0, "SVQ": 1.5, "Persistence": 3.0}
    assert cells["std"]["SVQ"] == pytest.approx(0.5**0.5)
    assert cells["seeds"].to_dict() == {"SimVP": 1, "SVQ": 2, "Persistence": 0}
    assert set(cells["folder"]) == {"runs/kth-svq"}
    assert shown(plots.measured(numbers())).to_dict("index") == {
        "SimVP": {"Seeds": "1", "MSE [K²] ↓": "_2.000_"},
        "SVQ": {"Seeds": "2", "MSE [K²] ↓": "*1.500 ± 0.707*"},
        "Persistence": {"Seeds": "", "MSE [K²] ↓": "3.000"},
    }


def test_two_numbers_for_one_place_are_an_error() -> None:
    with pytest.raises(SvqkitError, match=r"kth-svq.*twice"):
        plots.measured(pd.concat([numbers(), numbers().iloc[1:2]]))
    with pytest.raises(SvqkitError, match="metric"):
        plots.measured(numbers().drop(columns="metric"))


@pytest.mark.parametrize(
    ("metric", "values", "marked"),
    [
        ("mse", [1.5, 2.0, 3.0, 4.0], ["*1.500*", "_2.000_", "3.000", "4.000"]),
        ("acc", [0.1, 0.2, 0.3, 0.3], ["0.1000", "_0.2000_", "*0.3000*", "*0.3000*"]),
        ("mae_original", [1.0, 1.5, 1.5, 2.0], ["*1.000*", "_1.500_", "_1.500_", "2.000"]),
        ("perplexity", [1.0, 2.0, 3.0, 4.0], ["1", "2", "3", "4"]),  # none is better
        ("mse", [2.0, 2.0, 2.0, 2.0], ["2", "2", "2", "2"]),
        ("psnr", [np.inf, 25.5, 24.0, 23.0], ["*∞*", "_25.50_", "24.00", "23.00"]),
    ],
)
def test_the_two_best_are_marked_in_each_direction(metric: str, values: list[float], marked: list[str]) -> None:
    frame = pd.DataFrame({"experiment": [*"abcd"], "seed": -1, "dataset": "kth", "metric": metric, "value": values})
    assert shown(plots.measured(frame)).iloc[:, 0].tolist() == marked


def test_published_numbers_are_named_by_their_source_and_never_ranked() -> None:
    theirs = pd.DataFrame(
        {"row": ["SVQ", "Theirs", "SVQ"], "metric": "mse", "value": [0.1, 0.2, 0.3], "source": [*"aba"]}
    )
    cells = pd.concat([plots.measured(numbers()), plots.published_cells(theirs, "kth", "MSE, published")])
    texts = table.Section("kth", cells, ["a", "b"]).written(str, "*{}*", "_{}_")["MSE, published"]
    assert texts.to_dict() == {"SimVP": "", "SVQ": "0.1 [1], 0.3 [1]", "Persistence": "", "Theirs": "0.2 [2]"}


def test_a_change_that_is_there_twice_is_shown_once() -> None:
    change = {"experiment": "kth-svq", "base": "kth-none", "metric": "mse", "relative": -0.5, "low": -0.6, "high": -0.4}
    changes = pd.DataFrame([change | {"p_value": 0.004, "seeds": 1, "windows": 9, "label": "SVQ"}] * 2)
    texts = shown(plots.changed(changes, "kth"))
    assert texts.to_dict("index") == {"SVQ": {"MSE against SimVP": "−50.0 % [−60.0, −40.0], p = 0.004"}}


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((-0.1234, -0.15, -0.091, 0.004), "−12.3 % [−15.0, −9.1], p = 0.004"),
        ((0.0001, -0.0004, 0.02, 0.0001), "0.0 % [0.0, +2.0], p < 0.001"),
        ((0.5,), "+50.0 %"),
    ],
)
def test_changes_in_words(numbers: tuple[float, ...], text: str) -> None:
    assert table.change_text(*numbers) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.5e-7, 2.5e-7], "2.000e-07 ± 7.1e-08"),
        ([1e7 + 0.5, 1e7], "1.000e+07 ± 3.5e-01"),
        ([0.00123, 0.00123], "0.001230"),
    ],
)
def test_numbers_of_any_size_are_readable(values: list[float], text: str) -> None:
    frame = pd.DataFrame({"experiment": "a", "seed": [0, 1], "dataset": "kth", "metric": "mse", "value": values})
    assert shown(plots.measured(frame)).iloc[0, -1] == text


def test_rows_of_unlike_units_are_ranked_and_rounded_by_themselves() -> None:
    rows = [("z [m]", "A", 1234.4), ("z [m]", "B", 1300.6), ("q", "A", 0.0025), ("q", "B", 0.0012)]
    frame = pd.DataFrame(rows, columns=["row", "label", "value"]).assign(
        experiment=lambda part: part["label"], seed=-1, metric="mae", dataset="w"
    )
    texts = shown(plots.measured(frame, row="row", extra="label", alike="row"))
    assert texts.loc["z [m]"].tolist() == ["*1234*", "_1301_"]
    assert texts.loc["q"].tolist() == ["_0.002500_", "*0.001200*"]


def test_means_are_over_models_that_have_both_forms() -> None:
    rows = [("a", "X", "SVQ", 1.0), ("a", "X", "SimVP", 2.0), ("b", "X", "SVQ", 3.0), ("b", "X", "SimVP", 4.0),
            ("c", "X", "SimVP", 9.0), ("d", "Y", "SVQ", 1.0), ("d", "Y", "SimVP", 1.0)]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["row", "family", "which", "value"]).assign(dataset="w", metric="mse", unit="K²")
    cells = plots.means_over(frame.assign(experiment="e", seed=0), "family", "SimVP", "SVQ")
    assert cells["row"].unique().tolist() == ["X, mean of 2"]
    assert dict(zip(cells["heading"], cells["value"], strict=True)) == {
        "MSE, SimVP [K²] ↓": 3.0, "MSE, SVQ [K²] ↓": 2.0, "MSE against SimVP": -0.375
    }  # fmt: skip


NASTY = "<b>&amp; 50% of $x^2$ {#} \\ ~ a_b | `c` [d](e) *f*\n# g"


def test_all_kinds_of_text_say_the_same_whatever_the_words(tmp_path: Path) -> None:
    cells = plots.measured(numbers(label=NASTY).iloc[1:3]).assign(notebook="train x.ipynb")
    other = plots.measured(numbers(label="[*] other").iloc[:1])
    plots.show_table(pd.concat([cells, other]), NASTY, tmp_path / "new" / "t1", [NASTY])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["t1.csv", "t1.html", "t1.md", "t1.tex"]
    again = pd.read_csv(tmp_path / "new/t1.csv")
    assert again["value"].dropna().tolist() == [1.5, 2.0]
    page = Page((tmp_path / "new/t1.html").read_text(encoding="utf-8"))
    assert [row[1:] for row in page.rows] == [["Seeds", "MSE [K²]\xa0↓"], ["2", "1.500\xa0±\xa00.707"], ["1", "2.000"]]
    assert " ".join(NASTY.split()) in page.text
    assert page.links == ["../notebooks/train%20x.ipynb"]
    latex = (tmp_path / "new/t1.tex").read_text(encoding="utf-8")
    assert not re.search(r"(?<!\\)[#%_~]|(?<!\\)&(?! )|\n\[|[^\x00-\x7f]", latex.replace(" & ", " "))
    assert latex.count(r"\begin{tabular}") == latex.count(r"\toprule") == latex.count(r"\end{table*}") == 1
    lines = [line for line in (tmp_path / "new/t1.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert len({len(re.split(r"(?<!\\)\|", line)) for line in lines}) == 1


def test_no_latex_table_is_wider_than_a_page(tmp_path: Path) -> None:
    frames = [numbers(metric=f"a long name of a number, the {count}th") for count in range(12)]
    cells = pd.concat([plots.measured(pd.concat(frames)), plots.words(plots.measured(numbers()), "Words", "row")])
    cells.loc[cells["heading"] == "Words", "text"] = "many words " * 30
    plots.show_table(cells, "Wide", tmp_path / "wide")
    tabulars = (tmp_path / "wide.tex").read_text().split(r"\begin{tabular}")[1:]
    assert len(tabulars) > 2
    for text in tabulars:
        rows = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if " & " in line]
        layout = re.match(r"\{l(.*)\}", text.splitlines()[0])[1]
        paragraphs = layout.count("p{")
        widest = [max(table.text_width(cell) for cell in column) for column in zip(*rows, strict=True)]
        assert sum(sorted(widest)[: len(widest) - paragraphs]) + 130 * paragraphs + 6 * len(widest) <= 506


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex with booktabs")
def test_latex_sets_every_table_within_its_pages(tmp_path: Path) -> None:
    names = ("mse", "a longer name " * 3)
    frames = [numbers(experiment=f"e{row}", label=f"{NASTY} {row}", metric=name) for row in range(70) for name in names]
    cells = plots.measured(pd.concat(frames).drop_duplicates(["experiment", "metric"]))
    words = plots.words(cells.drop_duplicates("row"), "Words", "row").assign(text="many words " * 12)
    plots.show_table(pd.concat([cells, words]), NASTY, tmp_path / "long")
    start = r"\documentclass[twocolumn]{article}\usepackage[textwidth=506pt]{geometry}\usepackage{booktabs}"
    (tmp_path / "page.tex").write_text(start + r"\begin{document}\input{long.tex}\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="latin-1")
    assert ended.returncode == 0, ended.stdout
    assert not re.findall("Overfull.*|.*Float too large.*", ended.stdout)


def test_a_table_of_nothing_says_so_in_one_line(tmp_path: Path) -> None:
    plots.show_table(pd.DataFrame(), "T5. Parts", tmp_path / "t5")
    assert "Nothing was measured for it." in (tmp_path / "t5.md").read_text()
    assert "Nothing was measured for it." in (tmp_path / "t5.html").read_text()


# --- beside published numbers --------------------------------------------------------------------------------------


def under_paper(results: Results, **changes: object) -> pd.DataFrame:
    scores = results.scores.query("protocol == 'paper'")
    return scores.merge(results.runs, on=["dataset", "experiment", "seed"]).assign(**changes)


def test_published_methods_stand_in_the_rows_of_our_models(results: Results) -> None:
    cells = published.beside(under_paper(results), ["mse", "mae"])
    theirs = cells[(cells["heading"] == "MSE, published")]
    rows = {(row.row, row.value) for row in theirs.itertuples()}
    assert {("SimVP", 1.105), ("SVQ", 1.018), ("SVQ frozen", 1.023), ("VQ", 1.854), ("ConvLSTM", 1.521)} <= rows
    assert ("PredFormer Fac-T-S, 50 epochs, 5.3 M parameters", 1.1) in rows
    assert 1.025 not in theirs["value"].tolist(), "the best of several samples compares with no forecast"
    assert ("SimVP+Residual VQ", 1.213) not in rows  # we have no such quantizer: another table shows it
    assert theirs["source"].ne("").all()
    assert set(cells["section"]) == {f"{T2M}, beside published"}
    alone = published.beside(under_paper(results), ["mse"], others=False)
    assert set(alone["row"]) <= set(results.runs["label"])


def test_scores_of_other_lengths_do_not_compare(results: Results) -> None:
    assert published.beside(under_paper(results, frames_out=24), ["mse"]).empty


def test_what_is_doubtful_or_no_score_is_in_a_note(results: Results) -> None:
    notes = " ".join(published.notes(["kth"]))
    assert "27.37" in notes
    assert "lpips change percent -17.3" in notes
    assert "27.37" not in " ".join(published.notes([T2M]))


# --- the notebook --------------------------------------------------------------------------------------------------


@pytest.fixture
def tables_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], dict[str, str]]:
    """What the notebook writes from results in a folder: Markdown by the name of the table."""
    monkeypatch.setattr("svqkit.pipeline.start_notebook", lambda: None)

    def make(root: Path) -> dict[str, str]:
        given = {"profile": "sample", "results": str(root / "results"), "reports": str(tmp_path / "reports")}
        known: dict[str, object] = {}
        for cell in nbformat.read(ROOT / "notebooks/tables.ipynb", as_version=4).cells:
            if cell.cell_type == "code":
                assert len(cell.source.splitlines()) <= 15 or "start_notebook" in cell.source
                exec(cell.source, known)
                known |= given if "parameters" in cell.metadata.get("tags", []) else {}
        made = (tmp_path / "reports/sample/tables").glob("*.md")
        return {path.stem: path.read_text(encoding="utf-8") for path in made}

    return make


def test_the_notebook_makes_all_tables_of_one_dataset(
    results: Results, root: Path, tmp_path: Path, tables_of: Callable[[Path], dict[str, str]]
) -> None:
    made = tables_of(root)
    assert set(made) == {f"t{number}" for number in range(1, 10)}
    assert {key for key, text in made.items() if "Nothing was measured" in text} == {"t2"}
    words = {"t1": "MSE against SimVP", "t3": "Transformer, mean of 2", "t4": "Perplexity", "t6": "K = 16",
             "t7": "10 % noise", "t8": "init: kaiming", "t9": "+10.0 %"}  # fmt: skip
    assert {key for key, said in words.items() if said not in made[key]} == set()
    folder = tmp_path / "reports/sample/tables"
    numbers = pd.read_csv(folder / "t1.csv").query("kind == 'measured'")
    assert numbers["folder"].str.startswith(str(root)).all()
    assert "<details>" in (folder / "t1.html").read_text()  # published numbers do not compare: they are folded away


def test_a_table_that_nothing_was_measured_for_keeps_no_other_from_being_made(
    tmp_path: Path, tables_of: Callable[[Path], dict[str, str]]
) -> None:
    results_folder(tmp_path, {"taxibj-none": [1.0]}, profile="sample")
    made = tables_of(tmp_path)
    assert {key for key, text in made.items() if "Nothing was measured" not in text} == {"t2"}
    assert len(made) == 9
