"""LFQ: the signs of a projection, and entropies that never see all codes at once but are those of all codes."""

import pytest
import torch
from created import Created, assert_same_step
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from vector_quantize_pytorch import LFQ as LibraryLFQ
from vector_quantize_pytorch import ResidualLFQ as LibraryResidualLFQ

from svqkit.errors import SvqkitError
from svqkit.quantizers import LFQ, ResidualLFQ
from svqkit.quantizers.lfq import INVERSE_TEMPERATURE, SMALLEST


def latents(dim: int = 6, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(2, dim, 4, 5, generator=torch.Generator().manual_seed(3))


def test_without_projections_the_output_is_the_signs() -> None:
    layer = LFQ(3, 8).eval()
    x = torch.tensor([[0.5, -2.0, 0.1], [-0.1, 3.0, 0.0], [-1.0, -1.0, 7.0]])
    result = layer(x[None])
    assert result.output[0].tolist() == [[1, -1, 1], [-1, 1, -1], [-1, -1, 1]]  # a 0 counts as negative
    assert result.loss == 0
    assert layer.indices(x.T[None, :, :, None]).flatten().tolist() == [0b101, 0b010, 0b001]
    assert not list(layer.parameters())


@pytest.mark.parametrize("sizes", [(32,), (8, 4)])
@pytest.mark.parametrize("dim", [3, 5, 6])
def test_the_output_is_the_codes_with_their_weights(dim: int, sizes: tuple[int, ...]) -> None:
    layer, x = (LFQ if len(sizes) == 1 else ResidualLFQ)(dim, *sizes), latents(dim)
    weights = layer.weights_of(x, torch.arange(layer.codebook_size))
    assert layer.codes().shape == (layer.codebook_size, layer.dim)
    torch.testing.assert_close(torch.einsum("nkhw,kd->ndhw", weights, layer.codes()), layer.eval()(x).output)


@given(data=st.data())
def test_residual_steps_write_a_number_in_binary(data: st.DataObject) -> None:
    values = data.draw(st.lists(st.floats(-2, 2, width=32), min_size=3, max_size=3))
    layer, x = ResidualLFQ(3, 8, num_quantizers=10).eval(), torch.tensor(values)
    # Steps 1, ½, ¼, … reach all of ±2 to within the last of them.
    assert (layer(x[None, None]).output[0, 0] - x).abs().max() <= 2**-9


def all_codes(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The two entropies from the probabilities of all codes at every position."""
    codes = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * logits.shape[1]).reshape(-1, logits.shape[1])
    logarithms = (logits @ codes.to(logits).t()).log_softmax(1)
    mean = logarithms.exp().mean(0)
    mean_entropy = -(logarithms.exp() * logarithms).sum(1).mean()
    return mean_entropy, -(mean * mean.clamp_min(SMALLEST).log()).sum()


def entropies(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The two entropies as the layer's loss has them, of latents that make these logits (positions, bits)."""
    x, bits = logits[None] / (4 * INVERSE_TEMPERATURE), logits.shape[1]
    mean_entropy, difference = (LFQ(bits, 2**bits, 1.0, 0.0, gamma)(x).loss for gamma in (0.0, 1.0))
    return mean_entropy, mean_entropy - difference


@given(bits=st.integers(1, 7), positions=st.integers(1, 9), scale=st.sampled_from([0.0, 0.1, 3.0, 100.0]))
def test_entropies_are_those_of_all_codes_and_so_are_their_gradients(bits: int, positions: int, scale: float) -> None:
    noise = torch.randn(positions, bits, generator=torch.Generator().manual_seed(bits), dtype=torch.float64)
    logits = (scale * noise).requires_grad_()
    for found, expected in zip(entropies(logits), all_codes(logits), strict=True):
        torch.testing.assert_close(found, expected)
        gradients = (torch.autograd.grad(value, logits, retain_graph=True)[0] for value in (found, expected))
        torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("weights", [(0.1, 0.25, 1.0), (0.0, 1.0, 1.0), (0.3, 0.0, 2.5)])
def test_lfq_is_the_librarys(weights: tuple[float, float, float]) -> None:
    torch.manual_seed(0)
    entropy, commitment, gamma = weights
    ours = LFQ(6, 256, entropy, commitment, gamma)
    options = {"entropy_loss_weight": entropy, "commitment_loss_weight": commitment, "diversity_gamma": gamma}
    theirs = LibraryLFQ(dim=6, codebook_size=256, **options)
    theirs.load_state_dict(ours.state_dict(), strict=False)
    indices = assert_same_step(ours, theirs, latents())
    assert torch.equal(ours.indices(latents()).flatten(), indices.flatten())
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_residual_lfq_is_the_librarys() -> None:
    torch.manual_seed(0)
    ours = ResidualLFQ(6, 16, 4)
    theirs = LibraryResidualLFQ(dim=6, codebook_size=16, num_quantizers=4, commitment_loss_weight=0.25)
    theirs.load_state_dict(ours.state_dict(), strict=False)
    # The library cuts off logarithms of small probabilities of single positions as well.
    indices = assert_same_step(ours, theirs, latents(), rtol=1e-4, atol=1e-4)
    assert torch.equal(ours.indices(latents()), indices.flatten(0, 1) + 16 * torch.arange(4))


def test_no_tensor_of_positions_times_codes_is_made() -> None:
    layer, x = LFQ(6, 2**16), latents().requires_grad_()  # 40 positions
    with Created() as created:
        result = layer(x)
        (result.output.sum() + result.loss).backward()
    assert created.largest <= 2**16 + 4  # the mean over the positions of all 2¹⁶ probabilities


@pytest.mark.parametrize("size", [1, 3, 100, 8191])
@pytest.mark.parametrize("kind", [LFQ, ResidualLFQ])
def test_codebooks_that_are_no_power_of_two_are_refused(kind: type[LFQ | ResidualLFQ], size: int) -> None:
    with pytest.raises(SvqkitError, match=f"codebook_size that is a power of two .*, got {size}"):
        kind(6, size)
