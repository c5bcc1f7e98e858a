"""A small simulated stand-in for KTH actions: drawn people who act in front of a smooth background, not recordings.

The files are named and laid out as the published ones: ``person01_boxing_d1_uncomp.avi`` of 160 × 120 grey pixels,
25 frames a second, MPEG-4 in AVI, and ``00sequences.txt`` that says in which frames somebody acts. Of every person
there is the first scene only.

A person is a head and limbs of two bones each. Every person has a size, a shade and a pace of their own, the same
in all six actions; every recording has a background and a phase of its own. Hands box, clap and wave in place; who
walks crosses the picture once; who jogs or runs crosses it, leaves it empty for a moment, and comes back. To
forecast this, a model must have learnt how limbs swing and bodies move on, since nothing stays where it was.

The same seed gives the same bytes, as long as the versions of NumPy and OpenCV stay the same.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.settings.data import KTH_ACTIONS

PERSONS = (1, 2, 3, 15, 16, 17, 25)  # of the default split: three to train, two to validate, two to test
HEIGHT, WIDTH, RATE = 120, 160, 25
# Frames in which somebody acts, from the first and counted from 1; between two runs the picture is empty.
RUNS = {
    "boxing": ((1, 36), (37, 72)),
    "handclapping": ((1, 40), (41, 72)),
    "handwaving": ((1, 32), (33, 72)),
    "walking": ((1, 72),),
    "jogging": ((1, 36), (45, 80)),
    "running": ((1, 32), (43, 74)),
}
# Frames per period of the limbs; of a gait, of both legs.
PERIODS = {"boxing": 16, "handclapping": 12, "handwaving": 30, "walking": 26, "jogging": 17, "running": 14}
NOISE = 0.8  # of the camera, in grey levels
SOFT = 0.8  # blur of the lens, in pixels
FINER = 4  # drawn this much finer than shown, so that motion is smooth

README = """\
Simulated data, made by svqkit (python module svqkit.samples.kth) to try the kit on: drawn figures, no recordings of
people. The files are named and formatted like those of the KTH action database (Schuldt et al. 2004;
Schuldt, Laptev and Caputo, "Recognizing human actions: a local SVM approach", ICPR 2004). Scores on them say nothing
about that database. To use the real videos put them, and their 00sequences.txt, in the place of these.
"""
HEADING = """\

Simulated data in the format of the KTH action database, made by svqkit; see README.txt.
Each line has the frames, counted from 1, in which somebody acts.

"""

Point = tuple[float, float]
Limb = tuple[Point, ...]


@dataclass(frozen=True)
class Person:
    """Height in pixels, grey levels of clothes and skin, and how many times as fast as the usual the limbs swing."""

    height: float
    clothes: int
    skin: int
    pace: float


def write(
    root: Path, seed: int = 0, persons: Sequence[int] = PERSONS, actions: Sequence[str] = KTH_ACTIONS
) -> list[Path]:
    """Write the videos of ``persons`` and ``actions``, 00sequences.txt and README.txt into ``root``."""
    written = []
    for number in persons:
        person = _person(np.random.default_rng([seed, number]))
        for action in actions:
            rng = np.random.default_rng([seed, number, KTH_ACTIONS.index(action)])
            path = root / f"person{number:02}_{action}_d1_uncomp.avi"
            _write(path, _encoded(_film(person, action, rng)))
            written.append(path)
    lines = ["".join(_line(number, action) for action in sorted(actions)) for number in persons]
    listing, readme = root / "00sequences.txt", root / "README.txt"
    _write(listing, (HEADING + "\n".join(lines)).replace("\n", "\r\n").encode())  # the published one has CRLF too
    _write(readme, README.encode())
    return [*written, listing, readme]


def _person(rng: np.random.Generator) -> Person:
    return Person(rng.uniform(68, 84), int(rng.integers(25, 70)), int(rng.integers(75, 105)), rng.uniform(0.85, 1.2))


def _film(person: Person, action: str, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The frames of one recording, (H, W) uint8."""
    ground = _background(rng)
    large = cv2.resize(ground, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_LINEAR)
    phase = rng.uniform(0, 2 * np.pi)
    turn = 2 * np.pi * person.pace / PERIODS[action]
    runs = RUNS[action]
    for frame in range(1, runs[-1][1] + 1):
        inside = [(way, run) for way, run in enumerate(runs) if run[0] <= frame <= run[1]]
        canvas = large.copy()
        if inside:
            limbs, head = POSES[action](phase + turn * frame)
            x, forwards = _place(action, frame, *inside[0])
            _draw(canvas, person, limbs, head, x, forwards)
        shown = cv2.GaussianBlur(cv2.resize(canvas, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), (0, 0), SOFT)
        noisy = shown + rng.normal(0, NOISE, shown.shape)
        yield np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _background(rng: np.random.Generator) -> np.ndarray:
    """Sky above grass, both in soft patches, (H, W) float32."""
    rows = np.linspace(0, 1, HEIGHT)[:, None]
    grass = 1 / (1 + np.exp(-(rows - rng.uniform(0.5, 0.62)) * 25))
    level = rng.uniform(165, 190) - rng.uniform(15, 40) * grass
    patches = cv2.GaussianBlur(rng.normal(size=(HEIGHT, WIDTH)), (0, 0), 9)
    return (level + 7 * patches / patches.std()).astype(np.float32)


