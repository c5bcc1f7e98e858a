"""SimVP: shapes, padding, where the quantizer stands, noise and sizes; test_interop_openstl has its numbers."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from svqkit import models
from svqkit.errors import SvqkitError
from svqkit.models import SimVP
from svqkit.models.simvp import perturb
from svqkit.quantizers import SVQ, VQ, NoQuantization, Quantized
from svqkit.settings.params import Model, load_params

SMALL = {"hid_S": 4, "hid_T": 10, "N_S": 2, "N_T": 2, "mlp_ratio": 2.0, "drop_path": 0.0}


class Spy(nn.Module):
    """A quantizer that keeps what it is given, adds ``shift`` to it and has a loss of 7."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.shift = shift
        self.given = torch.empty(0)

    def forward(self, x: Tensor) -> Quantized:
        self.given = x
        return Quantized(x + self.shift, x.new_tensor(7.0))


def simvp(quantizer: nn.Module | None = None, frames: int = 3, channels: int = 1, **changes: float) -> SimVP:
    torch.manual_seed(0)
    return SimVP(Model(**{**SMALL, **changes}), quantizer or NoQuantization(), frames, (channels, 8, 8))


@pytest.mark.parametrize("quantizer", [NoQuantization, partial(SVQ, 4, 30, 8), partial(VQ, 4, 8)])
@pytest.mark.parametrize(
    ("N_S", "channels", "height", "width"),
    [(2, 1, 8, 16), (2, 3, 9, 13), (2, 1, 8, 13), (2, 2, 1, 1), (4, 1, 8, 12), (4, 5, 9, 13)],
)
def test_as_many_frames_come_out_as_go_in(
    quantizer: Callable[[], nn.Module], N_S: int, channels: int, height: int, width: int
) -> None:
    model = simvp(quantizer(), channels=channels, N_S=N_S)
    x = torch.randn(2, 3, channels, height, width)
    forecast = model(x)
    assert forecast.frames.shape == x.shape
    assert forecast.loss.shape == ()
    cell = 2 ** (N_S // 2)
    assert model.latents(x).shape == (6, 4, -(-height // cell), -(-width // cell))


@pytest.mark.parametrize("N_S", [2, 4])
@pytest.mark.parametrize(("height", "width"), [(9, 13), (8, 13), (9, 12), (10, 14)])
def test_frames_are_padded_with_their_edges_and_cut_again(height: int, width: int, N_S: int) -> None:
    model = simvp(N_S=N_S).eval()
    x = torch.randn(2, 3, 1, height, width)
    cell = 2 ** (N_S // 2)
    rows = torch.arange(-(-height // cell) * cell).clamp(max=height - 1)
    columns = torch.arange(-(-width // cell) * cell).clamp(max=width - 1)
    padded = model(x[..., rows, :][..., columns]).frames
    torch.testing.assert_close(model(x).frames, padded[..., :height, :width])


def test_the_sequences_of_a_batch_do_not_see_each_other_and_their_frames_do() -> None:
    model = simvp(SVQ(4, 30, 8), channels=2).eval()
    x = torch.randn(3, 3, 2, 8, 8, requires_grad=True)
    forecast = model(x).frames
    torch.testing.assert_close(forecast, torch.cat([model(sample[None]).frames for sample in x]))
    (gradient,) = torch.autograd.grad(forecast[1, 2].sum(), x)
    assert torch.equal(gradient.abs().sum((2, 3, 4)) > 0, torch.tensor([[False] * 3, [True] * 3, [False] * 3]))


@pytest.mark.parametrize("post", [False, True])
def test_the_quantizer_stands_before_or_after_the_translator(post: bool) -> None:
    spy = Spy()
    model = simvp(spy, quantize_after_translator=post).eval()
    x = torch.randn(2, 3, 1, 8, 8)
    skip = model.encoder[0](x.flatten(0, 1))
    encoded = model.encoder[1](skip)
    translated = model.translator(encoded.reshape(2, 12, 4, 4)).reshape(6, 4, 4, 4)
    forecast = model(x)
    torch.testing.assert_close(spy.given, translated if post else encoded)
    torch.testing.assert_close(model.latents(x), spy.given)
    assert forecast.loss == 7
    decoded = model.readout(model.decoder[1](model.decoder[0](translated) + skip))
    torch.testing.assert_close(forecast.frames, decoded.view(2, 3, 1, 8, 8))
    spy.shift = 1.0
    assert not torch.allclose(model(x).frames, forecast.frames)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.37, 0.999])
def test_noise_changes_exactly_its_share_of_the_values(share: float) -> None:
    torch.manual_seed(0)
    x = torch.rand(7, 11, 13, dtype=torch.float64) + 1
    factor = perturb(x, share) / x
    changed = factor != 1
    assert int(changed.sum()) == int(7 * 11 * 13 * share)
    assert float(factor.abs().max()) <= 2
    if share:
        assert factor.min() < -1.5
        assert factor.max() > 1.5
        halves = changed.flatten().chunk(2)
        assert all(float(half.float().mean()) == pytest.approx(share, abs=0.06) for half in halves)
        assert not torch.equal(perturb(x, share), perturb(x, share))


def test_noise_is_for_training_only() -> None:
    model = simvp(noise=0.25)
    seen: list[Tensor] = []
    model.encoder[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    x = torch.rand(2, 3, 1, 8, 8) + 1
    kept = x.clone()
    model.eval()(x)
    model.train()(x)
    simvp(noise=0.0).train()(x)
    assert torch.equal(x, kept)
    assert torch.equal(seen[0], x.flatten(0, 1))
    assert int((seen[1] != x.flatten(0, 1)).sum()) == 2 * 3 * 64 // 4


@pytest.mark.parametrize("shape", [(2, 3, 1, 8), (2, 4, 1, 8, 8), (2, 3, 2, 8, 8), (2, 1, 3, 8, 8)])
@pytest.mark.parametrize("call", ["forward", "latents"])
def test_frames_of_another_shape_are_refused(shape: tuple[int, ...], call: str) -> None:
    with pytest.raises(SvqkitError, match=r"\(B, 3, 1, H, W\), got \(" + ", ".join(map(str, shape))):
        getattr(simvp(), call)(torch.ones(shape))


def test_weights_start_as_documented() -> None:
    model = simvp(frames=6, hid_S=32, hid_T=192)
    for block in (*model.encoder[1:], *model.decoder):
        assert float(block.conv.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
        assert not block.conv.bias.any()
    first = model.translator.blocks[0]
    assert first.scale1.gamma.unique().tolist() == first.scale2.gamma.unique().tolist() == pytest.approx([0.01])
    # √(2 / fan out); a depthwise convolution has one output channel in each group
    kernel = first.mix.gate.kernel
    squares = {first.mix.enter: 2 / 192, kernel.near: 2 / 25, kernel.far: 2 / 49, kernel.point: 2 / 384}
    for one, square in squares.items():
        assert float(one.weight.detach().std()) == pytest.approx(square**0.5, rel=0.05)
        assert not one.bias.any()


@pytest.mark.parametrize(
    ("experiment", "quantizer"),
    [
        ("weather_t2m-none", 0),
        ("weather_t2m-svq", (32 * 128 + 128) + (128 * 10_000 + 10_000) + 10_000 * 32),
        ("weather_t2m-svq_frozen", (32 * 128 + 128) + (128 * 10_000 + 10_000)),
    ],
)
def test_the_papers_model_has_as_many_weights_as_the_published_code_counts(experiment: str, quantizer: int) -> None:
    model = models.build(load_params("params.yaml", "paper").experiment(experiment), (1, 32, 64))
    found = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert found == 12_758_305 + quantizer


@pytest.mark.parametrize("post", [False, True])
@pytest.mark.parametrize("N_S", [2, 4])
def test_every_weight_learns(N_S: int, post: bool) -> None:
    model = simvp(SVQ(4, 30, 8), N_S=N_S, quantize_after_translator=post)
    model(torch.randn(2, 3, 1, 16, 16)).frames.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_a_single_sample_with_latents_of_a_single_place_trains_no_batch_normalisation() -> None:
    model, x = simvp(N_S=4), torch.randn(1, 3, 1, 4, 3)
    with pytest.raises(SvqkitError, match=r"Frames of 4 × 3 .*`batch_size`"):
        model(x)
    model(x.expand(2, -1, -1, -1, -1))
    simvp(N_S=4, translator="convnext")(x)
    model.eval()(x)
