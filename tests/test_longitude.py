"""An earth without a seam: what a model forecasts does not depend on where its map is cut open."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rawfiles import LON, RawFiles
from torch import Tensor, nn
from torch.nn import functional as F

from svqkit import evaluation, load_run
from svqkit.data.domain import refuse_region
from svqkit.data.prepare import prepare
from svqkit.devices.convolutions import DilatedConv2d
from svqkit.errors import SvqkitError
from svqkit.models import SimVP, translators
from svqkit.models.longitude import widened, wrap_longitude
from svqkit.models.translators.anatomy import ANATOMY
from svqkit.paper.costs import Case, Subject
from svqkit.quantizers import SVQ
from svqkit.settings.params import Experiment, Model, as_tree, load_params, override
from svqkit.training import loop
from svqkit.training.runs import open_run

SMALL = {"hid_S": 8, "hid_T": 16, "N_T": 2, "mlp_ratio": 2.0, "drop_path": 0.0}
# An MLP over all positions has weights of its own for each; it has no edges, but knows where it is.
everyone = pytest.mark.parametrize("name", sorted(set(ANATOMY) - {"mlpmixer"}))
EXACT = {"rtol": 1e-9, "atol": 1e-9}


def visible(model: nn.Module) -> nn.Module:
    """The model in float64 and eval mode; learned scales, which start at 1e-6 to 0.01, are 1."""
    for weight in model.parameters():
        if 0 < float(weight.detach().min()) == float(weight.detach().max()) < 0.1:
            weight.data.fill_(1)
    return model.double().eval()


def simvp(translator: str = "gsta", size: tuple[int, int] = (16, 32), longitude: str = "wrap", **changes: int) -> SimVP:
    torch.manual_seed(0)
    settings = Model(**{**SMALL, **changes}, translator=translator, longitude=longitude)
    return visible(SimVP(settings, SVQ(8, 30, 8), 3, (1, *size)))


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def turn_error(model: Callable[[Tensor], Tensor], x: Tensor, columns: int) -> float:
    """How far the output of a turned map is from the turned output, as a share of its spread."""
    with torch.no_grad():
        expected = model(x).roll(columns, -1)
        return float((model(x.roll(columns, -1)) - expected).abs().max() / expected.std())


@everyone
@pytest.mark.parametrize("N_S", [2, 4])
def test_a_turned_earth_has_a_turned_forecast(name: str, N_S: int) -> None:
    latent = 4 if name == "swin" else 1  # swin: whole windows
    columns, x = latent * 2 ** (N_S // 2), noise(2, 3, 1, 32, 48)
    for turned in (columns, 5 * columns):
        assert turn_error(lambda x: simvp(name, (32, 48), N_S=N_S)(x).frames, x, turned) < 1e-9
    # What the encoder does not halve evenly, and what has an edge, is not the same.
    assert turn_error(lambda x: simvp(name, (32, 48), N_S=N_S)(x).frames, x, 1) > 1e-3
    assert turn_error(lambda x: simvp(name, (32, 48), "zeros", N_S=N_S)(x).frames, x, columns) > 1e-3


@everyone
@pytest.mark.parametrize("width", [1, 5, 21, 28])
def test_latents_of_any_width_turn_by_single_columns(name: str, width: int) -> None:
    """Also those that are narrower than what the kernels reach; swin's by windows."""
    size, columns = ((16, 28), 4) if name == "swin" else ((6, width), 1)
    torch.manual_seed(0)
    translator = visible(translators.build(Model(**SMALL, translator=name, longitude="wrap"), 24, size))
    assert turn_error(translator, noise(2, 24, *size), columns) < 1e-9


def test_gradients_turn_as_well() -> None:
    model, x = simvp(), noise(2, 3, 1, 16, 32)
    found = []
    for turned in (0, 6):
        frames = x.roll(turned, -1).requires_grad_()
        model(frames).frames.roll(-turned, -1)[..., 5].sum().backward()
        found.append((frames.grad.roll(-turned, -1), [weight.grad.clone() for weight in model.parameters()]))
        model.zero_grad()
    torch.testing.assert_close(*found, **EXACT)


@given(st.integers(1, 9), st.integers(0, 25), st.integers(0, 25))
def test_a_widened_map_is_numpys(width: int, left: int, right: int) -> None:
    x = noise(2, 3, 4, width)
    padding = ((0, 0), (0, 0), (0, 0), (left, right))
    assert np.array_equal(widened(x, left, right).numpy(), np.pad(x.numpy(), padding, mode="wrap"))


