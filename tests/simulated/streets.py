"""A simulated street seen from a car that drives along it: what a camera like KITTI's or Caltech's would see.

A pinhole camera 1.5 m above a straight road. Houses stand in two planes along it, trees and other cars are flat
pictures that face the camera. Everything grows from the vanishing point as the car comes nearer, so motion can be
learnt; haze hides what is too far to be drawn well. Lengths in metres, times in seconds, colours RGB from 0 to 255.
"""

from dataclasses import dataclass

import numpy as np

EYE = 1.5
WALLS = 9.0
HORIZON = 0.45
LENS = 0.95
HAZE = np.array([196, 206, 216], np.float32)
SKY = np.array([120, 165, 225], np.float32)
NEAREST, FARTHEST, VISIBILITY = 1.5, 110.0, 45.0
ROAD, PAVEMENT = 3.5, 5.2


@dataclass(frozen=True)
class Thing:
    """Something beside or on the road: ``along`` at time 0, moving along at ``speed``, ``across`` from its middle."""

    kind: str
    along: float
    across: float
    speed: float
    size: float
    colour: np.ndarray


class Street:
    """One street with its traffic; ``rng`` decides what it looks like, ``speed`` (m/s) is that of the camera's car."""

    def __init__(self, rng: np.random.Generator, speed: float) -> None:
        self.speed = speed
        self.phase = rng.uniform(0, 2 * np.pi)
        self.ends = [np.cumsum(rng.uniform(5, 15, 60)) - 20 for _ in "lr"]
        self.heights = [np.where(rng.random(61) < 0.75, rng.uniform(5, 12, 61), 0).astype(np.float32) for _ in "lr"]
        self.paints = [rng.uniform((120, 90, 70), (215, 185, 160), (61, 3)).astype(np.float32) for _ in "lr"]
        self.grass = rng.uniform((70, 110, 50), (100, 140, 75)).astype(np.float32)
        self.things = [_tree(rng, along, side) for side in (-1, 1) for along in np.arange(4, 200, 14)]
        self.things += [_car(rng, along, -1.75, -rng.uniform(6, 9)) for along in np.arange(25, 200, 40)]
        self.things.append(_car(rng, rng.uniform(11, 15), 1.75, speed + rng.uniform(-0.6, 0.6)))

    def frame(self, time: float, height: int, width: int) -> np.ndarray:
        """What the camera sees at ``time``: (height, width, 3) float32."""
        view = _View(self, time, height, width)
        picture = view.ground_and_walls()
        there = [(thing, thing.along + thing.speed * time - view.along) for thing in self.things]
        for thing, distance in sorted(there, key=lambda pair: -pair[1]):
            if NEAREST < distance < FARTHEST:
                view.draw(picture, thing, distance)
        return picture


