"""Models laid out for speed: the same weights, names and results."""

import copy
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from svqkit.models import layout
from svqkit.models.layout import PointwiseConv2d, laid_out


@pytest.fixture
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_weights_of_maps_have_channels_last_and_those_of_clips_stay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 3), nn.Linear(3, 4), nn.Conv2d(4, 1, 1))
    before = copy.deepcopy(model.state_dict())
    changed = laid_out(model)
    assert changed is model
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert model[1].weight.is_contiguous()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert list(model.state_dict()) == list(before)


def test_a_gradient_lies_as_its_weight_does() -> None:
    """Otherwise DDP copies it, and warns."""
    conv = laid_out(nn.Conv2d(32, 1, 1))
    conv(torch.randn(2, 32, 8, 8).contiguous(memory_format=torch.channels_last)).sum().backward()
    assert conv.weight.grad.stride() == conv.weight.stride()


def test_only_convolutions_of_single_positions_are_taken_for_pointwise() -> None:
    others = [nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 1, 2), nn.Conv2d(4, 4, 1, padding=1), nn.Conv2d(4, 4, 1, groups=2)]
    assert [type(laid_out(module)) for module in others] == [nn.Conv2d] * 4
    assert type(laid_out(nn.Conv2d(4, 6, 1))) is PointwiseConv2d


@pytest.mark.usefixtures("one_thread")
@given(
    st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.booleans(),
    st.sampled_from([torch.contiguous_format, torch.channels_last]),
)  # fmt: skip
def test_a_pointwise_convolution_is_torchs_with_its_gradients(
    batch: int, entering: int, leaving: int, height: int, width: int, bias: bool, order: torch.memory_format
) -> None:
    torch.manual_seed(0)
    theirs = nn.Conv2d(entering, leaving, 1, bias=bias).double()
    ours = laid_out(copy.deepcopy(theirs))
    x = torch.randn(batch, entering, height, width, dtype=torch.float64).contiguous(memory_format=order)
    towards = torch.randn(batch, leaving, height, width, dtype=torch.float64)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "WORTH_IT", 0)
        assert ours._is_worth_it(x)
        for module in (ours, theirs):
            frames = x.clone(memory_format=torch.preserve_format).requires_grad_()
            y = module(frames)
            y.backward(towards)
            found.append((y.detach(), frames.grad, *(weight.grad for weight in module.parameters())))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("one_thread")
def test_small_convolutions_and_large_batches_stay_as_torch_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    conv = laid_out(nn.Conv2d(4, 4, 1))
    assert not conv._is_worth_it(torch.randn(2, 4, 8, 8))
    monkeypatch.setattr(layout, "WORTH_IT", 0)
    assert not conv._is_worth_it(torch.randn(16, 4, 8, 8))
