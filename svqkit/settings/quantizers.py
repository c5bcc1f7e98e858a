"""The settings of a quantizer: one dataclass per kind, told apart by ``name``.

``QUANTIZERS`` is the registry: a kind is added by writing its layer in :mod:`svqkit.quantizers` and its settings here,
with ``layer`` saying where the class is. Everything but ``name`` is handed to it, beside ``dim``. The layers are named
by strings since settings are read without torch. Defaults are those of the published comparison, where it has them.
"""

from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass

from svqkit.settings.types import MOST_CHANNELS, MOST_CODES, STRICT, Channels, Codes, Layers

CodebookInit = Literal["kaiming", "xavier", "sparse", "trunc_normal", "orthogonal", "uniform-random", "normal"]
Decay = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(ge=0)]
Temperature = Annotated[float, Field(gt=0)]
HiddenDim = Annotated[int, Field(ge=0, le=MOST_CHANNELS)]  # 0 leaves the hidden layer out


def _power_of_two(value: int) -> int:
    if value < 2 or value & (value - 1):
        raise ValueError(f"codebook_size must be a power of two (a code is a row of signs), got {value}")
    return value


def _few_codes(levels: tuple[int, ...]) -> tuple[int, ...]:
    if prod(levels) > MOST_CODES:
        raise ValueError(f"levels make at most {MOST_CODES:,} codes, got {prod(levels):,}")
    return levels


PowerOfTwo = Annotated[Codes, AfterValidator(_power_of_two)]
Levels = Annotated[
    tuple[Annotated[int, Field(ge=3)], ...], Field(min_length=1, max_length=24), AfterValidator(_few_codes)
]


class Settings:
    """What all have: ``name``, and in ``layer`` where the class is."""

    layer: ClassVar[str]
    name: str
    if TYPE_CHECKING:  # all kinds are dataclasses
        __dataclass_fields__: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, layer: str) -> None:
        cls.layer = layer


@dataclass(frozen=True, config=STRICT)
class NoQuantizer(Settings, layer="svqkit.quantizers.none:NoQuantization"):
    """The latent vectors as they are: plain SimVP."""

    name: Literal["none"] = "none"


@dataclass(frozen=True, config=STRICT)
class SVQSettings(Settings, layer="svqkit.quantizers.svq:SVQ"):
    """Sparse vector quantization; see :class:`svqkit.quantizers.SVQ`."""

    name: Literal["svq"] = "svq"
    codebook_size: Codes = 10_000
    hidden_dim: HiddenDim = 128
    learnable: bool = True
    learnable_projection: bool = True
    init: CodebookInit = "kaiming"
    hidden_relu: bool = True
    output_relu: bool = False
    l1: Weight = 0.0


@dataclass(frozen=True, config=STRICT)
class VQSettings(Settings, layer="svqkit.quantizers.vq:VQ"):
    """Vector quantization with a codebook that follows the latents as a moving average."""

    name: Literal["vq"] = "vq"
    codebook_size: Codes = 1024
    decay: Decay = 0.8
    commitment_weight: Weight = 1.0


@dataclass(frozen=True, config=STRICT)
class MultiheadVQSettings(Settings, layer="svqkit.quantizers.vq:MultiheadVQ"):
    """VQ of several projections of a latent at once, with one codebook for all heads."""

    name: Literal["multihead_vq"] = "multihead_vq"
    codebook_size: Codes = 1024
    heads: Layers = 8
    codebook_dim: Channels = 32
    separate_codebooks: bool = False
    decay: Decay = 0.8
    commitment_weight: Weight = 1.0


@dataclass(frozen=True, config=STRICT)
class ResidualVQSettings(Settings, layer="svqkit.quantizers.residual:ResidualVQ"):
    """VQ of what earlier stages left; ``stochastic`` draws codes at random while training."""

    name: Literal["residual_vq"] = "residual_vq"
    codebook_size: Codes = 1024
    num_quantizers: Layers = 8
    shared_codebook: bool = True
    stochastic: bool = False
    temperature: Temperature = 0.1
    decay: Decay = 0.8
    commitment_weight: Weight = 1.0


@dataclass(frozen=True, config=STRICT)
class GroupedResidualVQSettings(Settings, layer="svqkit.quantizers.residual:GroupedResidualVQ"):
    """Residual VQ of each group of channels on its own."""

    name: Literal["grouped_residual_vq"] = "grouped_residual_vq"
    codebook_size: Codes = 1024
    num_quantizers: Layers = 8
    groups: Layers = 2
    shared_codebook: bool = True
    decay: Decay = 0.8
    commitment_weight: Weight = 1.0


