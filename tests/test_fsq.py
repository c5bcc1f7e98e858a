"""FSQ and ResidualFSQ: rounding to levels, by hand, in steps written out, and against the library."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from vector_quantize_pytorch import FSQ as LibraryFSQ

from svqkit.errors import SvqkitError
from svqkit.quantizers import FSQ, Quantizer, ResidualFSQ

SIZES = st.lists(st.integers(3, 9), min_size=1, max_size=4).map(tuple)


def latents(dim: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(2, dim, 3, 5, generator=torch.Generator().manual_seed(3))


def as_rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(0, 2)


@given(levels=SIZES)
def test_the_codes_are_the_grid_of_the_levels(levels: tuple[int, ...]) -> None:
    layer = FSQ(len(levels), levels)
    axes = [[(level - count // 2) / (count // 2) for level in range(count)] for count in levels]
    found = {tuple(round(number, 5) for number in code) for code in layer.codes().tolist()}
    assert found == {tuple(round(number, 5) for number in code) for code in product(*axes)}
    assert layer.codebook_size == len(layer.codes())


@pytest.mark.parametrize(
    ("kind", "dim", "options"),
    [
        (FSQ, 3, {"levels": (4, 3, 5)}),
        (FSQ, 7, {"levels": (4, 3)}),
        (ResidualFSQ, 3, {"levels": (4, 3, 5), "num_quantizers": 3}),
        (ResidualFSQ, 7, {"levels": (4, 3), "num_quantizers": 2}),
    ],
)
def test_the_output_is_the_codes_with_their_weights(kind: type[Quantizer], dim: int, options: dict) -> None:
    layer, x = kind(dim, **options), latents(dim)
    weights = layer.weights_of(x, torch.arange(layer.codebook_size))
    assert layer.codes().shape == (layer.codebook_size, dim)
    torch.testing.assert_close(torch.einsum("nkhw,kd->ndhw", weights, layer.codes()), layer(x).output)
    assert layer(x).loss == 0


def test_fsq_is_the_librarys() -> None:
    torch.manual_seed(0)
    ours, theirs = FSQ(7, (8, 5, 5)), LibraryFSQ(levels=[8, 5, 5], dim=7)
    theirs.load_state_dict(ours.layer.state_dict())
    x, y = (t.requires_grad_() for t in latents(7).expand(2, -1, -1, -1, -1).unbind())
    output, indices = theirs(y)
    torch.testing.assert_close(ours(x).output, output)
    assert torch.equal(ours.indices(x).flatten(), indices.flatten().long())
    ours(x).output.square().sum().backward()
    output.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)


def in_steps(vector: list[float], levels: tuple[int, ...], steps: int) -> list[float]:
    """Residual FSQ of one vector as its formula has it, in plain numbers."""

    def bound(value: float, count: int) -> Tensor:
        half, offset = torch.tensor(0.999 * (count - 1) / 2), 0.0 if count % 2 else 0.5
        return (torch.tensor(value) + (offset / half).atanh()).tanh() * half - offset

    output = []
    for value, count in zip(vector, levels, strict=True):
        rest, total = bound(value, count), 0.0
        for step in range(steps):
            scale = (count - 1) ** -step
            code = bound(float(rest / scale), count).round() / (count // 2) * scale
            rest, total = rest - code, total + float(code)
        output.append(total)
    return output


@given(levels=SIZES, steps=st.integers(1, 4), scale=st.sampled_from([0.1, 1.0, 5.0]))
def test_residual_steps_are_the_formula(levels: tuple[int, ...], steps: int, scale: float) -> None:
    layer, x = ResidualFSQ(len(levels), levels, steps).eval().double(), latents(len(levels), scale)[:1, :, :1].double()
    expected = torch.tensor([in_steps(vector, levels, steps) for vector in as_rows(x).tolist()])
    torch.testing.assert_close(as_rows(layer(x).output).float(), expected, rtol=1e-4, atol=1e-4)


def test_the_gradient_passes_the_rounding_but_not_the_bounds() -> None:
    layer = ResidualFSQ(1, (5,), 1)
    x = torch.tensor([0.3], dtype=torch.float64).view(1, 1, 1, 1).requires_grad_()
    layer(x).output.backward()
    once = (1 - x.detach().tanh() ** 2) * 1.998
    twice = (1 - (x.detach().tanh() * 1.998).tanh() ** 2) * 1.998
    torch.testing.assert_close(x.grad, once * twice / 2)


def test_levels_of_each_step_have_numbers_of_their_own() -> None:
    layer, x = ResidualFSQ(7, (4, 3), 3), latents(7)
    chosen = layer.indices(x)
    assert layer.codebook_size == 36
    assert torch.equal(chosen // 12, torch.arange(3).expand(30, 3))
    assert len(layer.usage(x).stage_perplexity) == 3
    assert layer.usage(x).codes_per_position == 3


@pytest.mark.parametrize("levels", [(), (2,), (8, 1, 5)])
@pytest.mark.parametrize("kind", [FSQ, ResidualFSQ])
def test_fewer_than_three_levels_are_refused(kind: type[Quantizer], levels: tuple[int, ...]) -> None:
    with pytest.raises(SvqkitError, match="levels of 3 or more"):
        kind(4, levels)
