"""Augmentations: what each does to a window, how often, and the same for all of its frames."""

from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from svqkit.data.augment import augment
from svqkit.errors import SvqkitError


def windows(count: int, height: int = 6, width: int = 6) -> torch.Tensor:
    return torch.randn(count, 3, 2, height, width, generator=torch.Generator().manual_seed(0))


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_half_of_the_windows_are_mirrored_as_a_whole() -> None:
    frames = windows(400, 5, 8)
    assert torch.equal(augment(frames, (), 0.95, random()), frames), "without names nothing changes"
    flipped = augment(frames, ("flip",), 0.95, random())
    mirrored = torch.tensor([torch.equal(a, b.flip(-1)) for a, b in zip(flipped, frames, strict=True)])
    same = torch.tensor([torch.equal(a, b) for a, b in zip(flipped, frames, strict=True)])
    assert (mirrored ^ same).all()
    assert 160 < int(mirrored.sum()) < 240


def test_turns_have_the_shares_of_the_reference() -> None:
    frames = windows(6400)
    turned = augment(frames, ("rotate",), 0.95, random())
    ways = {
        "clockwise": frames.transpose(-1, -2).flip(-1),
        "counter": frames.transpose(-1, -2).flip(-2),
        "mirrored": frames.flip(-1),
        "same": frames,
    }
    counts = {name: int((turned == way).flatten(1).all(1).sum()) for name, way in ways.items()}
    assert sum(counts.values()) == 6400
    for name, share in {"clockwise": 48, "counter": 12, "mirrored": 3, "same": 1}.items():
        assert counts[name] == pytest.approx(6400 * share / 64, abs=4 * (6400 * share / 64) ** 0.5)


def test_a_crop_is_a_part_of_the_enlarged_window_at_one_place() -> None:
    frames = windows(5, 12, 20)
    cropped = augment(frames, ("crop",), 0.75, random())
    assert cropped.shape == frames.shape
    large = F.interpolate(frames.flatten(0, 1), scale_factor=1 / 0.75, mode="bilinear").unflatten(0, (5, 3))
    assert large.shape[-2:] == (16, 26)
    places = []
    for one, whole in zip(cropped, large, strict=True):
        corners = product(range(5), range(7))
        there = [(y, x) for y, x in corners if torch.equal(one, whole[..., y : y + 12, x : x + 20])]
        assert len(there) == 1
        places += there
    assert len(set(places)) > 1, "each window has its own place"


def test_what_is_not_square_is_not_turned() -> None:
    with pytest.raises(SvqkitError, match=r"rotate needs square frames, got \(6, 8\)"):
        augment(windows(2, 6, 8), ("rotate",), 0.9, random())
