"""Quantizers that mix codes with weights: what they share."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils.checkpoint import checkpoint

from svqkit.errors import SvqkitError, choose
from svqkit.quantizers.base import Quantized, Quantizer, as_map, chunk_rows, in_eval_mode, is_plain, rows
from svqkit.quantizers.usage import Usage, soft_usage

CODEBOOK_INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "kaiming": nn.init.kaiming_uniform_,
    "xavier": lambda codebook: nn.init.xavier_uniform_(codebook, gain=nn.init.calculate_gain("relu")),
    "sparse": lambda codebook: nn.init.sparse_(codebook, sparsity=0.9),
    "trunc_normal": nn.init.trunc_normal_,
    "orthogonal": nn.init.orthogonal_,
    "uniform-random": nn.init.uniform_,
    "normal": nn.init.normal_,
}


def new_codebook(codebook_size: int, dim: int, init: str) -> Tensor:
    """Make a codebook (codebook_size, dim) by one of the initialisations in ``CODEBOOK_INITS``.

    kaiming: U(−√(6/D), √(6/D)); xavier: U(−a, a), a = √2·√(6/(K + D)); sparse: N(0, 0.01²) with 90 % of each
    column zero; trunc_normal: N(0, 1) cut at ±2; orthogonal: orthonormal rows or columns; uniform-random:
    U(0, 1); normal: N(0, 1), the default of the published configs.

    Raises:
        SvqkitError: unknown ``init``.
    """
    return choose(CODEBOOK_INITS, init, "initialisation of the codebook")(torch.empty(codebook_size, dim))


class Mixture(Quantizer):
    """y = Cᵀw(x): every position gets weights w over the K codes of a codebook C (K, D).

    A subclass says in ``_weigh`` how weights come from latents. The tensor of positions × K is made for a few
    positions at a time only, and again for them in the backward pass.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        init: how the codebook starts, see :func:`svqkit.quantizers.mixture.new_codebook`.
        learnable: False freezes the codebook at its initial values.

    Raises:
        SvqkitError: a size below 1, or an unknown ``init``.
    """

    draws = False  # whether mixing draws random numbers

    def __init__(self, dim: int, codebook_size: int, init: str, learnable: bool = True) -> None:
        super().__init__(dim)
        self._need(1, codebook_size=codebook_size)
        self.codebook_size = codebook_size
        self.codebook = nn.Parameter(new_codebook(codebook_size, dim, init), requires_grad=learnable)

    @abstractmethod
    def _weigh(self, vectors: Tensor) -> Tensor:
        """Compute the weights (P, K) of latent vectors (P, D)."""

    def codes(self) -> Tensor:
        """Return the codebook (K, D)."""
        with in_eval_mode(self):  # a parametrization may move when it is asked
            return self.codebook.detach().clone()

    def code_weights(self, x: Tensor) -> Tensor:
        """Compute the weights w of all codes at all positions, (N, positions, K): the large tensor, see ``usage``."""
        latents = self._as_map(x)
        return self._weigh(rows(latents)).unflatten(0, (latents.shape[0], -1))

    @torch.no_grad()
    def usage(self, x: Tensor) -> Usage:
        """Measure how the codebook is used over the positions of x, as in eval mode, in chunks that fit in memory."""
        latents = self._as_map(x)
        with in_eval_mode(self):
            return soft_usage(lambda: self._weights_by_chunk(latents), self.codebook_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, codebook_size={self.codebook_size}, learnable={self.codebook.requires_grad}"

    def _quantize(self, latents: Tensor) -> Quantized:
        output = by_chunks(self, self._mix, rows(latents), self._numbers_per_position(), self.draws)
        return Quantized(as_map(output, latents), latents.new_zeros(()))

    def _mix(self, vectors: Tensor) -> Tensor:
        """Cᵀw (P, D) of latent vectors (P, D)."""
        codebook = self.codebook  # once: a parametrization may move when it is asked
        return self._weigh(vectors).to(codebook.dtype) @ codebook

    def _numbers_per_position(self) -> int:
        """How many weights have to be held for a position until its backward pass is over."""
        return self.codebook_size

    def _parameters_of(self, *parts: str) -> list[nn.Parameter]:
        """The parameters of these parts, also where a parametrization or pruning keeps them under longer names."""
        named = self.named_parameters()
        return [one for name, one in named if name.removeprefix("parametrizations.").startswith(parts)]

    def _weights_of(self, latents: Tensor, codes: Tensor) -> Tensor:
        return as_map(torch.cat([weights[:, codes] for weights in self._weights_by_chunk(latents)]), latents)

    def _weights_by_chunk(self, latents: Tensor) -> Iterator[Tensor]:
        for chunk in rows(latents).split(chunk_rows(self.codebook_size)):
            yield self._weigh(chunk)


class ProjectedMixture(Mixture):
    """A mixture whose weights come from s = W2 φ(W1 x + b1) + b2, one number per code; φ is the ReLU.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        hidden_dim: width of the hidden layer; at most K of it is used. 0 leaves it out: s = W x + b.
        init: how the codebook starts, see :func:`svqkit.quantizers.mixture.new_codebook`.
        learnable: False freezes the codebook at its initial values.
        learnable_projection: False freezes W1, b1, W2 and b2 at theirs.
        hidden_relu: False leaves φ out.

    Raises:
        SvqkitError: an impossible size, or an unknown ``init``.
    """

    def __init__(
        self,
        dim: int,
        codebook_size: int,
        hidden_dim: int,
        init: str,
        learnable: bool = True,
        learnable_projection: bool = True,
        hidden_relu: bool = True,
    ) -> None:
        super().__init__(dim, codebook_size, init, learnable)
        self._need(0, hidden_dim=hidden_dim)
        self.hidden_relu = hidden_relu
        width = min(hidden_dim, codebook_size)
        self.hidden = nn.Linear(dim, width) if width else None
        self.weights = nn.Linear(width or dim, codebook_size)
        for part in self.children():  # not the codebook, which is a parameter
            part.requires_grad_(learnable_projection)

    def factors(self) -> list[nn.Parameter]:
        return self._parameters_of("codebook", "weights")

    def _scores(self, vectors: Tensor) -> Tensor:
        """s (P, K) of latent vectors (P, D)."""
        if self.hidden is None:
            return self.weights(vectors)
        hidden = self.hidden(vectors)
        return self.weights(hidden.relu() if self.hidden_relu else hidden)


def by_chunks(
    layer: nn.Module, function: Callable[[Tensor], Tensor], vectors: Tensor, width: int, draws: bool = False
) -> Tensor:
    """Compute ``function``, (P, D) → (P, D'), on a few positions at a time where it makes ``width`` numbers for each.

    Where one chunk is not enough, what ``function`` makes on the way is made again in the backward pass, with the
    parameters that its layer has by then. It is kept where a part of the layer has a state that a second call might
    move, such as spectral_norm or the observers of quantization-aware training. A program that is exported has one
    chunk, whatever its size.

    Args:
        layer: whose function it is.
        function: works on each row on its own.
        vectors: (P, D).
        width: how many numbers ``function`` holds for a row.
        draws: whether it draws random numbers, which have to be the same again; what wraps a linear layer may.
    """
    # An exported program leaves the batch open, and the number of chunks would hang on it.
    if torch.compiler.is_exporting() or vectors.shape[0] <= chunk_rows(width):
        return function(vectors)
    if any(part is not layer and part.training and _has_state(part) for part in layer.modules()):
        return function(vectors)  # once, and over all positions, as a norm over the batch needs it
    # What wraps a linear layer may draw; a parametrization, which leaves it plain, too.
    draws = draws or not all(type(part) is nn.Linear and is_plain(part) for part in layer.children())
    if torch.is_grad_enabled() and not torch.compiler.is_compiling() and not under_torch_func():
        function = _unmoved(function, [vectors, *layer.parameters()])
    return torch.cat([recomputed(function, part, draws=draws) for part in vectors.split(chunk_rows(width))])


def _has_state(part: nn.Module) -> bool:
    """Whether a call may move a buffer; the masks of pruning stay."""
    return any(not name.endswith("_mask") for name, _ in part.named_buffers(recurse=False))


def _unmoved(function: Callable[[Tensor], Tensor], watched: list[Tensor]) -> Callable[[Tensor], Tensor]:
    """``function``, which refuses to be computed again from other numbers than at first, as autograd does."""
    tensors = [tensor for tensor in watched if not tensor.is_inference()]
    versions = [tensor._version for tensor in tensors]

    def guarded(vectors: Tensor) -> Tensor:
        if [tensor._version for tensor in tensors] != versions:
            raise SvqkitError(
                "The latents or the parameters of a quantizer were changed in place between its forward and its "
                "backward pass, which computes it again. Call backward before the optimizer's step."
            )
        return function(vectors)

    return guarded


def recomputed(function: Callable[..., Tensor], *given: Any, draws: bool = False) -> Tensor:
    """Compute ``function(*given)`` and, for its gradient, once more in the backward pass instead of keeping it.

    Under torch.func and in exported programs, which know no checkpoints, everything is kept.
    """
    if under_torch_func() or torch.compiler.is_exporting():
        return function(*given)
    return checkpoint(function, *given, use_reentrant=False, preserve_rng_state=draws)


def under_torch_func() -> bool:
    """Return whether this is computed within a transform of torch.func, or forward mode."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
