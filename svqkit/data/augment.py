"""Random changes to training windows, the same for all frames of a window; computed on the device."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from svqkit.devices.distributed import draw_shard
from svqkit.errors import SvqkitError
from svqkit.settings.params import Augmentation


def augment(frames: Tensor, names: Sequence[Augmentation], crop_scale: float, random: np.random.Generator) -> Tensor:
    """Change windows (B, T, C, H, W) at random, each in its own way.

    crop: enlarged to 1 / ``crop_scale``, bilinear, and cut back to H × W at a random place.
    flip: mirrored left to right, half of the windows.
    rotate: a quarter turn clockwise (3/4 of the windows), counter-clockwise (3/16), mirrored (3/64) or left as it is:
    the odd shares are those of the reference for Human3.6M.

    Raises:
        SvqkitError: frames that are not square can't be turned.

    Source: the loaders of OpenSTL; crop scales there: 0.95 (KTH, KittiCaltech), 0.96 (weather), 0.975 (Human3.6M).
    """
    if "crop" in names:
        frames = _crop(frames, crop_scale, random)
    if "flip" in names:
        frames = _where(draw_shard(random.random, len(frames)) < 0.5, frames.flip(-1), frames)
    if "rotate" in names:
        frames = _rotate(frames, random)
    return frames


def _crop(frames: Tensor, scale: float, random: np.random.Generator) -> Tensor:
    batch, time, channels, height, width = frames.shape
    large = F.interpolate(frames.flatten(0, 1), scale_factor=1 / scale, mode="bilinear")
    large = large.reshape(batch, time, channels, *large.shape[-2:])
    tops = draw_shard(lambda size: random.integers(0, large.shape[-2] - height + 1, size), batch)
    lefts = draw_shard(lambda size: random.integers(0, large.shape[-1] - width + 1, size), batch)
    cuts = zip(large, tops, lefts, strict=True)
    return torch.stack([window[..., top : top + height, left : left + width] for window, top, left in cuts])


def _rotate(frames: Tensor, random: np.random.Generator) -> Tensor:
    if frames.shape[-2] != frames.shape[-1]:
        raise SvqkitError(f"augment: rotate needs square frames, got {tuple(frames.shape[-2:])}; take it off the list.")
    draw = draw_shard(random.random, len(frames))
    frames_clockwise, frames_counter = frames.rot90(-1, (-2, -1)), frames.rot90(1, (-2, -1))
    turned = _where(draw < 3 / 4, frames_clockwise, frames_counter)
    rest = _where(draw < 63 / 64, frames.flip(-1), frames)
    return _where(draw < 15 / 16, turned, rest)


def _where(chosen: np.ndarray, yes: Tensor, no: Tensor) -> Tensor:
    mask = torch.from_numpy(chosen).to(yes.device)[:, None, None, None, None]
    return torch.where(mask, yes, no)
