"""SSIM and PSNR: by hand, by what must hold, and against scikit-image."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from svqkit.errors import SvqkitError
from svqkit.evaluation.image_metrics import psnr, ssim, ssim_by_range, ssim_reason

seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(7, 12), st.integers(7, 12))


def draw_pair(seed: int, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames in [0, 1] and a noisy copy of them, float32."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.rand(shape, generator=generator)
    noise = torch.randn(shape, generator=generator)
    return (truth + 0.2 * noise).clamp(0, 1), truth


def by_scikit_image(prediction: torch.Tensor, truth: torch.Tensor, data_range: float) -> list[float]:
    """Its score of every frame, in float64."""
    p, t = prediction.double().numpy(), truth.double().numpy()
    return [structural_similarity(a, b, channel_axis=0, data_range=data_range) for a, b in zip(p, t, strict=True)]


@pytest.mark.parametrize("data_range", [1.0, 2.0])
def test_ssim_of_two_flat_frames_worked_out_by_hand(data_range: float) -> None:
    """Without variance only the means are left: (2ab + c₁) / (a² + b² + c₁)."""
    a, b, c1 = 0.25, 0.75, (0.01 * data_range) ** 2
    flat = torch.ones(1, 2, 9, 8)
    expected = (2 * a * b + c1) / (a**2 + b**2 + c1)
    np.testing.assert_allclose(ssim(a * flat, b * flat, data_range), [expected], rtol=1e-12)


def test_ssim_of_one_window_and_its_negative_worked_out_by_hand() -> None:
    """25 of 49 pixels are 1, in the negative the other 24: the variances are equal, the covariance is less one."""
    frame = (torch.arange(49) % 2 == 0).float().reshape(1, 1, 7, 7)
    p, t = 24 / 49, 25 / 49
    variance = 49 / 48 * p * t
    c1, c2 = 0.01**2, 0.03**2
    expected = (2 * p * t + c1) * (c2 - 2 * variance) / ((p**2 + t**2 + c1) * (2 * variance + c2))
    np.testing.assert_allclose(ssim(1 - frame, frame), [expected], rtol=1e-12)


def test_psnr_is_of_each_frame_over_its_channels_and_pixels() -> None:
    truth = torch.zeros(3, 1, 2, 2)
    prediction = truth.clone()
    prediction[0, 0, 0, 0], prediction[1] = 0.2, 0.5
    np.testing.assert_allclose(psnr(prediction, truth), [20, -10 * np.log10(0.25), np.inf], rtol=1e-6)


@given(seeds, sizes)
def test_ssim_of_a_frame_with_itself_is_one(seed: int, shape: tuple[int, ...]) -> None:
    frames, _ = draw_pair(seed, shape)
    assert torch.equal(ssim(frames, frames), torch.ones(shape[0], dtype=torch.float64))


@pytest.mark.parametrize("data_range", [1.0, 2.0])
@pytest.mark.parametrize("shape", [(3, 1, 64, 64), (2, 3, 40, 56), (2, 2, 32, 32), (2, 1, 7, 30)])
def test_ssim_is_scikit_image_s(shape: tuple[int, ...], data_range: float) -> None:
    pair = draw_pair(0, shape)
    np.testing.assert_allclose(ssim(*pair, data_range), by_scikit_image(*pair, data_range), rtol=0, atol=1e-12)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("noise", [1e-5, 1e-3])
def test_ssim_is_scikit_image_s_on_nearly_flat_frames(level: float, noise: float) -> None:
    pair = [(level + noise * (x - 0.5)).float() for x in draw_pair(1, (2, 2, 20, 24))]
    np.testing.assert_allclose(ssim(*pair), by_scikit_image(*pair, 1.0), rtol=0, atol=1e-10)


def test_psnr_is_scikit_image_s() -> None:
    prediction, truth = draw_pair(3, (4, 3, 20, 24))
    expected = [
        peak_signal_noise_ratio(t.double().numpy(), p.double().numpy(), data_range=1)
        for p, t in zip(prediction, truth, strict=True)
    ]
    np.testing.assert_allclose(psnr(prediction, truth), expected, rtol=1e-12)


def test_several_ranges_at_once_are_each_by_itself() -> None:
    pair = draw_pair(4, (2, 2, 16, 16))
    for data_range, scores in zip([1.0, 2.0, 255.0], ssim_by_range(*pair, [1.0, 2.0, 255.0]), strict=True):
        assert torch.equal(scores, ssim(*pair, data_range))


def test_ssim_can_be_a_loss_and_leaves_its_frames_alone() -> None:
    p, t = (frames.double().requires_grad_() for frames in draw_pair(0, (2, 1, 9, 8)))
    before = p.detach().clone(), t.detach().clone()
    assert torch.autograd.gradcheck(lambda *pair: torch.stack(ssim_by_range(*pair, [1.0, 2.0])), (p, t))
    assert torch.equal(p, before[0])
    assert torch.equal(t, before[1])


def test_a_forecast_that_is_not_a_number_has_no_score() -> None:
    prediction, truth = draw_pair(5, (2, 1, 9, 9))
    prediction[0, 0, 4, 4] = torch.nan
    for score in (ssim(prediction, truth), psnr(prediction, truth)):
        assert score.isnan().tolist() == [True, False]


def test_frames_smaller_than_a_window_are_refused() -> None:
    assert ssim_reason(7, 7) is None
    assert "these are 6 × 9" in str(ssim_reason(6, 9))
    for shape in [(1, 1, 6, 9), (1, 1, 9, 6)]:
        with pytest.raises(SvqkitError, match="7 × 7 pixels or more"):
            ssim(torch.zeros(shape), torch.zeros(shape))
    assert psnr(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1)).item() == 0


@pytest.mark.parametrize("score", [ssim, psnr])
def test_what_is_not_two_batches_of_frames_is_refused(score: Callable[..., torch.Tensor]) -> None:
    frames = torch.zeros(2, 1, 8, 8)
    with pytest.raises(SvqkitError, match=r"got \(2, 1, 8, 8\) and \(1, 1, 8, 8\)"):
        score(frames, frames[:1])
    with pytest.raises(SvqkitError, match=r"\(N, C, H, W\)"):
        score(frames[0], frames[0])
    with pytest.raises(SvqkitError, match="divide 8-bit"):
        score(frames.byte(), frames)


@pytest.mark.parametrize("data_range", [0.0, -1.0, float("nan")])
def test_a_range_that_is_not_positive_is_refused(data_range: float) -> None:
    frames = torch.zeros(1, 1, 8, 8)
    with pytest.raises(SvqkitError, match="positive number"):
        ssim(frames, frames, data_range)
