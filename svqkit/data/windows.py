"""Windows: which frames of a store go in and which come out, and batches of them."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import zarr
from torch import Tensor

from svqkit.data.store import Store
from svqkit.devices.distributed import refuse_uneven, shard
from svqkit.errors import SvqkitError
from svqkit.settings.params import Protocol, Split

# A split is held on the GPU if it takes at most this share of its free memory, else in the host's if it is at most so
# large; of a larger one a few batches are.
OF_FREE_MEMORY, IN_MEMORY_BYTES = 0.25, 2**30
# Frames are copied to the GPU in parts of so many bytes.
COPY_BYTES = 2**26

# Windows that are scored at once: as many as fit into so many bytes, but not more than these.
SCORED, SCORED_BYTES = 16, 2**25


@dataclass(frozen=True)
class Batch:
    """A batch of windows as the store holds them: bytes stay bytes until they are on the device.

    Attributes:
        inputs: (B, T_in, C, H, W).
        targets: (B, T_out, C, H, W).
        target_frames: (B, T_out) index of each target frame in the store.
    """

    inputs: Tensor
    targets: Tensor
    target_frames: np.ndarray

    def to(self, device: torch.device) -> "Batch":
        """Return the same on another device; from pinned memory the copy goes on beside the computing."""
        inputs, targets = (part.to(device, non_blocking=True) for part in (self.inputs, self.targets))
        return Batch(inputs, targets, self.target_frames)

    def pin_memory(self) -> "Batch":
        """Return the same in memory that a GPU can fetch from by itself."""
        return Batch(self.inputs.pin_memory(), self.targets.pin_memory(), self.target_frames)


class Windows:
    """All windows of a split of a store, under a protocol.

    Args:
        device: where batches of them will go.
        hold: keep the frames of a small split in the host's memory. Who takes every window once, or only some, leaves
            them on the disk, so that memory doesn't grow with the record.
    """

    def __init__(
        self,
        store: Store,
        split: Split,
        protocol: Protocol = "clean",
        device: torch.device | None = None,
        hold: bool = True,
    ) -> None:
        self.store, self.split, self.device, self.hold = store, split, device or torch.device("cpu"), hold
        self.starts = store.starts(split, protocol)
        self.inputs, self.targets = store.offsets(protocol)
        if len(self.starts) == 0:
            raise SvqkitError(
                f"The {split} split of {store.path} has no window under protocol {protocol!r}: its clips are shorter "
                f"than {self.targets[-1] + 1} frames. Prepare it with longer ones."
            )

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Batch:
        """Return one window, as a batch of one."""
        return self.read([index])

    def read(self, indices: Sequence[int]) -> Batch:
        """Return the windows ``indices`` as one batch."""
        starts = self.starts[np.asarray(indices)]
        frame_indices = starts[:, None] + np.concatenate([self.inputs, self.targets])
        frames, cut = self._take(frame_indices), len(self.inputs)
        batch = Batch(frames[:, :cut], frames[:, cut:], starts[:, None] + self.targets)
        return batch.pin_memory() if self.device.type == "cuda" and not frames.is_cuda else batch

    def _take(self, indices: np.ndarray) -> Tensor:
        """Return the frames ``indices`` (B, T) of the store, (B, T, C, H, W)."""
        if self.in_memory is not None:
            return self.in_memory[torch.from_numpy(indices - self._first).to(self.in_memory.device)]
        stored = self.store.frames
        first, stop = int(indices.min()), int(indices.max()) + 1
        if stop - first <= indices.size:  # neighbours: what they share is read once
            return torch.from_numpy(stored[first:stop][indices - first])
        frames = np.empty((*indices.shape, *stored.shape[1:]), stored.dtype)
        for window, row in zip(frames, indices, strict=True):
            run = stored[row[0] : row[-1] + 1]
            window[:] = run if len(run) == len(row) else run[row - row[0]]
        return torch.from_numpy(frames)

    @property
    def _first(self) -> int:
        return int(self.starts.min())

    @property
    def on_device(self) -> bool:
        """Whether all frames are in the device's memory, so that a batch needs no reading and no copying."""
        return self.in_memory is not None and self.in_memory.device.type == self.device.type

    @cached_property
    def in_memory(self) -> Tensor | None:
        """The split's frames, in the device's memory or the host's, when they are few enough to be held."""
        frames, first = self.store.frames, self._first
        stop = int(self.starts.max() + self.targets[-1]) + 1
        frame_bytes = frames.dtype.itemsize * int(np.prod(frames.shape[1:]))
        needed = (stop - first) * frame_bytes
        if self.device.type == "cuda" and needed <= OF_FREE_MEMORY * torch.cuda.mem_get_info(self.device)[0]:
            return copy_to_device(frames, first, stop, self.device)
        return torch.from_numpy(frames[first:stop]) if self.hold and needed <= IN_MEMORY_BYTES else None


