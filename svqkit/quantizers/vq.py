"""Vector quantization in the implementation of vector-quantize-pytorch, with the result type of this kit."""

from torch import Tensor

from svqkit.quantizers.assignment import Assignment


class VQ(Assignment):
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

        super().__init__(dim, codebook_size)
        self.layer = VectorQuantize(
            dim=dim,
            codebook_size=codebook_size,
            decay=decay,
            commitment_weight=commitment_weight,
            rotation_trick=False,  # the layer's own default would turn the gradients
        )

    def codes(self) -> Tensor:
        """The codebook (K, D)."""
        return self.layer.codebook.detach()

    def _assign(self, vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        output, indices, loss = self.layer(vectors)
        return output, indices[..., None], loss.sum()
