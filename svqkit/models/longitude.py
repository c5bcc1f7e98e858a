"""Longitude: on a grid that goes around the earth, layers see past the first column what is in the last one."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from svqkit.errors import SvqkitError

# What pads maps. The last axis is longitude.
PADDED = (nn.Conv2d, nn.Conv3d, nn.AvgPool2d, nn.MaxPool2d)


def wrap_longitude(model: nn.Module) -> None:
    """Let every convolution and pooling of a model go around along the last axis; other axes are padded as before.

    Names and values of parameters stay. A layer that goes around already, or that has a ``padding_mode`` of its own,
    is left as it is. Then f(x rolled by s columns) = f(x) rolled by s, as far as strides divide width and s, and for
    what else mixes columns (attention, means) if it does so alike everywhere.

    Raises:
        SvqkitError: a layer has an even kernel and padding "same", which would not be the same on both sides.
    """
    for layer in model.modules():
        if isinstance(layer, PADDED) and getattr(layer, "padding_mode", "zeros") == "zeros":
            *others, columns = _padding(layer)
            if columns:
                layer.padding = (*others, 0)
                layer.register_forward_pre_hook(partial(_widen_input, columns))


def widened(x: Tensor, left: int, right: int) -> Tensor:
    """Return x (…, W) with its last ``left`` columns once more before it and its first ``right`` ones after it.

    Narrow maps go around more than once. Cut up and joined, it is copied once forth and once back; slices would have
    gradients of the full size each, and torch's own circular padding loses the layout with channels last.
    """
    width = x.shape[-1]
    until, since = right % width, width - left % width
    low, high = sorted((until, since))
    parts = x.split((low, high - low, width - high), -1)
    before, after = parts[2 if since == high else 1 :], parts[: 1 if until == low else 2]
    turns = 1 + left // width + right // width
    return torch.cat([*before, *parts * turns, *after], -1)


def _widen_input(columns: int, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return widened(inputs[0], columns, columns), *inputs[1:]


def _padding(layer: Any) -> tuple[int, ...]:
    """The padding of each axis, or of none."""
    if layer.padding == "same":
        if any(d * (size - 1) % 2 for d, size in zip(layer.dilation, layer.kernel_size, strict=True)):
            raise SvqkitError(f"`longitude: wrap` needs odd kernels where padding is 'same', got {layer.kernel_size}.")
        return tuple(d * (size - 1) // 2 for d, size in zip(layer.dilation, layer.kernel_size, strict=True))
    if layer.padding == "valid":
        return (0,)
    return layer.padding if isinstance(layer.padding, tuple) else (layer.padding,) * 2
