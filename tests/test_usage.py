"""Usage of a codebook: counts and moments against values derived by hand and against numpy."""

import math

import numpy as np
import pytest
import torch
from created import Created
from hypothesis import given, settings
from hypothesis import strategies as st
from quantizercases import every_kind, latents, made
from torch import Tensor

from svqkit.errors import SvqkitError
from svqkit.quantizers import SVQ, VQ, Usage, base
from svqkit.quantizers.assignment import Assignment
from svqkit.quantizers.usage import hard_usage, perplexity


def of_weights(rows: list[list[float]], output_relu: bool = False) -> Usage:
    """The usage of an SVQ layer whose code weights at each position are a row of ``rows``."""
    codes = len(rows[0])
    layer = SVQ(codes, codes, hidden_dim=0, output_relu=output_relu)
    with torch.no_grad():
        layer.weights.weight.copy_(torch.eye(codes))
        layer.weights.bias.zero_()
    return layer.usage(torch.tensor(rows, dtype=torch.float32).T[None, :, :, None])


def random_layer(output_relu: bool = False) -> tuple[SVQ, Tensor]:
    torch.manual_seed(0)
    layer = SVQ(6, 37, 12, output_relu=output_relu).double()
    return layer, torch.randn(3, 6, 4, 5, dtype=torch.float64)


def test_the_largest_in_size_wins_whatever_its_sign() -> None:
    usage = of_weights([[1, -3, 2], [0, -1, 0.5], [0, 1, 0], [0.5, 0, 0]])
    assert usage.share.tolist() == [0.25, 0.75, 0]
    assert usage.perplexity == pytest.approx(4 / 3**0.75)  # exp(¼ ln 4 + ¾ ln 4/3)
    assert usage.dead_codes == 1
    assert usage.strength.tolist() == pytest.approx([1.5 / 4, 5 / 4, 2.5 / 4])


def test_a_position_whose_weights_are_all_zero_is_won_by_no_code() -> None:
    usage = of_weights([[0, 0, 0], [0, -2, 1]])
    assert usage.share.tolist() == [0, 1, 0]
    assert usage.dead_codes == 2
    none = of_weights([[0, 0, 0]])
    assert (none.share.tolist(), none.perplexity, none.dead_codes) == ([0, 0, 0], 0, 3)


def test_codes_per_position_is_the_effective_number_that_is_mixed() -> None:
    assert of_weights([[1, 1, -1, 1]]).codes_per_position == pytest.approx(4)
    assert of_weights([[3, -4, 0, 0]]).codes_per_position == pytest.approx(49 / 25)
    assert of_weights([[1, 1, 0, 0], [0, 5, 0, 0]]).codes_per_position == pytest.approx(1.5)


def test_near_zero_is_measured_against_the_largest_of_the_position() -> None:
    usage = of_weights([[100, 5, -40, 0.9], [0.1, -0.03, 0.04, 0.02]])
    assert usage.near_zero == {0.01: 1 / 8, 0.1: 2 / 8, 0.5: 6 / 8}
    assert usage.sparsity == 2 / 8
    assert usage.active_codes == {0.01: 3.5, 0.1: 3, 0.5: 1}


@pytest.mark.parametrize("output_relu", [False, True])
def test_all_numbers_agree_with_numpy(output_relu: bool) -> None:
    layer, x = random_layer(output_relu)
    usage = layer.usage(x)
    weights = layer.code_weights(x).detach().numpy().reshape(-1, 37)
    size = np.abs(weights)
    counts = np.bincount(size.argmax(1), minlength=37)
    share = counts / len(weights)
    used = share[share > 0]
    standard = (weights - weights.mean()) / weights.std()
    assert usage.share.tolist() == pytest.approx(share.tolist())
    assert usage.share.sum() == pytest.approx(1)
    assert usage.perplexity == pytest.approx(math.exp(-(used * np.log(used)).sum()))
    assert usage.dead_codes == (counts == 0).sum()
    for threshold, near in usage.near_zero.items():
        assert near == pytest.approx((size <= threshold * size.max(1, keepdims=True)).mean())
    assert usage.codes_per_position == pytest.approx((size.sum(1) ** 2 / (size**2).sum(1)).mean())
    assert usage.kurtosis == pytest.approx((standard**4).mean())
    assert usage.strength.tolist() == pytest.approx(size.mean(0).tolist())
    assert usage.histogram is not None
    edges, heights = (part.numpy() for part in usage.histogram)
    assert edges.tolist() == pytest.approx(np.linspace(-8, 8, 65).tolist())
    expected, _ = np.histogram(standard, edges)
    assert heights.sum() == weights.size
    assert np.abs(heights - expected).max() <= 1  # a weight may lie on an edge


