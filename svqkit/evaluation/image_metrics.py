"""How alike two frames are: SSIM, PSNR and LPIPS of many frames at once, on whatever device they lie."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from svqkit.errors import SvqkitError
from svqkit.userfiles import refuse_packed, refuse_special

SSIM_WINDOW = 7
K1, K2 = 0.01, 0.03
# Variances in a window are of a sample: divided by one less than its number of pixels.
SAMPLE = SSIM_WINDOW**2 / (SSIM_WINDOW**2 - 1)
ALEXNET_FILE = "alexnet-owt-7be5be79.pth"
# AlexNet's first convolution and two poolings leave nothing of fewer pixels than these.
LPIPS_SMALLEST = 31
WITHOUT_ALEXNET = (
    "LPIPS is left out: it needs AlexNet's ImageNet weights, which the kit never fetches by itself. On a machine with "
    f"internet, torchvision.models.alexnet(weights='DEFAULT') puts the file {ALEXNET_FILE} into torch's cache (by "
    "default ~/.cache/torch/hub/checkpoints/). Put it there on this one, or name it with `lpips_alexnet:` in "
    "params.yaml."
)


def ssim(prediction: Tensor, truth: Tensor, data_range: float = 1.0) -> Tensor:
    """Compute the structural similarity of frames (N, C, H, W) → (N,), float64, without unit; 1 for equal frames.

    In every 7 × 7 window that lies whole inside the frame, with means μ, sample variances σ² and covariance σ_pt,
    and constants c₁ = (0.01 R)², c₂ = (0.03 R)² of the data range R:

        SSIM = (2 μ_p μ_t + c₁)(2 σ_pt + c₂) / ((μ_p² + μ_t² + c₁)(σ_p² + σ_t² + c₂))

    and its mean over windows and channels. The same as scikit-image's ``structural_similarity`` with its defaults.

    Raises:
        SvqkitError: shapes that differ or are not (N, C, H, W), integer frames, frames under 7 pixels, R not positive.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity".
    """
    return ssim_by_range(prediction, truth, [data_range])[0]


def ssim_by_range(prediction: Tensor, truth: Tensor, data_ranges: Sequence[float]) -> list[Tensor]:
    """Compute ``ssim`` for each of several data ranges; the windows' means and variances are computed once.

    Raises:
        SvqkitError: as :func:`ssim`.
    """
    check_frames(prediction, truth)
    if reason := ssim_reason(*prediction.shape[-2:]):
        raise SvqkitError(f"{reason} Leave SSIM out for such frames.")
    if not all(data_range > 0 for data_range in data_ranges):
        raise SvqkitError(f"A data range is a positive number, got {list(data_ranges)}. For frames in [0, 1] give 1.")
    # In float64: a variance is the small difference of two means, and float32 would lose it in flat frames. In place
    # where gradients allow it: what takes time here is memory, not arithmetic.
    p, t = prediction.double(), truth.double()
    mean_p, mean_t = _window_mean(p), _window_mean(t)
    product, squares = mean_p * mean_t, mean_p.square().addcmul_(mean_t, mean_t)
    covariance = _window_mean(p * t).sub_(product).mul_(SAMPLE)
    variances = _window_mean(p.square().addcmul_(t, t)).sub_(squares).mul_(SAMPLE)
    scores = []
    for data_range in data_ranges:
        c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
        above = (2 * product).add_(c1).mul_((2 * covariance).add_(c2))
        scores.append(above.div_((squares + c1).mul_(variances + c2)).mean((1, 2, 3)))
    return scores


def psnr(prediction: Tensor, truth: Tensor) -> Tensor:
    """Compute the peak signal-to-noise ratio of frames (N, C, H, W) in [0, 1] → (N,), float64, in dB.

    Equal frames have inf. It is −10 log₁₀ of the frame's mean squared error over C, H and W: the peak is 1.

    Raises:
        SvqkitError: shapes that differ or are not (N, C, H, W), integer frames.
    """
    check_frames(prediction, truth)
    mse = (prediction.double() - truth.double()).square().mean((1, 2, 3))
    return -10 * torch.log10(mse)


def ssim_reason(height: int, width: int) -> str | None:
    """Return why SSIM can't be computed for frames of this size; None when it can."""
    if min(height, width) >= SSIM_WINDOW:
        return None
    return f"SSIM needs frames of {SSIM_WINDOW} × {SSIM_WINDOW} pixels or more, these are {height} × {width}."


def check_frames(prediction: Tensor, truth: Tensor) -> None:
    """Check that two batches of frames are (N, C, H, W), of one shape, and of floating-point numbers.

    Raises:
        SvqkitError: they are not.
    """
    if prediction.ndim != 4 or prediction.shape != truth.shape:
        raise SvqkitError(
            "Expected two batches of frames (N, C, H, W) of one shape, got "
            f"{tuple(prediction.shape)} and {tuple(truth.shape)}."
        )
    if not (prediction.is_floating_point() and truth.is_floating_point()):
        raise SvqkitError(
            f"Expected floating-point frames in [0, 1], got {prediction.dtype} and {truth.dtype}: divide 8-bit "
            "frames by 255."
        )


