"""Comparisons of runs against what can be worked out by hand, closed forms, and plain loops."""

from math import ceil

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from resultsfolder import window_errors
from scipy import signal, stats

from svqkit.errors import SvqkitError
from svqkit.evaluation.significance import (
    block_length,
    circular_sums,
    compare,
    means_of_blocks,
    means_of_clips,
    significant_places,
)

Runs = dict[tuple[str, int], np.ndarray]


def windows_of(runs: Runs, block: np.ndarray | None = None, kind: str = "grid", frames: int = 1) -> xr.Dataset:
    """Errors window by window as the evaluate stage writes them; mae is a tenth of mse."""
    windows = window_errors(list(runs), np.stack(list(runs.values())), kind=kind, frames_per_window=frames)
    windows["mae"] = windows["mae"] / 10
    return windows if block is None else windows.assign_coords(block=("window", block))


def autoregressive(count: int, memory: float, draw: np.random.Generator) -> np.ndarray:
    """x_t = memory · x_(t−1) + e_t, normal, with variance 1 / (1 − memory²)."""
    return signal.lfilter([1], [1, -memory], draw.normal(size=count + 500))[500:]


def test_a_constant_share_is_its_own_interval() -> None:
    """Nine tenths of the base in every window and seed: every resample says −10 %."""
    draw = np.random.default_rng(0)
    base = draw.uniform(1, 3, (2, 30))
    runs = {("base", seed): base[seed] for seed in (0, 1)} | {("one", seed): 0.9 * base[seed] for seed in (0, 1)}
    found = compare(windows_of(runs), "one", "base", resamples=99)
    assert found.difference == pytest.approx(-0.1 * base.mean())
    assert [found.relative, found.low, found.high] == pytest.approx([-0.1] * 3)
    assert found.p_value == pytest.approx(2 / 100)
    assert (found.seeds, found.windows, found.metric) == (2, 30, "mse")
    in_mae = compare(windows_of(runs), "one", "base", "mae", resamples=99)
    assert in_mae.difference == pytest.approx(-0.01 * base.mean())
    assert in_mae.relative == pytest.approx(-0.1)


def test_three_seeds_by_hand() -> None:
    """Differences 0, 1, 2 by seed, the same in all windows, on a base of 10.

    All three draws fall on one end once in 27 times, more than 2.5 %: the interval reaches to 1 ± √(3/2).
    """
    runs = {("base", seed): np.full(20, 10.0) for seed in range(3)}
    runs |= {("one", seed): np.full(20, 10.0 + seed) for seed in range(3)}
    found = compare(windows_of(runs), "one", "base")
    assert found.relative == pytest.approx(0.1)
    assert [found.low, found.high] == pytest.approx([(1 - 1.5**0.5) / 10, (1 + 1.5**0.5) / 10])
    assert found.p_value == pytest.approx(2 / 27, rel=0.25)
    assert found.seeds == 3


def test_the_draw_of_three_windows_by_hand() -> None:
    """Errors 1, 2, 6 on a base of 10, blocks of one: sums of three draws, their deviations √(3/2) as large."""
    runs = {("base", 0): np.full(3, 10.0), ("one", 0): np.array([11.0, 12.0, 16.0])}
    found = compare(windows_of(runs), "one", "base", resamples=4000)
    assert [found.low, found.high] == pytest.approx([(3 - 1.5**0.5 * 2) / 10, (3 + 1.5**0.5 * 3) / 10])
    assert (found.seeds, found.block_length) == (1, 1)


def test_equal_runs_do_not_differ() -> None:
    errors = np.random.default_rng(1).uniform(1, 2, (2, 50))
    runs = {(name, seed): errors[seed] for name in ("base", "one") for seed in (0, 1)}
    for found in (compare(windows_of(runs), "one", "base"), compare(windows_of(runs), "one", "one")):
        assert (found.difference, found.relative, found.low, found.high, found.p_value) == (0, 0, 0, 0, 1)


