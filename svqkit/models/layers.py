"""The convolution block of SimVP's encoder and decoder."""

from torch import Tensor, nn


class ConvBlock(nn.Module):
    """Convolution, group normalisation (2 groups), SiLU; keeps, halves or doubles height and width.

    ``scale`` -1 halves (stride 2), 0 keeps, 1 doubles (four times the channels, then a pixel shuffle).
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, scale: int = 0) -> None:
        super().__init__()
        stride = 2 if scale < 0 else 1
        wide = channels_out * 4 if scale > 0 else channels_out
        self.conv = nn.Conv2d(channels_in, wide, kernel, stride, padding=(kernel - stride + 1) // 2)
        nn.init.trunc_normal_(self.conv.weight, std=0.02)
        nn.init.zeros_(self.conv.bias)
        self.shuffle = nn.PixelShuffle(2) if scale > 0 else nn.Identity()
        self.norm = nn.GroupNorm(2, channels_out)
        self.activation = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        """x (N, channels_in, H, W) → (N, channels_out, H', W')."""
        return self.activation(self.norm(self.shuffle(self.conv(x))))
