"""Video and traffic from raw files to scores.csv: equal to numpy's, scikit-image's and the lpips package's."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from accelerate import Accelerator
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor, nn
from untrained import a_run

from svqkit import models
from svqkit.data import prepare, windows
from svqkit.data.store import Store
from svqkit.data.windows import Normaliser, Windows, batches
from svqkit.evaluation import evaluate, read_errors, read_forecasts, read_notes, read_scores, read_usage
from svqkit.evaluation.forecasters import BASELINES, of_model
from svqkit.evaluation.image_metrics import WITHOUT_ALEXNET
from svqkit.evaluation.testset import COLUMNS, TestSet, sample_forecast
from svqkit.models import Forecast
from svqkit.settings.data import ArrayData, ClipsData, Shares, TaxiBJData
from svqkit.settings.params import Data, Experiment, Model, Training
from svqkit.settings.quantizers import NoQuantizer, Quantizer, SVQSettings
from svqkit.training import loop
from svqkit.training.runs import Run

CLIPS, FRAMES, TEST_CLIPS = 10, 12, 2
MAXIMUM = 1292.0


def film(channels: int, height: int, width: int) -> np.ndarray:
    """Clips (clip, frame, C, H, W) of bytes: waves that wander, with black, white and noise in them."""
    random = np.random.default_rng(channels)
    frame, y, x = np.ogrid[:FRAMES, :height, :width]
    phases = random.uniform(0, 6, (CLIPS, 1, channels, 1, 1))
    waves = 130 + 150 * np.sin(0.3 * x[:, None] + 0.2 * y[:, None] - 0.4 * frame[:, None] + phases)
    noisy = waves + random.normal(0, 4, (CLIPS, FRAMES, channels, height, width))
    return noisy.round().clip(0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Video:
    """Raw clips, the settings that fit them, the store that is made of them."""

    raw: np.ndarray
    data: Data
    store: Store

    def test_windows(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and targets (N, T, C, H, W) of the test clips' windows, in [0, 1], cut from the raw clips."""
        inputs, length = self.data.frames_in, self.data.frames_in + self.data.frames_out
        cut = [clip[start : start + length] for clip in self.raw[-TEST_CLIPS:] for start in range(FRAMES - length + 1)]
        frames = np.stack(cut).astype(np.float64) / 255
        return frames[:, :inputs], frames[:, inputs:]


def video(folder: Path, raw: np.ndarray, frames_in: int, frames_out: int) -> Video:
    np.save(folder / "clips.npy", raw)
    data = ArrayData(root=str(folder / "clips.npy"), frames_in=frames_in, frames_out=frames_out)
    return Video(raw, data, prepare(data, folder / "store.zarr"))


