"""windows.nc and stretches of error fields say in parts what the scores say of all; frames are encoded once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from rawfiles import DAY, RawFiles
from untrained import a_run

from svqkit import quantizers
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.data.windows import Windows
from svqkit.evaluation import evaluate, read_errors, read_scores, read_windows
from svqkit.evaluation.fields import SHORTEST, STRETCHES, clip_numbers, stretches
from svqkit.evaluation.forecasters import BASELINES
from svqkit.evaluation.testset import TestSet
from svqkit.models.simvp import SimVP, roll_out
from svqkit.settings.data import ArrayData
from svqkit.settings.params import Data, Model
from svqkit.settings.quantizers import QUANTIZERS, NoQuantizer, SVQSettings

SMALL = {"codebook_size": 16, "hidden_dim": 8}


@dataclass(frozen=True)
class Scored:
    """A store and the folder that evaluate wrote of it."""

    store: Store
    folder: Path


def levels(folder: Path) -> Data:
    """A lat-lon record of two variables, one of them on two levels: the mean over channels is not that of groups."""
    files = RawFiles(folder / "raw")
    files.write("t", levels=(500, 850))
    files.write("u10", change=lambda dataset: dataset * np.float32(0.1))
    return files.data(variables=("t", "u10"), levels=(500, 850))


def film(folder: Path) -> Data:
    """Clips of bytes, RGB."""
    clips = np.random.default_rng(0).integers(0, 256, (10, 9, 3, 12, 10), dtype=np.uint8)
    np.save(folder / "clips.npy", clips)
    return ArrayData(root=str(folder / "clips.npy"), frames_in=3, frames_out=2)


def flow(folder: Path) -> Data:
    """A record in units of its own."""
    np.save(folder / "flow.npy", np.random.default_rng(0).normal(5, 2, (300, 2, 8, 8)).astype(np.float32))
    return ArrayData(root=str(folder / "flow.npy"), frames_in=3, frames_out=2)


@pytest.fixture(scope="module", params=[levels, film, flow], ids=["grid", "image", "field"])
def scored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    folder = tmp_path_factory.mktemp(request.param.__name__)
    data = request.param(folder)
    store = prepare(data, folder / "x.zarr")
    runs = [a_run(folder, data, store, NoQuantizer()), a_run(folder, data, store, SVQSettings(**SMALL), seed=1)]
    evaluate(runs, store, folder / "scores")
    return Scored(store, folder / "scores")


def test_the_mean_over_windows_is_the_score(scored: Scored) -> None:
    windows, scores = read_windows(scored.folder), read_scores(scored.folder)
    overall = scores.query("protocol == 'clean' and channel == 'mean' and lead == 0")
    who = list(zip(windows["experiment"].values.tolist(), windows["seed"].values.tolist(), strict=True))
    assert who == list(dict.fromkeys(overall[["experiment", "seed"]].itertuples(index=False, name=None)))
    assert ("tiny-none", 0) in who
    assert ("tiny-svq", 1) in who
    assert ("persistence", -1) in who
    assert ("climatology", -1) in who or scored.store.kind != "grid"
    for metric in ("mse", "mae"):
        assert windows[metric].dtype == np.float32
        assert windows[metric].dims == ("run", "window")
        expected = overall[overall["metric"] == metric].set_index(["experiment", "seed"])["value"]
        np.testing.assert_allclose(windows[metric].astype(float).mean("window"), [expected[run] for run in who], 1e-6)


def test_the_scores_of_a_protocol_are_those_of_its_own_test_set(scored: Scored) -> None:
    """Also where its windows are those of clean, so that nothing was computed twice."""
    own = TestSet(scored.store, "paper").evaluate(BASELINES["persistence"], "persistence", -1).scores
    written = read_scores(scored.folder).query("protocol == 'paper' and experiment == 'persistence'")
    pd.testing.assert_frame_equal(own, written.reset_index(drop=True), rtol=1e-9)


@pytest.mark.parametrize(("kind", "passes"), [(film, 1), (flow, 2)])
def test_equal_test_sets_are_scored_once(
    kind: Callable[[Path], Data], passes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images are not normalised, so that the two protocols differ in nothing but their windows."""
    store, asked = prepare(kind(tmp_path), tmp_path / "x.zarr"), []
    evaluate_one = TestSet.evaluate
    monkeypatch.setattr(TestSet, "evaluate", lambda self, *what: asked.append(what) or evaluate_one(self, *what))
    evaluate([], store, tmp_path / "scores")
    assert len(asked) == passes
    assert set(read_scores(tmp_path / "scores")["protocol"]) == {"clean", "paper"}


