"""Lookup-free quantization (LFQ): the signs of a few projections of a latent are its code."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from svqkit.devices.distributed import rank_and_count, sum_over_processes
from svqkit.errors import SvqkitError
from svqkit.quantizers.assignment import Assignment, mean_square, project_codes, projections, straight_through
from svqkit.quantizers.base import mean

INVERSE_TEMPERATURE = 100.0
SMALLEST = 1e-5  # of a probability whose logarithm is taken


class ResidualLFQ(Assignment):
    r"""LFQ of what earlier steps left, between one pair of projections.

    Step s = 0, 1, … gives :math:`q_s = 2^{-s}\,\mathrm{sign}(z - \sum_{t<s} q_t)`, and
    :math:`y = W_{out} \sum_s q_s + \beta_{out}`. The loss is the mean of the steps' losses, see :class:`LFQ`. Gradients
    pass straight through every step, so that z gets S times the gradient of the sum: as published.

    Args:
        dim: D, the number of channels.
        codebook_size: codes of one step, a power of two. K is S times that.
        num_quantizers: S.
        entropy_loss_weight: λ_e.
        commitment_loss_weight: λ_c.
        diversity_gamma: γ.

    Raises:
        SvqkitError: ``codebook_size`` is no power of two.

    Source: as :class:`LFQ`; residual steps: arXiv 2107.03312.
    """

    def __init__(
        self,
        dim: int,
        codebook_size: int = 256,
        num_quantizers: int = 8,
        entropy_loss_weight: float = 0.1,
        commitment_loss_weight: float = 0.25,
        diversity_gamma: float = 1.0,
    ) -> None:
        super().__init__(dim, codebook_size * num_quantizers, num_quantizers=num_quantizers)
        bits = _bits(self, codebook_size)
        self.project_in, self.project_out = projections(dim, bits)
        self.steps = nn.ModuleList(
            _Signs(bits, 2.0**-step, entropy_loss_weight, commitment_loss_weight, diversity_gamma)
            for step in range(num_quantizers)
        )

    def constants(self) -> dict[str, Tensor]:
        bits = (self.codebook_size // len(self.steps)).bit_length() - 1
        return {f"steps.{number}.bit_values": _bit_values(bits, "cpu") for number in range(len(self.steps))}

    @torch.no_grad()
    def codes(self) -> Tensor:
        """Return what each code of each step adds to the output, (K, D), step by step."""
        codes = torch.cat([step.codes() for step in self.steps if isinstance(step, _Signs)])
        return project_codes(codes, self.project_out, stages=len(self.steps))

    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rest = self.project_in(vectors)
        output, chosen, losses = torch.zeros_like(rest), [], []
        for number, step in enumerate(self.steps):
            signs, numbers, loss = step(rest)
            rest, output = rest - signs.detach(), output + signs
            chosen.append(numbers + number * (self.codebook_size // len(self.steps)))
            losses.append(loss)
        return self.project_out(output), torch.stack(chosen, -1), torch.stack(losses).mean()


class LFQ(ResidualLFQ):
    r"""A latent is projected to :math:`b = \log_2 K` numbers, and each is replaced by its sign.

    With :math:`z = W_{in} x + \beta_{in}` and :math:`q = \mathrm{sign}(z)` the output is
    :math:`y = W_{out} q + \beta_{out}`; there are no projections where b = D. Gradients pass straight through the
    signs. The loss while training, means over the positions, is

    .. math:: \lambda_e\,(\overline{H(p)} - \gamma\,H(\bar p)) + \lambda_c\,\overline{(z - \mathrm{sg}(q))^2}

    where p are probabilities of the K codes, softmax of 200 z·c. They are a product over the bits, so that
    :math:`H(p)` is a sum over bits, and :math:`\bar p` a product of two small matrices: this kit's, no tensor of
    positions × K is made.

    Args:
        dim: D, the number of channels.
        codebook_size: K, a power of two.
        entropy_loss_weight: λ_e.
        commitment_loss_weight: λ_c.
        diversity_gamma: γ.

    Raises:
        SvqkitError: K is no power of two.

    Source: Yu et al., "Language Model Beats Diffusion", arXiv 2310.05737, as in vector-quantize-pytorch 1.12.5, with
    the defaults of the SVQ paper's comparison. The library's own layer needs memory for positions × K, and in several
    processes divides the mean probabilities without having added them up. It cuts off logarithms of probabilities
    below 1e-5; here that is done for :math:`\bar p` only, which changed the entropy term by less than 1e-5 (K = 8192,
    normal latents of size 0.001 to 10).
    """

    def __init__(
        self,
        dim: int,
        codebook_size: int = 8192,
        entropy_loss_weight: float = 0.1,
        commitment_loss_weight: float = 0.25,
        diversity_gamma: float = 1.0,
    ) -> None:
        # One step, whose numbers, output and loss are those of the whole.
        super().__init__(dim, codebook_size, 1, entropy_loss_weight, commitment_loss_weight, diversity_gamma)


class _Signs(nn.Module):
    """Vectors (N, P, b) → their signs times ``scale``, the numbers of these codes (N, P), and the loss.

    The first number is the highest bit of a code's number, a positive one is bit 1.
    """

    bit_values: Tensor

    def __init__(self, bits: int, scale: float, entropy_weight: float, commitment_weight: float, gamma: float) -> None:
        super().__init__()
        self.scale, self.gamma = scale, gamma
        self.entropy_weight, self.commitment_weight = entropy_weight, commitment_weight
        self.register_buffer("bit_values", _bit_values(bits), persistent=False)

    def codes(self) -> Tensor:
        """Return all codes (2^b, b)."""
        numbers = torch.arange(2 ** len(self.bit_values), device=self.bit_values.device)
        return ((numbers[:, None] & self.bit_values) != 0) * (2 * self.scale) - self.scale

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        positive = vectors > 0
        chosen = (positive * self.bit_values).sum(-1)
        signs = positive.to(vectors.dtype) * (2 * self.scale) - self.scale
        if not self.training:
            return signs, chosen, vectors.new_zeros(())
        confidence, diversity = _entropies(vectors.flatten(0, 1) * (4 * INVERSE_TEMPERATURE * self.scale))
        loss = self.entropy_weight * (confidence - self.gamma * diversity)
        loss = loss + self.commitment_weight * mean_square(vectors, signs)
        return straight_through(vectors, signs), chosen, loss


def _bit_values(bits: int, device: str | None = None) -> Tensor:
    return 2 ** torch.arange(bits - 1, -1, -1, device=device)


def _entropies(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Of codes whose bits are 1 with probability sigmoid(logits) (P, b): the mean entropy, and that of the mean."""
    size = logits.abs()
    entropy = mean((F.softplus(-size) + size * torch.sigmoid(-size)).sum(1))
    half = logits.shape[1] // 2
    first, last = _probabilities(logits[:, :half]), _probabilities(logits[:, half:])
    average = _mean_over_processes((first.t() @ last) / max(1, len(logits))).flatten()
    return entropy, -(average * average.clamp_min(SMALLEST).log()).sum()


def _probabilities(logits: Tensor) -> Tensor:
    """The probability (P, 2^b) of every row of b bits, from the logits (P, b) of a 1."""
    bits = torch.sigmoid(torch.stack([-logits, logits], -1))
    rows = logits.new_ones(len(logits), 1)
    for bit in bits.unbind(1):
        rows = (rows[:, :, None] * bit[:, None, :]).flatten(1)
    return rows


def _mean_over_processes(local: Tensor) -> Tensor:
    """The mean over all processes; its gradient, averaged over them as in data-parallel training, is the right one."""
    _, processes = rank_and_count()
    if processes == 1:
        return local
    everywhere = local.detach().clone()
    sum_over_processes(everywhere)
    return straight_through(local, everywhere / processes)


def _bits(layer: Assignment, codebook_size: int) -> int:
    if codebook_size < 2 or codebook_size & (codebook_size - 1):
        raise SvqkitError(
            f"{type(layer).__name__} needs a codebook_size that is a power of two (a code is a row of signs), "
            f"got {codebook_size}."
        )
    return codebook_size.bit_length() - 1
