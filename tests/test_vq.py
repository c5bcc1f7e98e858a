"""VQ, MultiheadVQ and SimVQ: the nearest code, a straight-through gradient, a loss, and a codebook that follows."""

import copy

import pytest
import torch
from created import assert_same_step, seeded
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from vector_quantize_pytorch import SimVQ as LibrarySimVQ
from vector_quantize_pytorch import VectorQuantize

from svqkit.errors import SvqkitError
from svqkit.quantizers import VQ, MultiheadVQ, Quantizer, SimVQ, base


def layer_and_latents(**options: float) -> tuple[VQ, Tensor]:
    torch.manual_seed(0)
    return VQ(5, 23, **options), torch.randn(3, 5, 4, 6)


def nearest(layer: Quantizer, x: Tensor) -> Tensor:
    """The number of the closest code at every position, (N, H, W), by trying all."""
    return torch.stack([(x - code[None, :, None, None]).square().sum(1) for code in layer.codes()]).argmin(0)


def as_channels(codes: Tensor) -> Tensor:
    return codes.permute(0, 3, 1, 2)


@pytest.mark.parametrize("kind", [VQ, SimVQ])
def test_in_eval_every_latent_becomes_its_nearest_code(kind: type[Quantizer]) -> None:
    torch.manual_seed(0)
    layer, x = kind(5, 23).eval(), torch.randn(3, 5, 4, 6)
    indices = nearest(layer, x)
    assert len(indices.unique()) > 8
    result = layer(x)
    torch.testing.assert_close(result.output, as_channels(layer.codes()[indices]))
    assert result.loss.shape == ()
    assert result.loss == 0


@pytest.mark.parametrize("options", [{}, {"decay": 0.75, "commitment_weight": 0.25}, {"commitment_weight": 0.0}])
def test_vq_does_what_the_library_does(options: dict[str, float]) -> None:
    torch.manual_seed(0)
    ours, theirs = VQ(5, 23, **options), VectorQuantize(dim=5, codebook_size=23, rotation_trick=False, **options)
    theirs._codebook.load_state_dict(ours.codebook.state_dict())
    for step in range(3):
        assert_same_step(ours, theirs, seeded((3, 5, 4, 6), step, torch.float32))
        torch.testing.assert_close(ours.codebook.state_dict(), theirs._codebook.state_dict())


@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize(("heads", "width"), [(3, 2), (2, 3), (1, 4)])
def test_multihead_does_what_the_library_does(heads: int, width: int, separate: bool) -> None:
    torch.manual_seed(0)
    ours = MultiheadVQ(6, 11, heads, width, separate)
    theirs = VectorQuantize(
        dim=6,
        codebook_size=11,
        heads=heads,
        codebook_dim=width,
        separate_codebook_per_head=separate,
        rotation_trick=False,
    )
    theirs.load_state_dict(
        {name.replace("codebook.", "_codebook."): value for name, value in ours.state_dict().items()}
    )
    x = torch.randn(2, 6, 4, 5)
    assert_same_step(ours, theirs, x)
    torch.testing.assert_close(ours.codebook.state_dict(), theirs._codebook.state_dict())
    indices = theirs.eval()(x.flatten(2).transpose(1, 2))[1].reshape(40, heads)
    own = separate and heads > 1
    weights = torch.zeros(40, ours.codebook_size).scatter_add_(
        1, indices + (11 * torch.arange(heads) if own else 0), torch.ones(40, heads)
    )
    assert ours.codebook_size == (11 * heads if own else 11)
    assert ours.codes().shape == (ours.codebook_size, width)
    found = ours.weights_of(x, torch.arange(ours.codebook_size))
    assert torch.equal(found.permute(0, 2, 3, 1).flatten(0, 2), weights)


def test_heads_of_the_width_of_a_latent_have_no_projection() -> None:
    assert not list(MultiheadVQ(6, 11, 2, 3).parameters())
    assert len(list(MultiheadVQ(6, 11, 2, 4).parameters())) == 4


def test_a_projection_learns_though_the_latents_need_no_gradient() -> None:
    layer = MultiheadVQ(6, 11, 2, 4)
    layer(torch.randn(2, 6, 3, 3)).output.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


def test_simvq_has_the_loss_of_the_library_and_its_codes_learn() -> None:
    torch.manual_seed(0)
    ours, theirs = SimVQ(5, 13), LibrarySimVQ(5, 13, rotation_trick=False)
    theirs.load_state_dict(ours.layer.state_dict())
    assert_same_step(ours, theirs, torch.randn(2, 5, 4, 6))
    torch.testing.assert_close(ours.layer.code_transform.weight.grad, theirs.code_transform.weight.grad)
    assert ours.layer.code_transform.weight.grad.any()


def test_weights_of_are_1_where_a_code_is_given() -> None:
    layer, x = layer_and_latents()
    indices = nearest(layer, x)
    chosen = torch.tensor([22, 0, 7])
    weights = layer.weights_of(x, chosen)
    assert weights.shape == (3, 3, 4, 6)
    assert weights.dtype == x.dtype
    assert torch.equal(weights, torch.stack([(indices == code).float() for code in chosen], dim=1))
    every = layer.weights_of(x, torch.arange(23))
    assert (every.sum(1) == 1).all()
    assert layer.usage(x).share.tolist() == pytest.approx(every.mean((0, 2, 3)).tolist())


@given(chunk=st.integers(1, 23 * 80))
def test_chunks_of_positions_do_not_show(chunk: int) -> None:
    layer, x = layer_and_latents()
    whole = layer.indices(x)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "CHUNK_ELEMENTS", chunk)
        assert torch.equal(layer.indices(x), whole)


def test_under_autocast_codes_and_moving_averages_stay_in_float32() -> None:
    layer, x = layer_and_latents()
    twin = copy.deepcopy(layer)
    plain = layer(x)
    with torch.autocast("cpu", torch.bfloat16):
        half = twin(x)
    assert torch.equal(half.output, plain.output)
    assert torch.equal(half.loss, plain.loss)
    torch.testing.assert_close(twin.state_dict(), layer.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["codebook_size", "heads", "codebook_dim"])
def test_sizes_below_1_are_refused(name: str) -> None:
    with pytest.raises(SvqkitError, match=f"MultiheadVQ needs {name} >= 1, got {name}=0"):
        MultiheadVQ(4, **{name: 0})
