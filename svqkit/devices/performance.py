"""What makes a step fast and leaves its results as they are: layout in memory, kernels, compiling, kept memory."""

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

from svqkit.devices.convolutions import DepthwiseConv2d, PointwiseConv2d
from svqkit.settings.params import Compile

# Parameters of glibc's mallopt, and what it comes to by itself after some steps.
TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
KEEP = {MMAP_MAX: 0, TRIM_THRESHOLD: -1}
AS_USUAL = {MMAP_MAX: 65536, MMAP_THRESHOLD: 2**25, TRIM_THRESHOLD: 2**26}
_depth = 0  # contexts of freed_memory_kept that are open

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
M = TypeVar("M", bound=nn.Module)


def to_channels_last(model: M) -> M:
    """Change a model in place: weights of 2-D convolutions have channels last, 1 × 1 and depthwise ones are fast.

    Names and values of parameters and buffers stay. Returns the model.
    """
    for weight in model.parameters():
        if weight.ndim == 4:
            # Not contiguous(), which leaves a 1 × 1 kernel as it is and so its strides unlike those of its gradient.
            weight.data = torch.empty_like(weight, memory_format=torch.channels_last).copy_(weight.data)
    for module in model.modules():
        for kind in (PointwiseConv2d, DepthwiseConv2d):
            if type(module) is nn.Conv2d and kind.can_be(module):
                module.__class__ = kind
    return model


def compiled(objective: nn.Module, wanted: Compile, example: tuple[Tensor, Tensor], say: Callable[[str], None]) -> Step:
    """Return ``objective`` compiled, or itself where it can't be, after a step on ``example`` that leaves no trace.

    Args:
        objective: gives the losses to add up for inputs and targets.
        wanted: off; on; graphs: on, and on a GPU each step is replayed as a CUDA graph; auto: on with a GPU only,
            since on a CPU compiling takes minutes, which only long trainings win back.
        example: inputs and targets as they will come.
        say: told why it is not compiled, where it was wanted.
    """
    device = example[0].device
    if wanted == "off" or (wanted == "auto" and device.type != "cuda"):
        return objective
    step = torch.compile(objective, mode="reduce-overhead" if wanted == "graphs" else "default", dynamic=False)
    try:
        rehearse(objective, step, example)
    except Exception as error:  # no C compiler, no Triton, a device too old, an operation it can't take: many kinds
        reason = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        say(f"Not compiled, the steps run as they are: {type(error).__name__}: {reason}")
        return objective
    if wanted != "graphs":
        return step

    def replayed(inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        torch.compiler.cudagraph_mark_step_begin()
        return step(inputs, targets)

    return replayed


def rehearse(objective: nn.Module, step: Step, example: tuple[Tensor, Tensor]) -> None:
    """Take a step forth and back; buffers, gradients and random generators are then as they were."""
    devices = [example[0].device] if example[0].is_cuda else []
    buffers = [buffer.clone() for buffer in objective.buffers()]
    training = objective.training
    try:
        with torch.random.fork_rng(devices):
            objective.train()
            one, other = step(*example)
            (one + other).backward()
    finally:
        objective.train(training)
        objective.zero_grad()
        for buffer, before in zip(objective.buffers(), buffers, strict=True):
            buffer.copy_(before)


def bf16_note(device: torch.device) -> str:
    """Return what must be said of bf16 on a device: that it is slower on this CPU, where it has no units for it."""
    has: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # of x86-64 only, and not in every torch
    if device.type != "cpu" or has.get("architecture") != "x86_64" or has["avx512_bf16"] or has["amx_bf16"]:
        return ""
    return "This CPU has no units for bf16: steps take about twice as long as with `precision: fp32`."


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep the memory that a step frees for the next step, in this context or a function with this decorator.

    glibc gives every tensor of more than 32 MiB back to the system when it is freed, and the next one comes page by
    page, each of which the system first fills with zeros. On a CPU that is much of a training step: SimVP with gSTA and
    SVQ on t2m in the published size, batch 8, on 2 cores: 370,000 page faults and 2.0 s a step; with what is freed
    kept: none, and 1.4 s. The process is not larger at its largest, but stays so until the end. That holds while
    nothing small is kept of every step: among the large tensors it would cut the memory into pieces that fit none of
    them. Without glibc nothing happens.
    """
    global _depth
    library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    glibc = library if hasattr(library, "gnu_get_libc_version") else None
    _depth += 1
    if glibc and _depth == 1:
        for parameter, value in KEEP.items():
            glibc.mallopt(parameter, value)
    try:
        yield
    finally:
        _depth -= 1
        if glibc and _depth == 0:
            for parameter, value in AS_USUAL.items():
                glibc.mallopt(parameter, value)
            glibc.malloc_trim(0)