def test_a_window_has_the_errors_of_persistence_in_it(scored: Scored) -> None:
    store, windows = scored.store, read_windows(scored.folder)
    frames = store.frames[:].astype(np.float64) * store.scale
    inputs, targets = store.offsets()
    row = windows["experiment"].values.tolist().index("persistence")
    np.testing.assert_array_equal(windows["start"], store.starts("test"))
    for window in (0, 3, windows.sizes["window"] - 1):
        start = int(windows["start"][window])
        error = frames[start + targets] - frames[start + inputs[-1]]  # (L, C, H, W)
        for metric, size in {"mse": error**2, "mae": abs(error)}.items():
            if store.kind == "image":
                expected = size.sum((1, 2, 3)).mean()
            else:
                by_channel = size.mean((0, 2, 3))
                by_group = [by_channel[np.array(store.groups) == group].mean() for group in dict.fromkeys(store.groups)]
                expected = np.mean(by_group)
            assert float(windows[metric][row, window]) == pytest.approx(expected, rel=1e-5)


def test_windows_say_where_and_what_they_are(scored: Scored) -> None:
    windows, store = read_windows(scored.folder), scored.store
    assert windows.attrs["kind"] == store.kind
    assert windows.attrs["frames_per_window"] == 5
    assert windows.attrs["data"] == store.title
    numbers = sorted(store.clips("test"))
    for number, start in zip(windows["block"].values, windows["start"].values, strict=True):
        assert numbers[number][0] <= start <= numbers[number][1] - 5


def test_error_fields_of_a_record_have_its_stretches(scored: Scored) -> None:
    fields = read_errors(scored.folder)
    assert set(fields) >= {"persistence", "tiny-none-seed0", "tiny-svq-seed1"}
    if scored.store.kind != "grid":
        assert not any("mse_blocks" in dataset for dataset in fields.values())
        return
    counts = [len(stretch) for stretch in stretches(Windows(scored.store, "test"))]
    assert len(counts) == 2, "68 windows, 24 or more in each"
    for dataset in fields.values():
        blocks = dataset["mse_blocks"]
        assert blocks.dims == ("block", "channel", "lat", "lon")
        assert blocks.dtype == np.float32
        mean = sum(count * part for count, part in zip(counts, blocks.astype(float), strict=True)) / sum(counts)
        np.testing.assert_allclose(mean, (dataset["rmse"].astype(float) ** 2).mean("lead"), rtol=1e-5)


def test_a_stretch_has_the_errors_of_its_windows(tmp_path: Path) -> None:
    """The second half of the test period changes by 1 each hour, the first by nothing."""
    raw = RawFiles(tmp_path / "raw")

    def steps(dataset: xr.Dataset) -> xr.Dataset:
        hours = np.arange(16 * DAY) - (16 * DAY - 40)
        dataset["t2m"][:] = np.broadcast_to(280 + np.maximum(hours, 0)[:, None, None], dataset["t2m"].shape)
        # Only so that the training period has some spread.
        dataset["t2m"][: 10 * DAY] += np.random.default_rng(0).normal(size=(10 * DAY, 1, 1)).astype(np.float32)
        return dataset

    raw.write(change=steps)
    store = prepare(raw.data(), tmp_path / "x.zarr")
    evaluate([], store, tmp_path / "scores")
    blocks = read_errors(tmp_path / "scores")["persistence"]["mse_blocks"][:, 0]
    first, second = stretches(Windows(store, "test"))
    risen = np.maximum(np.arange(72) - 32, 0.0)
    for block, members in zip(blocks, (first, second), strict=True):
        errors = [(risen[start + 3 + lead] - risen[start + 2]) ** 2 for start in members for lead in (0, 1)]
        np.testing.assert_allclose(block, np.mean(errors), rtol=1e-5)
    assert float(blocks[1].mean()) > 2 * float(blocks[0].mean())


