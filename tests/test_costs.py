"""What models cost: the forms of SVQ, what is counted, timed and booked, the table, the figure, hours of a profile."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate, chain, count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from created import gradients, seeded
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from benchmarks import gpu_hours
from svqkit.errors import SvqkitError
from svqkit.paper import costs
from svqkit.paper.costs import Case, Ledger, PlainSVQ, Subject
from svqkit.paper.gather import read_costs
from svqkit.plots import cost_cells, display_name
from svqkit.quantizers import SVQ
from svqkit.settings.params import Experiment, Params, load_params, override

ROOT = Path(__file__).resolve().parent.parent
FRAME, BATCH, TIME = (1, 8, 8), 3, 2
D, HIDDEN, K = 4, 3, 7
PLACES = TIME * 4 * 4  # positions of one sample's latents: frames × half the height × half the width
SVQ_PARAMETERS = K * D + HIDDEN * (D + 1) + K * (HIDDEN + 1)


@pytest.fixture(scope="module")
def settings() -> Params:
    """The project's settings of profile sample."""
    return load_params(ROOT / "params.yaml", "sample")


@pytest.fixture(scope="module")
def paper() -> Params:
    """The project's settings of profile paper."""
    return load_params(ROOT / "params.yaml", "paper")


@pytest.fixture(scope="module")
def tiny(settings: Params) -> Callable[..., Experiment]:
    """A model of a few thousand parameters with any quantizer."""

    def make(name: str = "none", **options: object) -> Experiment:
        changes = {
            "data": {"frames_in": TIME, "frames_out": TIME},
            "model": {"translator": "gsta", "hid_S": D, "hid_T": 8, "N_S": 2, "N_T": 2, "mlp_ratio": 2.0},
            "quantizer": {"name": name, **options},
            "training": {"batch_size": BATCH},
        }
        base = next(iter(settings.of_dataset("weather_t2m")))
        return replace(override(base, changes), name=f"weather_t2m-{name}")

    return make


@pytest.fixture
def three(tiny: Callable[..., Experiment]) -> list[Case]:
    """The tiny model without a quantizer, with SVQ folded and plain."""
    svq = tiny("svq", codebook_size=K, hidden_dim=HIDDEN)
    return [Case(tiny(), "none"), Case(svq, "folded"), Case(svq, "plain")]


def subject(case: Case) -> Subject:
    return Subject(case, FRAME, BATCH, "cpu")


# The plain form


@examples(max_examples=15)
@given(
    codes=st.integers(1, 9),
    hidden=st.integers(0, 5),
    relus=st.tuples(st.booleans(), st.booleans()),
    l1=st.sampled_from([0.0, 0.1]),
    learnable=st.booleans(),
)
def test_plain_svq_is_the_same_function_with_the_same_gradients(
    codes: int, hidden: int, relus: tuple[bool, bool], l1: float, learnable: bool
) -> None:
    torch.manual_seed(0)
    layer = SVQ(D, codes, hidden, learnable, init="normal", hidden_relu=relus[0], output_relu=relus[1], l1=l1).double()
    plain = PlainSVQ(layer)
    x = seeded((2, D, 3, 2)).requires_grad_()
    one, other = layer(x), plain(x)
    torch.testing.assert_close(other.output, one.output)
    torch.testing.assert_close(other.loss, one.loss)
    torch.testing.assert_close(gradients(other.output, other.loss, layer, x), gradients(one.output, one.loss, layer, x))


# What is counted


def test_parameters_are_those_of_the_formula(three: list[Case], tiny: Callable[..., Experiment]) -> None:
    none, folded, plain = (subject(case).parameters() for case in three)
    assert none[0] == none[1]
    assert folded == plain == (none[0] + SVQ_PARAMETERS, none[0] + SVQ_PARAMETERS)
    frozen = Case(tiny("svq", codebook_size=K, hidden_dim=HIDDEN, learnable=False), "folded")
    assert subject(frozen).parameters() == (none[0] + SVQ_PARAMETERS, none[0] + SVQ_PARAMETERS - K * D)