def test_kurtosis_of_known_distributions() -> None:
    assert of_weights([[1, -1], [-1, 1]]).kurtosis == pytest.approx(1)
    normal = torch.randn(4000, 16, generator=torch.Generator().manual_seed(0))
    assert of_weights(normal.tolist()).kurtosis == pytest.approx(3, abs=0.06)
    shifted = of_weights((normal + 5).tolist())
    assert shifted.kurtosis == pytest.approx(of_weights(normal.tolist()).kurtosis, rel=1e-3)


def test_weights_beyond_the_histogram_lie_in_its_outermost_bins() -> None:
    rows = [[0.0] * 400 for _ in range(2)]
    rows[0][0], rows[1][0] = 1000.0, -1000.0  # twenty standard deviations
    usage = of_weights(rows)
    assert usage.histogram is not None
    heights = usage.histogram[1]
    assert (heights[0], heights[-1], heights.sum()) == (1, 1, 800)


@pytest.mark.parametrize("rows", [[[0.3] * 4] * 5, [[-1.0] * 4] * 5])
def test_weights_that_are_all_alike_have_no_kurtosis_but_a_usage(rows: list[list[float]]) -> None:
    usage = of_weights(rows, output_relu=True)  # of the second every weight is 0
    assert usage.kurtosis is not None
    assert math.isnan(usage.kurtosis)
    assert usage.histogram is not None
    assert usage.histogram[1].sum() == usage.histogram[1].max() == 20
    assert usage.share.sum() == (rows[0][0] > 0)