class Clips:
    """What ``stretches`` asks of the windows of a store."""

    split = "test"

    def __init__(self, lengths: list[int], kind: str = "grid") -> None:
        edges = np.concatenate([[0], np.cumsum([length + 30 for length in lengths])])
        self.store = SimpleNamespace(
            kind=kind, clips=lambda split, protocol: list(zip(edges[:-1], edges[1:] - 20, strict=True))
        )
        self.starts = np.concatenate(
            [edge + np.arange(length) for edge, length in zip(edges[:-1], lengths, strict=True)]
        )

    def __len__(self) -> int:
        return len(self.starts)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=5))
def test_stretches_cut_a_record_into_parts_of_time(lengths: list[int]) -> None:
    windows = Clips(lengths)
    found, clips = stretches(windows), clip_numbers(windows)
    np.testing.assert_array_equal(np.concatenate(found), np.arange(len(windows)))
    np.testing.assert_array_equal(clips, np.repeat(np.arange(len(lengths)), lengths))
    assert len(found) <= STRETCHES + len(lengths)
    for stretch in found:
        (clip,) = set(clips[stretch])
        assert len(stretch) >= min(SHORTEST, lengths[clip])


def test_a_long_record_has_about_24_stretches() -> None:
    assert 20 <= len(stretches(Clips([17_500]))) <= 24
    assert len(stretches(Clips([8_000, 9_500]))) in range(20, 25)
    assert len(stretches(Clips([23]))) == 1
    assert len(stretches(Clips([500, 60], kind="image"))) == 1


# ---------------------------------------------------------------- each frame encoded and quantized once

WINDOWS = np.array([[3, 4, 5], [4, 5, 6], [5, 6, 7], [9, 8, 9]])


def sizes_given_to(layer: torch.nn.Module) -> list[int]:
    """How many maps each of the layer's coming calls works on."""
    seen: list[int] = []
    layer.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    return seen


@pytest.mark.parametrize("post", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", sorted(QUANTIZERS))
def test_a_frame_that_windows_share_is_encoded_once_and_the_forecast_stays(kind: str, post: bool) -> None:
    torch.manual_seed(0)
    record = torch.randn(10, 2, 9, 12)
    model = SimVP(
        Model(hid_S=8, hid_T=16, N_T=2, longitude="wrap", quantize_after_translator=post),
        quantizers.build(QUANTIZERS[kind](), 8),
        frames=3,
        frame_shape=(2, 9, 12),
    )
    frames = record[WINDOWS]
    with torch.no_grad():
        model.train()(frames)  # VQ starts its codebook from what it sees first
        model.eval()
        expected = roll_out(model, frames, 5).frames
        encoded, quantized = sizes_given_to(model.encoder[0]), sizes_given_to(model.quantizer)
        once = roll_out(model, frames, 5, WINDOWS.ravel()).frames
    torch.testing.assert_close(once, expected, rtol=1e-4, atol=1e-5)
    assert encoded == [7, 12], "the second pass is on forecasts, of which none are alike"
    assert quantized == ([12, 12] if post else [7, 12])


def test_windows_of_a_record_are_scored_by_frames_encoded_once(scored: Scored, tmp_path: Path) -> None:
    test = TestSet(scored.store, "clean")
    run = a_run(tmp_path, ArrayData(root="unused", frames_in=3, frames_out=2), scored.store, SVQSettings(**SMALL))
    forecaster, batch = test.forecaster(run), test.windows.read(range(6))
    one_by_one = [forecaster(test.windows.read([number]), None) for number in range(6)]
    torch.testing.assert_close(forecaster(batch, None), torch.cat(one_by_one), rtol=1e-5, atol=1e-6)
