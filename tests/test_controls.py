"""The controls without a codebook: what they compute, and that they are as large as what they are compared with."""

import pytest
import torch
from created import gradients, seeded, watched
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from svqkit.errors import SvqkitError
from svqkit.quantizers import MLP, SVQ, Linear, base


def parameters(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())


@given(dim=st.integers(1, 40), codebook_size=st.integers(1, 3000), hidden_dim=st.integers(1, 200))
def test_folded_it_has_the_parameters_of_the_folded_svq(dim: int, codebook_size: int, hidden_dim: int) -> None:
    svq = SVQ(dim, codebook_size, hidden_dim).without_codebook()
    assert parameters(MLP(dim, hidden_dim, "folded", codebook_size)) == parameters(svq)


@given(dim=st.integers(1, 40), codebook_size=st.integers(1, 3000), hidden_dim=st.integers(1, 200))
def test_in_total_it_has_svqs_parameters_to_half_a_hidden_unit(dim: int, codebook_size: int, hidden_dim: int) -> None:
    wide = MLP(dim, hidden_dim, "total", codebook_size)
    unit = (parameters(wide) - dim) / wide.width
    assert unit == 2 * dim + 1
    assert abs(parameters(wide) - parameters(SVQ(dim, codebook_size, hidden_dim))) <= unit / 2


def test_the_sizes_of_the_paper() -> None:
    svq, small, wide = SVQ(32), MLP(32), MLP(32, match="total")
    assert (parameters(svq), parameters(small)) == (1_614_224, 8_352)
    assert (small.width, wide.width, parameters(wide)) == (128, 24_834, 1_614_242)


@pytest.mark.parametrize("chunk", [40, 2**24])
@pytest.mark.parametrize("match", ["folded", "total"])
def test_the_mlp_is_its_two_layers_gradients_included(match: str, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "CHUNK_ELEMENTS", chunk)
    layer, x = MLP(5, 7, match, 30).double(), seeded((2, 5, 3, 4)).requires_grad_()
    hidden = torch.einsum("hd,ndij->nijh", layer.hidden.weight, x) + layer.hidden.bias
    plain = (hidden.clamp(min=0) @ layer.output.weight.T + layer.output.bias).permute(0, 3, 1, 2)
    output, loss = layer(x)
    assert loss == 0
    torch.testing.assert_close(output, plain, rtol=0, atol=1e-12)
    found, wanted = gradients(output, loss, layer, x), gradients(plain, 0.0, layer, x)
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-12)


def test_a_wide_mlp_holds_its_hidden_layer_for_a_few_positions_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    chunk, positions = 10_000, 16 * 4 * 8
    monkeypatch.setattr(base, "CHUNK_ELEMENTS", chunk)
    layer, x = MLP(4, 8, "total", 600), seeded((16, 4, 4, 8), dtype=torch.float32)
    weights = parameters(layer)
    for made in watched(lambda x: layer(x).output, layer, x):
        assert made.largest <= max(chunk, weights)
        assert made.peak < 4 * chunk + 3 * weights + 8 * x.numel() < positions * layer.width / 4


def test_one_linear_map() -> None:
    layer, x = Linear(3), seeded((2, 3, 2, 4), dtype=torch.float32)
    output, loss = layer(x)
    assert loss == 0
    assert parameters(layer) == 3 * 3 + 3
    torch.testing.assert_close(output.permute(0, 2, 3, 1), layer.map(x.permute(0, 2, 3, 1)))


@pytest.mark.parametrize("layer", [MLP(3, 4), Linear(3)])
def test_a_control_has_no_codes_to_look_at(layer: MLP | Linear) -> None:
    assert not layer.has_codebook
    x = torch.ones(1, 3, 2, 2)
    for look in (layer.codes, lambda: layer.usage(x), lambda: layer.weights_of(x, torch.tensor([0]))):
        with pytest.raises(SvqkitError, match=f"{type(layer).__name__} has no codebook"):
            look()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": 0}, "got dim=0"),
        ({"hidden_dim": 0}, "got hidden_dim=0"),
        ({"codebook_size": 0}, "codebook_size=0"),
        ({"match": "totl"}, "Unknown match 'totl' .did you mean 'total'"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, int | str], message: str) -> None:
    with pytest.raises(SvqkitError, match=message):
        MLP(**{"dim": 4, **options})
