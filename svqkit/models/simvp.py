"""SimVP: an encoder of single frames, a translator over time and space, a decoder, and a quantizer between them."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from svqkit.devices.distributed import draw_shard
from svqkit.errors import SvqkitError
from svqkit.models import translators
from svqkit.models.layers import ConvBlock
from svqkit.models.longitude import widened, wrap_longitude
from svqkit.settings.params import Model

if TYPE_CHECKING:
    from svqkit.quantizers import Quantizer


class Forecast(NamedTuple):
    """Forecast frames (B, T, C, H, W), and the quantizer's loss to add to the training loss (a scalar)."""

    frames: Tensor
    loss: Tensor


class SimVP(nn.Module):
    """As many frames out as in, from one pass.

    Every frame is encoded by N_S convolutions, every second one halving height and width, into latents of hid_S
    channels. The quantizer works on these (or on the translator's output, ``quantize_after_translator``). The
    translator sees the T latents of a sequence stacked as channels. The decoder mirrors the encoder and is given
    the first convolution's output as a skip. Frames whose height or width the encoder can't halve evenly are
    padded inside with their edge values and cut again. With ``longitude: wrap`` the first and the last column are
    neighbours for all layers, and frames are padded to the right with their first columns.

    Args:
        settings: sizes and translator.
        quantizer: takes (N, hid_S, H', W'), returns ``Quantized``.
        frames: T.
        frame_shape: (C, H, W). Most translators take frames of any height and width; those that mix all positions
            (mlpmixer) or windows of them (swin) are made for this one.

    Source: Gao et al., "SimVP: Simpler yet Better Video Prediction", CVPR 2022, arXiv 2206.05099, and OpenSTL.
    """

    def __init__(self, settings: Model, quantizer: "Quantizer", frames: int, frame_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, *size = frame_shape
        self.frames, self.channels = frames, channels
        self.wraps = settings.longitude == "wrap"
        self.noise, self.post = settings.noise, settings.quantize_after_translator
        self.multiple = 2 ** (settings.N_S // 2)
        hidden = settings.hid_S
        down = [0, -1] * (settings.N_S // 2)
        widths_in = [channels, *[hidden] * (settings.N_S - 1)]
        self.encoder = nn.ModuleList(
            ConvBlock(width, hidden, settings.spatio_kernel_enc, scale)
            for width, scale in zip(widths_in, down, strict=True)
        )
        self.quantizer: Quantizer = quantizer
        latent_size = tuple(-(-length // self.multiple) for length in size)
        self.translator = translators.build(settings, frames * hidden, latent_size)
        self.decoder = nn.ModuleList(
            ConvBlock(hidden, hidden, settings.spatio_kernel_dec, -scale) for scale in reversed(down)
        )
        self.readout = nn.Conv2d(hidden, channels, 1)
        if self.wraps:
            wrap_longitude(self)

    def forward(self, frames: Tensor, numbers: np.ndarray | None = None) -> Forecast:
        """Forecast the T frames that follow.

        Args:
            frames: (B, T, C, H, W).
            numbers: (B·T,), in eval mode: which frame of a record each is. One that several windows hold is encoded
                and quantized once (16 windows of 12 frames in a row hold 27 frames, 192 times). Forecasts are those
                without it, up to the rounding of a batch of another size.
        """
        self._check(frames)
        batch, *_, height, width = frames.shape
        if self.noise and self.training:
            frames = perturb(frames, self.noise)
        images = self._pad(rearrange(frames, "b t c h w -> (b t) c h w"))
        if numbers is not None:
            _, first, copy_of = np.unique(numbers, return_index=True, return_inverse=True)
            images = images[first]
        latent, skip = self._encode(images)
        if not self.post:
            latent, loss = self.quantizer(latent)
        if numbers is not None:
            latent, skip = take(latent, copy_of), take(skip, copy_of)
        latent = self._translate(latent, batch)
        if self.post:
            latent, loss = self.quantizer(latent)
        out = self._decode(latent, skip)[..., :height, :width]
        return Forecast(rearrange(out, "(b t) c h w -> b t c h w", b=batch), loss)

    def latents(self, frames: Tensor) -> Tensor:
        """Compute what the quantizer is given, (B·T, hid_S, H', W'), for frames (B, T, C, H, W)."""
        self._check(frames)
        latent, _ = self._encode(self._pad(rearrange(frames, "b t c h w -> (b t) c h w")))
        return self._translate(latent, len(frames)) if self.post else latent

    def _encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # One channel has no layout to hand on, so it is the first block's output that sets it for all that follow.
        skip = latent = self.encoder[0](x).contiguous(memory_format=torch.channels_last)
        for block in self.encoder[1:]:
            latent = block(latent)
        return latent, skip

    def _translate(self, latent: Tensor, batch: int) -> Tensor:
        return unstacked(self.translator(stacked(latent, batch)), len(latent) // batch)

    def _decode(self, latent: Tensor, skip: Tensor) -> Tensor:
        for block in self.decoder[:-1]:
            latent = block(latent)
        return self.readout(self.decoder[-1](latent + skip))

    def _pad(self, x: Tensor) -> Tensor:
        below, right = -x.shape[-2] % self.multiple, -x.shape[-1] % self.multiple
        if self.wraps and right:
            x, right = widened(x, 0, right), 0
        return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x

    def _check(self, frames: Tensor) -> None:
        if frames.ndim != 5 or frames.shape[1:3] != (self.frames, self.channels):
            raise SvqkitError(
                f"The model expects frames (B, {self.frames}, {self.channels}, H, W), got {tuple(frames.shape)}."
            )
        single = self.training and len(frames) == 1 and max(frames.shape[-2:]) <= self.multiple
        if single and any(isinstance(module, nn.BatchNorm2d) for module in self.modules()):
            raise SvqkitError(
                f"Frames of {frames.shape[-2]} × {frames.shape[-1]} have latents of 1 × 1 here, and the batch is one "
                "sample: batch normalisation needs more than one value of a channel. Give a larger `batch_size`, "
                "larger frames or a smaller `N_S`."
            )


def roll_out(model: nn.Module, frames: Tensor, frames_out: int, numbers: np.ndarray | None = None) -> Forecast:
    """Forecast the ``frames_out`` frames after ``frames`` (B, T, C, H, W).

    The model forecasts T frames in a pass, and each pass is fed with the frames of the one before; the last is cut to
    length. The quantizer's loss is that of the last pass, as in the reference. ``numbers``, if given, are those of
    :meth:`SimVP.forward`.
    """
    forecast = model(frames) if numbers is None else model(frames, numbers)
    parts = [forecast.frames]
    while len(parts) * frames.shape[1] < frames_out:
        forecast = model(forecast.frames)
        parts.append(forecast.frames)
    joined = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    return Forecast(joined[:, :frames_out], forecast.loss)


def take(maps: Tensor, chosen: np.ndarray) -> Tensor:
    """Return some of the maps (N, C, H, W), by their numbers, with channels last, as the layers behind want them."""
    return rearrange(rearrange(maps, "n c h w -> n h w c")[chosen], "n h w c -> n c h w")


def stacked(x: Tensor, batch: int) -> Tensor:
    """Stack frames as channels, (B·T, C, H, W) → (B, T·C, H, W), from channels last to channels last in one copy."""
    channels_last = rearrange(x, "(b t) c h w -> b h w (t c)", b=batch)
    return rearrange(channels_last, "b h w c -> b c h w")


def unstacked(x: Tensor, time: int) -> Tensor:
    """Take stacked frames apart again, (B, T·C, H, W) → (B·T, C, H, W)."""
    channels_last = rearrange(x, "b (t c) h w -> (b t) h w c", t=time)
    return rearrange(channels_last, "b h w c -> b c h w")


def perturb(x: Tensor, share: float) -> Tensor:
    """Return x with a random ``share`` of its values multiplied by U(−2, 2), as in the paper's noise experiments."""

    def factors(rows: int) -> Tensor:
        factor = torch.ones(rows * x[0].numel(), device=x.device, dtype=x.dtype)
        factor[: int(len(factor) * share)].uniform_(-2, 2)
        return factor[torch.randperm(len(factor), device=x.device)].view(rows, *x.shape[1:])

    return x * draw_shard(factors, len(x))
