"""LPIPS against the lpips package, both with the same random AlexNet; nothing is fetched."""

import warnings
from pathlib import Path
from types import SimpleNamespace

import lpips
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from svqkit.errors import SvqkitError
from svqkit.evaluation import image_metrics
from svqkit.evaluation.image_metrics import ALEXNET_FILE, WITHOUT_ALEXNET, Lpips, alexnet_file, lpips_reason

CONVOLUTIONS = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}


def state_dict() -> dict[str, Tensor]:
    """Random weights under torchvision's names, and one of the classifier, which LPIPS does without."""
    generator = torch.Generator().manual_seed(0)
    tensors = {"classifier.6.bias": torch.zeros(1000)}
    for number, (out, into, kernel) in CONVOLUTIONS.items():
        scale = (2 / (into * kernel**2)) ** 0.5
        tensors[f"features.{number}.weight"] = scale * torch.randn(out, into, kernel, kernel, generator=generator)
        tensors[f"features.{number}.bias"] = 0.1 * torch.randn(out, generator=generator)
    return tensors


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trunk") / ALEXNET_FILE
    torch.save(state_dict(), path)
    return path


@pytest.fixture(scope="module")
def ours(trunk: Path) -> Lpips:
    return Lpips(trunk)


@pytest.fixture(scope="module")
def packaged() -> nn.Module:
    """The package's own way to its network, but for torchvision, which hands it the random AlexNet."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        alexnet = SimpleNamespace(features=torchvision.models.alexnet(weights=None).features)
        own = {name: value for name, value in state_dict().items() if name.startswith("features.")}
        alexnet.features.load_state_dict({name.removeprefix("features."): value for name, value in own.items()})
        patch.setattr(lpips.pretrained_networks.tv, "alexnet", lambda pretrained: alexnet)
        return lpips.LPIPS(net="alex", verbose=False)


def draw_pair(channels: int = 3, height: int = 64, width: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    truth = torch.rand(4, channels, height, width, generator=generator)
    return (truth + 0.1 * torch.randn(truth.shape, generator=generator)).clamp(0, 1), truth


@pytest.mark.parametrize(("channels", "height", "width"), [(3, 64, 64), (1, 64, 64), (3, 45, 80), (1, 31, 31)])
def test_it_is_what_the_package_gives(ours: Lpips, packaged: nn.Module, channels: int, height: int, width: int) -> None:
    """The package is asked as the published scoring does: frame by frame, 8-bit values through its im2tensor."""
    prediction, truth = draw_pair(channels, height, width)
    expected = []
    for pair in zip(prediction, truth, strict=True):
        images = (lpips.im2tensor(255 * frame.permute(1, 2, 0).numpy()) for frame in pair)
        expected.append(packaged(*images).detach().squeeze())
    scores = ours(prediction, truth)
    assert scores.shape == (4,)
    assert scores.min() > 1e-3, "a score of nothing would prove nothing"
    torch.testing.assert_close(scores, torch.stack(expected), rtol=1e-4, atol=1e-6)


def test_nothing_is_trained_and_double_precision_frames_are_taken(ours: Lpips) -> None:
    prediction, truth = draw_pair()
    scores = ours(prediction.double().requires_grad_(), truth.double())
    assert scores.dtype == torch.float32
    assert not scores.requires_grad
    assert not ours.network.training
    assert not any(weight.requires_grad for weight in ours.network.parameters())


def test_safetensors_are_read_without_a_trace(tmp_path: Path, ours: Lpips, recwarn: pytest.WarningsRecorder) -> None:
    path = tmp_path / "alexnet.safetensors"
    save_file(state_dict(), path)
    before = torch.get_rng_state()
    again = Lpips(path)
    assert torch.equal(torch.get_rng_state(), before)
    assert not [warning for warning in recwarn if issubclass(warning.category, UserWarning)]
    assert torch.equal(again(*draw_pair()), ours(*draw_pair()))


class Harmful:
    """Pickled, it would run a command when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(__file__).with_suffix(".ran"),)


