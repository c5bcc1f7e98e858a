"""Adapters that give vector-quantize-pytorch's layers the result type of this kit."""

import torch
from torch import Tensor, nn

from svqkit.errors import SvqkitError
from svqkit.quantizers.result import Quantized, Usage
from svqkit.quantizers.usage import hard_usage


class VQ(nn.Module):
    """Vector quantization: each latent vector is replaced by its nearest code, y = c_k, k = argmin ‖x − c_k‖.

    The codebook follows the latents as an exponential moving average and gradients pass straight through.

    Args:
        dim: D, the number of channels.
        codebook_size: K.
        decay: of the moving average.
        commitment_weight: weight β of the loss β‖x − sg(c_k)‖² that keeps latents near their codes.

    Source: van den Oord et al., "Neural Discrete Representation Learning", arXiv 1711.00937, in the
    implementation of vector-quantize-pytorch; the defaults are those of the SVQ paper's comparison.
    """

    def __init__(self, dim: int, codebook_size: int = 1024, decay: float = 0.8, commitment_weight: float = 1.0) -> None:
        # Its import takes 2 s, which only who uses it should wait for.
        from vector_quantize_pytorch import VectorQuantize

        super().__init__()
        self.dim, self.codebook_size = dim, codebook_size
        self.layer = VectorQuantize(
            dim=dim,
            codebook_size=codebook_size,
            decay=decay,
            commitment_weight=commitment_weight,
            accept_image_fmap=True,
            rotation_trick=False,  # the layer's own default would turn the gradients
        )

    def forward(self, x: Tensor) -> Quantized:
        """Quantize x (N, D, H, W); the loss is the commitment loss."""
        output, _, loss = self._quantize(x)
        return Quantized(output, loss.sum())

    @torch.no_grad()
    def usage(self, x: Tensor) -> Usage:
        """How the codebook is used over the positions of x (N, D, H, W)."""
        return hard_usage(self._assign(x), self.codebook_size)

    def codes(self) -> Tensor:
        """The codebook (K, D)."""
        return self.layer.codebook.detach()

    @torch.no_grad()
    def weights_of(self, x: Tensor, codes: Tensor) -> Tensor:
        """1 where a position is given one of ``codes`` (n,), else 0; (N, n, H, W)."""
        indices = self._assign(x)
        return (indices[:, None] == codes.to(indices)[:, None, None]).to(x)

    def _assign(self, x: Tensor) -> Tensor:
        """The code that each position is given, (N, H, W), without moving the codebook as training does."""
        training = self.training
        self.eval()
        try:
            return self._quantize(x)[1]
        finally:
            self.train(training)

    def _quantize(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        if x.ndim != 4 or x.shape[1] != self.dim:
            raise SvqkitError(f"VQ expects latents of shape (N, {self.dim}, H, W), got {tuple(x.shape)}.")
        return self.layer(x)
