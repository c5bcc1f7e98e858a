"""Simulated persons in the layout of Human3.6M: something to try the kit on, not the dataset.

Each person walks in a circle through a plain room, as the real ones do in the action "Walking", seen by one camera:
the arms and legs swing with the way gone, and who comes nearer grows. Persons differ in size, clothes, pace and in
the sense in which they turn; the room is the same for all. Names, sizes, numbers (1, 6, 11, …) and lists are as
published, except that a sequence begins every 10 numbers instead of every 25, and that every third one is in the
test list: so that a few frames give enough sequences.

The same seed gives the same bytes, as long as the versions of NumPy, OpenCV and Pillow stay the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from svqkit.atomic import replacing

PERSONS = (1, 5, 8, 9, 11)
RECORDING = "S{}_Walking.54138969_"
STEP, STRIDE, SPAN = 5, 10, 70  # numbers between frames, between sequences, and from a sequence's begin to its end
SEQUENCE_FRAMES = 8
SIZE, FINER = 256, 2  # pixels; drawn at twice that, then averaged, so that edges are smooth
QUALITY = 75
README = """Simulated by svqkit.samples.human (seed {seed}): not Human3.6M, and no picture of any person.

Drawn figures walk in circles. The files are named and laid out as OpenSTL reads Human3.6M: images/, train.txt,
test.txt. To use the real data, replace all of them.
"""


@dataclass(frozen=True)
class Walker:
    """A person, and how it walks; lengths are shares of the picture, times are frames, colours red, green, blue."""

    height: float  # of the person, in the middle of the room
    lap: float  # frames that a circle takes; negative the other way round
    phase: float  # where on the circle the person starts, in radians
    strides: float  # double steps in a lap
    skin: tuple[int, int, int]
    shirt: tuple[int, int, int]
    trousers: tuple[int, int, int]


def write(root: Path, seed: int = 0, persons: Sequence[int] = PERSONS, frames: int = 48) -> list[Path]:
    """Write ``frames`` frames of each of ``persons``, the two lists and a README.txt below ``root``; gives back all."""
    root = Path(root)
    room = _room(np.random.default_rng(seed))
    paths, lists = [], {"train.txt": "", "test.txt": ""}
    for turn, person in enumerate(persons):
        walker = _walker(np.random.default_rng([seed, person]), sense=1 if turn % 2 else -1)
        for frame in range(frames):
            path = root / "images" / f"{RECORDING.format(person)}{1 + STEP * frame:06d}.jpg"
            with replacing(path) as draft:
                _draw(room, walker, frame).save(draft, format="JPEG", quality=QUALITY, optimize=True)
            paths.append(path)
        last_begin = 1 + STEP * (frames - SEQUENCE_FRAMES)
        for number, begin in enumerate(range(1, last_begin + 1, STRIDE)):
            name = "test.txt" if number % 3 == 1 else "train.txt"
            lists[name] += f"images/{RECORDING.format(person)},{begin},{begin + SPAN}\r\n"
    for name, text in {**lists, "README.txt": README.format(seed=seed)}.items():
        with replacing(root / name) as draft:
            draft.write_bytes(text.encode())
        paths.append(root / name)
    return paths


def _walker(rng: np.random.Generator, sense: int) -> Walker:
    def colour(low: int, high: int) -> tuple[int, int, int]:
        red, green, blue = rng.integers(low, high, 3).tolist()
        return red, green, blue

    tan = rng.uniform(0.6, 1.0)
    return Walker(
        height=rng.uniform(0.50, 0.58),
        lap=sense * rng.uniform(64, 84),
        phase=rng.uniform(0, 2 * np.pi),
        strides=rng.uniform(7, 8.5),
        skin=(int(225 * tan), int(180 * tan), int(150 * tan)),
        shirt=colour(60, 230),
        trousers=colour(20, 110),
    )


def _room(rng: np.random.Generator) -> np.ndarray:
    """Wall, floor, a door and a carpet, (height, width, 3) uint8 at the finer size."""
    side = SIZE * FINER
    horizon = int(0.45 * side)
    down = np.linspace(0, 1, side)[:, None, None]
    wall = np.array([150, 152, 148]) + 20 * down
    floor = np.array([128, 112, 96]) - 30 * (1 - down)
    room = np.where(np.arange(side)[:, None, None] < horizon, wall, floor) * np.ones((side, side, 1))
    left = int(rng.uniform(0.1, 0.7) * side)
    room[int(0.12 * side) : horizon, left : left + int(0.14 * side)] = (118, 100, 86)
    room = np.ascontiguousarray(room.round().astype(np.uint8))
    middle, axes = (side // 2, int(0.78 * side)), (int(0.42 * side), int(0.15 * side))
    cv2.ellipse(room, middle, axes, 0, 0, 360, (96, 104, 122), -1)
    return cv2.GaussianBlur(room, (0, 0), 2 * FINER)


def _draw(room: np.ndarray, walker: Walker, frame: int) -> Image.Image:
    """The room with the person in it."""
    angle = walker.phase + 2 * np.pi * frame / walker.lap
    near = 1 + 0.25 * np.sin(angle)
    height = walker.height * near
    # Seen from the side (±1) where the circle runs across the picture, from the front or the back (0) elsewhere.
    side = -np.sin(angle) * np.sign(walker.lap)
    feet = np.array([0.5 + 0.28 * np.cos(angle), 0.76 + 0.11 * np.sin(angle)])
    swing = 2 * np.pi * walker.strides * frame / abs(walker.lap)
    canvas = room.copy()
    hips = feet - np.array([0, 0.48 * height])
    shoulders = feet - height * np.array([-0.02 * side, 0.80])
    width = 0.055 * height * np.array([np.sqrt(1 - 0.6 * side**2), 0])  # half the shoulders, less from the side
    shade = tuple(int(0.75 * value) for value in walker.shirt)
    for half, near_side in ((np.pi, False), (0.0, True)):  # the far arm and leg first
        outwards = width if near_side else -width
        _leg(canvas, hips + 0.7 * outwards, height, side, swing + half, walker.trousers, near_side)
        if not near_side:
            _arm(canvas, shoulders + 1.2 * outwards, height, side, swing, shade)
    _limb(canvas, shoulders + np.array([0, 0.04 * height]), hips, 0.15 * height, walker.shirt)
    _arm(canvas, shoulders + 1.2 * width, height, side, swing + np.pi, walker.shirt)
    head = shoulders - height * np.array([-0.02 * side, 0.115])
    _limb(canvas, head, head + np.array([0, 0.035 * height]), 0.105 * height, walker.skin)
    return Image.fromarray(cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA))


def _leg(
    canvas: np.ndarray,
    hip: np.ndarray,
    height: float,
    side: float,
    swing: float,
    colour: tuple[int, int, int],
    near_side: bool,
) -> None:
    thigh = 0.5 * np.sin(swing)
    shin = thigh - 0.45 * (1 + np.cos(swing)) / 2 - 0.1
    knee = hip + 0.24 * height * np.array([side * np.sin(thigh), np.cos(thigh)])
    foot = knee + 0.24 * height * np.array([side * np.sin(shin), np.cos(shin)])
    colour = colour if near_side else tuple(int(0.75 * value) for value in colour)
    _limb(canvas, hip, knee, 0.085 * height, colour)
    _limb(canvas, knee, foot, 0.065 * height, colour)
    _limb(canvas, foot, foot + height * np.array([0.05 * side, 0.005]), 0.05 * height, (40, 36, 34))


def _arm(
    canvas: np.ndarray, shoulder: np.ndarray, height: float, side: float, swing: float, colour: tuple[int, ...]
) -> None:
    upper = 0.45 * np.sin(swing)
    lower = upper + 0.35
    elbow = shoulder + 0.17 * height * np.array([side * np.sin(upper), np.cos(upper)])
    hand = elbow + 0.16 * height * np.array([side * np.sin(lower), np.cos(lower)])
    _limb(canvas, shoulder, elbow, 0.055 * height, colour)
    _limb(canvas, elbow, hand, 0.045 * height, colour)


def _limb(canvas: np.ndarray, start: np.ndarray, end: np.ndarray, thickness: float, colour: tuple[int, ...]) -> None:
    """A line with round ends; places and thickness in shares of the picture, to a sixteenth of a pixel."""
    side = canvas.shape[0]
    points = [tuple(round(16 * side * float(value)) for value in point) for point in (start, end)]
    cv2.line(canvas, *points, colour, max(1, round(thickness * side)), cv2.LINE_AA, shift=4)