def test_flops_of_svq_are_those_of_its_products(three: list[Case]) -> None:
    none, folded, plain = (subject(case).flops() for case in three)
    first, weights, mix = D * HIDDEN, HIDDEN * K, K * D
    assert plain - none == pytest.approx(2 * PLACES * (first + weights + mix))
    # The fold is one product for the whole batch; then two small ones for each position.
    assert folded - none == pytest.approx(2 * PLACES * 2 * first + 2 * D * K * HIDDEN / BATCH)


def test_a_longer_forecast_takes_as_many_passes(tiny: Callable[..., Experiment]) -> None:
    longer = override(tiny(), {"data": {"frames_out": 2 * TIME}})
    assert subject(Case(longer, "none")).flops() == pytest.approx(2 * subject(Case(tiny(), "none")).flops())


def test_counts_agree_with_the_published_ones(paper: Params) -> None:
    # OpenSTL's model zoo, t2m with gSTA: 12.76 M parameters and 7.01 G, which are multiply-adds.
    base = Subject(Case(paper.experiment("weather_t2m-none"), "none"), (1, 32, 64), 1, "cpu")
    assert base.parameters()[0] == pytest.approx(12.76e6, rel=0.001)
    assert base.flops() == pytest.approx(2 * 7.01e9, rel=0.01)


# What is held


def test_the_ledger_books_what_is_alive() -> None:
    x = torch.zeros(1000)
    with Ledger() as ledger:
        y = x + 1  # 4000 bytes, which stay
        y.add_(1)  # no new memory
        z = (y + 1) * 2  # two more for a moment, one of which stays
        del z
        y[:10].view(2, 5)  # no new memory
    assert ledger.peak() == 12_000
    assert ledger.peak(without={ledger.numbers[id(y.untyped_storage())]}) == 8_000


def test_peak_holds_parameters_gradients_and_moments_at_least(three: list[Case]) -> None:
    for case in three:
        one = subject(case)
        peak = one.peak_bytes()
        assert peak >= 4 * 4 * one.parameters()[1]
        assert peak == one.peak_bytes() == subject(case).peak_bytes()


def test_only_the_plain_form_holds_a_weight_for_each_position_and_code(tiny: Callable[..., Experiment]) -> None:
    def peaks(codes: int) -> list[int]:
        svq = tiny("svq", codebook_size=codes, hidden_dim=HIDDEN)
        return [subject(Case(svq, form)).peak_bytes() for form in ("folded", "plain")]

    few, many = 100, 1000
    weights = 4 * BATCH * PLACES * (many - few)
    learnt = 4 * 4 * (many - few) * (D + HIDDEN + 1)  # parameters, gradients, two moments
    (folded_few, plain_few), (folded_many, plain_many) = peaks(few), peaks(many)
    assert folded_many - folded_few <= 1.5 * learnt
    assert plain_many - plain_few >= weights


# Which models are measured


def test_every_translator_is_there_with_and_without_svq(settings: Params) -> None:
    members = [experiment for experiment in settings.of_dataset("weather_t2m") if "translators" in experiment.studies]
    cases = costs.translator_cases(settings, "weather_t2m")
    assert list(cases) == list(dict.fromkeys(experiment.model.translator for experiment in members))
    for translator, (none, folded, plain) in cases.items():
        assert [none.form, folded.form, plain.form] == ["none", "folded", "plain"]
        assert folded.experiment is plain.experiment
        assert {case.experiment.model.translator for case in (none, folded)} == {translator}
        assert (none.experiment.quantizer.name, folded.experiment.quantizer.name) == ("none", "svq")
        assert (none.codebook_size, folded.codebook_size) == (0, folded.experiment.quantizer.codebook_size)
    known = {case.experiment.name for group in cases.values() for case in group}
    assert known >= {experiment.name for experiment in members}


def test_sizes_are_those_of_the_experiments_or_the_given_ones(settings: Params) -> None:
    trained = {
        experiment.quantizer.codebook_size
        for experiment in settings.of_dataset("weather_t2m")
        if "codebook_size" in experiment.studies and experiment.quantizer.name == "svq"
    }
    for wanted, expected in (((), trained), ((3, 9), {3, 9})):
        cases = costs.size_cases(settings, "weather_t2m", wanted)
        assert {(case.form, case.codebook_size) for case in cases} == {
            (form, size) for form in ("folded", "plain", "lista") for size in expected
        }
        for case in cases:
            assert case.experiment.name not in settings.experiments or (
                settings.experiments[case.experiment.name].quantizer.codebook_size == case.codebook_size
            )


