"""SVQ: the fold is the formula of the paper, gradients included, and never makes what it promises not to make."""

import copy
import inspect
import math
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from svqkit.errors import SvqkitError
from svqkit.quantizers import SVQ, svq
from svqkit.quantizers.codebook_init import CODEBOOK_INITS, new_codebook

SIGNATURE = {
    "codebook_size": 10_000,
    "hidden_dim": 128,
    "learnable": True,
    "init": "kaiming",
    "hidden_relu": True,
    "output_relu": False,
}
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "contiguous": Tensor.contiguous,
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "strided": lambda x: x.repeat_interleave(2, dim=3)[..., ::2],
    "transposed": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
}


def seeded(shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def three_products(layer: SVQ, x: Tensor) -> Tensor:
    """The formula as the paper has it, with all K weights of every position at once."""
    vectors = x.permute(0, 2, 3, 1)
    if layer.hidden is not None:
        vectors = vectors @ layer.hidden.weight.T + layer.hidden.bias
        if layer.hidden_relu:
            vectors = vectors.clamp(min=0)
    weights = vectors @ layer.weights.weight.T + layer.weights.bias
    if layer.output_relu:
        weights = weights.clamp(min=0)
    return (weights @ layer.codebook).permute(0, 3, 1, 2)


def gradients(output: Tensor, layer: SVQ, x: Tensor) -> dict[str, Tensor]:
    """Of a random linear functional of ``output``: for x and for every parameter that learns."""
    wanted = {"x": x, **{name: one for name, one in layer.named_parameters() if one.requires_grad}}
    found = torch.autograd.grad((output * seeded(tuple(output.shape), 9).to(output)).sum(), list(wanted.values()))
    return dict(zip(wanted, found, strict=True))


class Created(TorchDispatchMode):
    """Notes how many elements tensors have that are made in this context: the largest, and the most at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = self.live = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        before = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.largest = max(self.largest, leaf.numel())
                storage = leaf.untyped_storage()
                if id(storage) not in self.known | before:
                    self._hold(storage, storage.nbytes() // leaf.element_size())
        return result

    def _hold(self, storage: torch.UntypedStorage, elements: int) -> None:
        self.known.add(id(storage))
        self.live += elements
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._let_go, id(storage), elements)

    def _let_go(self, key: int, elements: int) -> None:
        self.known.discard(key)
        self.live -= elements


def watched(function: Callable[[Tensor], Tensor], layer: SVQ, x: Tensor) -> tuple[Created, Created]:
    """What is made in the forward and in the backward pass of ``function(x)``."""
    layer.zero_grad()
    x = x.detach().requires_grad_()
    with Created() as forward:
        output = function(x)
    with Created() as backward:
        output.sum().backward()
    assert x.grad is not None
    return forward, backward


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5)),
    codebook_size=st.integers(1, 23),
    hidden_dim=st.sampled_from([0, 1, 5, 40]),
    learnable=st.booleans(),
    hidden_relu=st.booleans(),
    output_relu=st.booleans(),
    layout=st.sampled_from(sorted(LAYOUTS)),
    chunk=st.integers(1, 400),
)
def test_output_and_every_gradient_are_those_of_the_three_products(
    sizes: tuple[int, int, int, int],
    codebook_size: int,
    hidden_dim: int,
    learnable: bool,
    hidden_relu: bool,
    output_relu: bool,
    layout: str,
    chunk: int,
) -> None:
    torch.manual_seed(codebook_size)
    layer = SVQ(sizes[1], codebook_size, hidden_dim, learnable, "normal", hidden_relu, output_relu).double()
    x = LAYOUTS[layout](seeded(sizes)).requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svq, "CHUNK_ELEMENTS", chunk)
        output = layer(x).output
        found = gradients(output, layer, x)
    expected = three_products(layer, x)
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-10)
    wanted = gradients(expected, layer, x)
    names = {"x", "weights.weight", "weights.bias"} | ({"codebook"} if learnable else set())
    assert set(found) == names | ({"hidden.weight", "hidden.bias"} if hidden_dim else set())
    for name, one in wanted.items():
        torch.testing.assert_close(found[name], one, rtol=0, atol=1e-10, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("hidden_dim", [0, 3])
@pytest.mark.parametrize("output_relu", [False, True])
def test_gradients_are_derivatives(output_relu: bool, hidden_dim: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svq, "CHUNK_ELEMENTS", 8)  # of 7 codes at 4 positions: 2, 2, 2, 1
    torch.manual_seed(0)
    layer = SVQ(2, 7, hidden_dim, output_relu=output_relu).double()
    names, values = zip(*layer.named_parameters(), strict=True)

    def run(x: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), x).output

    assert torch.autograd.gradcheck(run, (seeded((1, 2, 2, 2)).requires_grad_(), *values))


def test_chunks_cover_every_code_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    mixture = svq._relu_mixture

    def spy(hidden: Tensor, weight: Tensor, bias: Tensor, codebook: Tensor) -> Tensor:
        sizes.append(len(codebook))
        return mixture(hidden, weight, bias, codebook)

    monkeypatch.setattr(svq, "_relu_mixture", spy)
    monkeypatch.setattr(svq, "CHUNK_ELEMENTS", 50)  # 12 positions: 4 codes a chunk
    layer = SVQ(3, 11, 5, output_relu=True)
    with torch.no_grad():
        layer(seeded((2, 3, 2, 3), dtype=torch.float32))
    assert sizes == [4, 4, 3]


@pytest.mark.parametrize(("codebook_size", "width"), [(1000, 128), (128, 128), (20, 20)])
def test_the_hidden_layer_is_no_wider_than_the_codebook(codebook_size: int, width: int) -> None:
    layer = SVQ(6, codebook_size, 128)
    assert layer.hidden is not None
    assert layer.hidden.weight.shape == (width, 6)
    assert layer.weights.weight.shape == (codebook_size, width)


def test_hidden_dim_0_leaves_the_hidden_layer_out() -> None:
    layer = SVQ(6, 50, 0)
    assert {name: tuple(one.shape) for name, one in layer.named_parameters()} == {
        "weights.weight": (50, 6),
        "weights.bias": (50,),
        "codebook": (50, 6),
    }


@pytest.mark.parametrize("output_relu", [False, True])
@pytest.mark.parametrize("learnable", [False, True])
def test_an_optimizer_moves_the_codebook_only_when_it_learns(learnable: bool, output_relu: bool) -> None:
    layer = SVQ(4, 30, 8, learnable, output_relu=output_relu)
    before = {name: one.detach().clone() for name, one in layer.named_parameters()}
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=0.1)
    for step in range(3):
        optimizer.zero_grad()
        layer(seeded((2, 4, 3, 3), step, torch.float32)).output.square().sum().backward()
        optimizer.step()
    assert (layer.codebook.grad is None) is not learnable
    still = {name for name, one in layer.named_parameters() if torch.equal(one, before[name])}
    assert still == (set() if learnable else {"codebook"})


@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("hidden_dim", [0, 16])
def test_folded_no_tensor_of_positions_times_codes_is_made(hidden_dim: int, learnable: bool) -> None:
    positions, codes = 2 * 4 * 8, 1000
    layer, x = SVQ(8, codes, hidden_dim, learnable), seeded((2, 8, 4, 8), dtype=torch.float32)
    for made in watched(lambda x: layer(x).output, layer, x):
        assert made.largest <= codes * max(8, hidden_dim) < positions * codes
    for made in watched(lambda x: three_products(layer, x), layer, x):
        assert made.largest >= positions * codes


def test_with_output_relu_memory_does_not_grow_with_the_number_of_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    positions, codes, chunk, parameters = 16 * 4 * 8, 1000, 10_000, 1000 * (8 + 1 + 4)
    monkeypatch.setattr(svq, "CHUNK_ELEMENTS", chunk)
    layer, x = SVQ(4, codes, 8, output_relu=True), seeded((16, 4, 4, 8), dtype=torch.float32)
    beside = 4 * positions * (8 + 4)  # latents, hidden layer, output, and their gradients
    for made in watched(lambda x: layer(x).output, layer, x):
        assert positions * 10 < made.largest <= max(chunk, parameters)
        assert made.peak < 4 * chunk + 2 * parameters + beside < positions * codes / 4
    for made in watched(lambda x: three_products(layer, x), layer, x):
        assert made.peak >= made.largest >= positions * codes


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
    some = torch.tensor([30, 0, 7])
    picked = weights[..., some].transpose(1, 2).reshape(3, 3, 2, 4)
    torch.testing.assert_close(layer.weights_of(x, some), picked, rtol=0, atol=1e-12)


@pytest.mark.parametrize("output_relu", [False, True])
def test_the_loss_is_a_scalar_zero_and_the_output_has_the_shape_of_the_input(output_relu: bool) -> None:
    result = SVQ(3, 10, 4, output_relu=output_relu)(torch.ones(2, 3, 4, 5))
    assert result.output.shape == (2, 3, 4, 5)
    assert result.loss.shape == ()
    assert result.loss == 0


def test_the_signature_is_the_documented_one() -> None:
    parameters = dict(inspect.signature(SVQ).parameters)
    assert parameters.pop("dim").default is inspect.Parameter.empty
    assert {name: one.default for name, one in parameters.items()} == SIGNATURE
    layer = SVQ(dim=32, **SIGNATURE)
    assert layer(torch.ones(1, 32, 2, 2)).output.shape == (1, 32, 2, 2)
    assert layer.codes().shape == (10_000, 32)


@pytest.mark.parametrize("shape", [(3, 5, 3), (2, 3, 3, 5), (2, 6, 3, 3), (1, 5, 2, 3, 3)])
@pytest.mark.parametrize("call", ["forward", "code_weights", "usage"])
def test_latents_of_another_shape_are_refused(shape: tuple[int, ...], call: str) -> None:
    with pytest.raises(SvqkitError, match=r"\(N, 5, H, W\), got \(" + ", ".join(map(str, shape))):
        getattr(SVQ(5, 10), call)(torch.ones(shape))


@pytest.mark.parametrize("sizes", [{"dim": 0}, {"codebook_size": 0}, {"hidden_dim": -1}])
def test_impossible_sizes_are_refused(sizes: dict[str, int]) -> None:
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
    for one, other in zip(folded, plain, strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, other)
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), output, rtol=0, atol=0.02 * float(output.detach().abs().max()))


def test_under_autocast_many_chunks_round_no_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer, x = SVQ(16, 3000, 32, output_relu=True), seeded((2, 16, 4, 4), dtype=torch.float32)
    output = layer(x).output
    monkeypatch.setattr(svq, "CHUNK_ELEMENTS", 10 * 32)  # 300 chunks
    with torch.autocast("cpu", torch.bfloat16):
        half = layer(x).output
    torch.testing.assert_close(half.float(), output, rtol=0, atol=0.02 * float(output.detach().abs().max()))


def test_a_copy_gives_the_same_and_is_its_own() -> None:
    layer, x = SVQ(4, 30, 8), seeded((1, 4, 3, 3), dtype=torch.float32)
    twin, before = copy.deepcopy(layer), layer(x).output
    assert torch.equal(twin(x).output, before)
    with torch.no_grad():
        twin.codebook.zero_()
    assert torch.equal(layer(x).output, before)
    assert not torch.equal(twin(x).output, before)


@pytest.mark.parametrize("learnable", [False, True])
def test_weights_survive_a_state_dict(learnable: bool) -> None:
    layer, other = SVQ(4, 30, 8, learnable), SVQ(4, 30, 8, learnable)
    state, x = layer.state_dict(), seeded((1, 4, 3, 3), dtype=torch.float32)
    assert set(state) == {"codebook", "hidden.weight", "hidden.bias", "weights.weight", "weights.bias"}
    assert not torch.equal(other(x).output, layer(x).output)
    other.load_state_dict(state)
    assert torch.equal(other(x).output, layer(x).output)


@pytest.mark.parametrize("hidden_dim", [0, 8])
def test_the_folded_layer_compiles_as_one_graph(hidden_dim: int) -> None:
    layer, x = SVQ(4, 30, hidden_dim), seeded((2, 4, 3, 5), dtype=torch.float32)
    torch.compiler.reset()
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x).output, layer(x).output)


@pytest.mark.parametrize("layout", ["channels_last", "strided", "transposed"])
@pytest.mark.parametrize("output_relu", [False, True])
def test_the_layout_of_the_latents_in_memory_does_not_matter(output_relu: bool, layout: str) -> None:
    layer, x = SVQ(6, 40, 8, output_relu=output_relu), seeded((2, 6, 4, 5), dtype=torch.float32)
    other = LAYOUTS[layout](x)
    assert torch.equal(other, x)
    assert not other.is_contiguous()
    torch.testing.assert_close(layer(other).output, layer(x).output, rtol=0, atol=1e-5)