def test_swapped_the_difference_changes_its_sign_only() -> None:
    draw = np.random.default_rng(2)
    runs = {(name, seed): draw.uniform(1, 2, 60) for name in ("base", "one") for seed in (0, 1)}
    forward, backward = compare(windows_of(runs), "one", "base"), compare(windows_of(runs), "base", "one")
    assert forward.difference == pytest.approx(-backward.difference)
    assert forward.p_value == backward.p_value
    assert forward.block_length == backward.block_length


@given(st.permutations(range(6)), st.integers(0, 3))
def test_the_order_of_runs_does_not_matter_and_equal_seeds_draw_alike(order: list[int], seed: int) -> None:
    draw = np.random.default_rng(3)
    runs = {(name, seed): draw.uniform(1, 2, 40) for name in ("base", "one") for seed in (2, 0, 1)}
    windows = windows_of(runs)
    assert compare(windows.isel(run=order), "one", "base", resamples=50, seed=seed) == compare(
        windows, "one", "base", resamples=50, seed=seed
    )


def test_windows_are_put_in_order_of_time() -> None:
    draw = np.random.default_rng(4)
    runs = {("base", 0): 10 + autoregressive(200, 0.9, draw), ("one", 0): 10 + autoregressive(200, 0.9, draw)}
    windows = windows_of(runs)
    assert compare(windows.isel(window=draw.permutation(200)), "one", "base") == compare(windows, "one", "base")


def test_which_runs_are_paired() -> None:
    draw = np.random.default_rng(5)
    runs = {("one", seed): draw.uniform(1, 2, 40) for seed in (0, 1, 2)}
    runs |= {("other", seed): draw.uniform(1, 2, 40) for seed in (1, 2, 7)}
    runs |= {("stranger", 9): draw.uniform(1, 2, 40), ("persistence", -1): draw.uniform(1, 2, 40)}
    windows = windows_of(runs)
    common = compare(windows, "one", "other")
    assert common.seeds == 2
    assert common.difference == pytest.approx(np.mean([runs["one", s] - runs["other", s] for s in (1, 2)]))
    alone = compare(windows, "one", "stranger")
    assert alone.seeds == 1
    assert alone.difference == pytest.approx(np.mean([runs["one", s] for s in range(3)]) - runs["stranger", 9].mean())
    baseline = compare(windows, "one", "persistence")
    assert baseline.seeds == 3
    assert baseline.difference == pytest.approx(
        np.mean([runs["one", s] for s in range(3)]) - runs["persistence", -1].mean()
    )


def test_windows_without_errors_are_left_out() -> None:
    runs = {("base", 0): np.arange(1.0, 31), ("one", 0): np.arange(2.0, 32)}
    runs["one", 0][:10] = np.nan
    found = compare(windows_of(runs), "one", "base")
    assert found.windows == 20
    assert found.difference == pytest.approx(1)
    runs["base", 0][10:] = np.nan
    with pytest.raises(SvqkitError, match="no test window in common"):
        compare(windows_of(runs), "one", "base")


def test_what_is_not_there_is_said() -> None:
    windows = windows_of({("base", 0): np.ones(9), ("none", 0): np.zeros(9)})
    with pytest.raises(SvqkitError, match=r"Unknown experiment 'bases' \(did you mean 'base'\?\). Valid: base, none"):
        compare(windows, "base", "bases")
    with pytest.raises(SvqkitError, match=r"Unknown metric 'rmse'.*Valid: mae, mse"):
        compare(windows, "base", "none", "rmse")
    with pytest.raises(SvqkitError, match="'none' has a mse of 0"):
        compare(windows, "base", "none")
    with pytest.raises(SvqkitError, match="one resample or more, got 0"):
        compare(windows, "base", "none", resamples=0)


def test_a_block_is_at_least_a_window_long_and_at_most_a_third_of_the_record() -> None:
    draw = np.random.default_rng(6)
    runs = {("base", 0): draw.uniform(9, 11, 120), ("one", 0): draw.uniform(9, 11, 120)}
    lengths = [compare(windows_of(runs, frames=frames), "one", "base").block_length for frames in (24, 60)]
    assert lengths == [24, 40]
    every_other = windows_of(runs, frames=24)
    every_other["start"] = 2 * every_other["start"]
    assert compare(every_other, "one", "base").block_length == 12