def _place(action: str, frame: int, way: int, run: tuple[int, int]) -> tuple[float, int]:
    """Where in the picture's width a person's hips are, and which way they face (1: to the right)."""
    if action not in ("walking", "jogging", "running"):
        return WIDTH / 2, 1
    share = (frame - run[0]) / (run[1] - run[0])
    margin = 6  # a foot is in the picture in the first frame already
    x = -margin + (WIDTH + 2 * margin) * share
    return (x, 1) if way % 2 == 0 else (WIDTH - x, -1)


# Poses: limbs as points (forwards, up) from the hips, in heights of the body, the far ones first; and the head.


def _box(angle: float) -> tuple[list[Limb], Point]:
    bounce = 0.01 * np.sin(2 * angle)
    neck = (0.04, 0.3 + bounce)
    legs = [((0, bounce), (-0.09, -0.24), (-0.12, -0.48)), ((0, bounce), (0.1, -0.23), (0.09, -0.48))]
    fists = [0.14 + 0.22 * max(0.0, np.sin(angle + shift)) ** 2 for shift in (np.pi, 0)]
    arms = [(neck, (neck[0] + fist / 2, 0.3 - 0.7 * (0.36 - fist)), (neck[0] + fist, 0.31)) for fist in fists]
    return [legs[0], arms[0], ((0, bounce), neck), legs[1], arms[1]], (0.06, 0.41 + bounce)


def _clap(angle: float) -> tuple[list[Limb], Point]:
    apart = 0.03 + 0.26 * (0.5 + 0.5 * np.cos(angle))
    arms = [((0.1 * s, 0.29), (s * (0.13 + 0.3 * apart), 0.17), (s * apart, 0.25)) for s in (-1, 1)]
    return _facing(arms)


def _wave(angle: float) -> tuple[list[Limb], Point]:
    lift = np.radians(90 + 75 * np.sin(angle))  # 15 degrees from hanging down to 15 from straight up
    out, up = np.sin(lift), -np.cos(lift)
    arms = [
        ((0.1 * s, 0.29), (s * (0.1 + 0.16 * out), 0.29 + 0.16 * up), (s * (0.1 + 0.32 * out), 0.29 + 0.32 * up))
        for s in (-1, 1)
    ]
    return _facing(arms)


def _facing(arms: list[Limb]) -> tuple[list[Limb], Point]:
    """Somebody who looks at the camera and moves the arms only."""
    legs = [((0.03 * s, 0), (0.06 * s, -0.24), (0.07 * s, -0.48)) for s in (-1, 1)]
    trunk = [((0.04 * s, 0), (0.05 * s, 0.27)) for s in (-1, 1)]
    return [*legs, *trunk, ((-0.1, 0.29), (0.1, 0.29)), *arms], (0, 0.41)


