"""The paper's tables: right numbers, each linked to its run, published ones apart, in four kinds of text."""

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from htmlpage import Page
from hypothesis import given
from hypothesis import strategies as st
from resultsfolder import window_errors

from svqkit.errors import SvqkitError
from svqkit.paper import __main__ as command
from svqkit.paper import selection
from svqkit.paper.results import Results
from svqkit.paper.tables import TABLES, make, write
from svqkit.paper.tables.formats import change_text, html, latex, link_from, markdown, tidy
from svqkit.paper.tables.sections import Measured
from svqkit.paper.tables.table import Cell, Change, Column, Number, Published, Row, Section, Table, Words, section
from svqkit.settings.params import Experiment, load_params

PARAMS = """
profile: sample
datasets:
  weather_t2m: {source: weather, root: data, variables: [t2m], hours_per_frame: 1, frames_in: 12, frames_out: 12}
  weather_mv: {source: weather, root: data, variables: [r, t], levels: [500, 850], hours_per_frame: 6, frames_in: 4,
    frames_out: 4, paper_offsets: {inputs: [-17, -11, -5, 0], targets: [1, 7, 13, 19]}}
  kth: {source: kth, root: data, size: [64, 64], frames_in: 10, frames_out: 20}
profiles:
  sample:
    weather_t2m: &weather
      data: {train: ["2010", "2010"], validation: ["2011", "2011"], test: ["2012", "2012"]}
      model: {translator: gsta, hid_S: 8, hid_T: 48, N_T: 2, drop_path: 0.0}
      quantizers: {svq: {codebook_size: 16, hidden_dim: 8}, vq: {codebook_size: 8}}
      training: {epochs: 2, warmup_epochs: 0}
    weather_mv: *weather
    kth:
      data: {}
      model: {translator: incepu, hid_S: 8, hid_T: 48, N_T: 2}
      quantizers: {svq: {codebook_size: 16, hidden_dim: 8}}
      training: {epochs: 2, warmup_epochs: 0}
experiments:
  weather_t2m-none: {dataset: weather_t2m, seeds: [0, 1], studies: [main, translators, noise, quantizers, controls]}
  weather_t2m-svq:
    {dataset: weather_t2m, quantizer: {name: svq}, seeds: [0, 1],
    studies: [main, translators, noise, quantizers, controls, parts, init, codebook_size]}
  weather_t2m-svq_frozen:
    {dataset: weather_t2m, quantizer: {name: svq, learnable: false}, studies: [main, parts, codebook_size]}
  weather_t2m-swin-none: {dataset: weather_t2m, model: {translator: swin}, studies: [translators]}
  weather_t2m-swin-svq:
    {dataset: weather_t2m, model: {translator: swin}, quantizer: {name: svq}, studies: [translators]}
  weather_t2m-vit-none: {dataset: weather_t2m, model: {translator: vit}, studies: [translators]}
  weather_t2m-vit-svq: {dataset: weather_t2m, model: {translator: vit}, quantizer: {name: svq}, studies: [translators]}
  weather_t2m-tau-none: {dataset: weather_t2m, model: {translator: tau}, studies: [translators]}
  weather_t2m-none-noise25: {dataset: weather_t2m, model: {noise: 0.25}, studies: [noise]}
  weather_t2m-svq-noise25: {dataset: weather_t2m, model: {noise: 0.25}, quantizer: {name: svq}, studies: [noise]}
  weather_t2m-vq: {dataset: weather_t2m, quantizer: {name: vq}, studies: [quantizers]}
  weather_t2m-mine: {dataset: weather_t2m, quantizer: {name: mlp, hidden_dim: 5}, studies: [controls]}
  weather_t2m-svq-after_translator:
    {dataset: weather_t2m, model: {quantize_after_translator: true}, quantizer: {name: svq}, studies: [parts]}
  weather_t2m-svq-frozen_projection:
    {dataset: weather_t2m, quantizer: {name: svq, learnable_projection: false}, studies: [parts]}
  weather_t2m-svq-init_xavier: {dataset: weather_t2m, quantizer: {name: svq, init: xavier}, studies: [init]}
  weather_t2m-svq-k123: {dataset: weather_t2m, quantizer: {name: svq, codebook_size: 123}, studies: [codebook_size]}
  weather_t2m-svq_frozen-k123:
    {dataset: weather_t2m, quantizer: {name: svq, learnable: false, codebook_size: 123}, studies: [codebook_size]}
  weather_mv-none: {dataset: weather_mv}
  weather_mv-svq: {dataset: weather_mv, quantizer: {name: svq}}
  weather_mv-svq-protocol_paper: {dataset: weather_mv, quantizer: {name: svq}, protocol: paper, studies: [published]}
  kth-none: {dataset: kth}
  kth-svq: {dataset: kth, quantizer: {name: svq}}
"""
CHANNELS = {
    "weather_t2m": {"t2m": "K"},
    "weather_mv": {"r_500": "%", "r_850": "%", "t_500": "K", "t_850": "K"},
    "kth": {"0": ""},
}
WINDOWS = 40


