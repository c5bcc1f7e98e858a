"""LPIPS: how different two frames look, from the features of an AlexNet that is read from a file."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from svqkit.errors import SvqkitError
from svqkit.evaluation.similarity import check_frames
from svqkit.userfiles import refuse_packed, refuse_special

FILE_NAME = "alexnet-owt-7be5be79.pth"
# AlexNet's first convolution and two poolings leave nothing of fewer pixels than these.
SMALLEST = 31
WITHOUT_TRUNK = (
    "LPIPS is left out: it needs AlexNet's ImageNet weights, which the kit never fetches by itself. On a machine with "
    f"internet, torchvision.models.alexnet(weights='DEFAULT') puts the file {FILE_NAME} into torch's cache (by "
    "default ~/.cache/torch/hub/checkpoints/). Put it there on this one, or name it with `lpips_alexnet:` in "
    "params.yaml."
)
# Convolutions of torchvision's alexnet → the same ones in the lpips package.
CONVOLUTIONS = {
    "features.0": "slice1.0",
    "features.3": "slice2.3",
    "features.6": "slice3.6",
    "features.8": "slice4.8",
    "features.10": "slice5.10",
}


class Lpips:
    """Learned perceptual image patch similarity of frames in [0, 1], with AlexNet.

    Frames are brought to [−1, 1] and go through AlexNet; at its five ReLUs the features are scaled to length 1 per
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
        _load_trunk(network.net, tensors, trunk)
        self.network = network.eval().requires_grad_(False).to(device)

    @torch.no_grad()
    def __call__(self, prediction: Tensor, truth: Tensor) -> Tensor:
        """Frames (N, C, H, W) in [0, 1], C = 1 (grey) or 3 (RGB) → (N,), float32, without unit; 0 for equal frames.

        Raises:
            SvqkitError: shapes that differ or are not (N, C, H, W), integer frames, other channels, small frames.
        """
        check_frames(prediction, truth)
        if reason := lpips_reason(*prediction.shape[1:], self.trunk):
            raise SvqkitError(reason)
        # Without TF32, which a GPU would use here and which rounds to three digits.
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self.network(_as_rgb(prediction), _as_rgb(truth)).flatten()


def alexnet_file(named: str = "") -> Path | None:
    """AlexNet's weights: the file named in params.yaml, else the one in torch's cache, None if there is none.

    Raises:
        SvqkitError: a file is named and is not there.
    """
    if named:
        file = Path(named).expanduser()
        if not file.is_file():
            raise SvqkitError(
                f"params.yaml says `lpips_alexnet: {named}`, and there is no such file. Put torchvision's {FILE_NAME} "
                "there, or take the line out to do without LPIPS."
            )
        return file
    cached = Path(torch.hub.get_dir()) / "checkpoints" / FILE_NAME
    return cached if cached.is_file() else None


def lpips_reason(channels: int, height: int, width: int, trunk: Path | None) -> str | None:
    """Why LPIPS is not computed for frames of this shape; None when it is."""
    if channels not in (1, 3):
        return f"LPIPS is defined for grey or RGB frames (1 or 3 channels), these have {channels}."
    if min(height, width) < SMALLEST:
        return f"LPIPS needs frames of {SMALLEST} × {SMALLEST} pixels or more, these are {height} × {width}."
    return WITHOUT_TRUNK if trunk is None else None


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
    own = net.state_dict()
    wanted = {
        f"{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in CONVOLUTIONS.items() for kind in ("weight", "bias")
    }
    problems = []
    for name, target in wanted.items():
        found, shape = tensors.get(name), tuple(own[target].shape)
        if not isinstance(found, Tensor):
            problems.append(f"missing: {name}")
        elif tuple(found.shape) != shape:
            problems.append(f"shape of {name}: expected {shape}, got {tuple(found.shape)}")
    if problems:
        raise SvqkitError(
            f"{file} does not hold the weights of torchvision's alexnet; give {FILE_NAME}:\n  " + "\n  ".join(problems)
        )
    net.load_state_dict({target: tensors[name] for name, target in wanted.items()})


def _read(file: Path) -> Mapping[str, object]:
    """The state dict in a file; nothing pickled in it is run."""
    try:
        refuse_special(file)
        refuse_packed(file)
        content = (
            load_file(file)
            if file.suffix == ".safetensors"
            else torch.load(file, map_location="cpu", weights_only=True)
        )
    # A damaged file makes torch.load raise nearly anything, from EOFError to KeyError.
    except Exception as error:
        raise SvqkitError(
            f"Can't read AlexNet's weights at {file} ({type(error).__name__}): the file is missing, damaged or "
            f"holds more than tensors. Give torchvision's {FILE_NAME}, or its tensors as .safetensors."
        ) from error
    if not isinstance(content, Mapping):
        raise SvqkitError(
            f"{file} holds a {type(content).__name__}, expected the state dict of torchvision's alexnet: "
            f"give {FILE_NAME}."
        )
    return content
