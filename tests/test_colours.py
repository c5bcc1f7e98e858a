"""Stores have red first; where the reference has blue first, protocol "paper" and conversion know of it."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import Accelerator
from openstlcases import SVQ, reference_weights
from PIL import Image
from torch import Tensor, nn
from untrained import a_run

from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.evaluation import evaluate
from svqkit.interop.openstl import convert, load
from svqkit.settings.data import HumanData, KittiCaltechData
from svqkit.settings.params import Data, Protocol, as_tree, experiment_from_tree
from svqkit.settings.quantizers import NoQuantizer
from svqkit.training.loop import Examples
from svqkit.training.paths import store_path
from svqkit.training.runs import Run, open_run

SIZE = (32, 32)  # LPIPS takes no smaller ones
IN, OUT = 2, 1
LENGTH = IN + OUT
PROTOCOLS: list[Protocol] = ["clean", "paper"]


@dataclass(frozen=True)
class Colours:
    """A dataset of noise, and what of it is tested on: windows (N, T, 3, H, W) in [0, 1], red first."""

    name: str
    data: Data
    store: Store
    tested: dict[Protocol, np.ndarray]


def noise(count: int, seed: int) -> np.ndarray:
    """Frames (N, H, W, 3) of bytes, with more red than blue in them."""
    frames = np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3))
    return (frames * [1.0, 0.6, 0.2]).astype(np.uint8)


def in_windows(frames: np.ndarray) -> np.ndarray:
    """Frames (N, H, W, 3) as windows of three that follow each other, (N / 3, 3, 3, H, W)."""
    return frames.reshape(-1, LENGTH, *frames.shape[1:]).transpose(0, 1, 4, 2, 3) / 255


@pytest.fixture(scope="module")
def kitticaltech(tmp_path_factory: pytest.TempPathFactory) -> Colours:
    """KITTI red first, as PredNet stored it; Caltech as the reference caches it, blue first."""
    root = tmp_path_factory.mktemp("kitticaltech")
    for folder in ("kitti_hkl", "caltech"):
        (root / folder).mkdir()
    for part in ("train", "val"):
        for name, value in ((f"X_{part}", noise(6, len(part))), (f"sources_{part}", np.array([part.encode()] * 6))):
            with h5py.File(root / "kitti_hkl" / f"{name}.hkl", "w") as file:
                file["data"], file["type"] = value, np.array([b"list"])
    caltech = noise(9, 0)
    np.save(root / "caltech" / "data_cache.npy", caltech[..., ::-1])
    np.save(root / "caltech" / "indices_cache.npy", np.array([0, 3, 6]))
    data = KittiCaltechData(root=str(root), size=SIZE, frames_in=IN, frames_out=OUT)
    store = prepare(data, store_path("tiny", "kitticaltech", root / "stores"))
    return Colours("kitticaltech", data, store, dict.fromkeys(PROTOCOLS, in_windows(caltech)))


@pytest.fixture(scope="module")
def human(tmp_path_factory: pytest.TempPathFactory) -> Colours:
    """Pictures of persons 1, 8 and 9; "clean" tests on those of person 9."""
    root = tmp_path_factory.mktemp("human")
    (root / "images").mkdir()
    frames, lines = {}, {}
    for person in (1, 8, 9):
        frames[person] = noise(LENGTH, person)
        lines[person] = f"images/S{person}_Walking.54138969_,1,71\n"
        for number, frame in zip(range(1, 5 * LENGTH, 5), frames[person], strict=True):
            Image.fromarray(frame).save(root / "images" / f"S{person}_Walking.54138969_{number:06d}.png")
    (root / "train.txt").write_text(lines[1] + lines[8])
    (root / "test.txt").write_text(lines[8] + lines[9])
    data = HumanData(
        root=str(root), size=SIZE, frames_in=IN, frames_out=OUT, train=(1,), validation=(8,), test=(9,), step=5
    )
    store = prepare(data, store_path("tiny", "human", root / "stores"))
    tested = {"clean": in_windows(frames[9]), "paper": in_windows(np.concatenate([frames[8], frames[9]]))}
    return Colours("human", data, store, tested)


@pytest.fixture(params=["human", "kitticaltech"])
def dataset(request: pytest.FixtureRequest) -> Colours:
    return request.getfixturevalue(request.param)


@pytest.fixture
def trunk(alexnet: SimpleNamespace, tmp_path: Path) -> str:
    path = tmp_path / "alexnet.pth"
    torch.save({f"features.{name}": value for name, value in alexnet.features.state_dict().items()}, path)
    return str(path)


def over_leads(scores: pd.DataFrame, name: str, protocol: Protocol) -> dict[str, float]:
    rows = scores.query("experiment == @name and protocol == @protocol and lead == 0")
    return rows.set_index("metric")["value"].to_dict()


@torch.no_grad()
def by_hand(prediction: Tensor, truth: Tensor, packaged: nn.Module) -> dict[str, float]:
    """MSE and MAE summed over a frame, and LPIPS, of frames (N, 1, 3, H, W) in the order in which they are given."""
    error = (prediction - truth).double()
    p, t = (2 * frames.clamp(0, 1).flatten(0, 1) - 1 for frames in (prediction, truth))
    return {
        "mse": float(error.square().sum((2, 3, 4)).mean()),
        "mae": float(error.abs().sum((2, 3, 4)).mean()),
        "lpips": float(packaged(p, t).mean()),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_model_and_lpips_see_colours_in_the_order_of_the_protocol(
    protocol: Protocol, dataset: Colours, packaged: nn.Module, trunk: str, tmp_path: Path
) -> None:
    """The reference trains on KITTI red first and tests on Caltech blue first; Human3.6M it always has blue first,
    which for a model of weights that were turned is the same as red first, and for LPIPS is not."""
    run = a_run(tmp_path, dataset.data, dataset.store, NoQuantizer())
    scores = evaluate([run], dataset.store, tmp_path / "scores", alexnet=trunk)
    windows = torch.from_numpy(dataset.tested[protocol]).float()
    turned = protocol == "paper"
    if turned and dataset.name == "kitticaltech":
        windows = windows.flip(2)
    with torch.no_grad():
        prediction = run.model()(windows[:, :IN]).frames[:, :OUT]
    last, truth = windows[:, IN - 1 : IN], windows[:, IN:]
    if turned and dataset.name == "human":
        prediction, last, truth = (frames.flip(2) for frames in (prediction, last, truth))
    for name, forecast in (("tiny-none", prediction), ("persistence", last)):
        found, expected = over_leads(scores, name, protocol), by_hand(forecast, truth, packaged)
        assert {metric: found[metric] for metric in expected} == pytest.approx(expected, rel=1e-5)
        red_for_blue = by_hand(forecast.flip(2), truth.flip(2), packaged)
        assert abs(red_for_blue["lpips"] / expected["lpips"] - 1) > 1e-3, "else the order would not be tested"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_validation_sees_colours_as_scoring_does(protocol: Protocol, dataset: Colours) -> None:
    """What a model learns from is red first in both; the reference validates on what it tests on."""
    tree = {"name": "x", "profile": "tiny", "dataset": dataset.name, "data": as_tree(dataset.data)}
    rest = {"model": {}, "quantizer": {"name": "none"}, "training": {"batch_size": 2}, "protocol": protocol}
    experiment = experiment_from_tree(tree | rest, "x")
    inputs, targets = Examples(experiment, dataset.store, "test", Accelerator()).example()
    windows = torch.from_numpy(dataset.tested[protocol]).float()
    if protocol == "paper" and dataset.name == "kitticaltech":
        windows = windows.flip(2)
    given = torch.cat([inputs, targets], 1)
    assert all(any(torch.allclose(one, other, atol=1e-6) for other in windows) for one in given)
    learnt = Examples(experiment, dataset.store, "train", Accelerator()).example()[0]
    assert learnt[:, :, 0].mean() > 2 * learnt[:, :, 2].mean()


def converted(dataset: Colours, config: dict[str, object], weights: dict[str, Tensor], folder: Path) -> Run:
    datasets, sizes = {dataset.name: as_tree(dataset.data)}, {"tiny": {dataset.name: {}}}
    params = folder / "params.yaml"
    params.write_text(json.dumps({"profile": "tiny", "datasets": datasets, "profiles": sizes}))
    (folder / "config.py").write_text("".join(f"{key} = {value!r}\n" for key, value in config.items()))
    torch.save(weights, folder / "checkpoint.pth")
    files = folder / "checkpoint.pth", [folder / "config.py"]
    places = {"params": params, "stores": Path(dataset.data.root) / "stores", "runs": folder / "runs"}
    return open_run(convert(*files, dataset.name, "tiny", **places))


@pytest.mark.parametrize("more", [{}, {"post_vq": True}, {"method": "SimVP", "N_S": 4, "model_type": "incepu"}])
def test_a_checkpoint_has_the_colours_of_its_store(more: dict[str, object], dataset: Colours, tmp_path: Path) -> None:
    """One of Human3.6M was trained on blue first, one of KITTI on red first."""
    config = {"hid_S": 8, "hid_T": 16, "N_S": 2, "N_T": 2, "mlp_ratio": 2.0, "method": "SimVPVQ", "vq_kwargs": SVQ}
    config |= more
    shape = (IN, 3, *SIZE)
    weights = reference_weights({**config, "in_shape": shape})
    weights["dec.readout.bias"] = torch.tensor([0.3, 0.2, 0.1])
    run = converted(dataset, config, weights, tmp_path)
    red_first = torch.from_numpy(dataset.tested["clean"][:, :IN]).float()
    theirs = load({**config, "in_shape": shape}, weights)
    with torch.no_grad():
        expected = theirs(red_first.flip(2)).flip(2) if dataset.name == "human" else theirs(red_first)
        for which in ("best", "last"):
            torch.testing.assert_close(run.model(which)(red_first).frames, expected, rtol=0, atol=1e-5)
        assert (theirs(red_first) - theirs(red_first.flip(2)).flip(2)).abs().max() > 1e-3