@dataclass(frozen=True, eq=False)
class Sample(Results):
    """Results whose runs are taken from the settings: tables read nothing else of a run."""

    def runs(self, dataset: str, study: str | None = None) -> list:
        scored = set(self.scores.loc[self.scores["dataset"] == dataset, "experiment"])
        return [
            SimpleNamespace(experiment=experiment, seed=seed)
            for experiment in self.settings.of_dataset(dataset)
            if experiment.name in scored and (study is None or study in experiment.studies)
            for seed in experiment.seeds
        ]


def mse(experiment: str, seed: int, protocol: str = "clean") -> float:
    """The score that the sample gives a run: a function of its name, so that no table can know it otherwise."""
    return 2 + sum(map(ord, experiment)) % 97 / 50 + 0.25 * seed + 0.5 * (protocol == "paper")


def make_results(root: Path, datasets: Sequence[str] = tuple(CHANNELS), title: str = "Simulated, for a test") -> Sample:
    """Results of all experiments of PARAMS on some datasets, as the pipeline would have written them."""
    (root / "params.yaml").write_text(PARAMS, encoding="utf-8")
    settings = load_params(root / "params.yaml")
    for dataset in datasets:
        _write_scores(root / "scores" / "sample" / dataset, settings.of_dataset(dataset), dataset, title)
    return Sample(settings, root / "runs", root / "scores", root / "costs.csv", root / "reports")


def _write_scores(folder: Path, experiments: list[Experiment], dataset: str, title: str) -> None:
    (folder / "errors").mkdir(parents=True)
    who = [("persistence", -1)] + [(experiment.name, seed) for experiment in experiments for seed in experiment.seeds]
    rows = [
        (name, seed, protocol, channel, metric, 0, value)
        for name, seed in who
        for protocol in ("clean", "paper")
        for channel, metric, value in _values(dataset, mse(name, seed, protocol))
    ]
    rows += [("persistence", -1, "clean", "mean", "mse", 6, 99.0)]  # another lead time, which no table shows
    columns = ["experiment", "seed", "protocol", "channel", "metric", "lead", "value"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "scores.csv", index=False)
    measures = [
        (experiment.name, seed, metric, value)
        for experiment in experiments
        for seed in experiment.seeds
        if experiment.quantizer.name in ("svq", "vq")
        for metric, value in (("codes", 16.0), ("perplexity", 3.5), ("dead_codes", 4.0))
    ]
    pd.DataFrame(measures, columns=["experiment", "seed", "metric", "value"]).to_csv(
        folder / "codebook.csv", index=False
    )
    notes = {"lpips": "LPIPS needs a file"} if dataset == "kth" else {}
    (folder / "notes.json").write_text(json.dumps(notes), encoding="utf-8")
    names, units = list(CHANNELS[dataset]), list(CHANNELS[dataset].values())
    rmse = xr.DataArray(np.ones(len(names)), dims="channel", attrs={"units": ", ".join(dict.fromkeys(units))})
    coordinates = {"channel": names, "unit": ("channel", units)}
    attributes = {"windows": WINDOWS, "data": title, "original_units": ""}
    xr.Dataset({"rmse": rmse}, coordinates, attributes).to_netcdf(folder / "errors" / "persistence.nc")
    draw = np.random.default_rng(0).uniform(0.5, 1.5, WINDOWS)
    errors = np.outer([mse(*run) for run in who], draw / draw.mean()).astype(np.float32)
    window_errors(who, errors, kind="grid", frames_per_window=2, data=title).to_netcdf(folder / "windows.nc")


