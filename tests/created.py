"""What a layer makes in memory, its gradients, and a step of it beside the library's: for tests of quantizers."""

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Created(TorchDispatchMode):
    """Notes how many elements tensors have that are made in this context: the largest, and the most at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.largest = self.live = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        before = {id(leaf.untyped_storage()) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.largest = max(self.largest, leaf.numel())
                storage = leaf.untyped_storage()
                if id(storage) not in self.known | before:
                    self._hold(storage, storage.nbytes() // leaf.element_size())
        return result

    def _hold(self, storage: torch.UntypedStorage, elements: int) -> None:
        self.known.add(id(storage))
        self.live += elements
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._let_go, id(storage), elements)

    def _let_go(self, key: int, elements: int) -> None:
        self.known.discard(key)
        self.live -= elements


def watched(function: Callable[[Tensor], Tensor], layer: nn.Module, x: Tensor) -> tuple[Created, Created]:
    """What is made in the forward and in the backward pass of ``function(x)``."""
    layer.zero_grad()
    x = x.detach().requires_grad_()
    with Created() as forward:
        output = function(x)
    with Created() as backward:
        output.sum().backward()
    assert x.grad is not None
    return forward, backward


def seeded(shape: tuple[int, ...], seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Normal numbers, the same for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def gradients(output: Tensor, loss: Tensor | float, layer: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Of ``loss`` and a random linear functional of ``output``: for x and for every parameter that learns."""
    wanted = {"x": x, **{name: parameter for name, parameter in layer.named_parameters() if parameter.requires_grad}}
    objective = (output * seeded(tuple(output.shape), 9).to(output)).sum() + loss
    found = torch.autograd.grad(objective, list(wanted.values()))
    return dict(zip(wanted, found, strict=True))


def assert_same_step(ours: nn.Module, theirs: nn.Module, frames: Tensor, seed: int = 0, **tolerance: float) -> Tensor:
    """Compare a layer with the library's in a step on ``frames`` (N, C, H, W); return the indices that theirs chose.

    Outputs, losses, tolerantly if wanted, and gradients of the frames must agree when both draw from ``seed``.
    """
    x, y = (frames.clone().requires_grad_() for _ in range(2))
    torch.manual_seed(seed)
    result = ours(x)
    torch.manual_seed(seed)
    output, indices, losses = theirs(y.flatten(2).transpose(1, 2))
    (result.output.square().sum() + result.loss).backward()
    (output.square().sum() + losses.mean()).backward()
    torch.testing.assert_close(result.output.flatten(2).transpose(1, 2), output)
    torch.testing.assert_close(result.loss, losses.mean(), **tolerance)
    torch.testing.assert_close(x.grad, y.grad, **tolerance)
    return indices
