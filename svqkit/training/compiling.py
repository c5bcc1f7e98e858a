"""torch.compile where it works and pays; where it doesn't, the reason."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from svqkit.settings.params import Compile

Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def compiled(objective: nn.Module, wanted: Compile, example: tuple[Tensor, Tensor], say: Callable[[str], None]) -> Step:
    """``objective`` compiled, or itself where it can't be, after a step on ``example`` that leaves no trace.

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
    """A step forth and back; buffers, gradients and random generators are then as they were."""
    devices = [example[0].device] if example[0].is_cuda else []
    buffers = [buffer.clone() for buffer in objective.buffers()]
    training = objective.training
    try:
        with torch.random.fork_rng(devices):
            objective.train()
            sum(step(*example)).backward()
    finally:
        objective.train(training)
        objective.zero_grad()
        for buffer, before in zip(objective.buffers(), buffers, strict=True):
            buffer.copy_(before)