@pytest.mark.parametrize("chunk", [1, 37 * 7, 37 * 59])
def test_chunks_do_not_show(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = random_layer()
    whole = layer.usage(x)
    monkeypatch.setattr(base, "CHUNK_ELEMENTS", chunk)
    parts = layer.usage(x)
    assert torch.equal(parts.share, whole.share)
    assert parts.near_zero == whole.near_zero
    assert (parts.perplexity, parts.dead_codes) == (whole.perplexity, whole.dead_codes)
    assert parts.codes_per_position == pytest.approx(whole.codes_per_position, rel=1e-12)
    assert parts.kurtosis == pytest.approx(whole.kurtosis, rel=1e-12)
    torch.testing.assert_close(parts.strength, whole.strength)
    assert parts.histogram is not None
    assert whole.histogram is not None
    assert (parts.histogram[1] - whole.histogram[1]).abs().max() <= 1  # a weight may lie on an edge


def test_looking_at_svq_leaves_it_as_it_is() -> None:
    layer, x = random_layer()
    layer(x).output.sum().backward()
    before = {
        name: (parameter.detach().clone(), parameter.grad.clone()) for name, parameter in layer.named_parameters()
    }
    random_state = torch.get_rng_state()
    usage = layer.usage(x.requires_grad_())
    assert layer.training
    assert x.grad is None
    assert not usage.share.requires_grad
    assert not usage.strength.requires_grad
    assert torch.equal(torch.get_rng_state(), random_state)
    for name, parameter in layer.named_parameters():
        assert torch.equal(parameter, before[name][0])
        assert torch.equal(parameter.grad, before[name][1])


def test_looking_at_vq_does_not_move_its_codebook_while_training_does() -> None:
    torch.manual_seed(0)
    layer, x = VQ(4, 16).train(), torch.randn(2, 4, 5, 6)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    usage = layer.usage(x)
    layer.weights_of(x, torch.arange(3))
    assert layer.training
    assert layer.codebook.training
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    assert usage.share.sum() == pytest.approx(1)
    layer(x)
    assert not torch.equal(layer.codes(), before["codebook.embed"][0])
    assert not layer.eval()(x).output.requires_grad
    layer.usage(x)
    assert not layer.training


def test_hard_usage_of_several_stages_by_hand() -> None:
    # Weights 1 1 0 1 0, then 3 0 0 0 0, then 2 0 1 0 0.
    usage = hard_usage(torch.tensor([[0, 1, 3], [0, 0, 0], [0, 2, 0]]), 5)
    assert usage.share.tolist() == pytest.approx([6 / 9, 1 / 9, 1 / 9, 1 / 9, 0])
    assert usage.strength.tolist() == pytest.approx([2, 1 / 3, 1 / 3, 1 / 3, 0])
    assert usage.perplexity == pytest.approx((9 / 6) ** (6 / 9) * 9 ** (3 / 9))
    assert usage.stage_perplexity == pytest.approx((1, 3, (3 / 2) ** (2 / 3) * 3 ** (1 / 3)))
    assert usage.dead_codes == 1
    assert usage.codes_per_position == 2  # 3, 1 and 2
    assert usage.near_zero == {0.01: 9 / 15, 0.1: 9 / 15, 0.5: 10 / 15}  # a weight of 1 beside 2 is not above a half
    assert usage.active_codes == pytest.approx({0.01: 2, 0.1: 2, 0.5: 5 / 3})
    assert usage.kurtosis is None
    assert usage.histogram is None


def test_usage_of_many_stages_makes_no_tensor_of_positions_times_their_pairs() -> None:
    stages, positions = 64, 2**14
    chosen = torch.randint(0, 512, (positions, stages), generator=torch.Generator().manual_seed(0))
    with Created() as created:
        hard_usage(chosen, 512)
    assert created.peak < 2.5 * 2**24 < positions * stages**2


@pytest.mark.parametrize("value", [math.nan, math.inf])
@every_kind
def test_hard_usage_of_latents_that_are_no_numbers_is_refused(case: str, value: float) -> None:
    layer, x = made(case), latents()
    if not isinstance(layer, Assignment):
        return
    x[0, :, 0, 0] = value
    with pytest.raises(SvqkitError, match="NaN or infinite"):
        layer.usage(x)


@given(
    data=st.data(),
    stages=st.integers(1, 12),
    codes=st.integers(1, 6),
    positions=st.integers(1, 7),
    pairs=st.sampled_from([1, 300, 2**24]),
)
def test_hard_usage_is_that_of_the_counts(
    data: st.DataObject, stages: int, codes: int, positions: int, pairs: int
) -> None:
    row = st.lists(st.integers(0, codes - 1), min_size=stages, max_size=stages)
    rows = data.draw(st.lists(row, min_size=positions, max_size=positions))
    weights = np.array([[row.count(code) for code in range(codes)] for row in rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("svqkit.quantizers.usage.PAIRS", pairs)
        usage = hard_usage(torch.tensor(rows), codes)
    largest = weights.max(1, keepdims=True)
    for threshold, near in usage.near_zero.items():
        assert near == (weights <= threshold * largest).mean()
        assert usage.active_codes[threshold] == pytest.approx((weights > threshold * largest).sum(1).mean())
    assert usage.codes_per_position == (weights > 0).sum(1).mean()
    assert usage.strength.tolist() == pytest.approx(weights.mean(0).tolist())
    assert usage.share.tolist() == pytest.approx((weights.sum(0) / weights.sum()).tolist())
    assert usage.dead_codes == (weights.sum(0) == 0).sum()
    singles = [hard_usage(torch.tensor(rows)[:, [stage]], codes).perplexity for stage in range(stages)]
    assert usage.stage_perplexity == pytest.approx(singles)


@settings(deadline=None)
@given(counts=st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(any), times=st.integers(2, 9))
def test_perplexity_lies_between_1_and_the_codes_in_use(counts: list[int], times: int) -> None:
    found = perplexity(torch.tensor(counts))
    used = sum(count > 0 for count in counts)
    assert 1 - 1e-9 <= found <= used + 1e-9
    assert perplexity(torch.tensor(counts) * times) == pytest.approx(found)
    assert perplexity(torch.tensor(counts + counts)) == pytest.approx(2 * found)