def test_nothing_pickled_is_run(tmp_path: Path) -> None:
    path = tmp_path / ALEXNET_FILE
    torch.save({**state_dict(), "more": Harmful()}, path)
    with pytest.raises(SvqkitError, match="holds more than tensors"):
        Lpips(path)
    assert not Path(__file__).with_suffix(".ran").exists()


@pytest.mark.parametrize("name", [ALEXNET_FILE, "alexnet.safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", bytes(range(256)) * 8])
def test_a_file_that_is_no_weights_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SvqkitError, match=r"Can't read .*damaged.*Give torchvision's"):
        Lpips(tmp_path / name)


def test_a_file_cut_short_or_not_there_is_refused(tmp_path: Path, trunk: Path) -> None:
    cut = tmp_path / "cut.pth"
    cut.write_bytes(trunk.read_bytes()[:1_000_000])
    for path in (cut, tmp_path / "none.pth", tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(SvqkitError, match="Can't read"):
            Lpips(path)


def test_a_list_is_no_state_dict(tmp_path: Path) -> None:
    torch.save([torch.zeros(3)], tmp_path / ALEXNET_FILE)
    with pytest.raises(SvqkitError, match="holds a list, expected the state dict"):
        Lpips(tmp_path / ALEXNET_FILE)


def test_every_weight_that_is_missing_or_misshapen_is_listed(tmp_path: Path) -> None:
    tensors: dict[str, object] = {**state_dict(), "features.3.weight": torch.zeros(2, 2), "features.6.bias": 3}
    del tensors["features.10.bias"]
    torch.save(tensors, tmp_path / ALEXNET_FILE)
    with pytest.raises(SvqkitError) as caught:
        Lpips(tmp_path / ALEXNET_FILE)
    for problem in ("features.10.bias", "features.6.bias", "features.3.weight", "[192, 64, 5, 5]", "[2, 2]"):
        assert problem in str(caught.value)
    assert "features.0" not in str(caught.value)


def test_the_file_that_is_named_comes_before_the_cached_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert alexnet_file() is None
    cached = tmp_path / "checkpoints" / ALEXNET_FILE
    cached.parent.mkdir()
    cached.touch()
    assert alexnet_file() == cached
    named = tmp_path / "mine.pth"
    with pytest.raises(SvqkitError, match=r"mine\.pth`, and there is no such file"):
        alexnet_file(str(named))
    named.touch()
    assert alexnet_file(str(named)) == named
    with pytest.raises(SvqkitError, match="no such file"):
        alexnet_file(str(tmp_path))


@pytest.mark.parametrize(
    ("shape", "has_trunk", "reason"),
    [
        ((3, 31, 31), True, None),
        ((1, 64, 128), True, None),
        ((2, 32, 32), True, "these have 2"),
        ((3, 30, 64), True, "these are 30 × 64"),
        ((3, 64, 30), True, "31 × 31 pixels or more"),
        ((2, 32, 32), False, "these have 2"),
        ((3, 64, 64), False, WITHOUT_ALEXNET),
    ],
)
def test_the_reason_for_no_lpips(shape: tuple[int, int, int], has_trunk: bool, reason: str | None) -> None:
    given = lpips_reason(*shape, Path("alexnet.pth") if has_trunk else None)
    assert given is None if reason is None else reason in str(given)


def test_the_smallest_frame_is_the_smallest_that_the_package_takes(packaged: nn.Module) -> None:
    size = image_metrics.LPIPS_SMALLEST
    assert packaged(torch.zeros(1, 3, size, size), torch.zeros(1, 3, size, size)).shape == (1, 1, 1, 1)
    for height, width in [(size - 1, size), (size, size - 1)]:
        with pytest.raises(RuntimeError, match="too small"):
            packaged(torch.zeros(1, 3, height, width), torch.zeros(1, 3, height, width))


@pytest.mark.parametrize("shape", [(2, 64, 64), (3, 30, 64)])
def test_frames_it_is_not_made_for_are_refused(ours: Lpips, shape: tuple[int, ...]) -> None:
    with pytest.raises(SvqkitError, match="LPIPS"):
        ours(torch.zeros(1, *shape), torch.zeros(1, *shape))
    with pytest.raises(SvqkitError, match="one shape"):
        ours(torch.zeros(1, *shape), torch.zeros(2, *shape))
