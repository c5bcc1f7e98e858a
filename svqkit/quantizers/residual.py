"""Residual vector quantization: each step quantizes what the steps before it left."""

import torch
from torch import Tensor, nn

from svqkit.errors import SvqkitError
from svqkit.quantizers.assignment import Assignment
from svqkit.quantizers.vq import moving_codebook, nearest


class ResidualVQ(Assignment):
    r"""A latent vector becomes a sum of S codes, :math:`y = \sum_s c_{k_s}`.

    Step s gives the code nearest to :math:`r_s = x - \sum_{t<s} c_{k_t}`. The loss while training is β times the mean
    of :math:`(r_s - \mathrm{sg}(c_{k_s}))^2` over positions, channels and steps. Gradients pass straight through every
    step, so that x gets S times the gradient of y: as published. A shared codebook moves after every step, not once
    per batch: as published too.

    Args:
        dim: D, the number of channels.
        codebook_size: codes of one codebook. K is that, or S times that without ``shared_codebook``.
        num_quantizers: S.
        shared_codebook: whether all steps use the same codes.
        stochastic: draw codes while training, with probabilities softmax(−distance / temperature).
        temperature: of the draw.
        decay: of the moving average, see :func:`svqkit.quantizers.vq.moving_codebook`.
        commitment_weight: β.

    Source: Zeghidour et al., "SoundStream", arXiv 2107.03312, algorithm 1; the stochastic form: Lee et al., arXiv
    2203.01941. The codebook is that of vector-quantize-pytorch, the defaults those of the SVQ paper's comparison.
    """

    moves = True

    def __init__(
        self,
        dim: int,
        codebook_size: int = 1024,
        num_quantizers: int = 8,
        shared_codebook: bool = True,
        stochastic: bool = False,
        temperature: float = 0.1,
        decay: float = 0.8,
        commitment_weight: float = 1.0,
    ) -> None:
        codebooks = 1 if shared_codebook else num_quantizers
        super().__init__(dim, codebook_size * codebooks, num_quantizers=num_quantizers)
        draws = temperature if stochastic else None
        books = [moving_codebook(dim, codebook_size, decay, temperature=draws) for _ in range(codebooks)]
        self.steps = _Steps(books, num_quantizers, commitment_weight)

    def codes(self) -> Tensor:
        """Return the codes (K, D), step by step if each has its own."""
        return self.steps.codes()

    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.steps(vectors)


class GroupedResidualVQ(Assignment):
    """:class:`ResidualVQ` of each group of D / G channels on its own, with codebooks of its own.

    The loss is the mean over the groups.

    Args:
        dim: D, the number of channels.
        codebook_size: codes of one codebook. K is G times that, and S times more without ``shared_codebook``.
        num_quantizers: S, the steps of a group.
        groups: G.
        shared_codebook: whether all steps of a group use the same codes.
        decay: of the moving average.
        commitment_weight: β.

    Raises:
        SvqkitError: D is no multiple of G.

    Source: Yang et al., "HiFi-Codec", arXiv 2305.02765. The codebook is that of vector-quantize-pytorch, the defaults
    those of the SVQ paper's comparison.
    """

    moves = True

    def __init__(
        self,
        dim: int,
        codebook_size: int = 1024,
        num_quantizers: int = 8,
        groups: int = 2,
        shared_codebook: bool = True,
        decay: float = 0.8,
        commitment_weight: float = 1.0,
    ) -> None:
        codebooks = 1 if shared_codebook else num_quantizers
        super().__init__(dim, codebook_size * codebooks * groups, num_quantizers=num_quantizers, groups=groups)
        if dim % groups:
            raise SvqkitError(
                f"GroupedResidualVQ needs dim to be a multiple of groups, got dim={dim}, groups={groups}."
            )
        self.groups = nn.ModuleList()
        for _ in range(groups):
            books = [moving_codebook(dim // groups, codebook_size, decay) for _ in range(codebooks)]
            self.groups.append(_Steps(books, num_quantizers, commitment_weight))

    def codes(self) -> Tensor:
        """Return the codes (K, D), group by group; each is 0 in the channels of the other groups."""
        return torch.block_diag(*(group.codes() for group in self.groups if isinstance(group, _Steps)))

    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = vectors.chunk(len(self.groups), dim=-1)
        quantized = [group(part) for group, part in zip(self.groups, parts, strict=True)]
        outputs, chosen, losses = zip(*quantized, strict=True)
        size = self.codebook_size // len(self.groups)
        numbers = [number + group * size for group, number in enumerate(chosen)]
        return torch.cat(outputs, -1), torch.cat(numbers, -1), torch.stack(losses).mean()


class _Steps(nn.Module):
    """S steps of residual quantization of vectors (N, P, D), with one codebook or S of them."""

    def __init__(self, codebooks: list[nn.Module], steps: int, commitment_weight: float) -> None:
        super().__init__()
        self.number, self.commitment_weight = steps, commitment_weight
        self.codebooks = nn.ModuleList(codebooks)
        self.size = codebooks[0].get_buffer("embed").shape[1]

    def codes(self) -> Tensor:
        """Return the codes of all codebooks, one after the other."""
        return torch.cat([codebook.get_buffer("embed")[0] for codebook in self.codebooks])

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the sum of the codes (N, P, D), their numbers (N, P, S), and the mean loss of the steps."""
        rest, output = vectors, torch.zeros_like(vectors)
        chosen, losses = [], []
        for step in range(self.number):
            own = step % len(self.codebooks)
            codes, number, loss = nearest(self.codebooks[own], rest[None], self.commitment_weight)
            rest, output = rest - codes[0].detach(), output + codes[0]
            chosen.append(number[0] + own * self.size)
            losses.append(loss)
        return output, torch.stack(chosen, -1), torch.stack(losses).mean()
