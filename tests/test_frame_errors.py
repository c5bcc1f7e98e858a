"""Scores of frames over windows: by hand, in pieces, and left out."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from svqkit.evaluation.image_metrics import WITHOUT_ALEXNET, Lpips
from svqkit.evaluation.metrics import VALUES_AT_ONCE
from svqkit.evaluation.scoring import ImageScores

SHAPE = (5, 3, 2, 12, 10)  # windows, leads, channels, height, width


class FirstPixel(Lpips):
    """In LPIPS' place: the difference of the first pixel, and a record of what came."""

    def __init__(self) -> None:
        self.trunk = Path("alexnet.pth")
        self.seen: list[Tensor] = []

    def __call__(self, prediction: Tensor, truth: Tensor) -> Tensor:
        self.seen.append(prediction)
        return (prediction - truth)[:, 0, 0, 0].abs().float()


def draw_pair(shape: tuple[int, ...] = SHAPE) -> tuple[Tensor, Tensor]:
    """Truth in [0, 1], and forecasts that leave it here and there."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(shape, generator=generator)
    return truth + 0.3 * torch.randn(shape, generator=generator), truth


def scores_for(frame: tuple[int, ...], lpips: Lpips | None = None) -> ImageScores:
    return ImageScores(SimpleNamespace(frame_shape=frame), lpips)


def errors_of(prediction: Tensor, truth: Tensor, cuts: tuple[int, ...] = ()) -> ImageScores:
    errors = scores_for(truth.shape[2:])
    for a, b in pairwise([0, *cuts, len(truth)]):
        errors.add(prediction[a:b], truth[a:b])
    return errors


def test_scores_worked_out_by_hand() -> None:
    """Flat frames of 2 × 7 × 8 = 112 values: errors 0.5 and 0.1 at lead 1, 2 (0.5 when clipped) twice at lead 2."""
    truth = torch.full((2, 2, 2, 7, 8), 0.5, dtype=torch.float64)
    error = torch.tensor([[0.5, 2.0], [0.1, 2.0]], dtype=torch.float64)
    errors = errors_of(truth + error[:, :, None, None, None], truth)
    c1 = 0.01**2

    def flat(p: float, c: float) -> float:
        return (2 * p * 0.5 + c) / (p**2 + 0.25 + c)

    clipped, near = -10 * np.log10(0.25), 20.0
    by_hand = {
        "mse": [112 * (0.25 + 0.01) / 2, 112 * 4],
        "mae": [112 * 0.3, 112 * 2],
        "rmse": [np.sqrt(0.13), 2],
        "ssim": [(flat(1, c1) + flat(0.6, c1)) / 2, flat(1, c1)],
        "ssim_published": [(flat(1, 4 * c1) + flat(0.6, 4 * c1)) / 2, flat(1, 4 * c1)],
        "psnr": [(clipped + near) / 2, clipped],
    }
    values = errors.values()
    assert list(values) == list(by_hand)
    for name, expected in by_hand.items():
        over_leads = np.sqrt((0.13 + 4) / 2) if name == "rmse" else np.mean(expected)
        np.testing.assert_allclose(values[name], [over_leads, *expected], rtol=1e-12)


def test_one_perfect_frame_makes_its_lead_time_s_psnr_infinite() -> None:
    prediction, truth = draw_pair()
    prediction[2, 1] = truth[2, 1]
    assert errors_of(prediction, truth).values()["psnr"].isinf().tolist() == [True, False, True, False]


def test_the_grids_are_of_the_forecasts_as_they_are() -> None:
    prediction, truth = draw_pair()
    grids = errors_of(prediction, truth).grids
    error = prediction.double() - truth.double()
    for name, field in {"bias": error, "mae": error.abs(), "mse": error.square()}.items():
        assert grids.mean(name).shape == SHAPE[1:]
        torch.testing.assert_close(grids.mean(name), field.mean(0), rtol=1e-10, atol=1e-12)
    assert grids.count == SHAPE[0]


@given(st.sets(st.integers(1, SHAPE[0] - 1)), st.integers(1, 2000))
def test_added_in_pieces_and_worked_on_in_parts_the_scores_are_the_same(cuts: set[int], values: int) -> None:
    prediction, truth = draw_pair()
    whole = errors_of(prediction, truth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(VALUES_AT_ONCE, "cpu", values)
        pieces = errors_of(prediction, truth, tuple(sorted(cuts)))
    for name, expected in whole.values().items():
        torch.testing.assert_close(pieces.values()[name], expected, rtol=1e-10, atol=1e-12)
    for name in ("bias", "mae", "mse"):
        torch.testing.assert_close(pieces.grids.mean(name), whole.grids.mean(name), rtol=1e-10, atol=1e-12)


def test_lpips_gets_clipped_frames_and_its_mean_is_per_lead_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VALUES_AT_ONCE, "cpu", 2 * 32 * 32)
    prediction, truth = draw_pair((2, 3, 1, 32, 32))
    perceptual = FirstPixel()
    errors = scores_for((1, 32, 32), perceptual)
    errors.add(prediction, truth)
    expected = (prediction.clamp(0, 1) - truth)[:, :, 0, 0, 0].abs().mean(0)
    np.testing.assert_allclose(errors.values()["lpips"], [expected.mean(), *expected], rtol=1e-6)
    assert errors.absent == {}
    assert [len(seen) for seen in perceptual.seen] == [2, 2, 2]
    assert torch.equal(torch.cat(perceptual.seen), prediction.flatten(0, 1).clamp(0, 1))


@pytest.mark.parametrize(
    ("frame", "with_lpips", "absent"),
    [
        ((3, 31, 40), True, {}),
        ((3, 31, 40), False, {"lpips": WITHOUT_ALEXNET}),
        ((2, 32, 32), True, {"lpips": "these have 2"}),
        ((1, 30, 40), True, {"lpips": "these are 30 × 40"}),
        ((2, 6, 9), False, {"ssim": "these are 6 × 9", "ssim_published": "7 × 7", "lpips": "these have 2"}),
    ],
)
def test_what_is_left_out_has_a_reason(frame: tuple[int, ...], with_lpips: bool, absent: dict[str, str]) -> None:
    errors = scores_for(frame, FirstPixel() if with_lpips else None)
    errors.add(*draw_pair((2, 2, *frame)))
    assert errors.absent.keys() == absent.keys()
    for name, part in absent.items():
        assert part in errors.absent[name]
    everything = {"mse", "mae", "rmse", "ssim", "ssim_published", "psnr", "lpips"}
    assert errors.values().keys() == everything - absent.keys()


def test_a_diverged_forecast_has_no_finite_score() -> None:
    prediction, truth = draw_pair()
    prediction[0, 2] = torch.nan
    for value in errors_of(prediction, truth).values().values():
        assert value.isnan().tolist() == [True, False, False, True]