def _gait(stride: float, bend: float, elbow: float, lean: float) -> Callable[[float], tuple[list[Limb], Point]]:
    """A way to go: how far thighs swing, knees and elbows bend, and the trunk leans forwards, in radians."""

    def pose(angle: float) -> tuple[list[Limb], Point]:
        bounce = 0.02 * np.cos(2 * angle) * stride
        neck = (0.3 * np.sin(lean), 0.3 * np.cos(lean) + bounce)
        limbs = []
        for shift in (np.pi, 0):
            thigh = stride * np.sin(angle + shift)
            knee = bend * (0.5 + 0.5 * np.cos(angle + shift)) ** 2
            arm = -stride * np.sin(angle + shift)
            limbs.append(_bones((0, bounce), 0.24, thigh, 0.24, thigh - knee))
            limbs.append(_bones(neck, 0.16, arm, 0.15, arm + elbow))
        head = (0.42 * np.sin(lean), 0.42 * np.cos(lean) + bounce)
        return [*limbs[:2], ((0, bounce), neck), *limbs[2:]], head

    return pose


def _bones(start: Point, first: float, angle: float, second: float, bent: float) -> Limb:
    """Two bones from ``start``, of the given lengths and angles; 0 hangs down, positive is forwards."""
    joint = (start[0] + first * np.sin(angle), start[1] - first * np.cos(angle))
    return start, joint, (joint[0] + second * np.sin(bent), joint[1] - second * np.cos(bent))


POSES: dict[str, Callable[[float], tuple[list[Limb], Point]]] = {
    "boxing": _box,
    "handclapping": _clap,
    "handwaving": _wave,
    "walking": _gait(0.45, 0.5, 0.25, 0.03),
    "jogging": _gait(0.6, 1.2, 1.3, 0.12),
    "running": _gait(0.85, 1.6, 1.5, 0.22),
}


def _draw(canvas: np.ndarray, person: Person, limbs: list[Limb], head: Point, x: float, forwards: int) -> None:
    """Draw a person with the hips at ``x`` pixels, the feet near the picture's lower edge."""
    hips = HEIGHT - 12 - 0.48 * person.height

    def pixel(point: Point) -> tuple[int, int]:
        across, down = x + forwards * point[0] * person.height, hips - point[1] * person.height
        return round(across * FINER), round(down * FINER)

    for far, limb in enumerate(limbs):
        shade = person.clothes + (14 if far < 2 else 0)  # what is behind is a little paler
        width = round((0.11 if len(limb) == 2 else 0.07) * person.height * FINER)
        for start, stop in pairwise(limb):
            cv2.line(canvas, pixel(start), pixel(stop), shade, width, cv2.LINE_AA)
        if len(limb) == 3:
            cv2.circle(canvas, pixel(limb[-1]), round(0.035 * person.height * FINER), person.skin, -1, cv2.LINE_AA)
    cv2.circle(canvas, pixel(head), round(0.075 * person.height * FINER), person.skin, -1, cv2.LINE_AA)


def _encoded(frames: Iterator[np.ndarray]) -> bytes:
    """An AVI file with these grey frames."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.avi"  # OpenCV takes the container from the name
        writer = cv2.VideoWriter(
            str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"DIVX"), RATE, (WIDTH, HEIGHT), isColor=False
        )
        if not writer.isOpened():
            raise SvqkitError("This OpenCV can't write MPEG-4 in AVI. Install opencv-python-headless from PyPI.")
        for frame in frames:
            writer.write(frame)
        writer.release()
        return path.read_bytes()


def _line(number: int, action: str) -> str:
    """A recording's line of 00sequences.txt, its columns at tab stops."""
    name = f"person{number:02}_{action}_d1"
    tabs = "\t" * -(-(32 - len(name)) // 8)
    return f"{name}{tabs}frames\t{', '.join(f'{start}-{stop}' for start, stop in RUNS[action])}\n"


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as draft:
        draft.write_bytes(content)
