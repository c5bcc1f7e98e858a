"""MLP-Mixer: an MLP over positions, then one over channels."""

from timm.models.mlp_mixer import MixerBlock
from torch import Tensor, nn

from svqkit.errors import SvqkitError
from svqkit.models.translators.blocks import Tokens, init_weights
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator
from svqkit.settings.params import Model


class MLPMixer(MetaTranslator):
    """Every position sees every other through an MLP half as wide as a row of channels; in timm's implementation.

    It is made for one height and width of frames.

    Source: Tolstikhin et al., "MLP-Mixer: An all-MLP Architecture for Vision", arXiv 2105.01601; layer sizes and
    initialisation as in OpenSTL.
    """

    def __init__(self, settings: Model, channels: int, size: tuple[int, int]) -> None:
        super().__init__(settings, channels, size)
        self.size = size

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block with LayerNorm over the channels of a position."""
        height, width = spec.size
        block = MixerBlock(
            spec.dim,
            seq_len=height * width,
            mlp_ratio=(0.5, spec.mlp_ratio),
            drop=spec.drop,
            drop_path=spec.drop_path,
        )
        return Tokens(block.apply(init_weights))

    def forward(self, x: Tensor) -> Tensor:
        """x (B, channels, H', W') → the same shape.

        Raises:
            SvqkitError: H' and W' are not those that the translator was made for.
        """
        if x.shape[2:] != self.size:
            raise SvqkitError(
                f"mlpmixer was made for latents of {' × '.join(map(str, self.size))}, got "
                f"{' × '.join(map(str, x.shape[2:]))}; it takes frames of one height and width only."
            )
        return super().forward(x)
