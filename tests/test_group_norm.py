"""Group normalisation in float32: as near to float64 as its input allows, however the maps lie in memory."""

import copy

import pytest
import torch
from torch import Tensor, nn

from svqkit import models
from svqkit.models.layers import GroupNorm
from svqkit.settings.params import TRANSLATORS, load_params, override

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def maps(mean: float, spread: float, channels: int = 8) -> Tensor:
    return mean + spread * torch.randn(2, channels, 96, 128, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("groups", [1, 2, 8])
@pytest.mark.parametrize(("mean", "spread"), [(0, 1), (1, 0.1), (1, 0.01), (-30, 1)])
def test_no_digits_are_lost(mean: float, spread: float, groups: int, layout: torch.memory_format) -> None:
    """x itself is rounded by 6e-8 of the mean; what comes out may be off by a few times as much, in spreads."""
    norm = GroupNorm(groups, 8)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = maps(mean, spread)
    exact = copy.deepcopy(norm).double()(x.double())
    error = (norm(x.contiguous(memory_format=layout)) - exact).abs().max() / exact.abs().max()
    assert error < 3e-7 + 1e-7 * abs(mean) / spread


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_are_those_of_float64(groups: int, layout: torch.memory_format) -> None:
    norm = GroupNorm(groups, 8)
    nn.init.normal_(norm.weight)
    x, towards = maps(0.5, 1), maps(0, 1).square()
    found = []
    for module, dtype in ((norm, torch.float32), (copy.deepcopy(norm).double(), torch.float64)):
        given = x.to(dtype).clone(memory_format=layout).requires_grad_()
        module(given).backward(towards.to(dtype))
        found.append([given.grad, module.weight.grad, module.bias.grad])
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours.double(), exact, rtol=0, atol=1e-4 * exact.abs().max().item())


def test_the_layout_is_kept() -> None:
    x = maps(0, 1).contiguous(memory_format=torch.channels_last)
    assert GroupNorm(2, 8)(x).stride() == x.stride()


@pytest.mark.parametrize("translator", TRANSLATORS)
def test_every_model_normalises_groups_so(translator: str) -> None:
    base = load_params(profile="sample").experiments["kth-none"]
    model = models.build(override(base, {"model": {"translator": translator}}), (1, 16, 16))
    norms = [module for module in model.modules() if isinstance(module, nn.GroupNorm)]
    assert norms
    assert all(isinstance(norm, GroupNorm) for norm in norms)