@dataclass(frozen=True, config=STRICT)
class LFQSettings(Settings, layer="svqkit.quantizers.lfq:LFQ"):
    """Lookup-free quantization: the signs of a projection to log₂ K bits."""

    name: Literal["lfq"] = "lfq"
    codebook_size: PowerOfTwo = 8192
    entropy_loss_weight: Weight = 0.1
    commitment_loss_weight: Weight = 0.25
    diversity_gamma: Weight = 1.0


@dataclass(frozen=True, config=STRICT)
class ResidualLFQSettings(Settings, layer="svqkit.quantizers.lfq:ResidualLFQ"):
    """LFQ of what earlier stages left; each of ``num_quantizers`` stages has ``codebook_size`` codes of its own."""

    name: Literal["residual_lfq"] = "residual_lfq"
    codebook_size: PowerOfTwo = 256
    num_quantizers: Layers = 8
    entropy_loss_weight: Weight = 0.1
    commitment_loss_weight: Weight = 0.25
    diversity_gamma: Weight = 1.0


@dataclass(frozen=True, config=STRICT)
class FSQSettings(Settings, layer="svqkit.quantizers.fsq:FSQ"):
    """Finite scalar quantization: a projection to a few channels, each rounded to a number of levels.

    The published comparison doesn't have it: the levels are the FSQ paper's for about 2¹⁰ codes.
    """

    name: Literal["fsq"] = "fsq"
    levels: Levels = (8, 5, 5, 5)


@dataclass(frozen=True, config=STRICT)
class ResidualFSQSettings(Settings, layer="svqkit.quantizers.fsq:ResidualFSQ"):
    """FSQ of what earlier stages left, as version 1.12.5 of the library had it."""

    name: Literal["residual_fsq"] = "residual_fsq"
    levels: Levels = (8, 5, 5, 3)
    num_quantizers: Layers = 8


@dataclass(frozen=True, config=STRICT)
class SimVQSettings(Settings, layer="svqkit.quantizers.vq:SimVQ"):
    """VQ with a frozen random codebook behind a learned linear map.

    The published comparison doesn't have it: the weight is the library's, the size that of the other codebooks.
    """

    name: Literal["simvq"] = "simvq"
    codebook_size: Codes = 1024
    commitment_weight: Weight = 0.25


@dataclass(frozen=True, config=STRICT)
class MLPSettings(Settings, layer="svqkit.quantizers.controls:MLP"):
    """Control: SVQ's two layers without a codebook.

    ``hidden_dim`` and ``codebook_size`` are those of the SVQ layer to compare with. ``match`` "folded": as wide as its
    hidden layer, so as large as its folded map; "total": as many parameters as it has in all.
    """

    name: Literal["mlp"] = "mlp"
    hidden_dim: Channels = 128
    match: Literal["folded", "total"] = "folded"
    codebook_size: Codes = 10_000


@dataclass(frozen=True, config=STRICT)
class LinearSettings(Settings, layer="svqkit.quantizers.controls:Linear"):
    """Control: one linear map."""

    name: Literal["linear"] = "linear"


@dataclass(frozen=True, config=STRICT)
class SoftmaxSettings(Settings, layer="svqkit.quantizers.controls:Softmax"):
    """Control: SVQ with weights that are positive and sum to 1, a convex combination of codes."""

    name: Literal["softmax"] = "softmax"
    codebook_size: Codes = 10_000
    hidden_dim: HiddenDim = 128
    init: CodebookInit = "kaiming"
    temperature: Temperature = 1.0


@dataclass(frozen=True, config=STRICT)
class GumbelSettings(Settings, layer="svqkit.quantizers.controls:Gumbel"):
    """Control: one code per position, drawn while training, with the gradient of a softmax at ``temperature``."""

    name: Literal["gumbel"] = "gumbel"
    codebook_size: Codes = 10_000
    hidden_dim: HiddenDim = 128
    init: CodebookInit = "kaiming"
    temperature: Temperature = 1.0


@dataclass(frozen=True, config=STRICT)
class LISTASettings(Settings, layer="svqkit.quantizers.lista:LISTA"):
    """Control: sparse coding by ``steps`` of learned shrinkage."""

    name: Literal["lista"] = "lista"
    codebook_size: Codes = 10_000
    steps: Layers = 3
    init: CodebookInit = "kaiming"


QUANTIZERS = {kind.name: kind for kind in Settings.__subclasses__()}
if TYPE_CHECKING:
    Quantizer = Settings
else:
    Quantizer = Annotated[Union[*QUANTIZERS.values()], Field(discriminator="name")]
