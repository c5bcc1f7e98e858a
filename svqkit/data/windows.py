"""Windows: which frames of a store go in and which come out, and batches of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from svqkit.config import Data, Protocol, Split
from svqkit.data.store import Store
from svqkit.errors import SvqkitError

# A split up to this size is held in memory; a larger one is read window by window.
IN_MEMORY_BYTES = 2**31


@dataclass(frozen=True)
class Batch:
    """A batch of windows in physical units.

    Attributes:
        inputs: (B, T_in, C, H, W).
        targets: (B, T_out, C, H, W).
        target_frames: (B, T_out) index of each target frame in the store.
    """

    inputs: Tensor
    targets: Tensor
    target_frames: np.ndarray


class Windows(Dataset):
    """All windows of a split: ``frames_in`` consecutive frames and the ``frames_out`` that follow them.

    Under protocol "paper" the last frame of the split and then one more window are left out, as in the reference's
    loader; "clean" uses every window. Windows never cross the edge of a clip.
    """

    def __init__(self, store: Store, split: Split, data: Data, protocol: Protocol = "clean") -> None:
        self.store, self.split = store, split
        self.inputs = np.arange(data.frames_in)
        self.targets = np.arange(data.frames_in, data.frames_in + data.frames_out)
        length = data.frames_in + data.frames_out
        clips = store.clips(split)
        starts = [np.arange(start, stop - length + 1) for start, stop in clips]
        self.starts = np.concatenate(starts)
        if protocol == "paper":
            self.starts = self.starts[:-2]
        if len(self.starts) == 0:
            raise SvqkitError(
                f"The {split} split of {store.path} has no window of {length} frames; its clips have "
                f"{[stop - start for start, stop in clips]} frames. Prepare it with a longer period or fewer frames."
            )

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Batch:
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> Batch:
        """The windows ``indices`` as one batch; DataLoader calls this with all of a batch at once."""
        starts = self.starts[np.asarray(indices)]
        return Batch(self._take(starts, self.inputs), self._take(starts, self.targets), starts[:, None] + self.targets)

    def _take(self, starts: np.ndarray, offsets: np.ndarray) -> Tensor:
        places = starts[:, None] + offsets
        if self._in_memory is not None:
            return self._in_memory[torch.from_numpy(places - self._first)]
        return torch.from_numpy(np.stack([self.store.frames[row[0] : row[-1] + 1] for row in places]))

    @property
    def _first(self) -> int:
        return int(self.starts[0])

    @cached_property
    def _in_memory(self) -> Tensor | None:
        stop = int(self.starts[-1] + self.targets[-1]) + 1
        frames = self.store.frames
        if 4 * (stop - self._first) * int(np.prod(frames.shape[1:])) > IN_MEMORY_BYTES:
            return None
        return torch.from_numpy(frames[self._first : stop])


def batches(windows: Windows, order: np.ndarray, batch_size: int, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
    """Batches of ``windows`` in the given ``order``; of several processes each gets its share of every batch.

    ``batch_size`` is that of all processes together, so that results follow the settings and not the number of
    processes.
    """
    if batch_size % ranks:
        raise SvqkitError(f"batch_size {batch_size} can't be shared evenly by {ranks} processes; choose a multiple.")
    lots = [order[i : i + batch_size][rank::ranks].tolist() for i in range(0, len(order), batch_size)]
    from_disk = windows._in_memory is None
    loader = DataLoader(
        windows,
        batch_sampler=[lot for lot in lots if lot],
        collate_fn=_as_it_is,
        num_workers=2 if from_disk else 0,
        pin_memory=False,
        generator=torch.Generator(),  # its own: drawing a worker seed must not move the training's generator
    )
    yield from loader


def _as_it_is(batch: Batch) -> Batch:
    return batch  # a function with a name, so that it can be sent to a worker process


def epoch_order(windows: Windows, seed: int, epoch: int, batch_size: int, steps: int = 0) -> np.ndarray:
    """The shuffled windows of an epoch, a function of seed and epoch only; whole batches, at most ``steps`` of them.

    With fewer windows than one batch all of them make a batch.
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(windows))
    whole = max(1, len(order) // batch_size) * batch_size
    return order[: min(whole, steps * batch_size) if steps else whole]


@dataclass(frozen=True)
class Normaliser:
    """x ↦ (x − mean) / std per channel, and back; mean and std are (C, 1, 1) tensors."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, store: Store, split: Split = "train", protocol: Protocol = "clean") -> "Normaliser":
        """From a split's statistics; under "paper" without its last frame, as in the reference."""
        mean, std = store.statistics(split, drop_last=protocol == "paper")
        if not (std > 0).all():
            constant = [name for name, spread in zip(store.channels, std, strict=True) if not spread > 0]
            raise SvqkitError(
                f"{store.path}: {constant} never changes in the {split} split, so it can't be normalised."
            )
        return cls(*(torch.tensor(value, dtype=torch.float32)[:, None, None] for value in (mean, std)))

    def to(self, device: torch.device) -> "Normaliser":
        """The same on another device."""
        return Normaliser(self.mean.to(device), self.std.to(device))

    def forward(self, x: Tensor) -> Tensor:
        """Physical units → normalised."""
        return (x - self.mean) / self.std

    def inverse(self, x: Tensor) -> Tensor:
        """Normalised → physical units."""
        return x * self.std + self.mean
