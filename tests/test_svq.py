"""SVQ: the fold is the formula of the paper, gradients included, and never makes what it promises not to make."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from created import gradients, seeded, watched
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from svqkit.errors import SvqkitError
from svqkit.quantizers import SVQ, base
from svqkit.quantizers.mixture import CODEBOOK_INITS, new_codebook

SIGNATURE = {
    "codebook_size": 10_000,
    "hidden_dim": 128,
    "learnable": True,
    "learnable_projection": True,
    "init": "kaiming",
    "hidden_relu": True,
    "output_relu": False,
    "l1": 0.0,
}
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": Tensor.contiguous,
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "strided": lambda x: x.repeat_interleave(2, dim=3)[..., ::2],
    "transposed": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
}


def plain_weights(layer: SVQ, x: Tensor) -> Tensor:
    """All K weights of every position at once, (N, H, W, K), as the paper has them."""
    vectors = x.permute(0, 2, 3, 1)
    if layer.hidden is not None:
        vectors = vectors @ layer.hidden.weight.T + layer.hidden.bias
        if layer.hidden_relu:
            vectors = vectors.clamp(min=0)
    weights = vectors @ layer.weights.weight.T + layer.weights.bias
    return weights.clamp(min=0) if layer.output_relu else weights


def three_products(layer: SVQ, x: Tensor) -> Tensor:
    """The formula as the paper has it."""
    return (plain_weights(layer, x) @ layer.codebook).permute(0, 3, 1, 2)


OPTIONS = st.fixed_dictionaries(
    {
        "codebook_size": st.integers(1, 23),
        "hidden_dim": st.sampled_from([0, 1, 5, 40]),
        "learnable": st.booleans(),
        "learnable_projection": st.booleans(),
        "hidden_relu": st.booleans(),
        "output_relu": st.booleans(),
        "l1": st.sampled_from([0.0, 0.7]),
    }
)


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5)),
    options=OPTIONS,
    layout=st.sampled_from(sorted(LAYOUTS)),
    chunk=st.integers(1, 400),
)
def test_output_loss_and_gradients_are_those_of_three_products(
    sizes: tuple[int, int, int, int], options: dict[str, Any], layout: str, chunk: int
) -> None:
    torch.manual_seed(options["codebook_size"])
    layer = SVQ(sizes[1], init="normal", **options).double()
    x = LAYOUTS[layout](seeded(sizes)).requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "CHUNK_ELEMENTS", chunk)
        output, loss = layer(x)
        found = gradients(output, loss, layer, x)
    expected, penalty = three_products(layer, x), options["l1"] * plain_weights(layer, x).abs().sum(-1).mean()
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(loss, penalty, rtol=0, atol=1e-10)
    wanted = gradients(expected, penalty, layer, x)
    names = {"x"} | ({"codebook"} if options["learnable"] else set())
    if options["learnable_projection"]:
        names |= {"weights.weight", "weights.bias"}
        names |= {"hidden.weight", "hidden.bias"} if options["hidden_dim"] else set()
    assert set(found) == names
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("codebook_size", "width"), [(1000, 128), (128, 128), (20, 20)])
def test_the_hidden_layer_is_no_wider_than_the_codebook(codebook_size: int, width: int) -> None:
    layer = SVQ(6, codebook_size, 128)
    assert layer.hidden is not None
    assert layer.hidden.weight.shape == (width, 6)
    assert layer.weights.weight.shape == (codebook_size, width)


@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("hidden_dim", [0, 16])
def test_folded_no_tensor_of_positions_times_codes_is_made(hidden_dim: int, learnable: bool) -> None:
    positions, codes = 2 * 4 * 8, 1000
    layer, x = SVQ(8, codes, hidden_dim, learnable), seeded((2, 8, 4, 8), dtype=torch.float32)
    for made in watched(lambda x: layer(x).output, layer, x):
        assert made.largest <= codes * max(8, hidden_dim) < positions * codes
    for made in watched(lambda x: three_products(layer, x), layer, x):
        assert made.largest >= positions * codes


@pytest.mark.parametrize(("output_relu", "l1"), [(False, 0.1), (True, 0.1), (True, 0.0)])
def test_memory_does_not_grow_with_the_codes(output_relu: bool, l1: float, monkeypatch: pytest.MonkeyPatch) -> None:
    positions, codes, chunk, parameters = 16 * 4 * 8, 1000, 10_000, 1000 * (8 + 1 + 4 + 1)
    monkeypatch.setattr(base, "CHUNK_ELEMENTS", chunk)
    layer, x = SVQ(4, codes, 8, output_relu=output_relu, l1=l1), seeded((16, 4, 4, 8), dtype=torch.float32)
    beside = 4 * positions * (8 + 4)  # latents, hidden layer, output, and their gradients
    forward, backward = watched(lambda x: sum(part.sum() for part in layer(x)), layer, x)
    assert positions * 10 < forward.largest <= max(chunk, parameters)
    assert forward.peak < 4 * chunk + 2 * parameters + beside < positions * codes / 4
    assert backward.peak < 4 * chunk + (4 if l1 else 2) * parameters + beside < positions * codes / 4
    assert l1 or positions * 10 < backward.largest <= max(chunk, parameters)
    layer.eval()
    with torch.no_grad():
        assert layer(x).loss == 0
    if not output_relu:  # who asks for no penalty gets the fold and nothing else
        for made in watched(lambda x: layer(x).output, layer, x):
            assert made.largest <= codes * 8


def test_one_pass_over_the_codes_serves_output_relu_and_l1(monkeypatch: pytest.MonkeyPatch) -> None:
    passes: list[torch.Size] = []
    linear = nn.functional.linear

    def spy(hidden: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        passes.append(weight.shape)
        return linear(hidden, weight, bias)

    monkeypatch.setattr(nn.functional, "linear", spy)
    x = seeded((2, 3, 2, 3), dtype=torch.float32)
    with torch.no_grad():
        SVQ(3, 11, 5, output_relu=True, l1=0.5)(x)
    assert passes == [(11, 5)]
    SVQ(3, 11, 5)(x)
    assert passes == [(11, 5)], "the fold makes no weights"


def test_the_penalty_by_hand() -> None:
    layer = SVQ(2, 2, hidden_dim=0, l1=0.5)
    with torch.no_grad():
        layer.weights.weight.copy_(torch.eye(2))
        layer.weights.bias.copy_(torch.tensor([1.0, 0.0]))
    x = torch.tensor([[[2.0, -3.0], [-1.0, 4.0]]])  # weights (3, −3) and (0, 4)
    assert layer(x).loss == 0.5 * (6 + 4) / 2
    layer.output_relu = True  # (3, 0) and (0, 4)
    assert layer(x).loss == 0.5 * (3 + 4) / 2
    assert layer.eval()(x).loss == 0


@pytest.mark.parametrize("hidden_dim", [0, 6, 50])
@pytest.mark.parametrize("hidden_relu", [False, True])
def test_the_layer_can_be_taken_out_without_its_codebook(hidden_dim: int, hidden_relu: bool) -> None:
    layer, x = SVQ(5, 31, hidden_dim, hidden_relu=hidden_relu).double(), seeded((3, 7, 5))
    exported, folded = layer.without_codebook(), layer.folded_layer()
    kinds = [nn.Linear, nn.ReLU, nn.Linear] if hidden_dim and hidden_relu else [nn.Linear]
    parts = list(exported) if isinstance(exported, nn.Sequential) else [exported]
    assert [type(part) for part in parts] == kinds
    torch.testing.assert_close(exported(x), layer(x).output, rtol=0, atol=1e-12)
    torch.testing.assert_close(exported(x[0, 0]), layer(x).output[0, 0], rtol=0, atol=1e-12)
    hidden = x
    if layer.hidden is not None:
        hidden = layer.hidden(x).relu() if hidden_relu else layer.hidden(x)
    assert folded.weight.shape == (5, min(hidden_dim, 31) or 5)
    torch.testing.assert_close(folded(hidden), layer(x).output, rtol=0, atol=1e-12)
    sum(parameter.square().sum() for parameter in exported.parameters()).backward()
    assert all(parameter.grad is None for parameter in layer.parameters())
    with torch.no_grad():
        for parameter in (*exported.parameters(), *folded.parameters()):
            parameter.zero_()
    assert layer(x).output.abs().min() > 0


@pytest.mark.parametrize("call", ["folded", "folded_layer", "without_codebook"])
def test_with_output_relu_there_is_no_layer_without_codebook(call: str) -> None:
    with pytest.raises(SvqkitError, match=r"output_relu=True cannot be folded.*output_relu=False"):
        getattr(SVQ(4, 10, output_relu=True), call)()


@pytest.mark.parametrize("output_relu", [False, True])
@pytest.mark.parametrize("hidden_dim", [0, 6])
def test_code_weights_mix_the_codebook_into_the_output(hidden_dim: int, output_relu: bool) -> None:
    layer = SVQ(5, 31, hidden_dim, output_relu=output_relu).double()
    x = seeded((3, 5, 2, 4))
    weights = layer.code_weights(x)
    assert weights.shape == (3, 2 * 4, 31)
    assert (weights.min() >= 0) == output_relu
    mixed = (weights @ layer.codes()).transpose(1, 2).reshape(3, 5, 2, 4)
    torch.testing.assert_close(mixed, layer(x).output, rtol=0, atol=1e-12)
    chosen = torch.tensor([30, 0, 7])
    picked = weights[..., chosen].transpose(1, 2).reshape(3, 3, 2, 4)
    torch.testing.assert_close(layer.weights_of(x, chosen), picked, rtol=0, atol=1e-12)


def test_the_signature_is_the_documented_one() -> None:
    parameters = dict(inspect.signature(SVQ).parameters)
    assert parameters.pop("dim").default is inspect.Parameter.empty
    assert {name: parameter.default for name, parameter in parameters.items()} == SIGNATURE
    layer = SVQ(dim=32, **SIGNATURE)
    assert layer(torch.ones(1, 32, 2, 2)).output.shape == (1, 32, 2, 2)
    assert layer.codes().shape == (10_000, 32)


@pytest.mark.parametrize("sizes", [{"dim": 0}, {"codebook_size": 0}, {"hidden_dim": -1}, {"l1": -0.5}])
def test_impossible_sizes_are_refused(sizes: dict[str, float]) -> None:
    name, value = next(iter(sizes.items()))
    with pytest.raises(SvqkitError, match=f"got .*{name}={value}"):
        SVQ(**{"dim": 4, **sizes})


@pytest.mark.parametrize(
    ("init", "low", "high", "mean", "std"),
    [
        ("kaiming", -math.sqrt(6 / 32), math.sqrt(6 / 32), 0, math.sqrt(2 / 32)),
        ("xavier", -math.sqrt(12 / 4032), math.sqrt(12 / 4032), 0, math.sqrt(4 / 4032)),
        ("uniform-random", 0, 1, 0.5, math.sqrt(1 / 12)),
        ("trunc_normal", -2, 2, 0, 0.8796),  # the standard deviation of a normal distribution cut at ±2
    ],
)
def test_bounded_initial_codebooks(init: str, low: float, high: float, mean: float, std: float) -> None:
    torch.manual_seed(0)
    codebook = new_codebook(4000, 32, init)
    assert codebook.shape == (4000, 32)
    span = high - low
    assert low <= codebook.min() < low + 0.01 * span
    assert high >= codebook.max() > high - 0.01 * span
    assert float(codebook.mean()) == pytest.approx(mean, abs=0.01 * span)
    assert float(codebook.std()) == pytest.approx(std, rel=0.01)


def test_normal_initial_codebook() -> None:
    torch.manual_seed(0)
    codebook = new_codebook(4000, 32, "normal")
    assert float(codebook.mean()) == pytest.approx(0, abs=0.01)
    assert float(codebook.std()) == pytest.approx(1, rel=0.01)
    assert float((codebook.abs() > 2).float().mean()) == pytest.approx(0.0455, abs=0.003)


def test_sparse_initial_codebook() -> None:
    torch.manual_seed(0)
    codebook = new_codebook(4000, 32, "sparse")
    assert (codebook == 0).sum(0).tolist() == [3600] * 32
    assert float(codebook[codebook != 0].std()) == pytest.approx(0.01, rel=0.03)


@pytest.mark.parametrize("codes", [8, 40])
def test_orthogonal_initial_codebook(codes: int) -> None:
    codebook = new_codebook(codes, 16, "orthogonal").double()
    product = codebook @ codebook.T if codes <= 16 else codebook.T @ codebook
    torch.testing.assert_close(product, torch.eye(min(codes, 16), dtype=torch.float64), rtol=0, atol=1e-5)


def test_an_unknown_initialisation_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(SvqkitError, match="did you mean 'kaiming'") as error:
        SVQ(4, 10, init="kaimin")
    assert all(name in str(error.value) for name in CODEBOOK_INITS)


def test_under_autocast_the_fold_stays_in_float32() -> None:
    torch.manual_seed(0)
    layer, x = SVQ(16, 3000, 32), seeded((2, 16, 4, 4), dtype=torch.float32)
    plain, output = layer.folded(), layer(x).output
    with torch.autocast("cpu", torch.bfloat16):
        folded, half = layer.folded(), layer(x).output
    for value, expected in zip(folded, plain, strict=True):
        assert value.dtype == torch.float32
        assert torch.equal(value, expected)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), output, rtol=0, atol=0.02 * float(output.detach().abs().max()))


def test_under_autocast_many_chunks_round_no_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer, x = SVQ(16, 3000, 32, output_relu=True), seeded((2, 16, 4, 4), dtype=torch.float32)
    output = layer(x).output
    monkeypatch.setattr(base, "CHUNK_ELEMENTS", 10 * 32)  # 300 chunks
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x).output
    torch.testing.assert_close(half.float(), output, rtol=0, atol=0.02 * float(output.detach().abs().max()))
