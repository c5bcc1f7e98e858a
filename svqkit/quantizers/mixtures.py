"""Controls that mix SVQ's codes in other ways: a convex combination of them, or a single one."""

import torch
from torch import Tensor

from svqkit.devices.distributed import draw_shard
from svqkit.errors import SvqkitError
from svqkit.quantizers.mixture import ProjectedMixture


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
    # drawn for the whole batch (svqkit.devices.distributed).
    shared_noise = False

    def _weigh(self, vectors: Tensor) -> Tensor:
        return self._one_code(self._scores(vectors))

    def _mix(self, vectors: Tensor) -> Tensor:
        scores = self._scores(vectors)
        if self.training:
            scores = scores - self._exponential(scores).log()  # − ln of Exp(1) is Gumbel noise
        return self._one_code(scores).to(self.codebook.dtype) @ self.codebook

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
