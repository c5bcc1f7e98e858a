"""Controls without a codebook: what is left of SVQ when its codes are taken away."""

from typing import Literal

from torch import Tensor, nn

from svqkit.errors import SvqkitError, choose
from svqkit.quantizers.base import Quantized, Quantizer, as_map, per_position, rows
from svqkit.quantizers.mixture import by_chunks


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
        if hidden_dim < 1 or codebook_size < 1:
            raise SvqkitError(
                "MLP needs hidden_dim >= 1 and codebook_size >= 1, "
                f"got hidden_dim={hidden_dim}, codebook_size={codebook_size}."
            )
        folded = min(hidden_dim, codebook_size)
        widths = {"folded": folded, "total": _width_of_total(dim, codebook_size, folded)}
        self.width = choose(widths, match, "match")
        self.hidden = nn.Linear(dim, self.width)
        self.output = nn.Linear(self.width, dim)

    def _quantize(self, latents: Tensor) -> Quantized:
        output = by_chunks(self._two_layers, rows(latents), self.width)
        return Quantized(as_map(output, latents), latents.new_zeros(()))

    def _two_layers(self, vectors: Tensor) -> Tensor:
        return self.output(self.hidden(vectors).relu())


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
        return Quantized(per_position(latents, self.map.weight, self.map.bias), latents.new_zeros(()))


def _width_of_total(dim: int, codebook_size: int, hidden_dim: int) -> int:
    """The H whose H(2D + 1) + D parameters are nearest to those of SVQ."""
    svq = hidden_dim * (dim + 1) + codebook_size * (hidden_dim + 1 + dim)
    return max(1, round((svq - dim) / (2 * dim + 1)))
