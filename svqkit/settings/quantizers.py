"""The settings of a quantizer: one dataclass per kind, told apart by ``name``.

``QUANTIZERS`` is the registry: a kind is added by writing its layer in :mod:`svqkit.quantizers` and its settings here,
with ``layer`` saying where the class is. Everything but ``name`` is handed to it, beside ``dim``. The layers are named
by strings since settings are read without torch. Defaults are those of the published comparison, where it has them.
"""

from math import prod
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union, dataclass_transform

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


@dataclass_transform(frozen_default=True)
class Settings:
    """What all have: ``name``, a field, and in ``layer`` where the class is. Every subclass is a frozen dataclass."""

    layer: ClassVar[str]
    name: str
    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Any]]

    def __init_subclass__(cls, name: str, layer: str) -> None:
        cls.name, cls.layer = name, layer
        cls.__annotations__ = {"name": Literal[name], **cls.__annotations__}  # type: ignore[valid-type]
        dataclass(frozen=True, config=STRICT)(cls)


class NoQuantizer(Settings, name="none", layer="svqkit.quantizers.none:NoQuantization"):
    """The latent vectors as they are: plain SimVP."""


class SVQSettings(Settings, name="svq", layer="svqkit.quantizers.svq:SVQ"):
    """Sparse vector quantization; see :class:`svqkit.quantizers.SVQ`."""

    codebook_size: Codes = 10_000
    hidden_dim: HiddenDim = 128
    learnable: bool = True
    learnable_projection: bool = True
    init: CodebookInit = "kaiming"
    hidden_relu: bool = True
    output_relu: bool = False
    l1: Weight = 0.0


class VQSettings(Settings, name="vq", layer="svqkit.quantizers.vq:VQ"):
    """Vector quantization with a codebook that follows the latents as a moving average."""

    codebook_size: Codes = 1024
    decay: Decay = 0.8
    commitment_weight: Weight = 1.0


class MultiheadVQSettings(Settings, name="multihead_vq", layer="svqkit.quantizers.vq:MultiheadVQ"):
    """VQ of several projections of a latent at once, with one codebook for all heads."""

    codebook_size: Codes = 1024
    heads: Layers = 8
    codebook_dim: Channels = 32
    separate_codebooks: bool = False
    decay: Decay = 0.8
    commitment_weight: Weight = 1.0


class ResidualVQSettings(Settings, name="residual_vq", layer="svqkit.quantizers.residual:ResidualVQ"):
    """VQ of what earlier stages left; ``stochastic`` draws codes at random while training."""

    codebook_size: Codes = 1024
    num_quantizers: Layers = 8
    shared_codebook: bool = True
    stochastic: bool = False
    temperature: Temperature = 0.1
    decay: Decay = 0.8
    commitment_weight: Weight = 1.0


class GroupedResidualVQSettings(
    Settings, name="grouped_residual_vq", layer="svqkit.quantizers.residual:GroupedResidualVQ"
):
    """Residual VQ of each group of channels on its own."""

    codebook_size: Codes = 1024
    num_quantizers: Layers = 8
    groups: Layers = 2
    shared_codebook: bool = True
    decay: Decay = 0.8
    commitment_weight: Weight = 1.0


class LFQSettings(Settings, name="lfq", layer="svqkit.quantizers.lfq:LFQ"):
    """Lookup-free quantization: the signs of a projection to log₂ K bits."""

    codebook_size: PowerOfTwo = 8192
    entropy_loss_weight: Weight = 0.1
    commitment_loss_weight: Weight = 0.25
    diversity_gamma: Weight = 1.0


class ResidualLFQSettings(Settings, name="residual_lfq", layer="svqkit.quantizers.lfq:ResidualLFQ"):
    """LFQ of what earlier stages left; each of ``num_quantizers`` stages has ``codebook_size`` codes of its own."""

    codebook_size: PowerOfTwo = 256
    num_quantizers: Layers = 8
    entropy_loss_weight: Weight = 0.1
    commitment_loss_weight: Weight = 0.25
    diversity_gamma: Weight = 1.0


class FSQSettings(Settings, name="fsq", layer="svqkit.quantizers.fsq:FSQ"):
    """Finite scalar quantization: a projection to a few channels, each rounded to a number of levels.

    The published comparison doesn't have it: the levels are the FSQ paper's for about 2¹⁰ codes.
    """

    levels: Levels = (8, 5, 5, 5)


class ResidualFSQSettings(Settings, name="residual_fsq", layer="svqkit.quantizers.fsq:ResidualFSQ"):
    """FSQ of what earlier stages left, as version 1.12.5 of the library had it."""

    levels: Levels = (8, 5, 5, 3)
    num_quantizers: Layers = 8


class SimVQSettings(Settings, name="simvq", layer="svqkit.quantizers.vq:SimVQ"):
    """VQ with a frozen random codebook behind a learned linear map.

    The published comparison doesn't have it: the weight is the library's, the size that of the other codebooks.
    """

    codebook_size: Codes = 1024
    commitment_weight: Weight = 0.25


class MLPSettings(Settings, name="mlp", layer="svqkit.quantizers.controls:MLP"):
    """Control: SVQ's two layers without a codebook.

    ``hidden_dim`` and ``codebook_size`` are those of the SVQ layer to compare with. ``match`` "folded": as wide as its
    hidden layer, so as large as its folded map; "total": as many parameters as it has in all.
    """

    hidden_dim: Channels = 128
    match: Literal["folded", "total"] = "folded"
    codebook_size: Codes = 10_000


class LinearSettings(Settings, name="linear", layer="svqkit.quantizers.controls:Linear"):
    """Control: one linear map."""


class SoftmaxSettings(Settings, name="softmax", layer="svqkit.quantizers.controls:Softmax"):
    """Control: SVQ with weights that are positive and sum to 1, a convex combination of codes."""

    codebook_size: Codes = 10_000
    hidden_dim: HiddenDim = 128
    init: CodebookInit = "kaiming"
    temperature: Temperature = 1.0


class GumbelSettings(Settings, name="gumbel", layer="svqkit.quantizers.controls:Gumbel"):
    """Control: one code per position, drawn while training, with the gradient of a softmax at ``temperature``."""

    codebook_size: Codes = 10_000
    hidden_dim: HiddenDim = 128
    init: CodebookInit = "kaiming"
    temperature: Temperature = 1.0


class LISTASettings(Settings, name="lista", layer="svqkit.quantizers.lista:LISTA"):
    """Control: sparse coding by ``steps`` of learned shrinkage."""

    codebook_size: Codes = 10_000
    steps: Layers = 3
    init: CodebookInit = "kaiming"


QUANTIZERS = {kind.name: kind for kind in Settings.__subclasses__()}
if TYPE_CHECKING:
    Quantizer = Settings
else:
    Quantizer = Annotated[Union[*QUANTIZERS.values()], Field(discriminator="name")]