def test_each_model_is_measured_once(settings: Params) -> None:
    cases = costs.all_cases(settings, "weather_t2m")
    assert len({case.name for case in cases}) == len(cases)
    works = [(case.form, case.experiment.model.translator, case.codebook_size) for case in cases]
    assert len(set(works)) == len(works)
    with pytest.raises(SvqkitError, match="no experiment with SVQ on kth"):
        costs.all_cases(settings, "kth")


# Measuring


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[float]], None]:
    """Sets the seconds that the following pieces of work take."""

    def start(durations: Iterator[float]) -> None:
        times = accumulate(chain.from_iterable((0.0, taken) for taken in durations))
        monkeypatch.setattr(costs, "now", lambda device: next(times))

    return start


def test_seconds_are_medians_over_rounds(three: list[Case], clock: Callable[[Iterator[float]], None]) -> None:
    clock(iter([0.1, 0.01, 0.5, 0.05, 0.2, 0.02, 0.4, 0.04, 0.3, 0.09]))  # step and forecast in turn
    (row,) = costs.measure(three[:1], FRAME, repeats=5).to_dict("records")
    assert row["step_seconds"] == pytest.approx(0.3)
    assert row["forward_seconds"] == pytest.approx(0.04)
    with pytest.raises(SvqkitError, match="repeats=0"):
        costs.measure(three, FRAME, repeats=0)


def test_a_slow_model_sits_out(three: list[Case], clock: Callable[[Iterator[float]], None]) -> None:
    taken: list[float] = []
    clock(taken.append(float(number)) or float(number) for number in count(10))
    costs.measure(three[:1], FRAME, repeats=9)
    assert len(taken) == 2 * costs.LEAST_ROUNDS


def test_rows_are_in_the_order_of_the_cases_and_say_what_was_measured(three: list[Case]) -> None:
    table = costs.measure(three, FRAME, repeats=1, batch_size=2)
    assert list(table.columns) == list(costs.COLUMNS)
    assert list(table["form"]) == ["none", "folded", "plain"]
    assert list(table["codebook_size"]) == [0, K, K]
    assert set(table["batch_size"]) == {2}
    assert set(table["note"]) == {""}
    assert (table[["flops", "step_seconds", "forward_seconds", "peak_bytes"]] > 0).all(axis=None)
    assert set(table["machine"]) == {costs.machine("cpu")}
    assert set(table["frame_shape"]) == {"1 × 8 × 8"}


def test_a_model_that_does_not_fit_says_so_and_the_others_go_on(
    three: list[Case], tiny: Callable[..., Experiment], monkeypatch: pytest.MonkeyPatch
) -> None:
    large = Case(tiny("svq", codebook_size=3000, hidden_dim=HIDDEN), "plain")
    monkeypatch.setattr(costs, "free_bytes", lambda device: 2 * 4 * BATCH * PLACES * 3000)
    table = costs.measure([large, three[0]], FRAME, repeats=1)
    assert table["note"].str.startswith("does not fit").tolist() == [True, False]
    assert table["step_seconds"].isna().tolist() == [True, False]
    assert table["parameters"].notna().all()


