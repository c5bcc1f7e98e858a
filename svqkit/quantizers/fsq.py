"""Finite scalar quantization (FSQ): a few projections of a latent, each rounded to one of a few levels."""

from math import prod

import torch
from torch import Tensor

from svqkit.errors import SvqkitError
from svqkit.quantizers.assignment import Assignment, project_codes, projections, straight_through


class FSQ(Assignment):
    """A latent is projected to a few numbers, and number i rounded to one of L_i levels between −1 and 1.

    The rounding is of tanh, scaled to the levels; gradients pass straight through it but not through the tanh. The
    output is a projection back to D channels; there are none where there are as many levels as channels. There is no
    loss and no codebook that learns: the K = ∏ L_i codes are a grid.

    Args:
        dim: D, the number of channels.
        levels: L_i, each 3 or more.

    Raises:
        SvqkitError: no levels, or fewer than 3.

    Source: Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple", arXiv 2309.15505, in the implementation of
    vector-quantize-pytorch. The SVQ paper doesn't have it; the levels are those that the FSQ paper recommends for about
    2¹⁰ codes.
    """

    def __init__(self, dim: int, levels: tuple[int, ...] = (8, 5, 5, 5)) -> None:
        _check(self, levels)
        super().__init__(dim, prod(levels))
        with torch.device("cpu"):  # it looks at numbers, which a layer without values has not
            # Its import takes 2 s, which only who uses it should wait for.
            from vector_quantize_pytorch import FSQ as Library

            self.layer = Library(levels=list(levels), dim=dim)
            # One whose numbers are not projected holds the grid and nothing else.
            self.grid = dict(Library(levels=list(levels), dim=len(levels)).named_buffers())
        self.layer.to(torch.empty(0).device)

    def constants(self) -> dict[str, Tensor]:
        return {f"layer.{name}": value for name, value in self.grid.items()}

    @torch.no_grad()
    def codes(self) -> Tensor:
        """Return the output for every point of the grid, (K, D)."""
        return project_codes(self.layer.implicit_codebook, self.layer.project_out)

    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, chosen = self.layer(vectors)
        return output, chosen[..., None].long(), vectors.new_zeros(())


class ResidualFSQ(Assignment):
    r"""FSQ of what earlier steps left, between one pair of projections, as published.

    With :math:`B(z) = \tanh(z + \delta)\,h - o`, which bounds number i to L_i roundings (:math:`h = 0.999 (L - 1) / 2`;
    :math:`o` is ½ for even L, else 0; :math:`\delta = \mathrm{artanh}(o / h)`), :math:`r_0 = B(W_{in} x + \beta_{in})`
    and :math:`\sigma_s = (L - 1)^{-s}`, step s = 0, 1, … gives

    .. math:: q_s = \sigma_s \frac{\mathrm{round}\,B(r_s / \sigma_s)}{\lfloor L / 2 \rfloor}, \qquad
        r_{s+1} = r_s - \mathrm{sg}(q_s), \qquad y = W_{out} \sum_s q_s + \beta_{out}.

    Mind that :math:`r_0` reaches to ±h while :math:`q_0` stays within ±1: what the first step leaves is mostly beyond
    what later steps, each finer by L − 1, can say. Newer versions of the library compute something else.

    Args:
        dim: D, the number of channels.
        levels: L_i, each 3 or more. K is S · ∏ L_i.
        num_quantizers: S.

    Raises:
        SvqkitError: no levels, or fewer than 3.

    Source: vector-quantize-pytorch 1.12.5, which the SVQ paper's comparison was made with; the defaults are those of
    that comparison.
    """

    levels: Tensor
    strides: Tensor

    def __init__(self, dim: int, levels: tuple[int, ...] = (8, 5, 5, 3), num_quantizers: int = 8) -> None:
        _check(self, levels)
        super().__init__(dim, prod(levels) * num_quantizers, num_quantizers=num_quantizers)
        self.num_quantizers, self.grid = num_quantizers, tuple(levels)
        self.project_in, self.project_out = projections(dim, len(levels))
        for name, value in self.constants().items():
            self.register_buffer(name, value.to(torch.empty(0).device), persistent=False)

    def constants(self) -> dict[str, Tensor]:
        strides = [prod(self.grid[:i]) for i in range(len(self.grid))]
        return {"levels": torch.tensor(self.grid, device="cpu"), "strides": torch.tensor(strides, device="cpu")}

    @torch.no_grad()
    def codes(self) -> Tensor:
        """Return what each code of each step adds to the output, (K, D), step by step."""
        numbers = torch.arange(self.codebook_size // self.num_quantizers, device=self.levels.device)
        middle = self.levels // 2
        grid = (numbers[:, None] // self.strides % self.levels - middle) / middle
        codes = torch.cat([grid * self._scale(step) for step in range(self.num_quantizers)])
        return project_codes(codes, self.project_out, stages=self.num_quantizers)

    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        rest = self._bound(self.project_in(vectors))
        middle, output, chosen = self.levels // 2, torch.zeros_like(rest), []
        for step in range(self.num_quantizers):
            bounded = self._bound(rest / self._scale(step))
            rounded = bounded.round()
            code = straight_through(bounded, rounded) / middle * self._scale(step)
            rest, output = rest - code.detach(), output + code
            first = step * (self.codebook_size // self.num_quantizers)
            chosen.append(((rounded.long() + middle) * self.strides).sum(-1) + first)
        return self.project_out(output), torch.stack(chosen, -1), vectors.new_zeros(())

    def _bound(self, values: Tensor) -> Tensor:
        half = 0.999 * (self.levels - 1) / 2
        offset = 0.5 * (self.levels % 2 == 0)
        return torch.tanh(values + torch.atanh(offset / half)) * half - offset

    def _scale(self, step: int) -> Tensor:
        return (self.levels - 1.0) ** -step


def _check(layer: Assignment, levels: tuple[int, ...]) -> None:
    if not levels or min(levels) < 3:
        raise SvqkitError(f"{type(layer).__name__} needs levels of 3 or more for each of its numbers, got {levels}.")
