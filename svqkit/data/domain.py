"""What the frames of a run are: all that a forecast needs to know of the data that a model was trained on."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import torch
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from svqkit.data.plan import Kind
from svqkit.data.store import Store
from svqkit.data.windows import Normaliser
from svqkit.errors import SvqkitError
from svqkit.settings.params import Protocol
from svqkit.settings.types import Names, Positive, Size


def goes_around(lon: np.ndarray) -> bool:
    """Return whether longitudes in degrees go once around the earth, evenly, east or west, each once."""
    steps, even = np.diff(lon, append=lon[:1]), 360 / max(1, len(lon))
    return len(lon) > 0 and any(np.allclose(turn % 360, even, atol=even / 100) for turn in (steps, -steps))


def refuse_region(store: Store) -> None:
    """Check that the columns of a store's frames go once around the earth, evenly.

    Raises:
        SvqkitError: they cover a region only, or have no longitude.
    """
    lon = np.asarray(store.spatial_coords[1].get("lon", ()), float)
    if not goes_around(lon):
        has = f"{len(lon)} columns from {lon[0]:g} to {lon[-1]:g} degrees east" if len(lon) else "no longitude"
        raise SvqkitError(
            "`model.longitude: wrap` is for grids whose columns go once around the earth, evenly spaced and each "
            f"once; {store.path} has {has}. Set `longitude: zeros`."
        )


@dataclass(frozen=True, config=ConfigDict(strict=True, allow_inf_nan=False))
class Domain:
    """The frames that a model takes and gives, as a store has them and the model saw them in training.

    Attributes:
        kind: grid, image or field, see :data:`svqkit.data.plan.Kind`.
        title: what the raw files say of themselves.
        simulated: whether they say that they are simulated.
        channels, units: name and unit of each channel; no units for images.
        size: height and width.
        lat, lon: degrees north (H,), degrees east (W,) of a grid; else empty.
        mean, std: per channel, in ``units``; what a model is given is (value − mean) / std. Exactly the float32
            numbers of the training; 0 and 1 for images.
        scale: a byte times this is a value in [0, 1]; 1 where the store holds no bytes.
        inputs, targets: the frames of a window, counted from its last input frame (0): (-1, 0) and (1, 2).
        lead_step, lead_units: what one frame ahead is: 6 "hours", or 1 "frames".
        first_hour: hour of the day of the first training frame, modulo ``lead_step``; None without times.
        original: range and unit of the raw values where the model's are scaled to [0, 1]: ``original_minimum``,
            ``original_maximum``, ``original_units``; else empty.
        raw: number, bytes and digest of the raw files.
    """

    kind: Kind
    title: str
    simulated: bool
    channels: Names
    units: tuple[str, ...]
    size: Size
    lat: tuple[float, ...]
    lon: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[Annotated[float, Field(gt=0)], ...]
    scale: Annotated[float, Field(gt=0)]
    inputs: Annotated[tuple[int, ...], Field(min_length=1)]
    targets: Annotated[tuple[int, ...], Field(min_length=1)]
    lead_step: Positive
    lead_units: str
    first_hour: int | None
    original: Mapping[str, float | str]
    raw: Mapping[str, int | str]

    @model_validator(mode="after")
    def _fits_together(self) -> "Domain":
        for name in ("units", "mean", "std"):
            if len(getattr(self, name)) != len(self.channels):
                raise ValueError(f"{name} has {len(getattr(self, name))} entries, channels {len(self.channels)}")
        for name, length in zip(("lat", "lon"), self.size, strict=True):
            if len(getattr(self, name)) != length * (self.kind == "grid"):
                raise ValueError(
                    f"{name} has {len(getattr(self, name))} entries, frames are {self.size} of a {self.kind}"
                )
        offsets = [*self.inputs, *self.targets]
        if offsets != sorted(set(offsets)):
            raise ValueError(f"inputs and targets must rise, got {offsets}")
        return self

    @classmethod
    def of(cls, store: Store, protocol: Protocol = "clean") -> "Domain":
        """Return the domain of a model that is trained on ``store`` under a protocol.

        Raises:
            SvqkitError: a channel never changes, so that it can't be normalised.
        """
        scale = Normaliser.of(store, "train", protocol)
        inputs, targets = store.offsets(protocol)
        coordinates = store.spatial_coords[1]
        timed = "time" in store.group
        same = ("kind", "title", "simulated", "scale", "lead_step", "lead_units")
        return cls(
            **{name: getattr(store, name) for name in same},
            channels=tuple(store.channels),
            units=tuple(store.units),
            size=(store.frame_shape[1], store.frame_shape[2]),
            lat=tuple(np.asarray(coordinates.get("lat", ()), float).tolist()),
            lon=tuple(np.asarray(coordinates.get("lon", ()), float).tolist()),
            mean=tuple(scale.mean.flatten().tolist()),
            std=tuple(scale.std.flatten().tolist()),
            inputs=tuple((inputs - inputs[-1]).tolist()),
            targets=tuple((targets - inputs[-1]).tolist()),
            first_hour=int(store.times[0].astype(np.int64)) % store.lead_step if timed else None,
            original=dict(store.extra),
            raw=dict(store.settings.get("raw", {})),
        )

    @property
    def normaliser(self) -> Normaliser:
        """The normaliser of the training; it takes bytes where ``scale`` is not 1."""
        mean, std = (torch.tensor(values, dtype=torch.float32)[:, None, None] for values in (self.mean, self.std))
        return Normaliser(mean, std, self.scale)

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        return len(self.channels), *self.size

    @property
    def consecutive(self) -> bool:
        """Whether frames of a window follow each other, so that forecasts can be fed back for longer ones."""
        offsets = [*self.inputs, *self.targets]
        return offsets == list(range(offsets[0], offsets[0] + len(offsets)))

    @property
    def bounds(self) -> tuple[float, float] | None:
        """What 0 and 1 stand for where frames come in their original units; else None."""
        if "original_maximum" not in self.original:
            return None
        return float(self.original["original_minimum"]), float(self.original["original_maximum"])

    @property
    def own_units(self) -> tuple[str, ...]:
        """Unit of each channel as frames come in and forecasts go out."""
        if self.bounds is None:
            return self.units
        return (str(self.original.get("original_units", "")),) * len(self.channels)
