"""ResidualVQ and GroupedResidualVQ: sums of codes, against the sum written out and against the library."""

import pytest
import torch
from created import assert_same_step
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from vector_quantize_pytorch import ResidualVQ as LibraryResidualVQ

from svqkit.errors import SvqkitError
from svqkit.quantizers import VQ, GroupedResidualVQ, Quantizer, ResidualVQ


def latents(dim: int = 4) -> Tensor:
    return torch.randn(2, dim, 3, 5, generator=torch.Generator().manual_seed(3))


def greedy(x: Tensor, codebooks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Row by row the sum of codes and their numbers, by trying all codes."""
    rest, chosen = x, []
    for codes in codebooks:
        number = torch.stack([(rest - code).square().sum(1) for code in codes]).argmin(0)
        rest = rest - codes[number]
        chosen.append(number)
    return x - rest, torch.stack(chosen, 1)


def as_rows(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten(0, 2)


@given(steps=st.integers(1, 5), size=st.integers(1, 12), shared=st.booleans(), weight=st.sampled_from([0.0, 0.5, 1.0]))
def test_it_is_greedy_pursuit(steps: int, size: int, shared: bool, weight: float) -> None:
    torch.manual_seed(0)
    layer, x = ResidualVQ(4, size, steps, shared, commitment_weight=weight).eval(), latents()
    codebooks = [layer.codes()] * steps if shared else list(layer.codes().split(size))
    output, chosen = greedy(as_rows(x), codebooks)
    torch.testing.assert_close(as_rows(layer(x).output), output)
    numbers = chosen if shared else chosen + size * torch.arange(steps)
    assert torch.equal(layer.indices(x), numbers)
    assert layer(x).loss == 0
    assert layer.codebook_size == len(layer.codes()) == (size if shared else size * steps)


def test_a_shared_codebook_moves_after_every_step() -> None:
    torch.manual_seed(0)
    layer, single, x = ResidualVQ(4, 7, 2), VQ(4, 7), latents()
    single.codebook.load_state_dict(layer.steps.codebooks[0].state_dict())
    first = single(x).output
    second = single(x - first).output
    torch.testing.assert_close(layer(x).output, first + second)
    assert torch.equal(layer.codes(), single.codes())


@pytest.mark.parametrize("stochastic", [False, True])
def test_it_does_what_the_library_does_with_codebooks_of_their_own(stochastic: bool) -> None:
    torch.manual_seed(0)
    ours = ResidualVQ(4, 11, 3, shared_codebook=False, stochastic=stochastic, temperature=0.5, commitment_weight=0.5)
    theirs = LibraryResidualVQ(
        dim=4,
        codebook_size=11,
        num_quantizers=3,
        rotation_trick=False,
        stochastic_sample_codes=stochastic,
        sample_codebook_temp=0.5,
        commitment_weight=0.5,
    )
    pairs = list(zip(ours.steps.codebooks, theirs.layers, strict=True))
    for mine, layer in pairs:
        layer._codebook.load_state_dict(mine.state_dict())
    for seed in range(3):
        assert_same_step(ours, theirs, latents(), seed)
        for mine, layer in pairs:
            torch.testing.assert_close(mine.state_dict(), layer._codebook.state_dict())


def test_codes_are_drawn_while_training_only() -> None:
    torch.manual_seed(0)
    layer, x = ResidualVQ(4, 30, 2, stochastic=True, temperature=5.0), latents()
    for codebook in layer.steps.codebooks:
        codebook.ema_update = False  # so that nothing but the draw differs
    assert not torch.equal(layer(x).output, layer(x).output)
    state = torch.get_rng_state()
    assert torch.equal(layer.indices(x), layer.indices(x))
    layer.eval()
    assert torch.equal(layer(x).output, layer(x).output)
    assert torch.equal(torch.get_rng_state(), state)
    output, _ = greedy(as_rows(x), [layer.codes()] * 2)
    torch.testing.assert_close(as_rows(layer(x).output), output)


@pytest.mark.parametrize("shared", [False, True])
def test_groups_are_residual_layers_of_their_channels(shared: bool) -> None:
    torch.manual_seed(0)
    layer, x = GroupedResidualVQ(6, 5, 2, groups=3, shared_codebook=shared), latents(6).requires_grad_()
    parts = [ResidualVQ(2, 5, 2, shared) for _ in range(3)]
    for part, group in zip(parts, layer.groups, strict=True):
        part.steps.load_state_dict(group.state_dict())
    chosen, result = layer.indices(x), layer(x)
    numbers = [part.indices(piece) for part, piece in zip(parts, x.chunk(3, 1), strict=True)]
    size = 5 if shared else 10
    assert torch.equal(chosen, torch.cat([number + size * g for g, number in enumerate(numbers)], 1))
    singles = [part(piece) for part, piece in zip(parts, x.chunk(3, 1), strict=True)]
    torch.testing.assert_close(result.output, torch.cat([single.output for single in singles], 1))
    torch.testing.assert_close(result.loss, torch.stack([single.loss for single in singles]).mean())
    assert layer.codebook_size == 3 * size


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("kind", "options"), [(ResidualVQ, {}), (GroupedResidualVQ, {"groups": 3})])
def test_the_output_is_the_codes_with_weights(kind: type[Quantizer], options: dict[str, int], shared: bool) -> None:
    layer = kind(6, 5, 2, shared_codebook=shared, **options)
    x = latents(6)
    weights = layer.weights_of(x, torch.arange(layer.codebook_size))
    assert layer.codes().shape == (layer.codebook_size, 6)
    torch.testing.assert_close(torch.einsum("nkhw,kd->ndhw", weights, layer.codes()), layer.eval()(x).output)


def test_stages_show_in_the_usage() -> None:
    torch.manual_seed(0)
    layer, x = ResidualVQ(4, 16, 3, shared_codebook=False), latents()
    nn.init.zeros_(layer.steps.codebooks[1].embed)  # the second step always takes its first code
    usage = layer.usage(x)
    first, second, third = usage.stage_perplexity
    assert second == 1
    assert min(first, third) > 2
    assert usage.codes_per_position == 3
    assert usage.dead_codes >= 15


def test_channels_that_do_not_split_are_refused() -> None:
    with pytest.raises(SvqkitError, match="dim to be a multiple of groups, got dim=7, groups=2"):
        GroupedResidualVQ(7)