def _values(dataset: str, error: float) -> list[tuple[str, str, float]]:
    """Channel, metric and value of one run's scores."""
    if dataset == "kth":
        return [("mean", metric, error) for metric in ("mse", "mae", "ssim", "ssim_published", "psnr")] + [
            ("mean", "lpips", math.nan)
        ]
    found = [("mean", metric, error) for metric in ("mse", "mae", "rmse", "wrmse", "acc")]
    for number, channel in enumerate(CHANNELS[dataset], 1):
        found += [(channel, metric, number * error) for metric in ("mse", "mae", "rmse", "wrmse", "acc")]
    return found


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """All datasets of PARAMS."""
    return make_results(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def tables(results: Sample) -> dict[str, Table]:
    """Every table but T9, which costs make."""
    return {key: make(key, results) for key in TABLES if key != "t9"}


def part(table: Table, title: str) -> Section:
    """The section of that title."""
    (found,) = (entry for entry in table.sections if entry.title == title)
    return found


def row(table: Table, title: str, name: str) -> dict[str, Cell]:
    """The cells of a row."""
    (found,) = (row for row in part(table, title).rows if row.name == name)
    return dict(found.cells)


# ---- what stands in the tables


def test_a_score_is_the_mean_over_seeds_with_their_spread_and_folder(tables: dict[str, Table], results: Sample) -> None:
    cell = row(tables["t1"], "weather_t2m", "SVQ")["mse"]
    first, second = mse("weather_t2m-svq", 0), mse("weather_t2m-svq", 1)
    assert isinstance(cell, Number)
    assert cell.mean == pytest.approx((first + second) / 2)
    assert cell.std == pytest.approx(abs(first - second) / math.sqrt(2))
    assert (cell.seeds, cell.link) == (2, results.run_link("weather_t2m-svq"))
    alone = row(tables["t1"], "weather_t2m", "SVQ frozen")["mse"]
    assert (alone.std, alone.seeds) == (None, 1)
    baseline = row(tables["t1"], "weather_t2m", "Persistence")["mse"]
    assert baseline.mean == pytest.approx(mse("persistence", -1)), "not of another lead time"
    assert baseline.link == results.folder("weather_t2m").as_posix()


def test_every_number_of_ours_says_what_it_was_made_from(tables: dict[str, Table], results: Sample) -> None:
    names = {results.run_link(name): name for name in results.settings.experiments}
    for table in tables.values():
        measured = tidy(table).query("kind == 'measured'")
        assert len(measured)
        assert set(measured["link"]) <= {
            *names,
            *(results.folder(dataset).as_posix() for dataset in results.datasets),
            *((results.runs_root / "sample" / dataset).as_posix() for dataset in results.datasets),
        }
        plain = measured[(measured["column"] == "mse") & measured["link"].isin(names)]
        for link, value, seeds in zip(plain["link"], plain["value"], plain["seeds"], strict=True):
            expected = [mse(names[link], seed) for seed in range(seeds)]
            assert value == pytest.approx(np.mean(expected))


def test_changes_are_of_the_means_and_against_the_base(tables: dict[str, Table]) -> None:
    cell = row(tables["t1"], "weather_t2m", "SVQ")["mse_change"]
    ours, base = (np.mean([mse(f"weather_t2m-{name}", seed) for seed in (0, 1)]) for name in ("svq", "none"))
    assert isinstance(cell, Change)
    assert cell.relative == pytest.approx(ours / base - 1, abs=1e-5)
    assert (cell.base, cell.seeds, cell.windows) == ("weather_t2m-none", 2, WINDOWS)
    assert cell.low <= cell.relative <= cell.high
    one_pair = row(tables["t1"], "weather_t2m", "SVQ frozen")["mse_change"]
    assert one_pair.seeds == 1
    assert one_pair.relative == pytest.approx(
        mse("weather_t2m-svq_frozen", 0) / mse("weather_t2m-none", 0) - 1, abs=1e-5
    )
    assert "mse_change" not in row(tables["t1"], "weather_t2m", "SimVP")


def test_the_best_of_ours_is_marked_and_nothing_published(tables: dict[str, Table]) -> None:
    for table in tables.values():
        frame = tidy(table)
        assert set(frame.loc[frame["kind"] != "measured", "mark"].dropna()) == set()
    cells = [row.cells["mse"] for row in part(tables["t1"], "weather_t2m").rows]
    order = sorted(cells, key=lambda cell: cell.mean)
    assert [cell.mark for cell in order] == ["best", "second"] + [""] * (len(cells) - 2)
    accuracy = [row.cells["acc"] for row in part(tables["t1"], "weather_t2m").rows]
    assert max(accuracy, key=lambda cell: cell.mean).mark == "best"


def test_beside_published_numbers_stand_only_models_trained_on_the_published_windows(tables: dict[str, Table]) -> None:
    """Those of weather_mv have frames of other hours than those of protocol clean."""
    beside = part(tables["t1"], "weather_mv, mean over channels, beside published")
    ours = {row.name for row in beside.rows if "mean_mse_paper" in row.cells}
    assert ours == {"Persistence", "SVQ, trained under protocol paper"}
    cell = row(tables["t1"], beside.title, "SVQ, trained under protocol paper")["mean_mse_paper"]
    assert cell.mean == pytest.approx(mse("weather_mv-svq-protocol_paper", 0, "paper"))
    assert any("SimVP, SVQ" in note for note in beside.notes), "which say who was left out"
    main = {row.name for row in part(tables["t1"], "weather_mv, mean over channels").rows}
    assert main == {"Persistence", "SimVP", "SVQ"}
    of_t2m = {row.name for row in part(tables["t1"], "weather_t2m, beside published").rows}
    assert {"SimVP", "SVQ", "SVQ frozen"} <= of_t2m, "whose windows are the same"


def test_published_numbers_stand_in_columns_of_their_own(tables: dict[str, Table]) -> None:
    title = "weather_t2m, beside published"
    base = row(tables["t1"], title, "SimVP")
    assert base["mean_mse_paper"].mean == pytest.approx(np.mean([mse("weather_t2m-none", s, "paper") for s in (0, 1)]))
    assert [value for value, _ in base["mean_mse_published"].quotes] == [1.105, 1.105]
    assert row(tables["t1"], title, "SVQ frozen")["mean_mse_published"].quotes[0][0] == 1.023
    rival = row(tables["t1"], title, "ConvLSTM")
    assert {type(cell) for cell in rival.values()} == {Published}
    assert "SimVP+VQ" not in {row.name for row in part(tables["t1"], title).rows}, "T4 has it"
    measures = row(tables["t4"], "weather_t2m", "VQ")
    assert (measures["perplexity"].mean, measures["dead_codes"].mean, measures["perplexity"].mark) == (3.5, 4.0, "")
    assert row(tables["t4"], title, "VQ")["mean_mse_published"].quotes[0][0] == 1.854
    for table in tables.values():
        for column, kinds in tidy(table).groupby("column")["kind"]:
            ours = column == "ssim_published" or not column.endswith("_published")
            assert (set(kinds) != {"published"}) == ours, column
            assert "published" not in set(kinds) or not ours, column


def test_doubtful_numbers_are_in_a_note_only(tables: dict[str, Table]) -> None:
    frame = tidy(tables["t2"])
    assert not frame["source"].str.contains("check before use", na=False).any()
    assert any(
        "27.37" in note and "check before use" in note for note in part(tables["t2"], "kth, beside published").notes
    )


def test_a_metric_that_nobody_has_is_left_out_with_the_reason(tables: dict[str, Table]) -> None:
    kth = part(tables["t2"], "kth")
    assert [column.key for column in kth.columns][:6] == ["seeds", "mse", "mae", "ssim", "ssim_published", "psnr"]
    assert "LPIPS needs a file" in kth.notes


def test_variables_are_the_mean_over_levels_before_the_root(tables: dict[str, Table]) -> None:
    error = mse("weather_mv-svq", 0)
    absolute = row(tables["t1"], "weather_mv, MAE of each variable over its levels", "t [K]")["weather_mv-svq"]
    squared = row(tables["t1"], "weather_mv, RMSE of each variable over its levels", "r [%]")["weather_mv-svq"]
    assert absolute.mean == pytest.approx((3 + 4) / 2 * error)
    assert squared.mean == pytest.approx(math.sqrt((1**2 + 2**2) / 2) * error)
    assert any("different units" in note for note in part(tables["t1"], "weather_mv, mean over channels").notes)


def test_families_are_means_of_their_pairs(tables: dict[str, Table]) -> None:
    mean = row(tables["t3"], "weather_t2m", "Transformer, mean of 2")
    before = [mse(f"weather_t2m-{name}-none", 0) for name in ("swin", "vit")]
    after = [mse(f"weather_t2m-{name}-svq", 0) for name in ("swin", "vit")]
    assert mean["mse_base"].mean == pytest.approx(np.mean(before))
    assert mean["mse_with"].mean == pytest.approx(np.mean(after))
    assert mean["mse_change"].relative == pytest.approx(
        np.mean([b / a - 1 for a, b in zip(before, after, strict=True)])
    )
    assert (mean["mse_base"].mark, mean["mse_with"].mark) == ("", "")
    assert "mse_with" not in row(tables["t3"], "weather_t2m", "TAU")
    assert not [row.name for row in part(tables["t3"], "weather_t2m").rows if row.name.startswith("CNN, mean")]


def test_an_experiment_of_the_users_own_has_a_row(tables: dict[str, Table]) -> None:
    mine = row(tables["t5"], "weather_t2m: without a codebook, and with other weights", "mine")
    assert mine["mse"].mean == pytest.approx(mse("weather_t2m-mine", 0))
    assert mine["mse_change"].base == "weather_t2m-none"
    assert "quantizer: mlp" in mine["differs"].text


def test_parts_and_variants_are_told_apart_by_settings(tables: dict[str, Table]) -> None:
    parts = {row.name for row in part(tables["t5"], "weather_t2m: frozen, learnable, after the translator").rows}
    frozen = {row.name for row in part(tables["t8"], "weather_t2m: what is frozen").rows}
    assert parts == {"SVQ", "SVQ frozen", "SVQ, after the translator"}
    assert frozen == {"SVQ", "SVQ frozen", "SVQ, projection frozen"}
    xavier = row(tables["t8"], "weather_t2m: initial codebook", "SVQ, xavier codebook")
    assert xavier["differs"] == Words("init: xavier")
    assert xavier["mse_change"].base == "weather_t2m-svq"


def test_sizes_and_shares_of_noise_are_those_of_the_runs(tables: dict[str, Table]) -> None:
    sizes = [row.cells["k"].text for row in part(tables["t6"], "weather_t2m").rows]
    assert sizes == ["16", "123"]
    cell = row(tables["t6"], "weather_t2m", "SVQ, K = 123")["mse_change"]
    assert cell.base == "weather_t2m-svq_frozen-k123"
    assert row(tables["t6"], "weather_t2m, beside published", "10,000")["learnable_published"].quotes[0][0] == 1.018
    noise = part(tables["t7"], "weather_t2m")
    assert [row.name for row in noise.rows] == ["0 %", "25 %"]
    assert noise.rows[1].cells["mse_change"].base == "weather_t2m-none-noise25"


# ---- what is said of the data, and what when something is missing


def test_captions_say_simulated_only_of_simulated_data(tables: dict[str, Table], tmp_path: Path) -> None:
    assert all("Simulated data, no measurements" in table.caption for table in tables.values())
    assert "weather_t2m" in tables["t1"].caption
    real = make("t4", make_results(tmp_path, ["weather_t2m"], "ERA5"))
    assert not any(
        "imulated" in text for text in (real.caption, *(note for entry in real.sections for note in entry.notes))
    )
    assert "not of the published size" in real.caption, "profile sample"


def test_tables_are_made_of_the_datasets_that_are_there(tmp_path: Path) -> None:
    results = make_results(tmp_path, ["kth"])
    assert {entry.title for entry in make("t2", results).sections} == {"kth", "kth, beside published"}
    for key in ("t1", "t3", "t4", "t5", "t6", "t7", "t8"):
        with pytest.raises(SvqkitError, match=f"{key.upper()} needs"):
            make(key, results)


def test_without_errors_by_window_it_says_what_to_run(tmp_path: Path) -> None:
    results = make_results(tmp_path, ["kth"])
    (results.folder("kth") / "windows.nc").unlink()
    with pytest.raises(SvqkitError, match="evaluate"):
        make("t2", results)


def test_without_protocol_paper_published_numbers_stand_alone(tmp_path: Path) -> None:
    results = make_results(tmp_path, ["kth"])
    folder = results.folder("kth")
    scores = pd.read_csv(folder / "scores.csv")
    scores[scores["protocol"] == "clean"].to_csv(folder / "scores.csv", index=False)
    (folder / "notes.json").write_text(json.dumps({"protocol paper": "The record is too short."}), encoding="utf-8")
    beside = part(make("t2", results), "kth, beside published")
    assert all(column.key.endswith("published") for column in beside.columns)
    assert any("too short" in note for note in beside.notes)


# ---- which experiment belongs to which


def test_relations_follow_settings(results: Sample) -> None:
    named = results.settings.experiments
    every = list(named.values())

    def base(name: str) -> str | None:
        found = selection.base_of(named[f"weather_t2m-{name}"], every)
        return found and found.name

    assert base("svq") == "weather_t2m-none"
    assert base("svq-after_translator") == "weather_t2m-none"
    assert base("swin-svq") == "weather_t2m-swin-none"
    assert base("svq-noise25") == "weather_t2m-none-noise25"
    assert base("none") is None
    assert selection.base_of(named["weather_mv-svq"], every).name == "weather_mv-none"
    assert selection.default_svq(every).name == "weather_t2m-svq"
    lone = selection.pair_frozen_and_learnable([named["weather_t2m-svq-k123"], named["weather_t2m-svq-init_xavier"]])
    assert [(frozen, learnable.name) for frozen, learnable in lone] == [
        (None, "weather_t2m-svq-init_xavier"),
        (None, "weather_t2m-svq-k123"),
    ]
    assert selection.differences(named["weather_t2m-svq"], named["weather_t2m-svq"]) == ""


# ---- the kinds of text

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
NUMBERS = st.floats(-1e9, 1e9)
CELLS = st.one_of(
    st.none(),
    st.builds(Number, NUMBERS, st.none() | st.floats(0, 1e3), st.integers(0, 5), st.just("runs/sample/a/b")),
    st.builds(lambda value, source: Published(((value, source),)), NUMBERS, TEXTS),
    st.builds(Change, st.floats(-1, 9), st.floats(-1, 0), st.floats(0, 1), st.floats(0, 1), st.just(3), st.just(40)),
    st.builds(Words, TEXTS),
)


@st.composite
def any_table(draw: st.DrawFn) -> Table:
    """A table of up to 3 × 3 cells with any words."""
    columns = [Column(f"c{n}", draw(TEXTS), draw(st.sampled_from(["", "lower", "higher"]))) for n in range(3)]
    rows = [Row(draw(TEXTS), {column.key: draw(CELLS) for column in columns}) for _ in range(draw(st.integers(1, 3)))]
    return Table("t0", draw(TEXTS), draw(TEXTS), (section(draw(TEXTS), columns, rows, draw(TEXTS), [draw(TEXTS)]),))


@given(any_table())
def test_html_says_what_the_cells_say_whatever_their_words(table: Table) -> None:
    reader = Page(html(table))
    (one,) = table.sections
    assert reader.rows[0] == [one.row_title, *(column.heading for column in one.columns)]
    assert [cells[0] for cells in reader.rows[1:]] == [row.name for row in one.rows]
    for shown, row in zip(reader.rows[1:], one.rows, strict=True):
        for text, column in zip(shown[1:], one.columns, strict=True):
            cell = row.cells[column.key]
            assert (text == "") == (cell is None)
            if isinstance(cell, Words):
                assert text == cell.text
    assert set(reader.links) <= {"../runs/sample/a/b"}


@given(any_table())
def test_latex_has_no_sign_that_would_stop_it(table: Table) -> None:
    lines = [line.split("  % runs/")[0] for line in latex(table).splitlines()]
    text = "\n".join(lines).replace("{!}{%\n", "{!}{\n")
    for escaped in (r"\\", r"\&", r"\%", r"\$", r"\#", r"\_", r"\{", r"\}"):
        text = text.replace(escaped, "")
    assert text.count("{") == text.count("}")
    assert text.count("$") % 2 == 0
    assert "%" not in text
    assert "#" not in text
    widths = {line.count("&") for line in text.splitlines() if line.endswith(" ") and "&" in line}
    assert len(widths) <= 1, "every row has as many cells"
    after = [lines[n + 1] for n, line in enumerate(lines[:-1]) if line.rstrip().endswith(r"\\")]
    assert not [line for line in after if line.startswith(("[", "*"))], (
        "they would be read as options of the line above"
    )


@given(any_table())
def test_tidy_rows_come_back_from_csv_as_they_were(table: Table) -> None:
    frame = tidy(table)
    back = pd.read_csv(io.StringIO(frame.to_csv(index=False)), keep_default_na=False, dtype=str)
    cells = [row.cells[column.key] for row in table.sections[0].rows for column in table.sections[0].columns]
    cells = [cell for cell in cells if cell is not None]
    assert len(back) == len(cells)
    for entry, cell in zip(back.to_dict("records"), cells, strict=True):
        match cell:
            case Number(mean, std, seeds, link, mark):
                assert float(entry["value"]) == mean
                assert entry["std"] == "" if std is None else float(entry["std"]) == std
                assert (int(entry["seeds"]), entry["link"], entry["mark"]) == (seeds, link, mark)
            case Published(((value, source),)):
                assert (float(entry["value"]), entry["source"], entry["link"]) == (value, source, "")
            case Change():
                assert (float(entry["value"]), float(entry["p_value"])) == (cell.relative, cell.p_value)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=6), st.sampled_from(["lower", "higher"]))
