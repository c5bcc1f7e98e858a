"""Translators: shapes, drop path, sizes as published, and what each refuses; test_interop_openstl has their numbers."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.layers import DropPath as TimmDropPath
from timm.layers import LayerScale2d
from torch import Tensor, nn

from svqkit.devices.convolutions import DilatedConv2d
from svqkit.errors import SvqkitError
from svqkit.models import SimVP, translators
from svqkit.models.translators.blocks import DropPath, LayerScale, depthwise
from svqkit.models.translators.swin import Swin
from svqkit.quantizers import NoQuantization
from svqkit.settings.params import TRANSLATORS, Model, load_params, override

CHANNELS, SIZE = 24, (5, 6)
SMALL = {"hid_S": 8, "hid_T": 16, "N_T": 3, "mlp_ratio": 2.0, "drop_path": 0.0}
ANY_SIZE = sorted(set(TRANSLATORS) - {"mlpmixer"})
NO_DROP_PATH = {"convmixer", "incepu"}
# Everyone, also a translator that a user has added; and the thirteen of the kit.
everyone = pytest.mark.parametrize("name", sorted(TRANSLATORS))

# Millions of parameters of the whole model, as OpenSTL's model zoo has them; cut or rounded after the last digit.
SHAPES = {
    "weather_t2m": (1, 32, 64),
    "weather_r": (1, 32, 64),
    "weather_uv10": (2, 32, 64),
    "weather_tcc": (1, 32, 64),
    "weather_mv": (12, 32, 64),
    "taxibj": (2, 32, 32),
    "kth": (1, 128, 128),
    "kitticaltech": (3, 128, 160),
    "human": (3, 256, 256),
}
PUBLISHED = {
    "convmixer": ["1.13", "1.13", "1.14", "1.13", "0.85", "0.84", "1.5", "1.5", "3.1"],
    "convnext": ["10.09", "10.09", "10.09", "10.09", "7.85", "7.84", "12.5", "12.5", "31.4"],
    "gsta": ["12.76", "12.76", "12.76", "12.76", "9.96", "9.96", "15.6", "15.6", "11.3"],
    "hornet": ["12.42", "12.42", "12.42", "12.42", "9.68", "9.68", "15.3", "15.3", "28.1"],
    "incepu": ["14.67", "14.67", "14.67", "14.67", "13.80", "13.79", "12.2", "8.6", "41.2"],
    "mlpmixer": ["11.10", "11.10", "11.10", "11.10", "8.74", "8.24", "20.3", "22.2", "47.0"],
    "moganet": ["12.76", "12.76", "12.76", "12.76", "9.97", "9.96", "15.6", "15.6", "8.6"],
    "poolformer": ["9.98", "9.98", "9.99", "9.98", "7.76", "7.75", "12.4", "12.4", "31.2"],
    "swin": ["12.42", "12.42", "12.42", "12.42", "9.66", "9.66", "15.3", "15.3", "38.8"],
    # The 44.7 million published of tau on kitticaltech are of no model that we could find.
    "tau": ["12.22", "12.22", "12.22", "12.22", "9.55", "9.55", "15.0", "", "37.6"],
    "uniformer": ["12.02", "12.02", "12.03", "12.02", "9.53", "9.52", "11.8", "11.8", "27.7"],
    "van": ["12.15", "12.15", "12.15", "12.15", "9.49", "9.48", "14.9", "14.9", "37.5"],
    "vit": ["12.41", "12.41", "12.42", "12.41", "9.66", "9.66", "12.7", "12.7", "28.3"],
}
# Where the published model is not as large as that of the dataset's other translators.
OTHER_SIZES = {
    ("kth", "uniformer"): {"N_T": 4},
    ("kth", "vit"): {"N_T": 4},
    ("kitticaltech", "incepu"): {"N_T": 4},
    ("kitticaltech", "uniformer"): {"N_T": 4},
    ("kitticaltech", "vit"): {"N_T": 4},
    ("human", "gsta"): {"hid_T": 256, "N_T": 8},
    ("human", "moganet"): {"hid_T": 256},
    **{
        ("human", name): {"N_T": 8}
        for name in ("convmixer", "convnext", "mlpmixer", "poolformer", "swin", "tau", "van")
    },
}
ours = pytest.mark.parametrize("name", sorted(PUBLISHED))


def build(name: str, size: tuple[int, int] = SIZE, channels: int = CHANNELS, **changes: float) -> nn.Module:
    """A small translator in float64, where scales that start at 1e-6 still show."""
    torch.manual_seed(0)
    return translators.build(Model(**{**SMALL, **changes}, translator=name), channels, size).double()


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@everyone
@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)), groups=st.integers(2, 4), batch=st.integers(1, 3))
def test_the_output_has_the_shape_of_the_input(name: str, size: tuple[int, int], groups: int, batch: int) -> None:
    translator = build(name, size, 8 * groups, N_T=2).eval()
    x = noise(batch, 8 * groups, *size)
    assert translator(x).shape == x.shape
    assert torch.isfinite(translator(x)).all()


@pytest.mark.parametrize("name", ANY_SIZE)
@given(size=st.tuples(st.integers(1, 19), st.integers(1, 19)))
def test_latents_of_another_size_pass_too(name: str, size: tuple[int, int]) -> None:
    x = noise(1, CHANNELS, *size)
    assert build(name, N_T=2).eval()(x).shape == x.shape


def test_mlpmixer_is_made_for_one_size() -> None:
    with pytest.raises(SvqkitError, match=r"made for latents of 5 × 6, got 6 × 5; it takes frames of one height and"):
        build("mlpmixer")(noise(1, CHANNELS, 6, 5))


@everyone
def test_the_samples_of_a_batch_do_not_see_each_other(name: str) -> None:
    translator = build(name).eval()
    x = noise(3, CHANNELS, *SIZE).requires_grad_()
    out = translator(x)
    torch.testing.assert_close(out, torch.cat([translator(sample[None]) for sample in x]))
    (gradient,) = torch.autograd.grad(out[1].square().sum(), x)
    assert (gradient.flatten(1).abs().sum(1) > 0).tolist() == [False, True, False]


@ours
def test_drop_path_is_for_training_only(name: str) -> None:
    x = noise(16, CHANNELS, *SIZE)
    translator = build(name, drop_path=0.9)
    torch.manual_seed(2)
    assert torch.equal(translator(x), translator(x)) == (name in NO_DROP_PATH)
    plain = build(name, drop_path=0.0)
    plain.load_state_dict(translator.state_dict())
    torch.testing.assert_close(translator.eval()(x), plain.eval()(x), rtol=0, atol=0)


@ours
def test_its_rate_rises_linearly_from_a_hundredth(name: str) -> None:
    kinds = (DropPath, TimmDropPath)
    rates = {layer.drop_prob for layer in build(name, N_T=4, drop_path=0.1).modules() if isinstance(layer, kinds)}
    assert sorted(rates) == ([] if name in NO_DROP_PATH else pytest.approx([0.01, 0.04, 0.07, 0.1]))


def test_drop_path_and_scale_are_timm_s() -> None:
    x = torch.randn(64, 3, 2, 2)
    for rate in (0.0, 0.3):
        found = []
        for layer in (DropPath(rate), TimmDropPath(rate)):
            torch.manual_seed(1)
            found.append(layer(x))
            assert torch.equal(layer.eval()(x), x)
        assert torch.allclose(*found, rtol=1e-6)
    theirs = LayerScale2d(3, 0.01)
    nn.init.normal_(theirs.gamma)
    ours = LayerScale(3, 0.01)
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours(x), theirs(x))


@ours
def test_some_have_no_dropout(name: str) -> None:
    rates = {layer.p for layer in build(name, drop=0.5).modules() if isinstance(layer, nn.Dropout)}
    assert (0.5 in rates) == (name not in {"convmixer", "convnext", "hornet", "incepu"})


@everyone
def test_every_parameter_learns(name: str) -> None:
    translator = build(name)
    translator(noise(3, CHANNELS, *SIZE)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in translator.parameters())


@everyone
def test_channels_last_gives_the_same(name: str) -> None:
    translator, x = build(name), noise(2, CHANNELS, *SIZE)
    state = {key: value.clone() for key, value in translator.state_dict().items()}
    expected = translator(x)
    last = build(name).to(memory_format=torch.channels_last)
    last.load_state_dict(state)
    found = last(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, check_stride=False)


@pytest.mark.parametrize("name", ["hornet", "incepu", "moganet", "swin", "uniformer", "vit"])
@pytest.mark.parametrize(("channels", "hid_T"), [(20, 16), (24, 20)])
def test_channels_that_cannot_be_shared_out_are_refused(name: str, channels: int, hid_T: int) -> None:
    if name == "incepu" and hid_T == 20:  # half of hid_T is no multiple of 8: then it makes one group of all channels
        assert build(name, channels=channels, hid_T=hid_T)(noise(2, channels, *SIZE)).shape == (2, channels, *SIZE)
        return
    if name == "uniformer" and hid_T == 16:  # the block of 20 channels is a convolution
        assert build(name, channels=channels, hid_T=hid_T)(noise(2, channels, *SIZE)).shape == (2, channels, *SIZE)
        return
    with pytest.raises(SvqkitError, match=rf"{name} needs numbers of channels that 8 divides, got 20; change hid_T"):
        build(name, channels=channels, hid_T=hid_T)


# From a window of 4 up to 8 at a height of 128; 7 where that divides the height; one window has no shift.
@pytest.mark.parametrize(
    ("size", "window", "shift"),
    [
        ((4, 4), 4, 0),
        ((4, 32), 4, 0),
        ((7, 7), 7, 0),
        ((14, 28), 7, 3),
        ((16, 32), 4, 2),
        ((32, 3), 3, 0),
        ((32, 40), 4, 2),
        ((64, 64), 4, 2),
        ((96, 96), 6, 3),
        ((128, 160), 8, 4),
        ((256, 256), 8, 4),
    ],
)
def test_swins_windows(size: tuple[int, int], window: int, shift: int) -> None:
    blocks = build("swin", size, N_T=4).blocks
    assert [block.window for block in blocks] == [window] * 4
    assert [block.shift for block in blocks] == [0, shift, 0, shift]


@ours
def test_models_are_as_large_as_published(name: str) -> None:
    paper = load_params("params.yaml", "paper")
    for (dataset, shape), published in zip(SHAPES.items(), PUBLISHED[name], strict=True):
        if published:
            about = paper.experiment(f"{dataset}-none")
            settings = replace(about.model, translator=name, **OTHER_SIZES.get((dataset, name), {}))
            with torch.device("meta"):
                model = SimVP(settings, NoQuantization(), about.data.frames_in, shape)
            last_digit = 10.0 ** -len(published.partition(".")[2])
            assert abs(parameters(model) / 1e6 - float(published)) < last_digit, dataset


def test_the_registry_names_what_is_there() -> None:
    assert set(PUBLISHED) <= set(TRANSLATORS)
    assert isinstance(build("swin"), Swin)
    with pytest.raises(SvqkitError, match=r"'swim' \(did you mean 'swin'\?\); valid: .*convmixer, convnext"):
        override(load_params("params.yaml").experiment("kth-none"), {"model": {"translator": "swim"}})


@given(st.integers(1, 3), st.integers(2, 4), st.integers(1, 20), st.integers(1, 20), st.sampled_from([3, 5, 7]))
def test_dilated_convolutions_are_torchs(batch: int, dilation: int, height: int, width: int, kernel: int) -> None:
    torch.manual_seed(0)
    ours = depthwise(6, kernel, dilation).double()
    assert type(ours) is DilatedConv2d
    theirs = nn.Conv2d(6, 6, kernel, padding=dilation * (kernel // 2), groups=6, dilation=dilation).double()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(batch, 6, height, width, dtype=torch.float64)
    towards = torch.randn_like(x)
    found = []
    for module in (ours, theirs):
        frames = x.clone().requires_grad_()
        y = module(frames)
        y.backward(towards)
        found.append((y.detach(), frames.grad, module.weight.grad, module.bias.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
