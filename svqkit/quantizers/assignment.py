"""Quantizers that give every position one code, or one of each of several stages: what they share."""

from abc import abstractmethod
from contextlib import nullcontext
from itertools import chain
from threading import RLock
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from svqkit.errors import SvqkitError
from svqkit.quantizers.base import Quantized, Quantizer, as_map, chunk_rows, in_eval_mode, rows, without_autocast
from svqkit.quantizers.usage import Usage, hard_usage

_ALONE = RLock()


class Assignment(Quantizer):
    r"""Every position is given a code in each of S stages (heads, groups, residual steps), from K codes in all.

    Stages that share a codebook choose from the same numbers; those with a codebook of their own have numbers of their
    own. With :math:`w_k` the number of stages that chose code :math:`k`, the output is :math:`y = \sum_k w_k c_k` with
    the codes of ``codes()``, unless the subclass says otherwise.

    A subclass says in ``_assign`` what the output is and which codes were chosen. It is computed in float32 also under
    autocast and in a module of half precision, which would choose other codes and round their moving averages; the
    latter are rounded only when they are kept, which they are where the subclass has ``moves``.

    Args:
        dim: D, the number of channels.
        codebook_size: K, over all stages.
        sizes: whatever else must be at least 1, by name.

    Raises:
        SvqkitError: one of these sizes is below 1.
    """

    moves = False  # whether a codebook follows the latents while training
    _assign_module: nn.Module

    def __init__(self, dim: int, codebook_size: int, **sizes: int) -> None:
        super().__init__(dim)
        self._need(1, codebook_size=codebook_size, **sizes)
        self.codebook_size = codebook_size
        self.register_load_state_dict_post_hook(_fill_constants)
        self.__dict__["_assign_module"] = _Assign(self)  # no part of this one: it would contain itself

    def constants(self) -> dict[str, Tensor]:
        """Return buffers that no state_dict keeps, by name: loading one fills them, whatever they held."""
        return {}

    def _apply(self, *given: Any, **options: Any) -> Self:
        """Move the layer, after which its constants are as they were: `to_empty` leaves anything in them."""
        super()._apply(*given, **options)
        for name, value in self.constants().items():
            if not (buffer := self.get_buffer(name)).is_meta:
                buffer.copy_(value)
        return self

    @abstractmethod
    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantize latent vectors (N, P, D) → output (N, P, D), numbers of the codes (N, P, S), and a scalar loss."""

    @torch.no_grad()
    def usage(self, x: Tensor) -> Usage:
        """Measure how the codebook is used over the positions of x, as in eval mode, in chunks that fit in memory.

        Raises:
            SvqkitError: there is no position, or a latent that is not finite, which is next to no code.
        """
        if not x.isfinite().all():
            raise SvqkitError("Some latents are NaN or infinite, so no use of a codebook can be measured. Drop them.")
        return hard_usage(self.indices(x), self.codebook_size)

    @torch.no_grad()
    def indices(self, x: Tensor) -> Tensor:
        """Return the numbers of the codes that each position of x is given, (positions, S), as in eval mode."""
        chunks = rows(self._as_map(x)).split(chunk_rows(self.codebook_size))
        with in_eval_mode(self):  # training would move the codebook
            return torch.cat([self._assign_in_full(chunk[None])[1][0] for chunk in chunks])

    def _quantize(self, latents: Tensor) -> Quantized:
        output, _, loss = self._assign_in_full(latents.flatten(2).transpose(1, 2))
        return Quantized(as_map(output.flatten(0, 1), latents).to(latents.dtype), loss)

    def _weights_of(self, latents: Tensor, codes: Tensor) -> Tensor:
        """How many stages give a position each of ``codes`` (n,): for a single stage 1 or 0."""
        counts = latents.new_zeros(len(rows(latents)), len(codes))
        for stage in self.indices(latents).unbind(1):
            counts += stage[:, None] == codes.to(stage)
        return as_map(counts, latents)

    def _assign_in_full(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Other values are put into the layer for a moment, which no other thread may see.
        with nullcontext() if torch.compiler.is_compiling() else _ALONE:
            return self._assign_alone(vectors)

    def _assign_alone(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        half = {
            name: value
            for name, value in chain(self.named_parameters(), self.named_buffers())
            if value.dtype in (torch.float16, torch.bfloat16)
        }
        with without_autocast(vectors.device):
            vectors = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
            if not half:
                return self._assign(vectors)
            full = {f"layer.{name}": value.float() for name, value in half.items()}
            result = functional_call(self._assign_module, full, (vectors,))
        for name, buffer in self.named_buffers() if self.training and self.moves else ():
            if name in half:
                buffer.copy_(full[f"layer.{name}"])
        return result


class _Assign(nn.Module):
    """A layer's ``_assign`` as a module, so that it can be called with other values of the layer's parameters."""

    def __init__(self, layer: Assignment) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.layer._assign(vectors)


def _fill_constants(layer: Assignment, _: object) -> None:
    device = next((one.device for one in layer.parameters()), torch.device("cpu"))
    for name, value in layer.constants().items():
        owner, _, last = name.rpartition(".")
        buffer = layer.get_buffer(name)
        if buffer.is_meta:
            setattr(layer.get_submodule(owner), last, value.to(device, buffer.dtype))
        else:
            buffer.copy_(value)


def straight_through(vectors: Tensor, codes: Tensor) -> Tensor:
    """Return the codes, with the gradient of the vectors that they stand for."""
    return vectors + (codes - vectors).detach()


def mean_square(vectors: Tensor, codes: Tensor) -> Tensor:
    """Return the mean of (v − c)² over everything, 0 where there is nothing."""
    return F.mse_loss(vectors, codes, reduction="mean" if vectors.numel() else "sum")


def projections(dim: int, width: int) -> tuple[nn.Module, nn.Module]:
    """Make linear maps from D channels to ``width`` and back, or none where the two are equal."""
    if dim == width:
        return nn.Identity(), nn.Identity()
    return nn.Linear(dim, width), nn.Linear(width, dim)


def project_codes(codes: Tensor, project_out: nn.Module, stages: int = 1) -> Tensor:
    """Map codes (K, width) to what they are in the output, (K, D): each of the S stages has 1/S of the bias."""
    codes = codes.to(next(project_out.parameters(), codes))
    with in_eval_mode(project_out):
        return project_out(codes) - project_out(torch.zeros_like(codes[:1])) * (1 - 1 / stages)
