"""Claims are judged by the rules as they are written down, and never by numbers that can't settle them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from resultsfolder import REAL, SIMULATED, results_folder
from scipy import stats

from svqkit.errors import SvqkitError
from svqkit.paper import claims
from svqkit.paper.claims import rules
from svqkit.paper.claims.evidence import (
    ONE_TRAINING,
    OTHER_SETTINGS,
    TWELVE,
    VIDEO,
    cheaper_than_lista,
    little_overhead,
    mean_of,
)
from svqkit.paper.claims.rules import Answer, Claim, Evidence, Finding, Verdict
from svqkit.paper.costs import COLUMNS
from svqkit.paper.gathered import Results

YES, NO, OPEN = Answer.REPRODUCED, Answer.NOT_REPRODUCED, Answer.OPEN
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)
T2M = "weather_t2m"
BASE, SVQ = f"{T2M}-none", f"{T2M}-svq"


def finding(value: float, low: float, high: float, p_value: float = 0.5, **more: object) -> Finding:
    return Finding("x", value, low, high, p_value, trainings=3, **more)


def verdicts(results: Results) -> dict[str, Verdict]:
    return {verdict.claim.key: verdict for verdict in claims.judge_all(results)}


@pytest.mark.parametrize(
    ("value", "low", "high", "p_value", "size", "answer"),
    [
        (-0.08, -0.10, -0.06, 0.001, 0.0, YES),
        (-0.005, -0.007, -0.003, 0.001, 0.0, YES),  # small, but as claimed
        (-0.08, -0.10, -0.06, 0.001, 0.079, YES),  # the size is in the interval
        (-0.20, -0.25, -0.15, 0.001, 0.079, YES),  # exceeded
        (-0.04, -0.06, -0.02, 0.001, 0.079, NO),  # the sign is right, the size is not
        (0.05, 0.03, 0.07, 0.001, 0.0, NO),  # the other direction
        (0.0, -0.009, 0.009, 0.9, 0.0, NO),  # no effect of 1 %
        (-0.01, -0.03, 0.01, 0.3, 0.0, OPEN),  # one of 1 % is possible
        (-0.01, -0.03, 0.01, 0.3, 0.079, NO),  # one of 7.9 % is not
        (-0.01, -0.09, 0.07, 0.8, 0.079, OPEN),
        (-0.08, math.nan, math.nan, math.nan, 0.0, OPEN),
    ],
)
def test_an_effect_is_judged_by_sign_significance_and_size(
    value: float, low: float, high: float, p_value: float, size: float, answer: Answer
) -> None:
    assert rules.effects([finding(value, low, high, p_value)], -1, size)[0].answer is answer
    mirrored = finding(-value, -high, -low, p_value)
    assert rules.effects([mirrored], 1, size)[0].answer is answer


@pytest.mark.parametrize(
    ("low", "high", "same", "no_worse"),
    [(-0.01, 0.015, YES, YES), (0.021, 0.05, NO, NO), (-0.05, -0.03, NO, YES), (-0.01, 0.05, OPEN, OPEN)],
)
def test_as_good_as_and_no_worse_than(low: float, high: float, same: Answer, no_worse: Answer) -> None:
    one = finding((low + high) / 2, low, high)
    assert rules.equivalent([one])[0].answer is same
    assert rules.no_worse([one])[0].answer is no_worse


def test_a_level_lies_beyond_its_limit_with_its_whole_interval() -> None:
    one = finding(4.0, 3.5, 4.5)
    assert [rules.between(one, low=limit).answer for limit in (3, 4, 5)] == [YES, OPEN, NO]
    assert [rules.between(one, high=limit).answer for limit in (3, 4, 5)] == [NO, OPEN, YES]
    assert rules.between(replace(one, low=math.nan, high=math.nan), 3).answer is OPEN


def test_the_rules_that_are_shown_are_those_of_the_code() -> None:
    shown = claims.RULES
    assert f"p < {rules.SIGNIFICANT:.0%}".replace("%", " %") in shown
    assert f"at least {rules.RELEVANT:.0%}".replace("%", " %") in shown
    assert f"within ±{rules.SAME:.0%}".replace("%", " %") in shown
    assert f"fewer than {rules.FEWEST_TRAININGS} trainings" in shown
    assert all(f'"{answer}"' in shown for answer in Answer)


def test_holm_by_hand() -> None:
    # sorted: 0.01 × 3, 0.02 × 2, 0.04 × 1
    assert rules.holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert rules.holm([0.5, math.nan, 0.6])[::2] == [1.0, 1.0]


@given(P_VALUES)
def test_holm_is_its_definition(p_values: list[float]) -> None:
    def adjusted(one: float) -> float:
        """The largest of the multiplied p-values up to this one."""
        smaller = sorted(p_value for p_value in p_values if p_value <= one)
        return min(1.0, max((len(p_values) - rank) * p_value for rank, p_value in enumerate(smaller)))

    assert rules.holm(p_values) == pytest.approx([adjusted(value) for value in p_values])


@given(P_VALUES)
def test_corrections_never_make_anything_more_certain(p_values: list[float]) -> None:
    before = [finding(0.1, 0.05, 0.2, p_value) for p_value in p_values]
    after = rules.corrected(before)
    slack = 1e-12  # of rounding
    assert all(new.p_value >= old.p_value for new, old in zip(after, before, strict=True))
    assert all(
        new.low <= old.low + slack and new.high >= old.high - slack for new, old in zip(after, before, strict=True)
    )
    assert rules.corrected(before[:1])[0].low == pytest.approx(0.05)


@given(
    st.lists(st.floats(-10, 10).map(lambda value: round(value, 3)), min_size=2, max_size=9).filter(
        lambda x: len(set(x)) > 1
    )
)
def test_mean_interval_is_the_t_test(values: list[float]) -> None:
    mean, low, high, p_value = rules.mean_interval(values)
    error = np.std(values, ddof=1) / len(values) ** 0.5
    reach = stats.t.ppf(0.975, len(values) - 1) * error
    assert (mean, low, high) == pytest.approx((np.mean(values), np.mean(values) - reach, np.mean(values) + reach))
    assert p_value == pytest.approx(2 * stats.t.cdf(-abs(np.mean(values)) / error, len(values) - 1))


def test_one_value_has_no_interval() -> None:
    mean, *rest = rules.mean_interval([3.0])
    assert mean == 3.0
    assert all(map(math.isnan, rest))


@given(st.lists(st.sampled_from(list(Answer)), max_size=5), st.booleans())
def test_all_and_any_are_mirror_images(answers: list[Answer], complete: bool) -> None:
    mirror = {YES: NO, NO: YES, OPEN: OPEN}
    together = rules.together(answers, "all", complete)
    assert together is mirror[rules.together([mirror[answer] for answer in answers], "any", complete)]
    expected = NO if NO in answers else YES if complete and answers and OPEN not in answers else OPEN
    assert together is expected


def judged(*findings: Finding, missing: tuple[str, ...] = ()) -> Verdict:
    claim = Claim("x", "X holds.", "abstract", "a test", lambda results: Evidence())
    return rules.judge(claim, Evidence(findings, missing))


def test_doubtful_numbers_settle_nothing_but_are_told() -> None:
    sure = finding(-0.1, -0.2, -0.05, answer=YES)
    doubtful = replace(sure, doubts=(rules.SIMULATED,))
    assert (judged(sure).answer, judged(sure).alone) == (YES, YES)
    verdict = judged(sure, doubtful)
    assert (verdict.answer, verdict.alone) == (OPEN, YES)
    assert verdict.doubts == (rules.SIMULATED,)
    # what is certain and against the claim refutes it, whatever is doubtful beside it
    assert judged(replace(sure, answer=NO), doubtful).answer is NO
    # numbers that are shown only decide nothing
    assert judged(replace(sure, answer=None)).answer is OPEN


def test_what_is_missing_is_named_and_can_only_hide_a_confirmation() -> None:
    sure = finding(-0.1, -0.2, -0.05, answer=YES)
    assert judged(sure, missing=("runs of y",)).answer is OPEN
    assert "Missing: runs of y." in judged(sure, missing=("runs of y",)).reason
    assert judged(replace(sure, answer=NO), missing=("runs of y",)).answer is NO
    assert judged(missing=("scores of z",)).answer is OPEN


def test_numbers_are_readable() -> None:
    one = finding(-0.079, -0.0912, -0.0663, 0.00001, windows=1)
    assert one.number == "−7.9 % [−9.1, −6.6]"
    assert one.basis == "p < 0.001; 3 seeds, 1 window"
    assert Finding("x", 4.3164, relative=False).number == "4.316"


def test_mean_of_independent_changes_by_hand() -> None:
    # standard errors 0.01 and 0.01: that of the mean is 0.01/√2
    pair = [finding(-0.1, -0.1196, -0.0804), finding(-0.2, -0.2196, -0.1804)]
    mean = mean_of(pair, "both")
    assert mean.value == pytest.approx(-0.15)
    assert (mean.low, mean.high) == pytest.approx((-0.15 - 1.96 * 0.01 / 2**0.5, -0.15 + 1.96 * 0.01 / 2**0.5))
    assert mean.p_value < 1e-6


def test_models_of_one_seed_each_are_several_trainings_together(tmp_path: Path) -> None:
    names = ("gsta", *(name for name in TWELVE if name != "gsta"))
    errors = {f"{T2M}-{name}-{kind}".replace("-gsta", ""): [1.0] for name in names for kind in ("none", "svq")}
    errors |= {name: [0.9] for name in errors if name.endswith("-svq")}
    found = verdicts(results_folder(tmp_path, errors))
    mean = found["translators_all"].findings[0]
    assert (mean.value, mean.trainings, mean.doubts) == (pytest.approx(-0.1, abs=1e-3), 12, ())
    assert found["each_translator"].doubts == (ONE_TRAINING,)
    assert len(found["translators_mlp"].findings) == 3  # the mean, and each of the two


def test_real_data_with_seeds_reproduce_what_was_made_so(tmp_path: Path) -> None:
    errors = {BASE: [1.0, 1.01, 0.99], SVQ: [0.9, 0.91, 0.89], f"{T2M}-svq_frozen": [0.901, 0.911, 0.891]}
    found = verdicts(results_folder(tmp_path, errors))
    assert found[T2M].answer is YES
    assert found["frozen_as_good"].answer is YES
    assert found[T2M].findings[0].value == pytest.approx(-0.1, abs=1e-4)
    assert found[T2M].findings[0].links == (f"train-{SVQ}.ipynb", f"train-{BASE}.ipynb")
    # the others were not run
    assert found["kth"].answer is OPEN
    assert "scores of kth" in found["kth"].reason
    assert "costs of models" in found["little_cost"].reason


def test_a_base_of_the_same_loss_is_shown_beside(tmp_path: Path) -> None:
    other = f"{BASE}-loss_mae"
    errors = {BASE: [1.0, 1.0], SVQ: [0.9, 0.9], other: [0.8, 0.8]}
    assert len(verdicts(results_folder(tmp_path / "mae", errors))[T2M].findings) == 1
    _, beside = verdicts(results_folder(tmp_path / "mse", errors, losses={BASE: "mse"}))[T2M].findings
    assert (beside.answer, beside.value) == (None, pytest.approx(0.125, abs=1e-4))
    assert other in beside.links[1]


def test_the_other_direction_is_not_reproduced(tmp_path: Path) -> None:
    errors = {BASE: [0.9, 0.91, 0.89], SVQ: [1.0, 1.01, 0.99], f"{T2M}-vq": [0.7, 0.71, 0.69]}
    found = verdicts(results_folder(tmp_path, errors))
    assert found[T2M].answer is NO
    # one rival that is better refutes the claim, though the others were not run
    assert found["beats_rivals"].answer is NO
    assert found["rivals_harm"].answer is NO
    assert "multihead_vq" in found["beats_rivals"].reason


@pytest.mark.parametrize(
    ("note", "seeds", "profile"), [(SIMULATED, 3, "paper"), (REAL, 1, "paper"), (REAL, 3, "sample")]
)
def test_simulated_data_single_seeds_small_models_are_open(tmp_path: Path, note: str, seeds: int, profile: str) -> None:
    errors = {BASE: [1.0, 1.01, 0.99][:seeds], SVQ: [0.8, 0.81, 0.79][:seeds]}
    verdict = verdicts(results_folder(tmp_path, errors, note, profile=profile))[T2M]
    assert (verdict.answer, verdict.alone) == (OPEN, YES)
    assert (rules.SIMULATED in verdict.doubts) == (note is SIMULATED)
    assert (ONE_TRAINING in verdict.doubts) == (seeds == 1)
    assert (OTHER_SETTINGS in verdict.doubts) == (profile == "sample")


def test_every_claim_has_a_verdict_of_anything(tmp_path: Path) -> None:
    found = claims.judge_all(results_folder(tmp_path, {"taxibj-none": [1.0], "taxibj-svq": [1.0]}))
    assert [verdict.claim.key for verdict in found] == list(claims.CLAIMS)
    assert all(verdict.reason for verdict in found)
    assert list(claims.as_frame(found).index) == [verdict.claim.sentence for verdict in found]


def test_lpips_is_compared_seed_by_seed(tmp_path: Path) -> None:
    errors = {f"{name}-{kind}": [1.0, 1.0] for name in VIDEO for kind in ("none", "svq")}
    lpips = {name: [0.2, 0.4] if name.endswith("none") else [0.15, 0.31] for name in errors}
    verdict = verdicts(results_folder(tmp_path, errors, lpips=lpips))["video_lpips"]
    # 0.75 − 1 and 0.775 − 1, on each of the three
    assert verdict.findings[0].value == pytest.approx(-0.2375)
    assert verdict.findings[0].doubts == ()


def test_sizes_and_rivals_are_taken_from_the_runs(tmp_path: Path) -> None:
    errors = {f"{T2M}-svq-k16": [1.0] * 3, SVQ: [0.9] * 3, f"{T2M}-svq-k2000": [0.8] * 3}
    results = results_folder(tmp_path, errors)
    verdict = verdicts(results)["large_codebook"]
    assert len(verdict.findings) == 2
    assert verdict.answer is YES


def test_sparsity_is_a_level_of_kurtosis_and_of_weights_near_zero(tmp_path: Path) -> None:
    measures = {"kurtosis": {SVQ: [9.0, 9.1, 9.2]}, "near_zero_0.01": {SVQ: [0.1, 0.11, 0.12]}}
    verdict = verdicts(results_folder(tmp_path, {SVQ: [1.0, 1.0, 1.0]}, measures=measures))["sparse"]
    assert [number.answer for number in verdict.findings] == [YES, NO]
    assert verdict.answer is NO


def test_kurtosis_of_two_losses_is_compared_by_welch(tmp_path: Path) -> None:
    other = f"{SVQ}-loss_mse"
    ours, theirs = [9.0, 9.5, 10.1], [3.0, 3.3, 3.1]
    results = results_folder(
        tmp_path, {SVQ: [1.0] * 3, other: [1.0] * 3}, measures={"kurtosis": {SVQ: ours, other: theirs}}
    )
    one = verdicts(results)["mae_sparser"].findings[0]
    assert one.value == pytest.approx(sum(ours) / sum(theirs) - 1)
    assert one.p_value == pytest.approx(stats.ttest_ind(ours, theirs, equal_var=False).pvalue)
    assert one.answer is YES


def costs_of(plain_step: float) -> pd.DataFrame:
    rows = [
        {
            "translator": translator, "quantizer": quantizer, "form": form, "codebook_size": size,
            "parameters": 100 * large * extra, "flops": 1000 * large * extra,
            "step_seconds": large * seconds, "machine": "a CPU",
        }
        for large, translator in enumerate(("gsta", "vit", "swin"), start=1)
        for quantizer, form, size, extra, seconds in (
            ("none", "none", 0, 1.0, 1.0), ("svq", "folded", 64, 1.02, 1.01), ("svq", "plain", 64, 1.02, plain_step),
        )
    ]  # fmt: skip
    rows += [
        {**rows[0], "quantizer": "lista", "form": "lista", "codebook_size": size, "step_seconds": 9.0}
        for size in (64, 128)
    ]
    rows += [{**rows[2], "codebook_size": 128, "step_seconds": 3.0}]
    return pd.DataFrame(rows).assign(dataset=T2M, experiment="any", batch_size=1).reindex(columns=list(COLUMNS))


@pytest.mark.parametrize(("plain_step", "answer"), [(1.05, YES), (1.5, NO)])
def test_cost_is_that_of_svq_as_published(tmp_path: Path, plain_step: float, answer: Answer) -> None:
    results = results_folder(tmp_path, {BASE: [1.0], SVQ: [1.0]}, SIMULATED, costs=costs_of(plain_step))
    evidence = little_overhead(results, 0.1)
    asked = {number.what: number for number in evidence.findings if number.answer is not None}
    assert len(asked) == 3
    assert all("plain" in what and "3 translators" in what for what in asked)
    time = next(number for what, number in asked.items() if "time" in what)
    assert (time.value, time.answer) == (pytest.approx(plain_step - 1), answer)
    # with 64 codes and with 128, by the geometric mean
    assert cheaper_than_lista(results).findings[0].value == pytest.approx((plain_step / 9 * 3 / 9) ** 0.5 - 1)
    assert verdicts(results)["little_cost"].answer is answer  # no matter that data are simulated


def test_costs_of_small_models_settle_nothing(tmp_path: Path) -> None:
    results = results_folder(tmp_path, {BASE: [1.0], SVQ: [1.0]}, profile="sample", costs=costs_of(1.05))
    verdict = verdicts(results)["little_cost"]
    assert (verdict.answer, verdict.alone) == (OPEN, YES)
    assert OTHER_SETTINGS in verdict.doubts


@pytest.mark.parametrize(
    ("losses", "answer", "rise"), [([3.0, 1.0, 1.5], YES, 0.5), ([1.0, 10.0], NO, 9.0), (None, OPEN, None)]
)
def test_stability_is_the_largest_rise_of_a_loss(
    tmp_path: Path, losses: list[float] | None, answer: Answer, rise: float | None
) -> None:
    steps = {SVQ: losses} if losses else None
    verdict = verdicts(results_folder(tmp_path, {SVQ: [1.0, 1.0], f"{T2M}-vq": [1.0, 1.0]}, steps=steps))["stable"]
    assert verdict.answer is answer
    assert [number.value for number in verdict.findings] == ([pytest.approx(rise)] if rise else [])


@pytest.mark.parametrize(
    ("errors", "word"),
    [([0.9, 0.91], "Yes"), ([1.1, 1.11], "No"), ([1.0, 1.0], "It can't be told"), ([], "It can't be told")],
)
def test_the_answer_in_a_word(tmp_path: Path, errors: list[float], word: str) -> None:
    both = {"taxibj-none": [1.0, 1.01], "taxibj-svq": errors} if errors else {"taxibj-none": [1.0]}
    short = claims.does_svq_help(results_folder(tmp_path, both))
    assert short["answer"] == word
    assert (short["finding"] is None) == (not errors)


def test_better_on_some_datasets_is_no_yes(tmp_path: Path) -> None:
    errors = {"taxibj-none": [1.0, 1.01], "taxibj-svq": [0.9, 0.91], "kth-none": [1.0, 1.01], "kth-svq": [1.0, 1.01]}
    assert claims.does_svq_help(results_folder(tmp_path, errors))["answer"] == "On some"


@pytest.mark.parametrize("kind", ["channel", "variable"])  # a channel without levels is a variable
def test_an_error_that_mixes_units_does_not_count(kind: str, tmp_path: Path) -> None:
    errors = {"taxibj-none": [1.0, 1.01], "taxibj-svq": [0.9, 0.91], "kth-none": [1.0, 1.01], "kth-svq": [9.0, 9.1]}
    results = results_folder(tmp_path, errors)
    assert claims.does_svq_help(results)["answer"] == "It depends"
    of_kth = results.scores.query("dataset == 'kth'").assign(channel_kind=kind)
    mixed = replace(results, scores=pd.concat([results.scores, of_kth.assign(unit="K²"), of_kth.assign(unit="m²")]))
    short = claims.does_svq_help(mixed)
    assert short["answer"] == "Yes"
    assert "Of 1 dataset," in short["sentence"]
    assert "KTH" in short["sentence"]


def test_an_error_of_the_user_is_missing_any_other_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = results_folder(tmp_path, {BASE: [1.0], SVQ: [1.0]})

    def fails(error: Exception) -> Claim:
        def check(_: Results) -> Evidence:
            raise error

        return Claim("x", "X.", "abstract", "a test", check)

    monkeypatch.setattr(claims, "CLAIMS", {"x": fails(SvqkitError("no runs of x"))})
    assert verdicts(results)["x"].missing == ("no runs of x",)
    monkeypatch.setattr(claims, "CLAIMS", {"x": fails(ZeroDivisionError())})
    with pytest.raises(ZeroDivisionError):
        claims.judge_all(results)
