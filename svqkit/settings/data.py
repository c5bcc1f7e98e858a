"""The settings of a dataset: one dataclass per kind of raw files, told apart by ``source``.

Every kind says where its files lie, how many frames go in and come out, and which part is for training, validation
and testing. What the files must look like is told by the module of the same name in :mod:`svqkit.data.sources`.
"""

import re
from dataclasses import field
from datetime import date
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, dataclass_transform, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from svqkit.settings.types import STRICT, EachOnce, Names, Natural, Positive, Share, Size

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


def _date(written: str) -> str:
    try:
        if not re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", written):
            raise ValueError
        date.fromisoformat((written + "-01-01")[:10])
    except ValueError:
        raise ValueError(f"a date is written 2010, 2010-06 or 2010-06-30, got {written!r}") from None
    return written


def _first_and_last(value: Any) -> Any:
    """The two dates of a period, which YAML may give as text ("2010/2010-06") or as a list (2010, "2010-06")."""
    if isinstance(value, str) and "/" in value:
        return tuple(value.split("/"))
    if not isinstance(value, list | tuple):
        raise ValueError(f"a period is written first/last, as in 2010/2015 or 2014-01-01/2014-01-04, got {value!r}")
    return tuple(str(item) if type(item) is int else item for item in value)


def _in_order(period: tuple[str, str]) -> tuple[str, str]:
    if not overlap(period, period):
        raise ValueError(f"the last date {period[1]!r} lies before the first one {period[0]!r}")
    return period


def overlap(first: tuple[str, str], second: tuple[str, str]) -> bool:
    """Return whether two periods share a date; "2010" as an end means the end of 2010."""
    return first[0] <= second[1] + "~" and second[0] <= first[1] + "~"


Frames = Annotated[int, Field(gt=0, le=10_000)]
Subjects = Annotated[tuple[Positive, ...], Field(min_length=1)]
# Of files and folders, by which a source looks for them; neither "." nor "..".
FileName = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]*[^./\\\x00-\x1f][^/\\\x00-\x1f]*$")]
# First and last date, both inclusive; written 2010/2015 or 2014-01-01/2014-01-04, or as a list of the two.
Date = Annotated[str, AfterValidator(_date)]
Period = Annotated[tuple[Date, Date], BeforeValidator(_first_and_last), AfterValidator(_in_order)]
KTH_ACTIONS = ("boxing", "handclapping", "handwaving", "walking", "jogging", "running")


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
@dataclass(frozen=True, config=STRICT, kw_only=True)
class Dataset:
    """What every dataset has: where its raw files lie, and how many frames go in and come out.

    ``root`` is a folder; of an array its file; of weather also one file, a Zarr store, or the URL of one. A subclass is
    a frozen dataclass by itself, with its ``source`` as a field.
    """

    root: Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f]*[^\x00-\x20][^\x00-\x1f]*$")]
    frames_in: Frames = 10
    frames_out: Frames = 10
    if TYPE_CHECKING:
        source: str = ""  # each kind has its own

    def __init_subclass__(cls, source: str) -> None:
        cls.source = source
        cls.__annotations__ = {"source": Literal[source], **cls.__annotations__}  # type: ignore[valid-type]
        dataclass(frozen=True, config=STRICT, kw_only=True)(cls)


def _apart(what: str, *names: str) -> Any:
    """Return the check that no value stands in two of the settings ``names``, or twice in one."""

    def check(data: Dataset) -> Dataset:
        seen: dict[Any, str] = {}
        for name in names:
            for value in getattr(data, name):
                if value in seen:
                    where = f"twice in {name}" if seen[value] == name else f"in {seen[value]} and in {name}"
                    raise ValueError(f"{what} {value!r} stands {where}: a model would be tested on what it has seen")
                seen[value] = name
        return data

    return model_validator(mode="after")(check)


