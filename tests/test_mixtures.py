"""Softmax and Gumbel: the formula and its gradients, in chunks; what is drawn, and what memory it takes."""

import pytest
import torch
from created import gradients, seeded, watched
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from svqkit.errors import SvqkitError
from svqkit.quantizers import Gumbel, Softmax, base

KINDS = {"softmax": Softmax, "gumbel": Gumbel}
Kind = Softmax | Gumbel


def scores(layer: Kind, vectors: Tensor) -> Tensor:
    hidden = F.linear(vectors, layer.hidden.weight, layer.hidden.bias).clamp(min=0)
    return F.linear(hidden, layer.weights.weight, layer.weights.bias)


def plain(layer: Kind, x: Tensor, noise: Tensor | float = 0.0) -> Tensor:
    """The formula with all K weights of every position at once; noise (positions, K)."""
    given = scores(layer, x.permute(0, 2, 3, 1).flatten(0, 2)) + noise
    weights = (given / layer.temperature).softmax(-1)
    if isinstance(layer, Gumbel):
        weights = F.one_hot(given.argmax(-1), layer.codebook_size) + weights - weights.detach()
    return (weights @ layer.codebook).unflatten(0, (len(x), *x.shape[2:])).permute(0, 3, 1, 2)


def compare(layer: Kind, x: Tensor, expected: Tensor) -> None:
    """Output and gradients of the layer with those of ``expected``."""
    output, loss = layer(x)
    found, wanted = gradients(output, loss, layer, x), gradients(expected, 0.0, layer, x)
    assert loss == 0
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-11)
    assert set(found) == {"x", "codebook", "hidden.weight", "hidden.bias", "weights.weight", "weights.bias"}
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-11)


@given(
    kind=st.sampled_from(sorted(KINDS)),
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5)),
    codebook_size=st.integers(1, 23),
    hidden_dim=st.sampled_from([1, 5, 40]),
    temperature=st.sampled_from([0.3, 1.0, 4.0]),
    chunk=st.integers(1, 400),
)
def test_output_and_every_gradient_are_those_of_the_plain_formula(
    kind: str, sizes: tuple[int, int, int, int], codebook_size: int, hidden_dim: int, temperature: float, chunk: int
) -> None:
    torch.manual_seed(codebook_size)
    layer = KINDS[kind](sizes[1], codebook_size, hidden_dim, "normal", temperature).double()
    layer.train(kind == "softmax")
    x = seeded(sizes).requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "CHUNK_ELEMENTS", chunk)
        compare(layer, x, plain(layer, x))


@pytest.mark.parametrize("parts", [[1] * 12, [5, 5, 2], [12]])
def test_gumbel_draws_the_same_noise_in_the_backward_pass(parts: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "CHUNK_ELEMENTS", 9 * parts[0])
    torch.manual_seed(0)
    layer, x = Gumbel(3, 9, 4, "normal", 0.7).double(), seeded((2, 3, 2, 3)).requires_grad_()
    torch.manual_seed(5)
    noise = [-torch.empty(rows, 9, dtype=torch.float64).exponential_().log() for rows in parts]
    expected = plain(layer, x, torch.cat(noise))
    torch.manual_seed(5)
    compare(layer, x, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False])