def test_clips_are_drawn_whole() -> None:
    """Errors that differ between clips only: the spread is that of the clips' means, not of their windows."""
    draw = np.random.default_rng(7)
    of_clips = draw.normal(0, 1, 40)
    runs = {("base", 0): np.full(200, 10.0), ("one", 0): 10 + of_clips.repeat(5)}
    found = compare(windows_of(runs, np.arange(40).repeat(5), kind="image"), "one", "base")
    assert found.block_length == 5
    half = stats.norm.ppf(0.975) * of_clips.std(ddof=1) / 40**0.5 / 10
    assert [found.low, found.high] == pytest.approx([found.relative - half, found.relative + half], abs=0.15 * half)


def test_the_interval_covers_the_truth_as_often_as_it_says_and_an_iid_one_does_not() -> None:
    """Two equal experiments whose differences remember: 19 of 20 intervals shall hold 0."""
    draw, covered, iid_covered, rejected, times = np.random.default_rng(8), 0, 0, 0, 200
    for _ in range(times):
        base = np.full(1500, 100.0)
        difference = autoregressive(1500, 0.8, draw)
        found = compare(windows_of({("b", 0): base, ("a", 0): base + difference}), "a", "b", resamples=300)
        covered += found.low <= 0 <= found.high
        rejected += found.p_value <= 0.05
        iid_covered += abs(difference.mean()) <= 1.96 * difference.std(ddof=1) / 1500**0.5
    assert 0.89 <= covered / times <= 0.98
    assert abs(covered + rejected - times) <= 4, "p-value and interval tell the same"
    assert iid_covered / times < 0.6


@pytest.mark.parametrize("memory", [0.3, 0.6, 0.9])
def test_the_length_of_blocks_is_the_best_one_for_an_autoregressive_record(memory: float) -> None:
    """There G = 2ρ/(1 − ρ)², Σ R(k) = (1 + ρ)/(1 − ρ), both times R(0): b = (6 ρ² n / (1 − ρ²)²)^⅓."""
    count = 40_000
    best = (6 * memory**2 * count / (1 - memory**2) ** 2) ** (1 / 3)
    found = block_length([autoregressive(count, memory, np.random.default_rng(seed)) for seed in range(1)])
    assert found == pytest.approx(best, rel=0.25)


def test_the_length_grows_with_memory_and_does_not_see_scale_or_shift() -> None:
    draw = np.random.default_rng(10)
    records = [autoregressive(2000, memory, draw) for memory in (0, 0.5, 0.8, 0.95)]
    lengths = [block_length([record]) for record in records]
    assert lengths == sorted(lengths)
    assert lengths[0] <= 4 < lengths[1] < lengths[3]
    assert [block_length([1e-3 * record + 5]) for record in records] == lengths
    assert block_length([np.full(50, 3.3)]) == 1
    assert block_length([np.array([1.0])]) == 1


def test_nothing_is_remembered_across_stretches() -> None:
    """Cut into its single values, in any order, a record remembers nothing."""
    record = autoregressive(400, 0.95, np.random.default_rng(11))
    assert block_length([record[:1], *record[1:, None]]) == 1
    assert block_length([record[:200], record[200:]]) > 5


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=12), st.integers(0, 12))
def test_circular_sums(values: list[float], length: int) -> None:
    length = min(length, len(values))
    plain = [sum(values[(start + step) % len(values)] for step in range(length)) for start in range(len(values))]
    np.testing.assert_allclose(circular_sums(np.array([values]), length)[0], plain, atol=1e-9)


def plain_block_means(values: np.ndarray, length: int, resamples: int, draw: np.random.Generator) -> np.ndarray:
    """The circular block bootstrap of a mean as it is written in textbooks."""
    n, means = len(values), []
    for _ in range(resamples):
        drawn: list[float] = []
        while len(drawn) < n:
            first = draw.integers(n)
            drawn += [values[(first + step) % n] for step in range(length)]
        means.append(np.mean(drawn[:n]))
    return np.array(means)