def test_lack_of_memory_is_noted_other_failures_are_raised(three: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    step = Subject.step

    def fails_with(message: str) -> None:
        def broken(self: Subject, samples: int | None = None) -> None:
            if self.case.form == "plain":
                raise RuntimeError(message)
            step(self, samples)

        monkeypatch.setattr(Subject, "step", broken)

    fails_with("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    table = costs.measure(three, FRAME, repeats=1)
    assert table["note"].str.startswith("does not fit").tolist() == [False, False, True]
    assert table["step_seconds"].isna().tolist() == [False, False, True]
    fails_with("something else")
    with pytest.raises(RuntimeError, match="something else"):
        costs.measure(three, FRAME, repeats=1)


# The table and the figure


def made_up(settings: Params, sizes: tuple[int, ...] = (10, 100)) -> pd.DataFrame:
    """Costs that follow a rule: folded is 10 % slower, plain takes 1 ms a code."""
    rows = []
    for number, case in enumerate(costs.all_cases(settings, "weather_t2m", sizes)):
        seconds = {"none": 0.1, "folded": 0.11, "plain": 0.1 + case.codebook_size / 1000, "lista": 1.0}[case.form]
        row = costs.settings_of_case(case, 2, FRAME) | {"device": "cpu", "machine": "a machine", "note": ""}
        row |= {"parameters": 1000 + number, "trainable": 1000, "flops": 1e9, "peak_bytes": 1_000_000}
        rows.append(row | {"step_seconds": seconds, "forward_seconds": seconds / 4})
    return pd.DataFrame(rows, columns=list(costs.COLUMNS))


def test_what_is_written_comes_back(settings: Params, tmp_path: Path) -> None:
    table = made_up(settings).assign(parameters=12_758_305)
    back = read_costs(costs.write(table, tmp_path / "costs" / "sample.csv"))
    pd.testing.assert_frame_equal(back.fillna({"note": ""}), table, check_dtype=False)
    assert read_costs(tmp_path / "none.csv").empty


def test_the_table_has_translators_changes_and_their_median(settings: Params) -> None:
    forms = {"none": "SimVP", "folded": "folded", "plain": "plain"}
    made = made_up(settings).query("form != 'lista'").drop_duplicates(["translator", "form"])
    first, second, *_ = made["translator"].unique()
    made.loc[made["translator"].eq(first) & made["form"].eq("plain"), "step_seconds"] = np.nan  # it did not fit
    made = made[made["translator"] != second]
    cells = cost_cells(made.rename(columns={"step_seconds": "Step [s]"}), ["Step [s]"], forms)
    values = cells.pivot_table("value", "row", "heading")
    translators = values.drop(index="Median")
    assert len(translators) == len(costs.translator_cases(settings, "weather_t2m")) - 1
    assert translators["SimVP"].tolist() == pytest.approx([0.1] * len(translators))
    assert values["folded against SimVP"].tolist() == pytest.approx([0.1] * len(values))
    assert np.isnan(values.loc[display_name(first), "plain against SimVP"])
    assert np.isnan(values.loc["Median", "SimVP"])


# Hours of a profile


@pytest.mark.parametrize(
    ("dataset", "clean", "published"),
    # docs/data.md; of TaxiBJ nine tenths of 20,461 under protocol clean.
    [
        ("weather_t2m", 52_561, 52_559),
        ("weather_mv", 54_049, 54_019),
        ("weather_hmv", 52_589, 52_559),
        ("kth", 9_034, 8_781),
        ("kitticaltech", 3_738, 3_738),
        ("human", 45_441, 73_404),
        ("taxibj", 18_415, 20_461),
    ],
)
def test_windows_are_those_of_the_published_files(paper: Params, dataset: str, clean: int, published: int) -> None:
    data = paper.dataset(dataset)
    assert (gpu_hours.training_windows(data), gpu_hours.training_windows(data, "paper")) == (clean, published)


def test_steps_are_epochs_of_whole_batches_of_published_windows(paper: Params, settings: Params) -> None:
    with pytest.raises(SvqkitError, match="published files and settings only"):
        gpu_hours.training_windows(settings.dataset("kth"))
    one = paper.experiment("weather_t2m-svq")
    changed = override(one, {"training": {"epochs": 3, "batch_size": 100, "warmup_epochs": 0}})
    assert gpu_hours.steps_of_run(changed) == 3 * 525
    assert gpu_hours.steps_of_run(override(changed, {"training": {"steps_per_epoch": 7}})) == 21
    assert gpu_hours.steps_of_run(override(changed, {"training": {"batch_size": 100_000}})) == 3


def test_another_loss_or_noise_is_the_same_work_and_another_size_is_not(paper: Params) -> None:
    one = paper.experiment("weather_t2m-svq")
    digest = gpu_hours.settings_of(one)
    for same in ({"training": {"loss": "mse"}}, {"model": {"noise": 0.3}}, {"quantizer": {"init": "xavier"}}):
        assert gpu_hours.settings_of(override(one, same)) == digest
    for other in ({"model": {"hid_T": 128}}, {"quantizer": {"codebook_size": 9}}, {"quantizer": {"l1": 0.1}}):
        assert gpu_hours.settings_of(override(one, other)) != digest
    assert gpu_hours.settings_of(replace(one, dataset="weather_mv")) != digest


def test_groups_hold_every_experiment_once(paper: Params) -> None:
    groups = gpu_hours.groups_of(paper, paper.datasets)
    names = [experiment.name for group in groups for experiment in group.experiments]
    assert sorted(names) == sorted(paper.experiments)
    assert sum(group.runs for group in groups) == sum(len(one.seeds) for one in paper.experiments.values())


def test_hours_are_samples_over_their_rate(paper: Params) -> None:
    (group, other, *_) = gpu_hours.groups_of(paper, ["weather_t2m"])
    known = {"profile": "paper", "model": "m", "settings": gpu_hours.settings_of(group.first), "machine": "a GPU"}
    measured = gpu_hours.with_row(
        gpu_hours.read_measured(Path("nowhere.csv")),
        {**known, "batch_size": 16, "samples_per_second": 1000.0, "flops_per_sample": 1e9, "note": ""},
    )
    samples = 50 * (52_561 // 16) * 16
    assert gpu_hours.hours(group, measured, "a GPU") == pytest.approx(samples / 1000 / 3600)
    assert gpu_hours.exaflops(group, measured) == pytest.approx(samples * 1e-9)
    assert np.isnan(gpu_hours.hours(other, measured, "a GPU"))
    text = gpu_hours.page_tables([group, other], measured, "paper")
    assert f"| ≥ {group.runs * samples / 1000 / 3600:.3g} |" in text
    assert "a GPU" in text
    assert "a GPU" not in gpu_hours.page_tables([group, other], measured, "sample")


def test_a_row_takes_the_place_of_the_same_machines_earlier_one() -> None:
    table = gpu_hours.read_measured(Path("nowhere.csv"))
    for name, rate in (("one", 1.0), ("other", 2.0), ("one", 3.0)):
        table = gpu_hours.with_row(table, {"settings": "s", "machine": name, "samples_per_second": rate})
    assert dict(zip(table["machine"], table["samples_per_second"], strict=True)) == {"one": 3.0, "other": 2.0}


def test_page_keeps_what_stands_around_the_tables(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    with pytest.raises(SvqkitError, match="no lines"):
        gpu_hours.write_page(page, "text")
    page.write_text(f"before\n{gpu_hours.BEGIN}\nold\n{gpu_hours.END}\nafter\n", encoding="utf-8")
    for _ in range(2):
        gpu_hours.write_page(page, "new")
        assert page.read_text(encoding="utf-8") == (f"before\n{gpu_hours.BEGIN}\n\nnew\n\n{gpu_hours.END}\nafter\n")


def test_a_model_is_measured_and_the_page_written(tmp_path: Path) -> None:
    page, table = tmp_path / "cost.md", tmp_path / "cost.csv"
    page.write_text(f"{gpu_hours.BEGIN}{gpu_hours.END}", encoding="utf-8")
    params = tmp_path / "params.yaml"
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    head, _, _ = text.partition("\nstudies:\n")
    entry = "{dataset: weather_t2m, quantizer: {name: none}}"
    params.write_text(f"{head}\nexperiments:\n  weather_t2m-none: {entry}\n", encoding="utf-8")
    common = ["--params", str(params), "--profile", "sample", "--csv", str(table), "--page", str(page)]
    assert gpu_hours.main([*common, "--device", "cpu", "--repeats", "1", "--remark", "in a test"]) == 0
    (row,) = gpu_hours.read_measured(table).to_dict("records")
    assert row["model"] == "weather_t2m-none"
    assert row["samples_per_second"] > 0
    assert row["machine"].endswith("in a test")
    written = page.read_text(encoding="utf-8")
    assert "`weather_t2m-none`" in written
    assert gpu_hours.main([*common, "--table"]) == 0
    assert page.read_text(encoding="utf-8") == written


def test_a_profile_without_the_dataset_has_no_costs(tmp_path: Path) -> None:
    cases = costs.all_cases(load_params(ROOT / "params.yaml", "real"), "weather_t2m")
    measured = costs.measure(cases, FRAME, repeats=1)
    assert len(read_costs(costs.write(measured, tmp_path / "costs.csv"))) == 0