@dataclass(frozen=True, config=STRICT)
class Offsets:
    """Frames of a window relative to its last input frame (0), in frames: ``{inputs: [-1, 0], targets: [1, 2]}``."""

    inputs: Annotated[tuple[int, ...], Field(min_length=1)]
    targets: Annotated[tuple[int, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _in_order(self) -> "Offsets":
        offsets = [*self.inputs, *self.targets]
        if sorted(set(offsets)) != offsets:
            raise ValueError(f"offsets must rise from the first input to the last target, got {offsets}")
        return self


class WeatherData(Dataset, source="weather"):
    """A lat-lon record in NetCDF, GRIB or Zarr: a folder per variable as WeatherBench has it, or all in one place.

    ``train``, ``validation`` and ``test`` are first and last date, both inclusive ("2010" is the whole year).
    ``levels`` are wanted of each variable that has levels. ``gaps``: "error" refuses a record with a hole in it;
    "split" accepts it, and no window crosses a hole. ``paper_offsets`` are the frames that a window has under
    protocol "paper" where these do not follow each other.
    """

    variables: Annotated[tuple[FileName, ...], Field(min_length=1), EachOnce]
    train: Period
    validation: Period
    test: Period
    levels: Annotated[tuple[int, ...], EachOnce] = ()
    hours_per_frame: Positive = 1
    frames_in: Frames = 12
    frames_out: Frames = 12
    gaps: Literal["error", "split"] = "error"
    paper_offsets: Offsets | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "WeatherData":
        for first, second in combinations(SPLITS, 2):
            if overlap(getattr(self, first), getattr(self, second)):
                raise ValueError(
                    f"{first} {list(getattr(self, first))} and {second} {list(getattr(self, second))} overlap: a model "
                    "would be tested on what it has seen; give them dates apart"
                )
        offsets = self.paper_offsets
        if offsets and (len(offsets.inputs), len(offsets.targets)) != (self.frames_in, self.frames_out):
            raise ValueError(
                f"paper_offsets has {len(offsets.inputs)} inputs and {len(offsets.targets)} targets; "
                f"frames_in and frames_out ask for {self.frames_in} and {self.frames_out}"
            )
        return self


class KTHData(Dataset, source="kth"):
    """KTH actions: one video, or one folder of frames, per person, action and scene.

    Frames are resized to ``size`` (height, width). Windows end at the end of a run of consecutive frames and step
    back by ``slow_stride`` frames, for jogging and running by ``fast_stride``; under protocol "paper" the slow ones
    step by a window's length, and the persons of the validation are trained on too, as in the reference.
    """

    train: Subjects = tuple(range(1, 15))
    validation: Subjects = (15, 16)
    test: Subjects = tuple(range(17, 26))
    actions: Names = KTH_ACTIONS
    size: Size = (128, 128)
    colour: bool = False
    slow_stride: Positive = 20
    fast_stride: Positive = 3
    frames_out: Frames = 20

    _persons_apart = _apart("person", *SPLITS)


class KittiCaltechData(Dataset, source="kitticaltech"):
    """KITTI to train, Caltech Pedestrian to test: cars' cameras at ten frames a second.

    KITTI comes as PredNet's HKL files or as folders of frames; of frames, the recordings ``validation`` are for
    validation and ``unused`` (PredNet's own test) are left out. Of Caltech every ``step``-th frame is taken.
    """

    validation: Names = ("city-2011_09_26_drive_0005_sync",)
    unused: tuple[str, ...] = (
        "city-2011_09_26_drive_0104_sync",
        "residential-2011_09_26_drive_0079_sync",
        "road-2011_09_26_drive_0070_sync",
    )
    size: Size = (128, 160)
    step: Positive = 3
    frames_out: Frames = 1

    _recordings_apart = _apart("recording", "validation", "unused")


class HumanData(Dataset, source="human"):
    """Human3.6M: JPEG frames, and two lists of sequences; every ``step``-th frame is taken.

    The published lists put overlapping sequences of the same recordings into training and test. Protocol "paper"
    uses them as they are; "clean" takes from them the sequences of the persons ``train``, ``validation`` and ``test``.
    """

    train: Subjects = (1, 5, 6, 7)
    validation: Subjects = (8,)
    test: Subjects = (9, 11)
    size: Size = (256, 256)
    step: Positive = 5
    frames_in: Frames = 4
    frames_out: Frames = 4

    _persons_apart = _apart("person", *SPLITS)


class TaxiBJData(Dataset, source="taxibj"):
    """TaxiBJ: in- and outflow of Beijing's taxis on a grid, every 30 minutes, scaled to [0, 1].

    From the published dataset.npz, whose original ``maximum`` is not in the file, or from the HDF5 files of
    2013 to 2016, of which the last ``test_days`` are for the test. The last ``validation_share`` of the training
    period is for validation.
    """

    validation_share: Share = 0.1
    test_days: Positive = 28
    maximum: Annotated[float, Field(gt=0)] = 1292.0
    frames_in: Frames = 4
    frames_out: Frames = 4


@dataclass(frozen=True, config=STRICT, kw_only=True)
class Shares:
    """Shares of the clips (or, of one long record, of its frames) in their order; training has what is left."""

    validation: Share = 0.1
    test: Share = 0.2

    @model_validator(mode="after")
    def _leaves_some(self) -> "Shares":
        if self.validation + self.test >= 1:
            raise ValueError(f"validation {self.validation} and test {self.test} leave nothing to train on")
        return self


class ArrayData(Dataset, source="array"):
    """One array of your own: (clips, frames, C, H, W) or (frames, C, H, W) in an .npy, .npz or .zarr at ``root``.

    ``axes`` says which axes there are: NTCHW or TCHW, and of one channel that has no axis of its own NTHW or THW.
    Without it four axes with more than 4 in the second are refused unless ``channels`` are named: clips, or channels?

    ``key`` names the array of an .npz or a .zarr group that holds several. Values in ``range`` are taken as images
    and scaled to [0, 1] (uint8: 0 to 255 by itself); without a range each channel is normalised by the training
    part's mean and standard deviation. ``units`` are those of all channels, or a list with one for each. ``stride`` is
    the step from one window to the next.
    """

    key: str = ""
    axes: Literal["", "NTCHW", "TCHW", "NTHW", "THW"] = ""
    shares: Shares = field(default_factory=Shares)
    range: tuple[float, float] | None = None
    stride: Positive = 1
    channels: Annotated[tuple[str, ...], EachOnce] = ()
    units: str | tuple[str, ...] = ""

    @model_validator(mode="after")
    def _rises(self) -> "ArrayData":
        if self.range and self.range[0] >= self.range[1]:
            raise ValueError(f"range must be lowest, highest; got {list(self.range)}")
        return self


class ClipsData(Dataset, source="clips"):
    """A folder of your own videos, or of folders of frames.

    With sub-folders train, validation and test these are the splits; else clips are shared out in the order of
    their names. ``size`` (height, width) resizes; without it all clips must be of one size. Every ``step``-th frame
    is taken, windows step by ``stride`` (0: by their length, so that they share no frame).
    """

    size: Size | None = None
    colour: bool = False
    step: Positive = 1
    stride: Natural = 0
    shares: Shares = field(default_factory=Shares)


SOURCES = {kind.source: kind for kind in Dataset.__subclasses__()}
if TYPE_CHECKING:
    Data = Dataset
else:
    Data = Annotated[Union[*SOURCES.values()], Field(discriminator="source")]