@pytest.mark.parametrize(("count", "length"), [(60, 5), (61, 7), (50, 1), (50, 16)])
def test_blocks_vary_as_the_closed_form_and_as_a_plain_loop(count: int, length: int) -> None:
    values = autoregressive(count, 0.8, np.random.default_rng(12))
    resamples, blocks = 20_000, ceil(count / length)
    found = means_of_blocks(values[None], [np.arange(count)], length, resamples, np.random.default_rng(0))[:, 0]
    of_blocks = [circular_sums(values[None], size).var() for size in (length, count - (blocks - 1) * length)]
    closed = ((blocks - 1) * of_blocks[0] + of_blocks[1]) / count**2
    assert found.var() == pytest.approx(closed * count / (count - length), rel=0.05)
    assert found.mean() == pytest.approx(values.mean(), abs=4 * found.std() / resamples**0.5)
    plain = plain_block_means(values, length, 2000, np.random.default_rng(1))
    assert found.var() * (count - length) / count == pytest.approx(plain.var(), rel=0.12)
    scaled = values.mean() + (found - values.mean()) * ((count - length) / count) ** 0.5
    assert stats.ks_2samp(scaled, plain).pvalue > 0.01


def test_stretches_are_resampled_each_for_itself() -> None:
    """Constants 0 and 1 in two stretches: no draw of blocks within them changes the mean."""
    values = np.array([[0.0] * 30 + [1.0] * 10])
    stretches = [np.arange(30), np.arange(30, 40)]
    drawn = means_of_blocks(values, stretches, 3, 50, np.random.default_rng(0))
    np.testing.assert_allclose(drawn, 0.25)
    clips = means_of_clips(values, stretches, 50, np.random.default_rng(0))
    assert set(np.round(clips[:, 0], 9)) == {np.round(0.25 + 2**0.5 * (mean - 0.25), 9) for mean in (0, 0.25, 1)}
    np.testing.assert_allclose(means_of_clips(values, [np.arange(40)], 5, np.random.default_rng(0)), 0.25)


# ---------------------------------------------------------------- maps


def fields(mse_blocks: np.ndarray) -> xr.Dataset:
    """Error fields with ``mse_blocks`` (block, channel, lat, lon)."""
    return xr.Dataset({"mse_blocks": (("block", "channel", "lat", "lon"), mse_blocks.astype(np.float32))})


def test_the_marks_are_those_of_paired_t_tests_and_benjamini_and_hochberg() -> None:
    draw = np.random.default_rng(2)
    a, b = (draw.gamma(5, 2, (2, 12, 2, 5, 6)).astype(np.float32) for _ in range(2))  # of two seeds each
    a[..., :2, :] += 5
    marks = significant_places([fields(seed) for seed in a], [fields(seed) for seed in b], rate=0.1)
    assert (marks.dims, marks.dtype) == (("channel", "lat", "lon"), bool)
    for channel in range(2):  # each channel's map is judged for itself
        p = stats.ttest_rel(*(mean[:, channel] for mean in (a.mean(0, float), b.mean(0, float)))).pvalue.ravel()
        ordered = np.sort(p)
        passing = np.flatnonzero(ordered <= 0.1 * np.arange(1, len(p) + 1) / len(p))
        limit = ordered[passing[-1]] if len(passing) else -1
        np.testing.assert_array_equal(marks[channel].values.ravel(), p <= limit)
    assert marks.any()
    assert not marks.all()


def test_equal_fields_one_stretch_and_a_difference_that_never_varies() -> None:
    errors = np.random.default_rng(3).uniform(1, 2, (9, 1, 3, 4))
    assert not significant_places([fields(errors)], [fields(errors)]).any()
    assert not significant_places([fields(errors[:1])], [fields(errors[:1] + 5)]).any()
    whole = np.ones((9, 1, 3, 4))
    assert significant_places([fields(whole)], [fields(whole + 1)]).all()


def test_fields_that_cannot_be_compared_are_refused() -> None:
    errors = fields(np.ones((9, 1, 3, 4)))
    with pytest.raises(SvqkitError, match="No error fields"):
        significant_places([], [errors])
    with pytest.raises(SvqkitError, match="no `mse_blocks`"):
        significant_places([errors], [errors.rename(mse_blocks="rmse")])
    with pytest.raises(SvqkitError, match="one grid and the same stretches"):
        significant_places([errors], [errors.isel(lat=[0])])