def test_marks_are_the_two_best_distinct_values(values: list[float], better: str) -> None:
    rows = [Row(str(n), {"x": Number(value)}) for n, value in enumerate(values)]
    rows.append(Row("published", {"x": Published(((-1e6, "a"), (1e6, "b")))}))
    marked = section("", [Column("x", "X", better)], rows).rows[:-1]
    ranks = sorted(set(values), reverse=better == "higher")
    for value, cell in zip(values, marked, strict=True):
        expected = ["best", "second"][ranks.index(value)] if value in ranks[:2] and len(ranks) > 1 else ""
        assert cell.cells["x"].mark == expected


def test_latex_takes_no_row_for_an_option_of_the_row_above() -> None:
    rows = [Row(name, {"x": Number(1.0)}) for name in ("a", "[b]", "*c")]
    lines = latex(Table("t0", "", "", (section("", [Column("x", "X")], rows),))).splitlines()
    assert [line for line in lines if "b]" in line or "*c" in line] == [r"{}[b] & 1 \\", r"{}*c & 1 \\"]


def test_markdown_links_lead_to_the_runs_and_cells_say_what_they_hold(tmp_path: Path) -> None:
    rows = [
        Row(
            "a|b", {"x": Number(1.23456, 0.0456, 3, "runs/sample/d/a"), "y": Change(-0.1234, -0.2, -0.05, 0.0004, 3, 9)}
        ),
        Row("c", {"x": Number(2.0, None, 1, "runs/sample/d/c"), "z": Published(((1.105, "book"), (1.2, "page")))}),
        Row("d", {"x": Number(3.0)}),
    ]
    columns = [Column("x", "MSE [K²]", "lower"), Column("y", "change"), Column("z", "published"), Column("u", "unused")]
    table = Table("t0", "Title", "Caption.", (section("Part", columns, rows, notes=["Note."]),))
    text = markdown(table, "reports/s/tables")
    assert "| Model | MSE [K²] ↓ | change | published |" in text
    assert r"| a\|b | **[1.235 ± 0.046](../../../runs/sample/d/a)** | −12.3 % [−20.0, −5.0], p < 0.001 |  |" in text
    assert "| c | <u>[2.000](../../../runs/sample/d/c)</u> |  | 1.105 [1], 1.2 [2] |" in text
    assert "- [2] page" in text
    assert (tmp_path / "reports" / "s" / "t" / link_from("reports/s/t", "runs/x")).resolve() == tmp_path / "runs" / "x"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (Change(0.0), "0.0 %"),
        (Change(-0.0004, -0.01, 0.01, 0.5), "0.0 % [−1.0, +1.0], p = 0.500"),
        (Change(0.125, 0.1, 0.15, 0.001), "+12.5 % [+10.0, +15.0], p = 0.001"),
        (Change(10.0), "+1000.0 %"),
        (Change(-0.105), "−10.5 %"),
    ],
)
def test_changes_in_words(change: Change, text: str) -> None:
    assert change_text(change) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((2.3e10 + 0.5, 3.4e10), "2.300e+10"),
        ((4.5e-6, 2e-6), "4.500e-06"),
        ((250.0, 1e7), "250"),
        ((0.25, 0.5), "0.2500"),
    ],
)
def test_numbers_of_any_size_are_readable(values: tuple[float, float], text: str) -> None:
    rows = [Row(str(n), {"x": Number(value)}) for n, value in enumerate(values)]
    table = Table("t0", "", "", (section("", [Column("x", "X")], rows),))
    assert f"| 0 | {text} |" in markdown(table)


