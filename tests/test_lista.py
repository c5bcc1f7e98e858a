"""LISTA: it starts as ISTA, shrinks weights to exact zeros, and holds few of them at a time."""

import numpy as np
import pytest
import torch
from created import gradients, seeded, watched
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from svqkit.errors import SvqkitError
from svqkit.quantizers import LISTA, base


def made(dim: int, codebook_size: int, steps: int = 3, init: str = "normal", seed: int = 0) -> LISTA:
    torch.manual_seed(seed)
    return LISTA(dim, codebook_size, steps, init)


def plain(layer: LISTA, x: Tensor) -> Tensor:
    """The formula as it is written, for all positions at once, with soft thresholding spelled out."""
    vectors = x.permute(0, 2, 3, 1).flatten(0, 2)
    weights = vectors.new_zeros(len(vectors), layer.codebook_size)
    for threshold in layer.log_thresholds.exp():
        values = weights + (vectors - weights @ layer.codebook) @ layer.encoder.T
        weights = values.sign() * (values.abs() - threshold).relu()
    return (weights @ layer.codebook).unflatten(0, (len(x), *x.shape[2:])).permute(0, 3, 1, 2)


@given(
    sizes=st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(1, 5)),
    codebook_size=st.integers(1, 23),
    steps=st.integers(1, 4),
    chunk=st.integers(1, 400),
    seed=st.integers(0, 99),
)
def test_output_and_every_gradient_are_those_of_the_plain_formula(
    sizes: tuple[int, int, int, int], codebook_size: int, steps: int, chunk: int, seed: int
) -> None:
    layer, x = made(sizes[1], codebook_size, steps, seed=seed).double(), seeded(sizes, seed).requires_grad_()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "CHUNK_ELEMENTS", chunk)
        output, loss = layer(x)
        found = gradients(output, loss, layer, x)
    expected = plain(layer, x)
    assert loss == 0
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-10)
    wanted = gradients(expected, 0.0, layer, x)
    assert set(found) == {"x", "codebook", "encoder", "log_thresholds"}
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("dim", "codes"), [(8, 200), (32, 1000), (16, 10)])
def test_it_starts_as_ista(dim: int, codes: int) -> None:
    """Against a proximal gradient descent in numpy, whose objective must not rise."""
    layer = made(dim, codes, steps=6).double()
    x = seeded((50, dim)).numpy()
    book = layer.codes().numpy()
    step = 1 / np.linalg.norm(book, 2) ** 2
    penalty = float(layer.log_thresholds.detach()[0].exp()) / step
    weights, objective = np.zeros((50, codes)), []
    for _ in range(6):
        values = weights - step * (weights @ book - x) @ book.T
        weights = np.sign(values) * np.maximum(np.abs(values) - step * penalty, 0)
        objective.append(0.5 * ((weights @ book - x) ** 2).sum() + penalty * np.abs(weights).sum())
    found = layer.code_weights(torch.from_numpy(x)[None])[0].detach().numpy()
    np.testing.assert_allclose(found, weights, rtol=0, atol=1e-6)  # the start is made in float32
    assert np.all(np.diff(objective) <= 1e-9)
    assert objective[0] < 0.5 * (x**2).sum()


@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("init", ["kaiming", "xavier", "normal", "orthogonal", "trunc_normal", "sparse"])
def test_at_the_start_weights_are_neither_all_zero_nor_dense(init: str, size: float) -> None:
    layer, x = made(16, 500, init=init), size * seeded((1, 400, 16), dtype=torch.float32)
    weights = layer.code_weights(x)
    share = float((weights != 0).float().mean())
    assert 0.1 < share < 0.75  # 0.14 to 0.64 as measured
    assert (weights != 0).any(-1).all()
    output = layer(x).output.detach()
    kept = float((output * x).sum() / x.square().sum())
    assert 0.2 < kept < 1  # 0.39 to 0.82: the output is like the latents, and smaller


def test_memory_does_not_grow_with_positions_times_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    positions, codes, chunk = 16 * 8 * 8, 1000, 10_000
    layer, x = made(4, codes), seeded((16, 4, 8, 8), dtype=torch.float32)
    parameters = 2 * 4 * codes
    monkeypatch.setattr(base, "CHUNK_ELEMENTS", chunk)
    for created in watched(lambda x: layer(x).output, layer, x):
        assert created.largest <= max(chunk, parameters)
        assert created.peak < 9 * chunk + 3 * parameters + 8 * x.numel() < positions * codes / 4
    for created in watched(lambda x: plain(layer, x), layer, x):
        assert created.peak >= created.largest >= positions * codes


def test_usage_sees_the_zeros() -> None:
    layer, x = made(8, 200), seeded((2, 8, 4, 5), dtype=torch.float32)
    weights, usage = layer.code_weights(x).detach(), layer.usage(x)
    zeros = float((weights == 0).float().mean())
    assert 0.3 < zeros < 0.9
    assert usage.near_zero[0.01] >= zeros - 1e-9
    torch.testing.assert_close(usage.strength, weights.abs().mean((0, 1)).double())
    assert usage.share.sum() == pytest.approx(1)


@pytest.mark.parametrize("codes", [1, 5])
def test_a_codebook_of_zeros_gives_zeros_and_no_nan(codes: int) -> None:
    layer = made(4, codes, init="sparse")  # of fewer than ten codes it leaves none
    assert not layer.codes().any()
    x = seeded((1, 4, 2, 2), dtype=torch.float32).requires_grad_()
    layer(x).output.sum().backward()
    assert (layer(x).output == 0).all()
    assert all(torch.isfinite(parameter.grad).all() for parameter in layer.parameters())


@pytest.mark.parametrize("options", [{"steps": 0}, {"codebook_size": 0}, {"dim": 0}])
def test_impossible_options_are_refused(options: dict[str, int]) -> None:
    name, value = next(iter(options.items()))
    with pytest.raises(SvqkitError, match=f"LISTA needs {name} .*, got {name}={value}"):
        LISTA(**{"dim": 4, **options})