class Lpips:
    """Learned perceptual image patch similarity of frames in [0, 1], with AlexNet.

    Frames are scaled to [−1, 1] and go through AlexNet; at its five ReLUs the features are scaled to length 1 per
    position, and

        LPIPS = Σ over the ReLUs of the mean over positions of wᵀ(f_p − f_t)²

    with the weights w ≥ 0 that were fitted to human judgement and come with the lpips package.

    Args:
        trunk: file with the state dict of torchvision's alexnet, .pth or .safetensors; only ``features.*`` is used.
        device: where the frames will lie.

    Raises:
        SvqkitError: the file can't be read, or holds something else.

    Source: Zhang et al. 2018, arXiv 1801.03924, version 0.1 of the lpips package.
    """

    def __init__(self, trunk: Path, device: torch.device | str = "cpu") -> None:
        self.trunk = trunk
        tensors = _read(trunk)
        network = _random_network()
        _load_trunk(network.get_submodule("net"), tensors, trunk)
        self.network = network.eval().requires_grad_(False).to(device)

    @torch.no_grad()
    def __call__(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Compute LPIPS of frames (N, C, H, W) in [0, 1], C = 1 (grey) or 3 (RGB) → (N,), float32; 0 for equal frames.

        Raises:
            SvqkitError: shapes that differ or are not (N, C, H, W), integer frames, other channels, small frames.
        """
        check_frames(prediction, truth)
        channels, height, width = prediction.shape[1:]
        if reason := lpips_reason(channels, height, width, self.trunk):
            raise SvqkitError(reason)
        # Without TF32, which a GPU would use here and which rounds to three digits.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self.network(_as_rgb(prediction), _as_rgb(truth)).flatten()


def alexnet_file(named: str = "") -> Path | None:
    """Return the file of AlexNet's weights: the one named in params.yaml, else in torch's cache, None without one.

    Raises:
        SvqkitError: a file is named and is not there.
    """
    if named:
        file = Path(named).expanduser()
        if not file.is_file():
            raise SvqkitError(
                f"params.yaml says `lpips_alexnet: {named}`, and there is no such file. Put torchvision's "
                f"{ALEXNET_FILE} there, or take the line out to do without LPIPS."
            )
        return file
    cached = Path(torch.hub.get_dir()) / "checkpoints" / ALEXNET_FILE
    return cached if cached.is_file() else None


def lpips_reason(channels: int, height: int, width: int, trunk: Path | None) -> str | None:
    """Return why LPIPS is not computed for frames of this shape; None when it is."""
    if channels not in (1, 3):
        return f"LPIPS is defined for grey or RGB frames (1 or 3 channels), these have {channels}."
    if min(height, width) < LPIPS_SMALLEST:
        least = f"{LPIPS_SMALLEST} × {LPIPS_SMALLEST}"
        return f"LPIPS needs frames of {least} pixels or more, these are {height} × {width}."
    return WITHOUT_ALEXNET if trunk is None else None


def _as_rgb(frames: Tensor) -> Tensor:
    return (2 * frames.float() - 1).expand(-1, 3, -1, -1)


def _random_network() -> nn.Module:
    """The lpips package's network with its fitted weights w and a random AlexNet; leaves the random state alone."""
    import lpips  # takes seconds, and only video needs it

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # lpips calls torchvision in a way that it warns of and still takes.
        warnings.simplefilter("ignore")
        return lpips.LPIPS(net="alex", pretrained=True, pnet_rand=True, verbose=False)


def _load_trunk(net: nn.Module, tensors: Mapping[str, object], file: Path) -> None:
    # The five slices of the package's network are the layers of torchvision's, in order.
    layers = [layer for number in range(1, 6) for layer in getattr(net, f"slice{number}")]
    trunk = nn.ModuleDict({"features": nn.Sequential(*layers)})
    try:
        trunk.load_state_dict({name: tensors[name] for name in trunk.state_dict() if name in tensors})
    except RuntimeError as error:
        raise SvqkitError(
            f"{file} does not hold the weights of torchvision's alexnet; give {ALEXNET_FILE}. {error}"
        ) from error


def _read(file: Path) -> Mapping[str, object]:
    """The state dict in a file; nothing pickled in it is run."""
    try:
        refuse_special(file)
        refuse_packed(file)
        is_safe = file.suffix == ".safetensors"
        content = load_file(file) if is_safe else torch.load(file, map_location="cpu", weights_only=True)
    # A damaged file makes torch.load raise nearly anything, from EOFError to KeyError.
    except Exception as error:
        raise SvqkitError(
            f"Can't read AlexNet's weights at {file} ({type(error).__name__}): the file is missing, damaged or "
            f"holds more than tensors. Give torchvision's {ALEXNET_FILE}, or its tensors as .safetensors."
        ) from error
    if not isinstance(content, Mapping):
        raise SvqkitError(
            f"{file} holds a {type(content).__name__}, expected the state dict of torchvision's alexnet: "
            f"give {ALEXNET_FILE}."
        )
    return content


def _window_mean(x: Tensor) -> Tensor:
    """Mean of every whole window, (…, H − 6, W − 6): the sum down, then across, each of three pairs and a seventh."""
    for axis in (-2, -1):
        count = x.shape[axis] - SSIM_WINDOW + 1
        pairs = x.narrow(axis, 0, count + 5) + x.narrow(axis, 1, count + 5)
        total = pairs.narrow(axis, 0, count) + x.narrow(axis, 6, count)
        x = total.add_(pairs.narrow(axis, 2, count)).add_(pairs.narrow(axis, 4, count))
    return x.div_(SSIM_WINDOW**2)
