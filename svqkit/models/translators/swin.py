"""Swin: self-attention in windows, shifted in every second block."""

from timm.layers import DropPath, Mlp
from timm.models.swin_transformer import WindowAttention, window_partition, window_reverse
from torch import Tensor, nn
from torch.nn import functional as F

from svqkit.errors import SvqkitError
from svqkit.models.translators.blocks import init_weights, need_multiple
from svqkit.models.translators.metaformer import BlockSpec, MetaTranslator
from svqkit.settings.params import Model

HEADS = 8


class Swin(MetaTranslator):
    """Windows of 4 × 4 to 8 × 8 positions, by the height of the latents. Where a shift wraps around there is no mask.

    Source: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", arXiv 2103.14030;
    layer sizes and initialisation as in OpenSTL, attention in timm's implementation.

    Raises:
        SvqkitError: with ``longitude: wrap``, windows that don't fit the width would leave an edge.
    """

    def __init__(self, settings: Model, channels: int, size: tuple[int, int]) -> None:
        super().__init__(settings, channels, size)
        window = vars(self.blocks[0])["window"]
        if settings.longitude == "wrap" and size[1] % window:
            raise SvqkitError(
                f"`longitude: wrap` with swin needs latents whose width is a multiple of its windows' {window}, got "
                f"{size[1]}: change the translator, or leave longitude as it is (zeros)."
            )

    def block(self, spec: BlockSpec) -> nn.Module:
        """Make a block: odd blocks shift their windows by half, where there is more than one."""
        need_multiple(spec.dim, HEADS, "swin")
        window = 7 if spec.size[0] % 7 == 0 else min(8, max(4, spec.size[0] // 16))
        shift = window // 2 if spec.index % 2 else 0
        if min(spec.size) <= window:
            window, shift = min(spec.size), 0
        return SwinBlock(spec, window, shift).apply(init_weights)


class SwinBlock(nn.Module):
    """x + attention within windows of norm₁(x), then x + MLP(norm₂(x)), at (B, H, W, dim)."""

    def __init__(self, spec: BlockSpec, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1, self.norm2 = nn.LayerNorm(spec.dim), nn.LayerNorm(spec.dim)
        self.attn = WindowAttention(spec.dim, HEADS, window_size=window, proj_drop=spec.drop)
        self.mlp = Mlp(spec.dim, int(spec.dim * spec.mlp_ratio), drop=spec.drop)
        self.drop_path = DropPath(spec.drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, dim, H, W) → the same shape."""
        x = x.permute(0, 2, 3, 1)
        x = x + self.drop_path(self._attend(self.norm1(x)))
        return (x + self.drop_path(self.mlp(self.norm2(x)))).permute(0, 3, 1, 2)

    def _attend(self, x: Tensor) -> Tensor:
        """Attention among the positions of each window, (B, H, W, dim) → the same shape."""
        height, width = x.shape[1:3]
        # Where windows don't fit, zeros fill the last ones; the published frames need none.
        x = F.pad(x, (0, 0, 0, -width % self.window, 0, -height % self.window))
        shifted = x.roll((-self.shift, -self.shift), (1, 2)) if self.shift else x
        size = (self.window, self.window)
        seen = self.attn(window_partition(shifted, size).flatten(1, 2))
        x = window_reverse(seen.unflatten(1, size), size, *x.shape[1:3])
        x = x.roll((self.shift, self.shift), (1, 2)) if self.shift else x
        return x[:, :height, :width]
