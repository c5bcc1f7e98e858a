"""Sparse vector quantization (SVQ), folded so that the codebook costs nothing beside the layers around it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from svqkit.errors import SvqkitError
from svqkit.quantizers.base import (
    Quantized,
    apply_linear,
    as_map,
    chunk_rows,
    in_eval_mode,
    is_plain,
    mean,
    per_position,
    rows,
    without_autocast,
)
from svqkit.quantizers.mixture import ProjectedMixture, by_chunks, recomputed, under_torch_func


class SVQ(ProjectedMixture):
    r"""Each latent vector becomes a learned, signed mixture of all codes of a codebook.

    For a latent vector :math:`x \in R^D` and a codebook :math:`C \in R^{K \times D}`

    .. math:: w = W_2\,\varphi(W_1 x + b_1) + b_2 \in R^K, \qquad y = C^\top w

    with :math:`\varphi` = ReLU. Without a ReLU on :math:`w` the last two products are one small matrix,

    .. math:: y = (C^\top W_2)\,\varphi(W_1 x + b_1) + C^\top b_2,

    which is the same function with the same gradients for :math:`W_2`, :math:`b_2` and :math:`C`, and never holds
    a tensor of positions × K: time and memory of a step hardly depend on K. With ``output_relu`` that is not
    possible, and ``l1`` needs the weights themselves; then :math:`w` is made for a few codes at a time, and made
    again in the backward pass. The same holds, for a few positions at a time, where the linear layer of :math:`W_2`
    is wrapped by an adapter, pruned, quantized to int8 or has hooks: then it is called as it is, at the cost of all
    K weights.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        hidden_dim: width of the hidden layer; at most K of it is used. 0 leaves it out: w = W x + b.
        learnable: False freezes the codebook at its initial values.
        learnable_projection: False freezes W1, b1, W2 and b2 at theirs.
        init: how the codebook starts, see :func:`svqkit.quantizers.mixture.new_codebook`.
        hidden_relu: whether φ is the ReLU or nothing.
        output_relu: whether w passes through a ReLU.
        l1: while training the loss is ``l1`` times the mean over positions of Σ_k |w_k|; 0 costs nothing.

    Raises:
        SvqkitError: an impossible size, a negative ``l1``, or an unknown ``init``.

    Source: Chen et al., "A Differentiable Sparse Vector Quantization (SVQ) for Spatio-Temporal Forecasting",
    arXiv 2312.03406. The fold and ``l1`` are this kit's.
    """

    def __init__(
        self,
        dim: int,
        codebook_size: int = 10_000,
        hidden_dim: int = 128,
        learnable: bool = True,
        learnable_projection: bool = True,
        init: str = "kaiming",
        hidden_relu: bool = True,
        output_relu: bool = False,
        l1: float = 0.0,
    ) -> None:
        super().__init__(dim, codebook_size, hidden_dim, init, learnable, learnable_projection, hidden_relu)
        self._need(0, l1=l1)
        self.output_relu, self.l1 = output_relu, l1

    def folded(self) -> tuple[Tensor, Tensor]:
        """Compute the matrix CᵀW₂ (D, hidden) and the vector Cᵀb₂ (D,) of the folded map, in the parameters' precision.

        Raises:
            SvqkitError: the layer has ``output_relu``, or its linear layer is wrapped, so that there is no such map.
        """
        if self.output_relu:
            raise SvqkitError(
                "SVQ with output_relu=True cannot be folded: a ReLU stands between W2 and the codebook. "
                "Use the layer as it is, or one with output_relu=False."
            )
        _refuse_wrapped("weights", self.weights)
        if "codebook" in vars(self):  # put there by a hook when the layer is called: by then the parameters may differ
            raise SvqkitError(
                "SVQ can't be folded: its codebook is pruned or normed by a hook. Make that permanent first "
                "(torch.nn.utils.prune.remove, remove_weight_norm), or use the layer as it is."
            )
        with in_eval_mode(self):  # a parametrization may move when it is asked
            return _fold(self.codebook, self.weights.weight, self.weights.bias)

    def folded_layer(self) -> nn.Linear:
        """Return the folded map as a linear layer, hidden → D, on the last axis; without a hidden layer D → D.

        Raises:
            SvqkitError: the layer has ``output_relu``, or a linear layer of it is wrapped.
        """
        return _linear(*self.folded())

    @torch.no_grad()
    def without_codebook(self) -> nn.Module:
        """Return the whole layer as small layers on the last axis, (…, D) → (…, D), for use without this kit.

        ``nn.Sequential(Linear, ReLU, Linear)``; a single ``nn.Linear`` where no ReLU is between the two.

        Raises:
            SvqkitError: the layer has ``output_relu``, or a linear layer of it is wrapped.
        """
        matrix, vector = self.folded()
        if self.hidden is None:
            return _linear(matrix, vector)
        _refuse_wrapped("hidden", self.hidden)
        with in_eval_mode(self):
            weight, bias = self.hidden.weight, self.hidden.bias
        if self.hidden_relu:
            return nn.Sequential(_linear(weight, bias), nn.ReLU(), _linear(matrix, vector))
        with without_autocast(matrix.device):
            return _linear(matrix @ weight, matrix @ bias + vector)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, hidden_relu={self.hidden_relu}, output_relu={self.output_relu}, l1={self.l1}"

    def _quantize(self, latents: Tensor) -> Quantized:
        penalised = self.training and self.l1 > 0
        size = latents.new_zeros(1)
        if not is_plain(self.weights):
            both = by_chunks(self, self._mix_and_size, rows(latents), self.codebook_size)
            output, size = as_map(both[:, :-1], latents), both[:, -1] if penalised else size
            return Quantized(output, self.l1 * mean(size))
        hidden = self._hidden(latents)
        # Once: a parametrization may move when it is asked.
        codebook, weight, bias = self.codebook, self.weights.weight, self.weights.bias
        if not self.output_relu:
            output = per_position(hidden, *_fold(codebook, weight, bias))
            if penalised:
                size = self._sum_over_codes(torch.abs, rows(hidden), weight, bias, _ones(codebook))
        elif penalised:
            # Behind a ReLU a weight is its own size, so that one pass with a column of ones beside C does for both.
            columns = torch.cat([codebook, _ones(codebook)], dim=1)
            both = self._sum_over_codes(torch.relu, rows(hidden), weight, bias, columns)
            output, size = as_map(both[:, :-1], latents), both[:, -1]
        else:
            output = as_map(self._sum_over_codes(torch.relu, rows(hidden), weight, bias, codebook), latents)
        return Quantized(output, self.l1 * mean(size))

    def _weigh(self, vectors: Tensor) -> Tensor:
        weights = self._scores(vectors)
        return weights.relu() if self.output_relu else weights

    def _mix_and_size(self, vectors: Tensor) -> Tensor:
        """Cᵀw and Σ_k |w_k| of latent vectors (P, D), side by side (P, D + 1)."""
        weights = self._weigh(vectors)
        return torch.cat([weights @ self.codebook, weights.abs().sum(1, keepdim=True)], 1)

    def _weights_of(self, latents: Tensor, codes: Tensor) -> Tensor:
        if not is_plain(self.weights) or not len(codes):
            return super()._weights_of(latents, codes)
        # Only the rows of these codes are needed, so this is cheap whatever K is.
        weights = per_position(self._hidden(latents), self.weights.weight[codes], self.weights.bias[codes])
        return weights.relu() if self.output_relu else weights

    def _hidden(self, x: Tensor) -> Tensor:
        """φ(W₁x + b₁) at every position, (N, hidden, H, W); x itself when there is no hidden layer."""
        if self.hidden is None:
            return x
        hidden = apply_linear(self.hidden, x)
        return hidden.relu() if self.hidden_relu else hidden

    def _sum_over_codes(
        self, function: Callable[[Tensor], Tensor], hidden: Tensor, weight: Tensor, bias: Tensor, columns: Tensor
    ) -> Tensor:
        """function(W₂ hidden + b₂) columns, for hidden (P, hidden) and columns (K, n): (P, n), a few codes at a time.

        Each chunk is computed again in the backward pass.
        """
        # An exported program leaves the batch open, and the number of chunks would hang on it.
        codes = self.codebook_size if torch.compiler.is_exporting() else chunk_rows(hidden.shape[0])
        chunks = (part.split(codes) for part in (weight, bias, columns))
        # The sum over the chunks is kept in the parameters' own precision, whatever autocast makes of each of them.
        total = columns.new_zeros(hidden.shape[0], columns.shape[1])
        for chunk in zip(*chunks, strict=True):
            total = total + recomputed(_part_of_sum, function, hidden, *chunk)
        return total


def _fold(codebook: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """CᵀW (D, hidden) and Cᵀb (D,) from C (K, D), W (K, hidden) and b (K,)."""
    # Half precision would round the sum over K codes, so autocast stays out of it.
    with without_autocast(codebook.device):
        if under_torch_func():  # by autograd's own formulas, which know forward mode too
            return codebook.t() @ weight, codebook.t() @ bias
        return _Fold.apply(codebook, weight, bias)


def _ones(codebook: Tensor) -> Tensor:
    return codebook.new_ones(len(codebook), 1)


class _Fold(torch.autograd.Function):
    """CᵀW (D, hidden) and Cᵀb (D,) from the codebook C (K, D), W (K, hidden) and b (K,).

    Autograd's own formula holds three tensors of the codebook's size on the way to its gradient; this one makes
    the gradient in place, so that a step needs no memory that grows with K beside parameters and gradients.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(codebook: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        return codebook.t() @ weight, codebook.t() @ bias

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, matrix: Tensor, vector: Tensor) -> tuple[Tensor | None, ...]:
        codebook, weight, bias = ctx.saved_tensors
        with without_autocast(codebook.device):
            to_codebook = (weight @ matrix.t()).addr_(bias, vector) if ctx.needs_input_grad[0] else None
            to_weight = codebook @ matrix if ctx.needs_input_grad[1] else None
            to_bias = codebook @ vector if ctx.needs_input_grad[2] else None
        return to_codebook, to_weight, to_bias


def _part_of_sum(
    function: Callable[[Tensor], Tensor], hidden: Tensor, weight: Tensor, bias: Tensor, columns: Tensor
) -> Tensor:
    return function(F.linear(hidden, weight, bias)) @ columns


def _refuse_wrapped(name: str, layer: nn.Module) -> None:
    if not is_plain(layer):
        raise SvqkitError(
            f"SVQ can't be folded: its linear layer `{name}` ({type(layer).__name__}) is wrapped or has hooks: its "
            "weight and bias don't say what it does. Merge or remove the wrapper first (an adapter's merge, "
            "torch.nn.utils.prune.remove, remove_weight_norm, the hook's handle.remove), or use the layer as it is."
        )


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """A linear layer with copies of these values."""
    layer = nn.utils.skip_init(nn.Linear, weight.shape[1], weight.shape[0], device=weight.device, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer
