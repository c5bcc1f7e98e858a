"""What the blocks of each translator are made of, in the terms in which the paper's families are told apart."""

from dataclasses import dataclass

CONVOLUTION, ATTENTION, OTHER = "Convolution", "Attention", "MLP and pooling"


@dataclass(frozen=True)
class Anatomy:
    """What a block is made of: its family, what mixes positions, its normalisation, its MLP over channels."""

    family: str
    mixes: str
    norm: str
    mlp: str


# In the order in which they are drawn: a family stands together.
ANATOMY = {
    "incepu": Anatomy(CONVOLUTION, "3×3 + 5×5 + 7×7 + 11×11, grouped", "GroupNorm", "no MLP"),
    "gsta": Anatomy(CONVOLUTION, "depthwise 5×5, dilated 7×7, gates itself", "BatchNorm", "MLP with 3×3"),
    "tau": Anatomy(CONVOLUTION, "depthwise 5×5, dilated 7×7, channel gate", "BatchNorm", "MLP with 3×3"),
    "van": Anatomy(CONVOLUTION, "depthwise 5×5, dilated 7×7 as a gate", "BatchNorm", "MLP with 3×3"),
    "convnext": Anatomy(CONVOLUTION, "depthwise 7×7", "LayerNorm", "MLP"),
    "convmixer": Anatomy(CONVOLUTION, "depthwise 11×11", "BatchNorm", "no MLP, one 1×1"),
    "hornet": Anatomy(CONVOLUTION, "depthwise 7×7, four gates in turn", "LayerNorm", "MLP"),
    "moganet": Anatomy(CONVOLUTION, "depthwise 5×5, dilated 5×5 and 7×7, gated", "BatchNorm", "MLP with 3×3"),
    "vit": Anatomy(ATTENTION, "self-attention, all positions", "LayerNorm", "MLP"),
    "swin": Anatomy(ATTENTION, "self-attention in windows, every second block shifted", "LayerNorm", "MLP"),
    "uniformer": Anatomy(ATTENTION, "ends: depthwise 5×5; between: self-attention", "Batch-, LayerNorm", "MLP"),
    "mlpmixer": Anatomy(OTHER, "an MLP over all positions", "LayerNorm", "MLP"),
    "poolformer": Anatomy(OTHER, "mean of 3×3, less the position itself", "GroupNorm", "MLP"),
}
# A translator of the user's own.
UNKNOWN = Anatomy("Others", "", "", "")