@pytest.fixture(scope="module")
def grey(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Three frames in, seven out: the third pass is cut to one frame."""
    return video(tmp_path_factory.mktemp("grey"), film(1, 32, 40), 3, 7)


@pytest.fixture(scope="module")
def rgb(tmp_path_factory: pytest.TempPathFactory) -> Video:
    """Three frames in, two out: the only pass is cut."""
    return video(tmp_path_factory.mktemp("rgb"), film(3, 35, 32), 3, 2)


@dataclass(frozen=True)
class Traffic:
    """The arrays of a dataset.npz, the settings that fit it, the store that is made of it."""

    raw: dict[str, np.ndarray]
    data: TaxiBJData
    store: Store


@pytest.fixture(scope="module")
def taxis(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    """Samples of 4 + 4 frames, of which 3 go in."""
    folder, random = tmp_path_factory.mktemp("taxis"), np.random.default_rng(0)
    counts = {"X_train": 12, "Y_train": 12, "X_test": 5, "Y_test": 5}
    raw = {key: random.uniform(-1, 1, (count, 4, 2, 8, 9)).astype(np.float32) for key, count in counts.items()}
    np.savez(folder / "dataset.npz", **raw)
    data = TaxiBJData(root=str(folder), frames_in=3, validation_share=0.25, maximum=MAXIMUM)
    return Traffic(raw, data, prepare(data, folder / "store.zarr"))


def experiment(data: Data, quantizer: Quantizer | None = None) -> Experiment:
    sizes = Model(hid_S=4, hid_T=8, N_S=2, N_T=2, mlp_ratio=2.0)
    return Experiment("tiny", "sample", "tiny", data, sizes, quantizer or NoQuantizer(), Training(), seeds=(0,))


@pytest.fixture(scope="module", autouse=True)
def no_weights_in_the_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A machine on which AlexNet was never fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        yield


@dataclass(frozen=True)
class Scored:
    """A folder that evaluate wrote, and the run that it scored beside persistence."""

    folder: Path
    run: Run

    def scores(self, name: str, protocol: str = "clean") -> pd.DataFrame:
        return read_scores(self.folder).query("experiment == @name and protocol == @protocol")


@pytest.fixture(scope="module")
def grey_scored(grey: Video, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    run = a_run(
        tmp_path_factory.mktemp("run"), grey.data, grey.store, SVQSettings(codebook_size=8, hidden_dim=4), name="tiny"
    )
    folder = tmp_path_factory.mktemp("scores") / "grey"
    evaluate([run], grey.store, folder)
    return Scored(folder, run)


@pytest.fixture(scope="module")
def taxis_scored(taxis: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    run = a_run(tmp_path_factory.mktemp("run"), taxis.data, taxis.store, NoQuantizer(), name="tiny")
    folder = tmp_path_factory.mktemp("scores") / "taxis"
    evaluate([run], taxis.store, folder)
    return Scored(folder, run)


def persistence(inputs: np.ndarray, leads: int) -> np.ndarray:
    return np.repeat(inputs[:, -1:], leads, axis=1)


@torch.inference_mode()
def fed_by_hand(model: nn.Module, inputs: np.ndarray, leads: int) -> np.ndarray:
    """A forecast of any length from passes that are fed, one after the other, with the frames of the one before."""
    frames, forecast = torch.from_numpy(inputs).float(), []
    while sum(part.shape[1] for part in forecast) < leads:
        frames = model(frames).frames
        forecast.append(frames.double().numpy())
    return np.concatenate(forecast, axis=1)[:, :leads]


def by_hand(prediction: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Every metric (1 + L,), over all leads first, of frames (N, L, C, H, W): errors as they are, the rest clipped."""
    error, frame = prediction - truth, (2, 3, 4)
    per_frame = {name: np.empty(truth.shape[:2]) for name in ("ssim", "ssim_published", "psnr")}
    for frame_index in np.ndindex(truth.shape[:2]):
        p, t = prediction[frame_index].clip(0, 1), truth[frame_index]
        per_frame["ssim"][frame_index] = structural_similarity(p, t, channel_axis=0, data_range=1)
        per_frame["ssim_published"][frame_index] = structural_similarity(p, t, channel_axis=0, data_range=2)
        per_frame["psnr"][frame_index] = peak_signal_noise_ratio(t, p, data_range=1)
    per_frame |= {"mse": (error**2).sum(frame), "mae": abs(error).sum(frame), "square": (error**2).mean(frame)}
    scores = {name: np.array([values.mean(), *values.mean(0)]) for name, values in per_frame.items()}
    return scores | {"rmse": np.sqrt(scores.pop("square"))}


def agree(scores: pd.DataFrame, expected: dict[str, np.ndarray], rtol: float = 2e-5) -> None:
    assert set(scores["metric"]) == set(expected)
    assert set(scores["channel"]) == {"mean"}
    for metric, values in expected.items():
        rows = scores[scores["metric"] == metric]
        assert list(rows["lead"]) == list(range(len(values)))
        np.testing.assert_allclose(rows["value"], values, rtol=rtol, err_msg=metric)


NONE = {"lpips": np.full(8, np.nan)}


@pytest.mark.parametrize("protocol", ["clean", "paper"])
def test_persistence_on_video_is_what_others_compute_of_it(grey: Video, grey_scored: Scored, protocol: str) -> None:
    inputs, targets = grey.test_windows()
    assert len(inputs) == TEST_CLIPS * 3
    agree(grey_scored.scores("persistence", protocol), by_hand(persistence(inputs, 7), targets) | NONE)


def test_a_model_s_long_forecast_is_scored_as_passes_fed_by_hand(grey: Video, grey_scored: Scored) -> None:
    inputs, targets = grey.test_windows()
    prediction = fed_by_hand(grey_scored.run.model(), inputs, 7)
    assert prediction.shape == targets.shape
    assert (prediction < 0).any(), "with nothing to clip nothing is proved"
    agree(grey_scored.scores("tiny"), by_hand(prediction, targets) | NONE)


def test_what_is_scored_and_what_is_written(grey_scored: Scored) -> None:
    scores = read_scores(grey_scored.folder)
    assert list(scores.columns) == COLUMNS
    who = scores[["experiment", "seed", "protocol"]].drop_duplicates().itertuples(index=False, name=None)
    protocols = ("clean", "paper")
    assert sorted(who) == [(*one, protocol) for one in (("persistence", -1), ("tiny", 0)) for protocol in protocols]
    assert set(read_errors(grey_scored.folder)) == {"persistence", "tiny-seed0"}
    assert set(read_usage(grey_scored.folder)) == {"tiny-seed0"}
    metrics = json.loads((grey_scored.folder / "metrics" / "tiny.json").read_text())
    assert set(metrics) == {"mse", "mae", "rmse", "ssim", "ssim_published", "psnr"}, "NaN is no JSON"
    over_leads = grey_scored.scores("tiny").query("lead == 0").set_index("metric")["value"]
    assert metrics["psnr"] == pytest.approx(over_leads["psnr"], rel=1e-6)


def test_traffic_is_scored_on_its_scale_and_in_taxis(taxis: Traffic, taxis_scored: Scored) -> None:
    inputs, targets = taxis.raw["X_test"][:, 1:].astype(np.float64), taxis.raw["Y_test"].astype(np.float64)
    model = taxis_scored.run.model()
    scaled, truth = (inputs + 1) / 2, (targets + 1) / 2
    for name, prediction in (("persistence", persistence(scaled, 4)), ("tiny", fed_by_hand(model, scaled, 4))):
        error = MAXIMUM * prediction - MAXIMUM * truth
        in_taxis = {
            "mae_original": np.array([abs(error).mean(), *abs(error).mean((0, 2, 3, 4))]),
            "rmse_original": np.sqrt([(error**2).mean(), *(error**2).mean((0, 2, 3, 4))]),
        }
        expected = by_hand(prediction, truth) | in_taxis | {"lpips": np.full(5, np.nan)}
        for protocol in ("clean", "paper"):
            agree(taxis_scored.scores(name, protocol), expected)
    assert set(read_scores(taxis_scored.folder)["experiment"]) == {"persistence", "tiny"}


def test_notes_say_why_there_is_no_lpips(grey_scored: Scored, taxis_scored: Scored) -> None:
    assert read_notes(grey_scored.folder) == {"lpips": WITHOUT_ALEXNET}
    (notes,) = read_notes(taxis_scored.folder).items()
    assert notes == ("lpips", "LPIPS is defined for grey or RGB frames (1 or 3 channels), these have 2.")


@pytest.mark.parametrize("which", ["grey", "rgb"])
def test_lpips_is_the_package_s(
    which: str, packaged: nn.Module, alexnet: SimpleNamespace, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    recorded: Video = request.getfixturevalue(which)
    trunk = tmp_path / "any name.pth"
    torch.save({f"features.{name}": value for name, value in alexnet.features.state_dict().items()}, trunk)
    run = a_run(tmp_path, recorded.data, recorded.store, NoQuantizer(), name="tiny")
    scores = evaluate([run], recorded.store, tmp_path / "scores", alexnet=str(trunk))
    assert read_notes(tmp_path / "scores") == {}
    inputs, targets = recorded.test_windows()
    leads = targets.shape[1]
    scores = scores[scores["protocol"] == "clean"].groupby("experiment")
    forecasts = {"persistence": persistence(inputs, leads), "tiny": fed_by_hand(run.model(), inputs, leads)}
    assert set(scores.groups) == set(forecasts)
    for name, prediction in forecasts.items():
        p, t = (
            torch.from_numpy(2 * frames.clip(0, 1) - 1).float().flatten(0, 1).expand(-1, 3, -1, -1)
            for frames in (prediction, targets)
        )
        with torch.no_grad():
            per_frame = packaged(p, t).reshape(-1, leads).double()
        expected = np.array([per_frame.mean(), *per_frame.mean(0)])
        assert expected.min() > 1e-4, "a score of nothing would prove nothing"
        agree(scores.get_group(name), by_hand(prediction, targets) | {"lpips": expected}, rtol=2e-4)


def test_forecasts_of_frames_lie_on_y_and_x(grey: Video, grey_scored: Scored) -> None:
    inputs, targets = grey.test_windows()
    middle = len(inputs) // 2
    for name, case in read_forecasts(grey_scored.folder).items():
        assert case["prediction"].dims == case["truth"].dims == ("lead", "channel", "y", "x")
        assert case["observed"].dims == ("time_in", "channel", "y", "x")
        assert case["lead"].values.tolist() == [1, 2, 3, 4, 5, 6, 7]
        assert case["lead"].attrs["units"] == "frames"
        assert case["time_in"].values.tolist() == [-2, -1, 0]
        assert case.attrs["clip"] == "", "an array does not name its clips"
        assert "start_time" not in case.attrs
        np.testing.assert_allclose(case["observed"], inputs[middle], atol=1e-7)
        np.testing.assert_allclose(case["truth"], targets[middle], atol=1e-7)
        if name == "persistence":
            np.testing.assert_allclose(case["prediction"], persistence(inputs, 7)[middle], atol=1e-7)
    fields = read_errors(grey_scored.folder)["persistence"]
    assert fields["rmse"].dims == ("channel", "lead", "y", "x")
    assert fields["lead"].attrs["units"] == "frames"
    assert fields.attrs["windows"] == len(inputs)
    bias = (persistence(inputs, 7) - targets).mean(0).transpose(1, 0, 2, 3)
    np.testing.assert_allclose(fields["bias"], bias, atol=1e-6)


def test_errors_of_traffic_say_their_original_units(taxis_scored: Scored) -> None:
    fields: xr.Dataset = read_errors(taxis_scored.folder)["persistence"]
    assert fields["channel"].values.tolist() == ["inflow", "outflow"]
    assert fields.attrs["original_units"]


def test_a_forecast_names_the_clip_it_is_of(tmp_path: Path) -> None:
    frames = film(1, 8, 10)
    for clip, name in enumerate(("jump", "run", "wave")):
        (tmp_path / "clips" / name).mkdir(parents=True)
        for number, frame in enumerate(frames[clip, :6, 0]):
            Image.fromarray(frame).save(tmp_path / "clips" / name / f"{number}.png")
    data = ClipsData(root=str(tmp_path / "clips"), frames_in=2, frames_out=3, shares=Shares(validation=0.34, test=0.34))
    store = prepare(data, tmp_path / "store.zarr")
    case = sample_forecast(TestSet(store, "clean"), BASELINES["persistence"])
    assert case.attrs["clip"] == "wave"
    np.testing.assert_allclose(case["truth"][:, 0], frames[2, 2:5, 0] / 255, atol=1e-7)


@pytest.mark.parametrize("in_memory", [True, False])
def test_bytes_stay_bytes_until_normalised(in_memory: bool, grey: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    if not in_memory:
        monkeypatch.setattr(windows, "IN_MEMORY_BYTES", 0)
    assert grey.store.frames.dtype == np.uint8
    np.testing.assert_array_equal(grey.store.frames[:], grey.raw.reshape(-1, *grey.raw.shape[2:]))
    test = Windows(grey.store, "test")
    assert (test.in_memory is None) != in_memory
    (batch,) = batches(test, np.arange(len(test)), 16)
    assert (batch.inputs.dtype, batch.targets.dtype) == (torch.uint8, torch.uint8)
    frames = Normaliser.of(grey.store).forward(batch.inputs)
    assert frames.dtype == torch.float32
    np.testing.assert_allclose(frames, grey.test_windows()[0], rtol=2e-7)
    assert (frames.min(), frames.max()) == (0, 1)


class Fading(nn.Module):
    """As many frames out as in, each a little darker; the loss is the number of the pass."""

    def __init__(self) -> None:
        super().__init__()
        self.share = nn.Parameter(torch.tensor(0.9))
        self.passes = 0

    def forward(self, frames: Tensor) -> Forecast:
        self.passes += 1
        return Forecast(self.share * frames, torch.tensor(float(self.passes)))


def test_training_and_scoring_hand_bytes_to_the_device(grey: Video, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, real = set(), Normaliser.physical

    def look(self: Normaliser, x: Tensor) -> Tensor:
        seen.add(x.dtype)
        return real(self, x)

    monkeypatch.setattr(Normaliser, "physical", look)
    train_set = loop.Examples(experiment(grey.data), grey.store, "train", Accelerator())
    inputs, targets = next(train_set.epoch(0, 0))
    assert (inputs.dtype, targets.dtype) == (torch.float32, torch.float32)
    test = TestSet(grey.store, "clean")
    test.evaluate(of_model(Fading(), test.normaliser, test.denormaliser, test.device), "m", 0)
    assert seen == {torch.uint8}


@pytest.mark.parametrize(("which", "passes"), [("grey", 3), ("rgb", 1)])
def test_the_training_loss_is_of_the_whole_forecast(which: str, passes: int, request: pytest.FixtureRequest) -> None:
    """3 → 7 frames: three passes, the last one cut; 3 → 2: one that is cut. Gradients go through all of them."""
    recorded: Video = request.getfixturevalue(which)
    chosen = experiment(recorded.data)
    train_set = loop.Examples(chosen, recorded.store, "train", Accelerator())
    inputs, targets = next(train_set.epoch(0, 0))
    model = Fading()
    loss, own = loop.Objective(model, chosen.training)(inputs, targets)
    assert model.passes == passes
    assert own.item() == passes, "the quantizer's own loss is that of the last pass"
    leads = targets.shape[1]
    share = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    factors = torch.stack([share ** (1 + lead // 3) for lead in range(leads)])[None, :, None, None, None]
    source = inputs.double()[:, [lead % 3 for lead in range(leads)]]
    expected = (factors * source - targets.double()).abs().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    expected.backward()
    assert model.share.grad.item() == pytest.approx(share.grad.item(), rel=1e-4)


@pytest.mark.parametrize("which", ["grey", "rgb"])
def test_the_validation_loss_is_the_mean_over_windows(which: str, request: pytest.FixtureRequest) -> None:
    recorded: Video = request.getfixturevalue(which)
    settings = experiment(recorded.data, SVQSettings(codebook_size=8, hidden_dim=4))
    torch.manual_seed(0)
    model = models.build(settings, recorded.store.frame_shape)
    test_set = loop.Examples(settings, recorded.store, "test", Accelerator())
    inputs, targets = recorded.test_windows()
    expected = abs(fed_by_hand(model.eval(), inputs, targets.shape[1]) - targets).mean()
    assert test_set.mean_loss(model) == pytest.approx(expected, rel=1e-5)