def test_memory_does_not_grow_with_the_codes(kind: str, training: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    positions, codes, chunk, parameters = 16 * 8 * 8, 1000, 10_000, 1000 * (8 + 1 + 4)
    layer, x = KINDS[kind](4, codes, 8).train(training), seeded((16, 4, 8, 8), dtype=torch.float32)
    monkeypatch.setattr(base, "CHUNK_ELEMENTS", chunk)
    for made in watched(lambda x: layer(x).output, layer, x):
        assert made.largest <= max(chunk, 8 * codes)
        assert made.peak < 9 * chunk + 3 * parameters + 8 * x.numel() < positions * codes / 4
    for made in watched(lambda x: plain(layer, x), layer, x):
        assert made.peak >= made.largest >= positions * codes


def test_temperature_leads_from_one_code_to_the_mean_of_all() -> None:
    torch.manual_seed(0)
    cold, x = Softmax(3, 20, 6, "normal", 1e-4), seeded((1, 3, 4, 4), dtype=torch.float32)
    hard = Gumbel(3, 20, 6).eval()
    hard.load_state_dict(cold.state_dict())
    torch.testing.assert_close(cold(x).output, hard(x).output, rtol=0, atol=1e-3)
    torch.testing.assert_close(cold.code_weights(x).sum(-1), torch.ones(1, 16))
    cold.temperature = 1e5
    mean = cold.codes().mean(0)[None, :, None, None].expand_as(x)
    torch.testing.assert_close(cold(x).output, mean, rtol=0, atol=1e-4)


def test_gumbel_draws_codes_with_the_probabilities_of_the_softmax() -> None:
    layer = Gumbel(1, 3, 1, "normal", temperature=0.2)
    with torch.no_grad():
        layer.hidden.weight.zero_()
        layer.hidden.bias.zero_()
        layer.weights.bias.copy_(torch.tensor([0.6, 0.3, 0.1]).log())
        layer.codebook.copy_(torch.tensor([[1.0], [2.0], [3.0]]))
    torch.manual_seed(0)
    drawn = layer(torch.zeros(1, 1, 200, 200)).output.round().flatten().int()
    share = (torch.bincount(drawn, minlength=4)[1:] / drawn.numel()).tolist()
    assert share == pytest.approx([0.6, 0.3, 0.1], abs=0.01)  # a standard deviation is 0.0025
    assert (layer.eval()(torch.zeros(1, 1, 20, 20)).output == 1).all()


@pytest.mark.parametrize("training", [True, False])
def test_looking_at_gumbel_shows_the_codes_of_eval_and_draws_nothing(training: bool) -> None:
    torch.manual_seed(0)
    layer, x = Gumbel(3, 20, 6, "normal").train(training), seeded((2, 3, 4, 4), dtype=torch.float32)
    state = torch.get_rng_state()
    weights, usage = layer.code_weights(x).detach(), layer.usage(x)
    winner = scores(layer, x.permute(0, 2, 3, 1).flatten(1, 2)).argmax(-1)
    assert torch.equal(weights, F.one_hot(winner, 20).float())
    share = winner.flatten().bincount(minlength=20) / 32
    assert usage.share.tolist() == pytest.approx(share.tolist())
    assert usage.codes_per_position == pytest.approx(1)
    assert usage.sparsity == pytest.approx(19 / 20)
    codes = torch.tensor([19, int(winner[0, 0])])
    assert torch.equal(layer.weights_of(x, codes), weights[..., codes].transpose(1, 2).unflatten(2, (4, 4)))
    assert torch.equal(torch.get_rng_state(), state)
    assert layer.training is training


def test_looking_at_gumbel_with_an_adapter_that_drops_shows_the_codes_of_eval() -> None:
    torch.manual_seed(0)
    layer, x = Gumbel(3, 20, 6, "normal"), seeded((2, 3, 4, 4), dtype=torch.float32)
    layer.weights = nn.Sequential(nn.Dropout(0.5), layer.weights)
    found = layer.code_weights(x)
    assert layer.weights.training
    assert torch.equal(found, layer.eval().code_weights(x))


@pytest.mark.parametrize("kind", KINDS)
def test_usage_of_softmax_and_gumbel_does_not_hang_on_chunks(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = KINDS[kind](3, 20, 6, "normal").double(), seeded((2, 3, 4, 4))
    whole = layer.usage(x)
    monkeypatch.setattr(base, "CHUNK_ELEMENTS", 60)
    parts = layer.usage(x)
    assert torch.equal(parts.share, whole.share)
    torch.testing.assert_close(parts.strength, whole.strength)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{"temperature": 0.0}, {"temperature": -1.0}, {"codebook_size": 0}])
def test_impossible_options_are_refused(kind: str, options: dict[str, float]) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(SvqkitError, match=f"{KINDS[kind].__name__} needs {name} .*, got {name}={value}"):
        KINDS[kind](4, **options)
