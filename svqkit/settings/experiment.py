"""The settings of an experiment: a dataset, a model, a quantizer, a training, its seeds.

This module imports no torch, so that a typing error in params.yaml is answered at once.
"""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from svqkit.errors import hint, listed
from svqkit.settings.data import Data
from svqkit.settings.quantizers import Quantizer
from svqkit.settings.types import MOST_LAYERS, STRICT, Channels, EachOnce, Fraction, Name, Natural, Positive, Seeds

# The registry of translators: where the class of each is. Strings, since this module imports no torch.
TRANSLATORS = {
    "convmixer": "svqkit.models.translators.convmixer:ConvMixer",
    "convnext": "svqkit.models.translators.convnext:ConvNeXt",
    "gsta": "svqkit.models.translators.gsta:GSTA",
    "hornet": "svqkit.models.translators.hornet:HorNet",
    "incepu": "svqkit.models.translators.incepu:IncepU",
    "mlpmixer": "svqkit.models.translators.mlpmixer:MLPMixer",
    "moganet": "svqkit.models.translators.moganet:MogaNet",
    "poolformer": "svqkit.models.translators.poolformer:PoolFormer",
    "swin": "svqkit.models.translators.swin:Swin",
    "tau": "svqkit.models.translators.tau:TAU",
    "uniformer": "svqkit.models.translators.uniformer:UniFormer",
    "van": "svqkit.models.translators.van:VAN",
    "vit": "svqkit.models.translators.vit:ViT",
}


def _known_translator(name: str) -> str:
    if name not in TRANSLATORS:
        raise ValueError(f"unknown translator {name!r}{hint(name, TRANSLATORS)}; valid: {listed(TRANSLATORS)}")
    return name


def _in_two_groups(channels: int) -> int:
    if channels % 2:
        raise ValueError(f"hid_S must be even (its channels are normalised in two groups), got {channels}")
    return channels


def _odd(value: int) -> int:
    if value % 2 == 0:
        raise ValueError(f"must be odd, so that a kernel has a middle; got {value}")
    return value


Translator = Annotated[str, AfterValidator(_known_translator)]
Odd = Annotated[int, Field(gt=0, le=255), AfterValidator(_odd)]
Loss = Literal["mae", "mse", "huber"]
Schedule = Literal["cosine", "onecycle", "constant"]
Precision = Literal["fp32", "bf16"]
# What convolutions see past the first and the last column: zeros, or the columns from the other side of the earth.
Longitude = Literal["zeros", "wrap"]
Compile = Literal["auto", "off", "on", "graphs"]
Log = Literal["none", "tensorboard"]
Protocol = Literal["clean", "paper"]
StepFactor = Literal["auto"] | Annotated[float, Field(gt=0)]
Augmentation = Literal["crop", "flip", "rotate"]
# The questions that experiments answer together: a table of results each.
Study = Literal[
    "main",
    "real",
    "translators",
    "noise",
    "quantizers",
    "stability",
    "controls",
    "parts",
    "relu",
    "init",
    "codebook_size",
    "loss",
    "sparsity",
    "published",
    "step",
    "sweep",
]
Studies = Annotated[tuple[Study, ...], Field(min_length=1), EachOnce]


@dataclass(frozen=True, config=STRICT)
class Model:
    """SimVP: N_S convolutions down and up again, and between them a translator of N_T blocks over time × space.

    ``noise`` is the share of input values that is perturbed while training. ``longitude: wrap`` joins the first and the
    last column of a grid that goes around the earth (see :mod:`svqkit.models.longitude`).
    """

    translator: Translator = "gsta"
    hid_S: Annotated[Channels, AfterValidator(_in_two_groups)] = 32
    hid_T: Channels = 256
    N_S: Annotated[int, Field(ge=2, le=MOST_LAYERS, multiple_of=2)] = 2
    N_T: Annotated[int, Field(ge=2, le=MOST_LAYERS)] = 8
    spatio_kernel_enc: Odd = 3
    spatio_kernel_dec: Odd = 3
    mlp_ratio: Annotated[float, Field(gt=1, le=100)] = 8.0
    drop: Fraction = 0.0
    drop_path: Fraction = 0.1
    quantize_after_translator: bool = False
    noise: Fraction = 0.0
    longitude: Longitude = "zeros"


@dataclass(frozen=True, config=STRICT)
class Training:
    """How a model is fitted. ``learning_rate`` is the peak.

    ``quantizer_learning_rate`` is the step factor: times the learning rate it is that of a codebook and of the matrix
    before it, whose product moves by about K times their steps. 1 is the published one, "auto" is 1 / K.

    ``steps_per_epoch`` ends an epoch after that many steps (0: all windows once); ``patience`` is the number of
    epochs with a worse validation loss than the best one after which training stops; ``clip_norm`` 0 does not clip.
    ``augment`` names what is done to training windows at random (see :mod:`svqkit.data.augment`); a crop keeps
    ``crop_scale`` of the height and width. ``torch_compile`` is whether the steps are compiled (see
    :mod:`svqkit.devices.performance`). With ``log: tensorboard`` losses are curves to watch while it trains; this
    changes no result, and trains nothing again.
    """

    loss: Loss = "mae"
    epochs: Positive = 50
    batch_size: Positive = 16
    learning_rate: Annotated[float, Field(gt=0)] = 5e-3
    quantizer_learning_rate: StepFactor = 1.0
    schedule: Schedule = "cosine"
    warmup_epochs: Natural = 5
    warmup_learning_rate: Annotated[float, Field(gt=0)] = 1e-5
    min_learning_rate: Annotated[float, Field(ge=0)] = 1e-6
    patience: Positive = 10
    steps_per_epoch: Natural = 0
    clip_norm: Annotated[float, Field(ge=0)] = 0.0
    precision: Precision = "fp32"
    torch_compile: Compile = "auto"
    augment: tuple[Augmentation, ...] = ()
    crop_scale: Annotated[float, Field(gt=0, le=1)] = 0.95
    log: Log = "none"

    @model_validator(mode="after")
    def _warm_up_ends(self) -> "Training":
        if self.schedule == "cosine" and self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs ({self.warmup_epochs}) must be fewer than epochs ({self.epochs}), "
                "or the learning rate never reaches its peak"
            )
        return self


@dataclass(frozen=True, config=STRICT)
class Experiment:
    """One experiment with everything that it needs: a dataset, a model, a quantizer, a training, its seeds.

    ``studies`` are the tables of results in which it stands.
    """

    name: Name
    profile: Name
    dataset: Name
    data: Data
    model: Model
    quantizer: Quantizer
    training: Training
    seeds: Seeds = (0,)
    protocol: Protocol = "clean"
    studies: Studies = ("main",)

    @model_validator(mode="after")
    def _goes_around(self) -> "Experiment":
        if self.model.longitude == "wrap" and (cut := {"crop", "rotate"} & set(self.training.augment)):
            raise ValueError(
                f"augment: {listed(cut)} gives frames whose first and last column are no neighbours, which longitude: "
                "wrap takes them for; leave one of the two out"
            )
        return self

    def trained_for(self, protocol: Protocol) -> bool:
        """Return whether a protocol's windows are made as those that it is trained on; else scores mean nothing."""
        return protocol == self.protocol or getattr(self.data, "paper_offsets", None) is None
