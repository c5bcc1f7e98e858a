"""Controls: what is left of SVQ without a codebook, and its codes mixed in other ways, convexly or one alone."""

from typing import Literal

import torch
from torch import Tensor, nn

from svqkit.devices.distributed import draw_shard
from svqkit.errors import SvqkitError, choose
from svqkit.quantizers.base import Quantized, Quantizer, apply_linear, as_map, in_eval_mode, rows
from svqkit.quantizers.mixture import ProjectedMixture, by_chunks


class MLP(Quantizer):
    """y = W2 relu(W1 x + b1) + b2, two layers of H hidden units: H(2D + 1) + D parameters.

    Folded, SVQ is this function with W2 factorised through K codes. A wide hidden layer exists for a few positions at
    a time only.

    Args:
        dim: D, the number of channels.
        hidden_dim: hidden width of the SVQ layer that this one is to be compared with.
        match: "folded": H is the width that SVQ has, so that the layer has the parameters of SVQ's folded map.
            "total": H such that it has as many as SVQ(dim, codebook_size, hidden_dim) in all, to within half of
            what a hidden unit needs.
        codebook_size: K of that SVQ layer; no wider than it is SVQ's hidden layer.

    Raises:
        SvqkitError: a size below 1, or an unknown ``match``.

    Source: this kit's; the paper has no such control.
    """

    has_codebook = False

    def __init__(
        self,
        dim: int,
        hidden_dim: int = 128,
        match: Literal["folded", "total"] = "folded",
        codebook_size: int = 10_000,
    ) -> None:
        super().__init__(dim)
        self._need(1, hidden_dim=hidden_dim, codebook_size=codebook_size)
        folded = min(hidden_dim, codebook_size)
        widths = {"folded": folded, "total": _width_of_total(dim, codebook_size, folded)}
        self.width = choose(widths, match, "match")
        self.hidden = nn.Linear(dim, self.width)
        self.output = nn.Linear(self.width, dim)

    def _quantize(self, latents: Tensor) -> Quantized:
        output = by_chunks(self, lambda vectors: self.output(self.hidden(vectors).relu()), rows(latents), self.width)
        return Quantized(as_map(output, latents), latents.new_zeros(()))


class Linear(Quantizer):
    """y = W x + b: one linear map of the channels.

    Args:
        dim: D, the number of channels.

    Source: this kit's; it is SVQ without its ReLU.
    """

    has_codebook = False

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.map = nn.Linear(dim, dim)

    def _quantize(self, latents: Tensor) -> Quantized:
        return Quantized(apply_linear(self.map, latents), latents.new_zeros(()))


def _width_of_total(dim: int, codebook_size: int, hidden_dim: int) -> int:
    """The H whose H(2D + 1) + D parameters are nearest to those of SVQ."""
    svq = hidden_dim * (dim + 1) + codebook_size * (hidden_dim + 1 + dim)
    return max(1, round((svq - dim) / (2 * dim + 1)))


class _Distribution(ProjectedMixture):
    """A mixture by a probability distribution over the codes, softmax(s / temperature), s as in SVQ."""

    def __init__(
        self,
        dim: int,
        codebook_size: int = 10_000,
        hidden_dim: int = 128,
        init: str = "kaiming",
        temperature: float = 1.0,
    ) -> None:
        super().__init__(dim, codebook_size, hidden_dim, init)
        if not temperature > 0:
            raise SvqkitError(f"{type(self).__name__} needs temperature > 0, got temperature={temperature}.")
        self.temperature = temperature

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, temperature={self.temperature}"

    def _scores(self, vectors: Tensor) -> Tensor:
        # Half precision can tell too few scores apart.
        scores = super()._scores(vectors)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))


class Softmax(_Distribution):
    """y = Cᵀw, w = softmax(s / temperature), s = W2 relu(W1 x + b1) + b2: a convex combination of the K codes.

    SVQ with weights that are positive and sum to 1. It does not fold; the weights of a few positions are held at a
    time.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        hidden_dim: width of the hidden layer; at most K of it is used. 0 leaves it out.
        init: how the codebook starts, see :func:`svqkit.quantizers.mixture.new_codebook`.
        temperature: small ones give weights near one code, large ones weights that are all alike.

    Raises:
        SvqkitError: an impossible size, a temperature that is not positive, or an unknown ``init``.

    Source: this kit's; the paper has no such control.
    """

    def _weigh(self, vectors: Tensor) -> Tensor:
        return (self._scores(vectors) / self.temperature).softmax(-1)


class Gumbel(_Distribution):
    """y = c_k for one code k of K, drawn while training with probability softmax(s)_k, s = W2 relu(W1 x + b1) + b2.

    The draw is k = argmax(s + g) with standard Gumbel noise g; in eval mode g = 0. The gradient is the one that
    softmax((s + g) / temperature) would have as weights. The weights that one looks at (``usage``, ``weights_of``,
    ``code_weights``) are always those of eval mode.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        hidden_dim: width of the hidden layer; at most K of it is used. 0 leaves it out.
        init: how the codebook starts, see :func:`svqkit.quantizers.mixture.new_codebook`.
        temperature: of the gradient only: small ones make it less biased and more noisy.

    Raises:
        SvqkitError: an impossible size, a temperature that is not positive, or an unknown ``init``.

    Source: Jang et al., "Categorical Reparameterization with Gumbel-Softmax", arXiv 1611.01144 (its straight-through
    estimator), with SVQ's projection as scores.
    """

    draws = True
    # In a model of one's own each process draws its own noise. Where all have the same seed they share out what is
    # drawn for the whole batch (svqkit.devices.distributed), chunk by chunk: where one is not enough that is other
    # noise than a single process would draw.
    shared_noise = False

    def code_weights(self, x: Tensor) -> Tensor:
        with in_eval_mode(self):  # an adapter may drop some of its input while training
            return super().code_weights(x)

    def _weigh(self, vectors: Tensor) -> Tensor:
        return self._one_code(self._scores(vectors))

    def _mix(self, vectors: Tensor) -> Tensor:
        codebook = self.codebook  # once: a parametrization may move when it is asked
        scores = self._scores(vectors)
        if self.training:
            scores = scores - self._exponential(scores).log()  # − ln of Exp(1) is Gumbel noise
        return self._one_code(scores).to(codebook.dtype) @ codebook

    def _exponential(self, like: Tensor) -> Tensor:
        """Numbers from Exp(1) in the shape of scores (P, K)."""
        if self.shared_noise:
            return draw_shard(lambda rows: like.new_empty(rows, self.codebook_size).exponential_(), len(like))
        return torch.empty_like(like).exponential_()

    def _one_code(self, scores: Tensor) -> Tensor:
        """1 where the score is largest, else 0; with the gradient of the softmax."""
        soft = (scores / self.temperature).softmax(-1)
        hard = torch.zeros_like(soft).scatter(-1, scores.argmax(-1, keepdim=True), 1.0)
        return hard + (soft - soft.detach())