@st.composite
def layers(draw: st.DrawFn) -> tuple[nn.Module, Callable[[Tensor], Tensor], tuple[int, int]]:
    """A layer, what it computes on a map that is padded already, and its padding."""
    kernel, stride, dilation = draw(st.sampled_from([1, 3, 5, 7])), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    reach = dilation * (kernel // 2)
    kind = draw(st.sampled_from(["convolution", "same", "dilated", "clip", "mean", "max"]))
    match kind:
        case "convolution" | "same" | "dilated":
            stride = 1 if kind in ("same", "dilated") else stride
            maker = DilatedConv2d if kind == "dilated" else nn.Conv2d
            padding = "same" if kind == "same" else reach
            layer = maker(4, 4, kernel, stride, padding, dilation, groups=draw(st.sampled_from([1, 4]))).double()
            plain = lambda x: F.conv2d(x, layer.weight, layer.bias, stride, 0, dilation, layer.groups)  # noqa: E731
        case "clip":
            layer = nn.Conv3d(4, 4, (1, kernel, kernel), stride, (0, reach, reach), dilation).double()
            plain = lambda x: F.conv3d(x[:, :, None], layer.weight, layer.bias, stride, 0, dilation)[:, :, 0]  # noqa: E731
        case "mean":
            layer, reach = nn.AvgPool2d(kernel, stride, kernel // 2), kernel // 2
            plain = lambda x: F.avg_pool2d(x, kernel, stride)  # noqa: E731
        case "max":
            layer, reach = nn.MaxPool2d(kernel, stride, kernel // 2), kernel // 2
            plain = lambda x: F.max_pool2d(x, kernel, stride)  # noqa: E731
    return layer, plain, reach


@given(layers(), st.integers(1, 12), st.integers(1, 19), st.booleans())
def test_a_layer_goes_around_in_longitude_and_ends_at_the_poles(
    given_layer: tuple[nn.Module, Callable[[Tensor], Tensor], int], height: int, width: int, last: bool
) -> None:
    layer, plain, reach = given_layer
    x = noise(2, 4, height, width).abs()  # so that zeros are the least, for the maximum
    wide = np.pad(x.numpy(), ((0, 0), (0, 0), (0, 0), (reach, reach)), mode="wrap")
    expected = plain(F.pad(torch.from_numpy(wide), (0, 0, reach, reach)))
    wrap_longitude(layer)
    wrap_longitude(layer)  # once is enough
    x = x.contiguous(memory_format=torch.channels_last) if last else x
    found = layer(x[:, :, None])[:, :, 0] if isinstance(layer, nn.Conv3d) else layer(x)
    torch.testing.assert_close(found, expected, **EXACT, check_stride=False)


@pytest.mark.parametrize("kernel", [2, (3, 4)])
def test_an_even_kernel_is_padded_on_one_side_more_and_refused(kernel: int | tuple[int, int]) -> None:
    with pytest.raises(SvqkitError, match="odd kernels"):
        wrap_longitude(nn.Conv2d(2, 2, kernel, padding="same"))


def test_a_padding_mode_of_its_own_is_left_to_a_layer() -> None:
    layer = nn.Conv2d(2, 2, 3, padding=1, padding_mode="replicate")
    x = torch.randn(1, 2, 5, 6)
    expected = layer(x)
    wrap_longitude(layer)
    assert torch.equal(layer(x), expected)


@pytest.mark.parametrize("N_S", [2, 4])
@pytest.mark.parametrize("width", [1, 2, 13, 15, 18, 32])
def test_widths_that_are_not_halved_are_padded_from_the_other_side(width: int, N_S: int) -> None:
    model, x = simvp(size=(9, width), N_S=N_S), noise(2, 3, 1, 9, width)
    cell = 2 ** (N_S // 2)
    columns = torch.arange(-(-width // cell) * cell) % width
    with torch.no_grad():
        torch.testing.assert_close(model(x).frames, model(x[..., columns]).frames[..., :width], **EXACT)
        # No column is an edge: where all are alike, the forecast has only the pattern of what a latent is spread to.
        alike = model(x[..., :1].expand_as(x)).frames
        torch.testing.assert_close(alike, alike[..., torch.arange(width) % cell], **EXACT)


def test_weights_and_their_names_are_those_of_a_model_with_an_edge() -> None:
    one, other = (simvp(longitude=how).state_dict() for how in ("wrap", "zeros"))
    assert list(one) == list(other)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_swin_needs_windows_that_go_around() -> None:
    with pytest.raises(SvqkitError, match=r"multiple of its windows' 4, got 15: change the translator"):
        simvp("swin", (16, 30))
    simvp("swin", (16, 30), "zeros")


def experiment(longitude: str = "wrap", **changes: object) -> Experiment:
    chosen = load_params("params.yaml", "sample").experiment("weather_t2m-svq")
    training = {"epochs": 1, "batch_size": 4, "steps_per_epoch": 6, "warmup_epochs": 0}
    model = {**SMALL, "longitude": longitude}
    return override(chosen, {"model": model, "training": training, "seeds": [0], **changes})


def test_it_costs_no_flops() -> None:
    found = [Subject(Case(experiment(how), "folded"), (1, 8, 12), 2, "cpu").flops() for how in ("wrap", "zeros")]
    assert found[0] == found[1] > 0


@pytest.mark.parametrize("name", ["crop", "rotate"])
def test_frames_that_are_cut_or_rotated_are_refused(name: str) -> None:
    with pytest.raises(SvqkitError, match=f"augment: {name} gives frames whose first and last column"):
        experiment(training={"augment": ["flip", name]})
    experiment(training={"augment": ["flip"]})
    experiment("zeros", training={"augment": ["flip", name]})


EVEN, FINE = np.arange(45) * 8.0, np.linspace(0, 360, 1001)[:-1].astype("float32")


@pytest.mark.parametrize("lon", [EVEN, EVEN - 180, EVEN[::-1], np.roll(EVEN, 20), FINE])
def test_grids_around_the_earth_are_taken(lon: np.ndarray) -> None:
    refuse_region(stand_in_store(lon))


@pytest.mark.parametrize(
    ("lon", "has"),
    [
        (EVEN[:44], "44 columns from 0 to 344"),
        (FINE[:999], "999 columns from 0 to 359.28"),
        (np.r_[EVEN, 360.0], "46 columns from 0 to 360"),
        (EVEN / 2, "45 columns from 0 to 176"),
        (np.delete(EVEN, 20), "44 columns from 0 to 352"),
        (EVEN[:1], "1 columns from 0 to 0"),
    ],
)
def test_regions_are_refused(lon: np.ndarray, has: str) -> None:
    with pytest.raises(SvqkitError, match=f"go once around the earth.* has {has} degrees east. Set `longitude: zeros`"):
        refuse_region(stand_in_store(lon))


def stand_in_store(lon: np.ndarray | None) -> SimpleNamespace:
    axes = {} if lon is None else {"lat": np.zeros(2), "lon": lon}
    return SimpleNamespace(path="a.zarr", spatial_coords=(("lat", "lon"), axes))


def test_frames_without_longitude_are_refused() -> None:
    with pytest.raises(SvqkitError, match=r"a\.zarr has no longitude"):
        refuse_region(stand_in_store(None))


@pytest.fixture
def trained(raw: RawFiles) -> Iterator[Callable[..., SimpleNamespace]]:
    """Prepares a grid and trains on it."""

    def train(lon: np.ndarray = LON) -> SimpleNamespace:
        raw.write(lon=lon)
        data = raw.data(frames_in=4, frames_out=4)
        chosen = experiment(data=as_tree(data))
        store = prepare(data, raw.root.parent / "store.zarr")
        path = loop.train(chosen, 0, store, raw.root.parent / "runs", raw.root.parent / "states")
        return SimpleNamespace(path=path, store=store)

    return train


def test_a_region_is_refused_before_anything_is_trained(trained: Callable, raw: RawFiles) -> None:
    with pytest.raises(SvqkitError, match="6 columns from 0 to 50 degrees east"):
        trained(LON / 6)
    assert not list(raw.root.parent.glob("runs/**/*"))


def test_a_run_keeps_it_and_is_scored_and_asked_for_forecasts(trained: Callable) -> None:
    made = trained()
    run = open_run(made.path)
    assert run.experiment.model.longitude == "wrap"
    x = torch.randn(2, 4, 1, 4, 6)
    assert turn_error(lambda x: run.model()(x).frames, x, 2) < 1e-5
    scores = evaluation.evaluate([run], made.store, made.path.parent / "scores")
    assert np.isfinite(scores.query("seed == 0")["value"]).all()
    frames = np.random.default_rng(0).normal(280, 5, (4, 1, 4, 6)).astype("float32")
    forecast, turned = (load_run(made.path).forecast(np.roll(frames, by, -1)) for by in (0, 2))
    np.testing.assert_allclose(np.asarray(turned), np.roll(np.asarray(forecast), 2, -1), rtol=1e-5)