def test_rows_of_unlike_units_are_ranked_and_rounded_by_themselves() -> None:
    rows = [Row("z", {"a": Number(1234.5), "b": Number(1300.5)}), Row("q", {"a": Number(0.2), "b": Number(0.1)})]
    one = section("", [Column("a", "A"), Column("b", "B")], rows, rank_rows="lower")
    assert [[cell.mark for cell in row.cells.values()] for row in one.rows] == [["best", "second"], ["second", "best"]]
    lines = markdown(Table("t0", "", "", (one,))).splitlines()
    assert "| q | <u>0.2000</u> | **0.1000** |" in lines


# ---- files and commands


def test_files_are_the_same_each_time_and_read_back(tables: dict[str, Table], results: Sample, tmp_path: Path) -> None:
    first = write(tables["t1"], tmp_path / "a" / "x")
    again = write(make("t1", replace(results)), tmp_path / "b" / "x")
    assert [path.name for path in first] == ["t1.md", "t1.csv", "t1.tex"]
    assert [path.read_bytes() for path in first[1:]] == [path.read_bytes() for path in again[1:]]
    frame = pd.read_csv(first[1])
    assert len(frame) == len(tidy(tables["t1"]))
    for key, table in tables.items():
        text = latex(table)
        assert text.isascii(), f"{key} has signs that LaTeX may not know"
        assert text.count(r"\begin{table}") == text.count(r"\end{table}") == len(table.sections)