def copy_to_device(frames: zarr.Array, first: int, stop: int, device: torch.device) -> Tensor:
    """Copy frames ``first`` to ``stop`` to a device, (n, C, H, W), in parts so that the host never holds them all."""
    step = max(1, COPY_BYTES // (frames.dtype.itemsize * int(np.prod(frames.shape[1:]))))
    parts = (torch.from_numpy(frames[start : min(start + step, stop)]) for start in range(first, stop, step))
    return torch.cat([part.to(device) for part in parts])


def batches(windows: Windows, order: np.ndarray, batch_size: int, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
    """Yield batches of ``windows`` in the given ``order``; of several processes each gets its share of every batch.

    ``batch_size`` is that of all processes together, so that results follow the settings and not the number of
    processes.

    Raises:
        SvqkitError: the processes can't share ``batch_size`` evenly.
    """
    refuse_uneven("batch_size", batch_size, ranks)
    every = (shard(order[i : i + batch_size], rank, ranks).tolist() for i in range(0, len(order), batch_size))
    shares = [indices for indices in every if indices]
    if windows.on_device:
        yield from map(windows.read, shares)
        return
    # Threads, not processes: reading lets others run, and a batch need not be sent from one process to another.
    pool = ThreadPoolExecutor(readers())
    ahead: deque[Future[Batch]] = deque()
    try:
        for indices in shares:
            ahead.append(pool.submit(windows.read, indices))
            if len(ahead) > readers():
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def scoring_batch(windows: Windows) -> int:
    """Return how many windows are scored at once, where no gradients are needed: as many as fit, at most 16."""
    window = 4 * int(np.prod(windows.store.frame_shape)) * (len(windows.inputs) + len(windows.targets))
    return max(1, min(SCORED, SCORED_BYTES // window))


def readers() -> int:
    """Return how many threads read windows: half of the cores, shared by the trainings on this machine; 2 to 8."""
    cores = (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return max(2, min(8, cores // 2))


def epoch_order(windows: Windows, seed: int, epoch: int, batch_size: int, steps: int = 0) -> np.ndarray:
    """Shuffle the windows of an epoch, a function of seed and epoch only; whole batches, at most ``steps`` of them.

    With fewer windows than one batch all of them make a batch.
    """
    generator = np.random.default_rng([seed, epoch])
    order = generator.permutation(len(windows))
    whole = max(1, len(order) // batch_size) * batch_size
    return order[: min(whole, steps * batch_size) if steps else whole]


@dataclass(frozen=True)
class Normaliser:
    """Stored values → what a model is given, and back to physical units.

    With x the stored value and s the store's scale: physical p = s x, normalised z = (p − mean) / std per channel;
    mean and std are (C, 1, 1) tensors. Images, which are in [0, 1], are given as they are: mean 0, std 1. With
    ``reversed_channels`` a model is given the channels in reverse order, blue first.
    """

    mean: Tensor
    std: Tensor
    scale: float = 1.0
    reversed_channels: bool = False

    @classmethod
    def of(cls, store: Store, split: Split = "train", protocol: Protocol = "clean") -> "Normaliser":
        """Make one from a split's statistics under a protocol.

        ``reversed_channels`` where training has colours in the other order.

        Raises:
            SvqkitError: a channel never changes.
        """
        mean, std = store.statistics(split, protocol)
        if store.kind == "image":
            mean, std = np.zeros_like(mean), np.ones_like(std)
        if not (std > 0).all():
            constant = [name for name, spread in zip(store.channels, std, strict=True) if not spread > 0]
            raise SvqkitError(
                f"{store.path}: {constant} never changes in the {split} split, so it can't be normalised."
            )
        both = [torch.tensor(value, dtype=torch.float32)[:, None, None] for value in (mean, std)]
        reversed_channels = store.blue_first(split, protocol) != store.blue_first("train", protocol)
        return cls(both[0], both[1], store.scale, reversed_channels)

    def to(self, device: torch.device) -> "Normaliser":
        """Return the same on another device."""
        return replace(self, mean=self.mean.to(device), std=self.std.to(device))

    def physical(self, x: Tensor) -> Tensor:
        """Convert stored values to physical units, float32."""
        return x.float() * self.scale if self.scale != 1 else x.float()

    def forward(self, x: Tensor) -> Tensor:
        """Convert stored values to normalised ones."""
        normalised = (self.physical(x) - self.mean) / self.std
        return normalised.flip(-3) if self.reversed_channels else normalised

    def inverse(self, x: Tensor) -> Tensor:
        """Convert normalised values to physical units."""
        return (x.flip(-3) if self.reversed_channels else x) * self.std + self.mean
