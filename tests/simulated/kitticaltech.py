"""The bundled sample of KittiCaltech: simulated streets in the files of PredNet's KITTI and of Caltech Pedestrian.

KITTI as the four HKL files that hickle 2 would write, 128 × 160, ten frames a second, compressed with gzip; Caltech as
.seq files of JPEG frames, 640 × 480, thirty frames a second.
"""

import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np
from PIL import Image

from svqkit.atomic import replacing
from svqkit.data.sources.seq import HEADER_BYTES, MAGIC

from .streets import Street

TITLE = "Simulated streets (svqkit), not the real data"
README = """Simulated, not the real data: streets drawn by svqkit/samples/kitticaltech.py, to try the kit on.

kitti_hkl/  as PredNet's processed KITTI data (github.com/coxlab/prednet, download_data.sh)
caltech/    as Caltech Pedestrian's test sets (data.caltech.edu/records/f6rph-90m20)
Replace both folders by the real ones; the layout is the same.
"""
COARSENESS = 3
JPEG_QUALITY = 32
HEIGHT, WIDTH, RATE = 480, 640, 30  # of Caltech's videos


@dataclass(frozen=True)
class Drive:
    """One recording: its name, its frames, and the speed of its car in m/s. Its scenes are drawn from its name."""

    name: str
    frames: int
    speed: float


TRAIN = (
    Drive("city-2011_09_26_drive_0001_sync", 33, 6.0),
    Drive("residential-2011_09_26_drive_0019_sync", 33, 5.0),
    Drive("road-2011_09_26_drive_0015_sync", 33, 7.0),
)
VALIDATION = (Drive("city-2011_09_26_drive_0005_sync", 33, 6.0),)
CALTECH = (Drive("set06/V000", 70, 6.0), Drive("set07/V000", 70, 5.0))


def write(
    root: str | Path,
    seed: int = 0,
    train: Sequence[Drive] = TRAIN,
    validation: Sequence[Drive] = VALIDATION,
    caltech: Sequence[Drive] = CALTECH,
) -> list[Path]:
    """Simulate, write ``root``/kitti_hkl/*.hkl, ``root``/caltech/setNN/VNNN.seq and README.txt, and return the paths.

    The same seed gives the same bytes, as long as the versions of NumPy, OpenCV, h5py and Pillow stay the same.
    """
    root, paths = Path(root), []
    for which, drives in (("train", train), ("val", validation)):
        frames = np.stack([frame for drive in drives for frame in _kitti_frames(drive, seed)])
        sources = [drive.name.encode() for drive in drives for _ in range(drive.frames)]
        folder = root / "kitti_hkl"
        paths.append(write_hickle(folder / f"X_{which}.hkl", frames, "ndarray"))
        paths.append(write_hickle(folder / f"sources_{which}.hkl", np.array(sources), "<type 'list'>"))
    for drive in caltech:
        paths.append(write_seq(root / "caltech" / f"{drive.name}.seq", _caltech_frames(drive, seed), (HEIGHT, WIDTH)))
    with replacing(root / "README.txt") as draft:
        draft.write_text(README)
    return [*paths, root / "README.txt"]


def _street(drive: Drive, seed: int) -> Street:
    return Street(np.random.default_rng([seed, *drive.name.encode()]), drive.speed)


def _kitti_frames(drive: Drive, seed: int) -> Iterator[np.ndarray]:
    """(128, 160, 3) uint8, drawn three times as large; few different values, so that they compress well."""
    street = _street(drive, seed)
    for number in range(drive.frames):
        drawn = cv2.resize(street.frame(number / 10, 3 * 128, 3 * 160), (160, 128), interpolation=cv2.INTER_AREA)
        yield (np.rint(drawn / COARSENESS) * COARSENESS).clip(0, 255).astype(np.uint8)


def _caltech_frames(drive: Drive, seed: int) -> Iterator[np.ndarray]:
    """(480, 640, 3) uint8."""
    street = _street(drive, seed)
    for number in range(drive.frames):
        drawn = cv2.GaussianBlur(street.frame(number / RATE, HEIGHT, WIDTH), (0, 0), HEIGHT / 400)
        yield np.rint(drawn).clip(0, 255).astype(np.uint8)


def write_hickle(path: Path, values: np.ndarray, kind: str) -> Path:
    """One array, or one list, in the tree of hickle 2; the title and the chunks of whole frames are ours."""
    whole_frames = {"chunks": (11, *values.shape[1:])} if values.ndim > 1 and len(values) >= 11 else {}
    with replacing(path) as draft, h5py.File(draft, "w") as file:
        file.attrs.update({"CLASS": b"hickle", "VERSION": 2, "type": [b"hickle"], "title": TITLE})
        data = file.create_dataset(
            "data_0", data=values, compression="gzip", compression_opts=9, track_times=False, **whole_frames
        )
        data.attrs["type"] = [kind.encode()]
    return path


def write_seq(path: Path, frames: Iterator[np.ndarray], size: tuple[int, int]) -> Path:
    """A Norpix .seq video of JPEG frames, with the 16 bytes of time stamp and zeros after each."""
    with replacing(path) as draft, draft.open("wb") as file:
        file.write(bytes(HEADER_BYTES))
        count = 0
        for count, frame in enumerate(frames, start=1):
            jpeg = io.BytesIO()
            Image.fromarray(frame).save(jpeg, "JPEG", quality=JPEG_QUALITY, optimize=True)
            milliseconds = round((count - 1) * 1000 / RATE)
            stamp = struct.pack("<IH10x", milliseconds // 1000, milliseconds % 1000)
            file.write(struct.pack("<I", len(jpeg.getvalue()) + 4) + jpeg.getvalue() + stamp)
        file.seek(0)
        file.write(_header(count, size))
    return path


def _header(frames: int, size: tuple[int, int]) -> bytes:
    """As :mod:`svqkit.data.sources.seq` tells it; the description says that the video is simulated."""
    height, width = size
    start = MAGIC.ljust(28, b"\0") + struct.pack("<iI", 3, HEADER_BYTES)
    description = TITLE.encode("utf-16-le").ljust(512, b"\0")
    image = 3 * height * width
    numbers = struct.pack("<9Id", width, height, 24, 8, image, 201, frames, 0, (image + 6) // 512 * 512 + 512, RATE)
    return (start + description + numbers).ljust(HEADER_BYTES, b"\0")