def test_measured_knows_units_by_variable(results: Sample) -> None:
    measured = Measured(results, "weather_mv")
    assert measured.variables() == {"r": ("%", ["r_500", "r_850"]), "t": ("K", ["t_500", "t_850"])}
    assert measured.column("mse", channel="t").title == "t: MSE [K²]"
    assert Measured(results, "weather_t2m").column("mse", note="protocol paper").heading == "MSE, protocol paper [K²] ↓"
    assert not measured.has_variables


def run(root: Path, *arguments: str) -> int:
    """The command line on the results below ``root``."""
    folders = [f"--{name}={root / name}" for name in ("runs", "scores", "reports")]
    return command.main([*arguments, f"--params={root / 'params.yaml'}", *folders])


def test_the_table_command(tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    make_results(tmp_path, ["kth"])
    monkeypatch.setattr(command, "Results", Sample)
    assert run(tmp_path, "table", "t2") == 0
    printed = capsys.readouterr().out
    written = tmp_path / "reports" / "sample" / "tables" / "t2.md"
    assert str(written) in printed
    assert written.read_text(encoding="utf-8") in printed
    assert run(tmp_path, "table", "all") == 0
    assert "t1: T1 needs" in capsys.readouterr().err
    assert run(tmp_path, "table", "t1") == 1
    assert run(tmp_path, "table", "t99") == 1
    answer = capsys.readouterr().err
    assert "Unknown table 't99'" in answer
    assert all(key in answer for key in TABLES)
    assert run(tmp_path, "figure", "f99") == 1
    assert "f1, f10, f11" in capsys.readouterr().err