class _View:
    """The camera at one moment: where each pixel looks."""

    def __init__(self, street: Street, time: float, height: int, width: int) -> None:
        self.street = street
        self.along = street.speed * time
        self.across = 1.6 + 0.25 * np.sin(0.9 * time + street.phase)
        self.focal = LENS * height
        self.right = np.arange(width, dtype=np.float32) + 0.5 - width / 2
        self.down = np.arange(height, dtype=np.float32) + 0.5 - HORIZON * height

    def ground_and_walls(self) -> np.ndarray:
        """Sky, road, grass and houses."""
        down, right = self.down[:, None], self.right[None]
        depth = EYE * self.focal / np.maximum(down, 1e-3)
        across = right * depth / self.focal + self.across
        low = np.clip(1 + 2.2 * down / len(down), 0, 1)[..., None]
        picture = np.broadcast_to(SKY + (HAZE - SKY) * low, (*across.shape, 3)).astype(np.float32)
        rows = (down > 0)[:, 0]
        picture[rows] = _hazed(self._ground(depth[rows], across[rows]), depth[rows, :, None])
        for side, sign in enumerate((-1, 1)):
            columns = np.flatnonzero(sign * self.right > 0)
            away = sign * (sign * WALLS - self.across) * self.focal / np.abs(self.right[columns])
            self._walls(picture, side, columns, away.astype(np.float32))
        return picture

    def _ground(self, depth: np.ndarray, across: np.ndarray) -> np.ndarray:
        """Colours of the ground, on an axis of their own behind (height, width)."""
        along = depth + self.along
        faint = np.exp(-depth / 18)  # patterns fade before they get finer than the pixels
        slabs = 1 + 0.06 * faint * _wave(along, 2.4)
        mown = 1 + 0.12 * faint * _wave(along, 7)
        tar = 1 + 0.05 * faint * _wave(along, 9)
        line = 110 * np.exp(-depth / 30)
        dash = line * _band(np.abs(across), 0.09, depth) * np.clip(0.5 + 2 * _wave(along, 6), 0, 1)
        edge = line * _band(np.abs(np.abs(across) - 3.2), 0.08, depth)
        on_road = _step(ROAD - np.abs(across), depth)[..., None]
        on_pavement = _step(PAVEMENT - np.abs(across), depth)[..., None]
        road = (98 * tar + dash + edge)[..., None] * np.ones(3, np.float32)
        pavement = 152 * slabs[..., None] * np.array([1, 0.98, 0.94], np.float32)
        grass = mown[..., None] * self.street.grass
        return road * on_road + (1 - on_road) * (pavement * on_pavement + (1 - on_pavement) * grass)

    def _walls(self, picture: np.ndarray, side: int, columns: np.ndarray, away: np.ndarray) -> None:
        """The houses of one side; ``away`` is how far each of the ``columns`` sees along the street."""
        street, along = self.street, away + self.along
        house = np.searchsorted(street.ends[side], along).clip(0, 60)
        up = EYE - self.down[:, None] * away / self.focal
        top = street.heights[side][house]
        pixel = away / self.focal
        wall = np.clip((top - up) / pixel + 0.5, 0, 1) * np.clip(up / pixel + 0.5, 0, 1)
        wall *= (top > 0) & (away < FARTHEST)
        begins = np.concatenate([[0.0], street.ends[side]])[house]
        faint = np.exp(-away / 20)
        windows = np.clip(3 * _wave(along - begins, 3) - 0.6, 0, 1) * np.clip(3 * _wave(up - 0.3, 3) - 0.6, 0, 1)
        paint = street.paints[side][house] * (1 - 0.55 * faint * windows)[..., None]
        paint = _hazed(paint, away[:, None])
        area = picture[:, columns]
        picture[:, columns] = area + wall[..., None] * (paint - area)

    def draw(self, picture: np.ndarray, thing: Thing, distance: float) -> None:
        """A tree or a car, drawn over what is behind it."""
        scale = self.focal / distance
        shapes = _TREE if thing.kind == "tree" else _CAR
        for round_, left, right, low, high, shade in shapes:
            middle = (thing.across - self.across + thing.size * (left + right) / 2) * scale
            centre = (EYE - thing.size * (low + high) / 2) * scale
            half = np.array([high - low, right - left]) * thing.size * scale / 2
            rows = _span(self.down, centre, half[0])
            columns = _span(self.right, middle, half[1])
            v, u = np.abs(self.down[rows, None] - centre), np.abs(self.right[None, columns] - middle)
            if v.size == 0 or u.size == 0:
                continue
            if round_:
                cover = np.clip((1 - np.hypot(v / half[0], u / half[1])) * half.min() + 0.5, 0, 1)
            else:
                cover = np.clip(half[0] - v + 0.5, 0, 1) * np.clip(half[1] - u + 0.5, 0, 1)
            colour = thing.colour * shade if np.isscalar(shade) else np.array(shade, np.float32)
            area = picture[rows, columns]
            picture[rows, columns] = area + cover[..., None] * (_hazed(colour, np.float32(distance)) - area)


# Parts of a thing of size 1: round or not, from left to right, from low to high, and a shade of its colour or a colour.
_TREE = ((False, -0.05, 0.05, 0, 0.5, (96, 74, 56)), (True, -0.35, 0.35, 0.35, 1.1, 1.0))
_CAR = (
    (True, -0.62, 0.62, -0.06, 0.08, (62, 62, 64)),
    (False, -0.5, 0.5, 0.15, 0.52, 1.0),
    (False, -0.4, 0.4, 0.52, 0.84, 0.8),
    (False, -0.33, 0.33, 0.55, 0.79, (70, 84, 96)),
    (False, -0.46, -0.32, 0, 0.2, (40, 40, 42)),
    (False, 0.32, 0.46, 0, 0.2, (40, 40, 42)),
    (False, -0.48, -0.34, 0.34, 0.44, (205, 60, 50)),
    (False, 0.34, 0.48, 0.34, 0.44, (205, 60, 50)),
)


def _tree(rng: np.random.Generator, along: float, side: int) -> Thing:
    green = rng.uniform((40, 85, 35), (85, 125, 60)).astype(np.float32)
    return Thing("tree", along + rng.uniform(-2, 2), side * 6.4, 0.0, rng.uniform(4, 6.5), green)


def _car(rng: np.random.Generator, along: float, across: float, speed: float) -> Thing:
    paints = ((190, 40, 40), (45, 75, 150), (225, 225, 220), (70, 72, 78), (200, 160, 60))
    return Thing("car", along, across, speed, 1.75, np.array(paints[rng.integers(len(paints))], np.float32))


def _hazed(colour: np.ndarray, distance: np.ndarray) -> np.ndarray:
    return HAZE + (colour - HAZE) * np.exp(-distance / VISIBILITY)


def _wave(place: np.ndarray, length: float) -> np.ndarray:
    return np.sin(2 * np.pi / length * place)


def _step(inside: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """1 where ``inside`` (metres) is positive, 0 elsewhere, with an edge as wide as a pixel is at that depth."""
    return np.clip(inside / (depth / 100) + 0.5, 0, 1)


def _band(off: np.ndarray, half: float, depth: np.ndarray) -> np.ndarray:
    """A line of 2 × ``half`` metres around ``off`` = 0; farther away wider and fainter, as pixels blur it."""
    blur = np.maximum(half, depth / 100)
    return half / blur * np.clip((blur - off) / (depth / 100) + 0.5, 0, 1)


def _span(places: np.ndarray, middle: float, half: float) -> slice:
    return slice(*np.searchsorted(places, [middle - half - 1, middle + half + 1]))
