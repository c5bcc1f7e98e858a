"""Sparse vector quantization (SVQ), folded so that the codebook costs nothing beside the layers around it."""

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from svqkit.errors import SvqkitError
from svqkit.quantizers.mixture import CHUNK_ELEMENTS, Mixture
from svqkit.quantizers.result import Quantized


class SVQ(Mixture):
    r"""Each latent vector becomes a learned, signed mixture of all codes of a codebook.

    For a latent vector :math:`x \in R^D` and a codebook :math:`C \in R^{K \times D}`

    .. math:: w = W_2\,\varphi(W_1 x + b_1) + b_2 \in R^K, \qquad y = C^\top w

    with :math:`\varphi` = ReLU. Without a ReLU on :math:`w` the last two products are one small matrix,

    .. math:: y = (C^\top W_2)\,\varphi(W_1 x + b_1) + C^\top b_2,

    which is the same function with the same gradients for :math:`W_2`, :math:`b_2` and :math:`C`, and never holds
    a tensor of positions × K: time and memory of a step hardly depend on K. With ``output_relu`` that is not
    possible; then :math:`w` is made for a few codes at a time, and made again in the backward pass.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        hidden_dim: width of the hidden layer; at most K of it is used. 0 leaves it out: w = W x + b.
        learnable: False freezes the codebook at its initial values.
        learnable_projection: False freezes W1, b1, W2 and b2 at theirs.
        init: how the codebook starts, see :func:`svqkit.quantizers.codebook_init.new_codebook`.
        hidden_relu: whether φ is the ReLU or nothing.
        output_relu: whether w passes through a ReLU.

    Source: Chen et al., "A Differentiable Sparse Vector Quantization (SVQ) for Spatio-Temporal Forecasting",
    arXiv 2312.03406. The fold is this kit's.
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
    ) -> None:
        if dim < 1 or codebook_size < 1 or hidden_dim < 0:
            raise SvqkitError(
                "SVQ needs dim >= 1, codebook_size >= 1 and hidden_dim >= 0, "
                f"got dim={dim}, codebook_size={codebook_size}, hidden_dim={hidden_dim}."
            )
        super().__init__(dim, codebook_size, init, learnable)
        self.hidden_relu, self.output_relu = hidden_relu, output_relu
        width = min(hidden_dim, codebook_size)
        self.hidden = nn.Linear(dim, width) if width else None
        self.weights = nn.Linear(width or dim, codebook_size)
        for part in (self.hidden, self.weights):
            if part is not None:
                part.requires_grad_(learnable_projection)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Matrix CᵀW₂ (D, hidden) and vector Cᵀb₂ (D,) of the folded map, in the parameters' own precision."""
        # Half precision would round the sum over K codes, so autocast stays out of it.
        with torch.autocast(self.codebook.device.type, enabled=False):
            return _Fold.apply(self.codebook, self.weights.weight, self.weights.bias)

    def extra_repr(self) -> str:
        return (
            f"dim={self.dim}, codebook_size={self.codebook_size}, learnable={self.codebook.requires_grad}, "
            f"hidden_relu={self.hidden_relu}, output_relu={self.output_relu}"
        )

    def _quantize(self, latents: Tensor) -> Quantized:
        hidden = self._hidden(latents)
        output = self._mix_relu(hidden) if self.output_relu else self._mix_folded(hidden)
        return Quantized(output, latents.new_zeros(()))

    def _weigh(self, vectors: Tensor) -> Tensor:
        hidden = vectors
        if self.hidden is not None:
            hidden = self.hidden(vectors)
            hidden = hidden.relu() if self.hidden_relu else hidden
        weights = self.weights(hidden)
        return weights.relu() if self.output_relu else weights

    def _weights_of(self, latents: Tensor, codes: Tensor) -> Tensor:
        # Only the rows of these codes are needed, so this is cheap whatever K is.
        weights = _per_position(self._hidden(latents), self.weights.weight[codes], self.weights.bias[codes])
        return weights.relu() if self.output_relu else weights

    def _hidden(self, x: Tensor) -> Tensor:
        """φ(W₁x + b₁) at every position, (N, hidden, H, W); x itself when there is no hidden layer."""
        if self.hidden is None:
            return x
        hidden = _per_position(x, self.hidden.weight, self.hidden.bias)
        return hidden.relu() if self.hidden_relu else hidden

    def _mix_folded(self, hidden: Tensor) -> Tensor:
        matrix, bias = self.folded()
        return _per_position(hidden, matrix, bias)

    def _mix_relu(self, hidden: Tensor) -> Tensor:
        """Cᵀ relu(W₂ hidden + b₂), a few codes at a time, each chunk computed again in the backward pass."""
        flat = hidden.permute(0, 2, 3, 1)
        positions = flat.shape[0] * flat.shape[1] * flat.shape[2]
        codes = max(1, CHUNK_ELEMENTS // max(1, positions))
        # The sum over the chunks is kept in the parameters' own precision, whatever autocast makes of each of them.
        output = self.codebook.new_zeros(*flat.shape[:-1], self.dim)
        for weight, bias, codebook in zip(
            self.weights.weight.split(codes), self.weights.bias.split(codes), self.codebook.split(codes), strict=True
        ):
            output = output + checkpoint(
                _relu_mixture, flat, weight, bias, codebook, use_reentrant=False, preserve_rng_state=False
            )
        return output.permute(0, 3, 1, 2)


class _Fold(torch.autograd.Function):
    """CᵀW (D, hidden) and Cᵀb (D,) from the codebook C (K, D), W (K, hidden) and b (K,).

    Autograd's own formula holds three tensors of the codebook's size on the way to its gradient; this one makes
    the gradient in place, so that a step needs no memory that grows with K beside parameters and gradients.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, codebook: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(codebook, weight, bias)
        return codebook.t() @ weight, codebook.t() @ bias

    @staticmethod
    def backward(ctx: FunctionCtx, matrix: Tensor, vector: Tensor) -> tuple[Tensor | None, ...]:
        codebook, weight, bias = ctx.saved_tensors
        with torch.autocast(codebook.device.type, enabled=False):
            to_codebook = (weight @ matrix.t()).addr_(bias, vector) if ctx.needs_input_grad[0] else None
            to_weight = codebook @ matrix if ctx.needs_input_grad[1] else None
            to_bias = codebook @ vector if ctx.needs_input_grad[2] else None
        return to_codebook, to_weight, to_bias


def _per_position(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A linear map of the channels at every position: x (N, in, H, W), weight (out, in) → (N, out, H, W)."""
    return F.conv2d(x, weight[:, :, None, None], bias)


def _relu_mixture(hidden: Tensor, weight: Tensor, bias: Tensor, codebook: Tensor) -> Tensor:
    return F.linear(hidden, weight, bias).relu() @ codebook
