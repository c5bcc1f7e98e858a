"""Vector quantization: the nearest code, in one codebook (VQ), for several heads, or behind a linear map (SimVQ).

The codebooks are those of vector-quantize-pytorch; the few lines around them are here, since its layers can't be
compiled or exported as one graph and compute something else than the published comparison did by default.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from svqkit.devices.distributed import rank_and_count, sum_over_processes
from svqkit.errors import SvqkitError
from svqkit.quantizers.assignment import Assignment, mean_square, projections, straight_through
from svqkit.quantizers.base import in_eval_mode


class VQ(Assignment):
    r"""Each latent vector is replaced by its nearest code, :math:`y = c_k,\ k = \arg\min_k \lVert x - c_k \rVert`.

    Gradients pass straight through, and the loss while training is :math:`\beta` times the mean of
    :math:`(x - \mathrm{sg}(c_k))^2` over positions and channels. The codebook follows the latents as a moving average,
    see :func:`moving_codebook`.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        decay: of the moving average.
        commitment_weight: β.

    Source: van den Oord et al., "Neural Discrete Representation Learning", arXiv 1711.00937. The defaults are those of
    the SVQ paper's comparison.
    """

    moves = True

    def __init__(self, dim: int, codebook_size: int = 1024, decay: float = 0.8, commitment_weight: float = 1.0) -> None:
        super().__init__(dim, codebook_size)
        self.commitment_weight = commitment_weight
        self.codebook = moving_codebook(dim, codebook_size, decay)

    def codes(self) -> Tensor:
        """Return the codebook (K, D)."""
        return self.codebook.get_buffer("embed")[0].clone()

    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, chosen, loss = nearest(self.codebook, vectors[None], self.commitment_weight)
        return output[0], chosen[0, ..., None], loss


class MultiheadVQ(Assignment):
    r"""VQ of several projections of a latent at once.

    A linear map makes H vectors of ``codebook_dim`` numbers of each latent; each is replaced by its nearest code, and
    another linear map makes D numbers of all of them again. There is no map where H · ``codebook_dim`` = D. Gradients,
    loss and moving average are those of :class:`VQ`, over all heads.

    Args:
        dim: D, the number of channels.
        codebook_size: codes of one codebook. K is that, or H times that with ``separate_codebooks``.
        heads: H.
        codebook_dim: numbers in a code.
        separate_codebooks: whether each head has a codebook of its own.
        decay: of the moving average.
        commitment_weight: β.

    Source: vector-quantize-pytorch; the defaults are those of the SVQ paper's comparison.
    """

    moves = True

    def __init__(
        self,
        dim: int,
        codebook_size: int = 1024,
        heads: int = 8,
        codebook_dim: int = 32,
        separate_codebooks: bool = False,
        decay: float = 0.8,
        commitment_weight: float = 1.0,
    ) -> None:
        codebooks = heads if separate_codebooks else 1
        super().__init__(dim, codebook_size * codebooks, heads=heads, codebook_dim=codebook_dim)
        self.heads, self.separate_codebooks, self.commitment_weight = heads, separate_codebooks, commitment_weight
        self.project_in, self.project_out = projections(dim, heads * codebook_dim)
        self.codebook = moving_codebook(codebook_dim, codebook_size, decay, codebooks)

    def codes(self) -> Tensor:
        """Return the codes (K, ``codebook_dim``), before the map that mixes the heads; by head if each has its own."""
        return self.codebook.get_buffer("embed").flatten(0, 1).clone()

    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        by_head = torch.stack(self.project_in(vectors).chunk(self.heads, -1))
        by_codebook = by_head if self.separate_codebooks else by_head.flatten(0, 1)[None]
        codes, chosen, loss = nearest(self.codebook, by_codebook, self.commitment_weight)
        chosen = chosen.reshape(by_head.shape[:-1])
        if self.separate_codebooks:
            size = self.codebook_size // self.heads
            chosen = chosen + torch.arange(0, self.codebook_size, size, device=chosen.device)[:, None, None]
        output = self.project_out(torch.cat(codes.reshape(by_head.shape).unbind(), -1))
        return output, torch.stack(chosen.unbind(), -1), loss


class SimVQ(Assignment):
    r"""VQ whose codes are a learned linear map of a frozen random codebook, :math:`C = Z A^\top`.

    All codes move whenever one of them learns, so that few of them die. Gradients pass straight through, and the loss
    while training is the mean of :math:`(\mathrm{sg}(x) - c_k)^2 + \beta\,(x - \mathrm{sg}(c_k))^2` over positions and
    channels.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        commitment_weight: β.

    Source: Zhu et al., "Addressing Representation Collapse in Vector Quantized Models with One Linear Layer", arXiv
    2411.02038, with the parameters of vector-quantize-pytorch. The SVQ paper doesn't have it; the size of the codebook
    is that of its other quantizers. Gradients pass straight through as in that paper, where the library turns them.
    """

    def __init__(self, dim: int, codebook_size: int = 1024, commitment_weight: float = 0.25) -> None:
        super().__init__(dim, codebook_size)
        # Its import takes 2 s, which only who uses it should wait for; older versions of torch can't in meta's context.
        with torch.device("cpu"):
            from vector_quantize_pytorch import SimVQ as Library

        self.commitment_weight = commitment_weight
        self.layer = Library(dim, codebook_size)

    def codes(self) -> Tensor:
        """Return the codebook C (K, D), without its gradient."""
        with in_eval_mode(self):
            return self.layer.codebook.detach()

    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Not the library's own forward: it is compiled again for every batch size.
        codebook = self.layer.codebook
        # The mode is named, since the choice by the number of positions would tie an exported graph to it.
        both = vectors.detach().flatten(0, 1), codebook.detach()
        chosen = torch.cdist(*both, compute_mode="use_mm_for_euclid_dist").argmin(1).view(vectors.shape[:2])
        codes = F.embedding(chosen, codebook)
        if not self.training:
            return codes, chosen[..., None], vectors.new_zeros(())
        loss = mean_square(codes, vectors.detach()) + self.commitment_weight * mean_square(vectors, codes.detach())
        return straight_through(vectors, codes), chosen[..., None], loss


def moving_codebook(
    dim: int, codebook_size: int, decay: float, codebooks: int = 1, temperature: float | None = None
) -> nn.Module:
    r"""Make codebooks (``codebooks``, ``codebook_size``, ``dim``) that follow the latents while training.

    After each batch in which code :math:`k` was given :math:`n_k` vectors with sum :math:`s_k`,

    .. math:: m_k \leftarrow d\,m_k + (1 - d)\,n_k, \qquad a_k \leftarrow d\,a_k + (1 - d)\,s_k, \qquad c_k = a_k / m_k

    with :math:`m_k` smoothed by 1e-5. Counts and sums are those of all processes that train together. As published,
    :math:`m_k` starts at 0: a code that the first batch doesn't use is thrown d · 10⁵ times as far from 0, where
    nothing finds it again.

    Args:
        dim: numbers in a code.
        codebook_size: codes of one codebook.
        decay: d.
        codebooks: how many.
        temperature: draw codes while training, with probabilities softmax(−distance / temperature); None takes the
            nearest.

    Source: vector-quantize-pytorch (its codebook); Razavi et al., arXiv 1906.00446, for the moving average.
    """
    with torch.device("cpu"):  # for older versions of torch, which can't on the meta device
        from vector_quantize_pytorch import VectorQuantize

    stochastic = {} if temperature is None else {"stochastic_sample_codes": True, "sample_codebook_temp": temperature}
    layer = VectorQuantize(
        dim=dim * codebooks,
        codebook_dim=dim,
        codebook_size=codebook_size,
        heads=codebooks,
        separate_codebook_per_head=codebooks > 1,
        decay=decay,
        sync_codebook=False,
        **stochastic,
    )
    codebook = layer._codebook
    # Newer versions of the library start at 1; the published comparison was made with one that starts at 0.
    codebook.cluster_size.zero_()
    # The library asks once, when the codebook is made, whether there are other processes; they may come later.
    codebook.all_reduce_fn = sum_over_processes
    # Initialisation by k-means isn't used, and asking a buffer whether it is done would end a compiled graph.
    codebook.init_embed_ = _nothing
    codebook.gumbel_sample = partial(_chosen, codebook.gumbel_sample)
    return codebook


def nearest(codebook: nn.Module, vectors: Tensor, commitment_weight: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the codes nearest to vectors (codebooks, N, P, d), their numbers (codebooks, N, P), and the loss.

    While training the codebook moves, and gradients pass straight through the codes.

    Raises:
        SvqkitError: activation checkpointing calls it a second time, when the codebook has moved already.
    """
    # Within a backward pass only what was not kept of the forward pass is computed again.
    if codebook.training and not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
        raise SvqkitError(
            "Activation checkpointing runs the forward pass twice, which would move this codebook twice and take the "
            "gradient at other codes. Leave the quantizer out of the checkpointed part, or train a quantizer without "
            "a moving codebook, such as SVQ or SimVQ."
        )
    if not vectors.numel() and rank_and_count()[1] == 1:  # several add up what each of them has
        return vectors, vectors.new_empty(vectors.shape[:-1], dtype=torch.long), vectors.sum()
    codes, chosen, _ = codebook(vectors)
    codes = codes.to(vectors)
    if not codebook.training:
        return codes, chosen, vectors.new_zeros(())
    return straight_through(vectors, codes), chosen, commitment_weight * mean_square(vectors, codes)


def _nothing(vectors: Tensor, mask: Tensor | None = None) -> None:
    """Leave the codebook as it is."""


def _chosen(
    sample: Callable[..., tuple[Tensor, Tensor]], nearness: Tensor, *, dim: int, training: bool, **options: Any
) -> tuple[Tensor, Tensor | None]:
    """Choose a code for each vector; in eval mode without its row of K numbers, which nobody uses."""
    return sample(nearness, dim=dim, training=True, **options) if training else (nearness.argmax(dim), None)
