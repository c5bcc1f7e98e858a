"""VQ: the nearest code, a straight-through gradient, a commitment loss and a codebook that follows."""

import pytest
import torch
from torch import Tensor

from svqkit.errors import SvqkitError
from svqkit.quantizers import VQ


def layer_and_latents(**options: float) -> tuple[VQ, Tensor]:
    torch.manual_seed(0)
    return VQ(5, 23, **options), torch.randn(3, 5, 4, 6)


def nearest(layer: VQ, x: Tensor) -> Tensor:
    """The number of the closest code at every position, (N, H, W), by trying all."""
    return torch.stack([(x - code[None, :, None, None]).square().sum(1) for code in layer.codes()]).argmin(0)


def test_in_eval_every_latent_becomes_its_nearest_code() -> None:
    layer, x = layer_and_latents()
    layer.eval()
    indices = nearest(layer, x)
    assert len(indices.unique()) > 10
    result = layer(x)
    torch.testing.assert_close(result.output, layer.codes()[indices].permute(0, 3, 1, 2))
    assert result.loss.shape == ()
    assert result.loss == 0


@pytest.mark.parametrize("weight", [0.0, 0.25, 1.0])
def test_in_training_the_loss_pulls_latents_to_their_codes(weight: float) -> None:
    layer, x = layer_and_latents(commitment_weight=weight)
    chosen = layer.codes().clone()[nearest(layer, x)].permute(0, 3, 1, 2)
    x.requires_grad_()
    result = layer(x)
    assert result.loss.shape == ()
    torch.testing.assert_close(result.output, chosen)
    torch.testing.assert_close(result.loss, weight * (x - chosen).square().mean())
    if weight:
        result.loss.backward()
        torch.testing.assert_close(x.grad, weight * 2 * (x.detach() - chosen) / x.numel())


def test_gradients_pass_straight_through() -> None:
    layer, x = layer_and_latents()
    towards = torch.randn_like(x)
    (layer(x.requires_grad_()).output * towards).sum().backward()
    assert torch.equal(x.grad, towards)


def test_the_codebook_follows_the_latents() -> None:
    layer, _ = layer_and_latents()
    mean = torch.tensor([3.0, -2.0, 0.5, 1.0, 0.0])
    x = mean[None, :, None, None] + 0.01 * torch.randn(4, 5, 3, 3)
    assert (layer.codes() - mean).norm(dim=1).min() > 1
    for _ in range(60):
        layer(x)
    assert (layer.codes() - mean).norm(dim=1).min() < 0.02


def test_weights_of_are_1_where_a_code_is_given() -> None:
    layer, x = layer_and_latents()
    indices = nearest(layer, x)
    some = torch.tensor([22, 0, 7])
    weights = layer.weights_of(x, some)
    assert weights.shape == (3, 3, 4, 6)
    assert weights.dtype == x.dtype
    assert torch.equal(weights, torch.stack([(indices == code).float() for code in some], dim=1))
    every = layer.weights_of(x, torch.arange(23))
    assert (every.sum(1) == 1).all()
    assert layer.usage(x).share.tolist() == pytest.approx(every.mean((0, 2, 3)).tolist())


@pytest.mark.parametrize("shape", [(4, 5, 4), (2, 4, 4, 5), (2, 6, 4, 4), (1, 5, 2, 4, 4)])
@pytest.mark.parametrize("call", ["forward", "usage"])
def test_latents_of_another_shape_are_refused(shape: tuple[int, ...], call: str) -> None:
    with pytest.raises(SvqkitError, match=r"\(N, 5, H, W\), got \(" + ", ".join(map(str, shape))):
        getattr(VQ(5, 10), call)(torch.ones(shape))
