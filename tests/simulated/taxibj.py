"""A simulated city in the layout of TaxiBJ's dataset.npz: something to try the kit on, not the dataset.

Taxis keep to three ring roads, in both senses, and to roads between the rim and the middle: inwards in the morning,
outwards in the evening. They travel in platoons, whose pace a forecaster can learn; how many there are follows the
time of day. Outside the city there are none. A cell's inflow counts who arrives in a slot of 30 minutes, its
outflow who leaves, so a platoon's outflow lies behind its inflow.

Shapes, keys, scale and the order of the samples are as published: ``X_train``, ``Y_train``, ``X_test``, ``Y_test``,
(samples, 4, 2, 32, 32) float32 in [-1, 1], a sample begins at every slot, and the first test samples share frames
with the last training samples. The same seed gives the same bytes, as long as NumPy's version and zlib's stay.
"""

import zipfile
from pathlib import Path

import numpy as np

from svqkit.atomic import replacing

SIDE, SLOTS = 32, 48
INPUTS, TARGETS = 4, 4
MAXIMUM = 1292  # taxis that are 1, as in the settings' default
UNIT = 8  # counts are rounded to it: the file has to be small
RINGS = (4.0, 8.0, 12.0)  # cells from the middle
PLATOONS_PER_RING, PLATOONS_PER_ROAD = 8, 3
ROADS = 8
EARLIEST = (1980, 1, 1, 0, 0, 0)  # a zip's first possible date: that of writing would change the bytes
README = """Simulated by svqkit.samples.taxibj (seed {seed}): not TaxiBJ, and no taxi ever drove so.

dataset.npz has the keys, shapes and scale of the file that OpenSTL publishes. To use the real data, replace it, or
put the original files BJ13_M32x32_T30_InOut.h5 to BJ16_M32x32_T30_InOut.h5 here in its place.
"""


def write(root: Path, seed: int = 0, train: int = 192, test: int = 48) -> list[Path]:
    """Write dataset.npz with so many training and test samples, and a README.txt, into ``root``; gives back both."""
    root = Path(root)
    length = INPUTS + TARGETS
    counts = simulate(train + test + length - 1, np.random.default_rng(seed))
    frames = (counts / MAXIMUM * 2 - 1).astype(np.float32)
    samples = np.stack([frames[start : start + length] for start in range(train + test)])
    arrays = {
        "X_train": samples[:train, :INPUTS],
        "Y_train": samples[:train, INPUTS:],
        "X_test": samples[train:, :INPUTS],
        "Y_test": samples[train:, INPUTS:],
    }
    with (
        replacing(root / "dataset.npz") as draft,
        zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file,
    ):
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", EARLIEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with file.open(entry, "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    with replacing(root / "README.txt") as draft:
        draft.write_bytes(README.format(seed=seed).encode())
    return [root / "dataset.npz", root / "README.txt"]


def simulate(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Inflow and outflow of every cell and slot from midnight on, taxis: (frames, 2, 32, 32), whole numbers."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    inside = np.hypot(rows, columns) < 15.5
    usual = _usual(rows, columns)
    ring_sense = np.where(np.arange(len(RINGS) * PLATOONS_PER_RING) % 2, 1, -1)
    ring_radius = np.repeat(RINGS, PLATOONS_PER_RING)
    ring_start = rng.uniform(0, 2 * np.pi, len(ring_sense))
    ring_pace = rng.uniform(0.9, 1.3, len(ring_sense))  # cells a slot
    ring_size = rng.uniform(150, 420, len(ring_sense))
    road_angle = np.repeat(np.arange(ROADS) * 2 * np.pi / ROADS, PLATOONS_PER_ROAD)
    road_start = rng.uniform(0, 1, len(road_angle))
    road_size = rng.uniform(150, 420, len(road_angle))

    counts = np.zeros((frames, 2, SIDE, SIDE))
    for frame in range(frames):
        hour = frame % SLOTS / 2
        for channel, shift in ((0, 0.5), (1, -0.5)):  # half a slot ahead is where they arrive, half back whence
            time = frame + shift
            angle = ring_start + ring_sense * ring_pace * time / ring_radius
            field = usual * _busy(hour)
            field += _platoons(rows, columns, ring_radius, angle, ring_size * _busy(hour))
            # Between rim and middle in 14 slots, over and over: inwards mostly at eight, outwards at twenty.
            way = (road_start + time / 14) % 1
            size = road_size * _busy(hour) * np.sin(np.pi * way)
            inwards = 0.5 + 0.5 * np.cos(2 * np.pi * (hour - 8) / 24)
            field += _platoons(rows, columns, 14 * (1 - way), road_angle, size * inwards)
            field += _platoons(rows, columns, 14 * way, road_angle, size * (1 - inwards))
            counts[frame, channel] = field * inside
    return np.clip(UNIT * np.round(counts / UNIT), 0, MAXIMUM // UNIT * UNIT)


def _busy(hour: float) -> float:
    """How busy the city is, 0 to 1: little at night, most around half past eight and six."""
    morning, evening = np.exp(-(((hour - 8.5) / 2.5) ** 2)), np.exp(-(((hour - 18) / 3) ** 2))
    return float(0.15 + 0.25 * (1 - np.cos(2 * np.pi * (hour - 4) / 24)) + 0.35 * max(morning, evening))


def _usual(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """What a cell has when nothing moves: most in the middle, (32, 32)."""
    return 220 * np.exp(-(rows**2 + columns**2) / 60)


def _platoons(
    rows: np.ndarray, columns: np.ndarray, radius: np.ndarray, angle: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """Platoons of 1.3 cells' width at places around the middle, summed: (32, 32)."""
    down, right = radius * np.sin(angle), radius * np.cos(angle)
    distance = (rows[..., None] - down) ** 2 + (columns[..., None] - right) ** 2
    return (size * np.exp(-distance / (2 * 1.3**2))).sum(axis=-1)
