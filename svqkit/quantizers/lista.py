"""Sparse coding of latents by a few learned steps of shrinkage."""

import torch
from torch import Tensor, nn

from svqkit.quantizers.mixture import Mixture


class LISTA(Mixture):
    """y = Cᵀz with weights z (K,) that are mostly exactly 0: sparse coding in ``steps`` learned steps.

    z_0 = 0,   z_{t+1} = shrink(z_t + E(x − Cᵀz_t), θ_t),   shrink(v, θ) = sign(v) · max(|v| − θ, 0)

    with the codebook C (K, D), an encoder E (K, D) and thresholds θ_t > 0, one per step and all learned. At the start
    E = C / L with L the largest eigenvalue of CᵀC, so that the layer makes ``steps`` steps of ISTA on
    ½‖x − Cᵀz‖² + Lθ‖z‖₁. θ starts at half of the root mean square that E x has for a latent x of independent numbers
    of variance 1.

    The weights of a few positions are held at a time.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        steps: how many times weights are shrunk.
        init: how the codebook starts, see :func:`svqkit.quantizers.mixture.new_codebook`.

    Raises:
        SvqkitError: a size below 1, or an unknown ``init``.

    Source: Gregor & LeCun, "Learning Fast Approximations of Sparse Coding", ICML 2010 (learned shrinkage); Chen et
    al., "Theoretical Linear Convergence of Unfolded ISTA and its Practical Weights and Thresholds", arXiv 1808.10038
    (the coupling: one E in place of their two matrices, and one threshold per step). Ours: that C also decodes, that E
    is shared by the steps, that all is learned with the forecast and not from known codes, the logarithm of θ as the
    parameter (so that θ stays positive and steps of an optimizer fit its size), and the start.
    """

    def __init__(self, dim: int, codebook_size: int = 10_000, steps: int = 3, init: str = "kaiming") -> None:
        super().__init__(dim, codebook_size, init)
        self._need(1, steps=steps)
        self.steps = steps
        codebook = self.codebook.detach()
        largest = torch.linalg.eigvalsh(codebook.T.double() @ codebook.double())[-1]
        encoder = (codebook / largest.clamp_min(1e-12)).to(codebook)
        threshold = encoder.square().sum(1).mean().sqrt() / 2
        self.encoder = nn.Parameter(encoder)
        self.log_thresholds = nn.Parameter(threshold.clamp_min(1e-12).log().repeat(steps))

    def factors(self) -> list[nn.Parameter]:
        return self._parameters_of("codebook", "encoder")

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, steps={self.steps}"

    def _weigh(self, vectors: Tensor) -> Tensor:
        return self._shrunk(vectors, self.codebook)

    def _mix(self, vectors: Tensor) -> Tensor:
        codebook = self.codebook  # once: a parametrization may move when it is asked
        return self._shrunk(vectors, codebook).to(codebook.dtype) @ codebook

    def _shrunk(self, vectors: Tensor, codebook: Tensor) -> Tensor:
        """z (P, K) after all steps, for latent vectors (P, D)."""
        first, *others = self.log_thresholds.exp()
        weights = _shrink(vectors @ self.encoder.T, first)
        for threshold in others:
            left = vectors - weights @ codebook
            weights = _shrink(weights + left @ self.encoder.T, threshold)
        return weights

    def _numbers_per_position(self) -> int:
        return self.codebook_size * self.steps


def _shrink(values: Tensor, threshold: Tensor) -> Tensor:
    """sign(v) · max(|v| − θ, 0)."""
    return values - values.clamp(-threshold, threshold)
