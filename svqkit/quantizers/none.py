"""No quantizer: the latents pass as they are."""

from torch import Tensor

from svqkit.quantizers.base import Quantized, Quantizer


class NoQuantization(Quantizer):
    """y = x, loss 0: with it SimVP is the plain model. Takes latents of any shape.

    Args:
        dim: D, the number of channels; it makes no difference.
    """

    has_codebook = False

    def __init__(self, dim: int = 1) -> None:
        super().__init__(dim)

    def forward(self, x: Tensor) -> Quantized:
        """Return x, of any shape, untouched, and a loss of 0."""
        return self._quantize(x)

    def _quantize(self, latents: Tensor) -> Quantized:
        return Quantized(latents, latents.new_zeros(()))
