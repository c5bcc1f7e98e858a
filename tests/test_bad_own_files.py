"""Files that the kit has written itself, damaged: each is one clear error that names the file or the key.

A store, a run, its scores and its journal are made once; every case breaks a copy of one of their files and reads it.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from rawfiles import RawFiles
from safetensors.torch import load_file, save_file
from untrained import a_run

from svqkit import evaluation
from svqkit.data.domain import Domain
from svqkit.data.prepare import prepare
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.paper.costs import COLUMNS
from svqkit.paper.gather import read_costs
from svqkit.paper.gathered import Results
from svqkit.settings.params import Experiment
from svqkit.settings.quantizers import SVQSettings
from svqkit.training import journal
from svqkit.training.checkpoint import Progress
from svqkit.training.runs import open_run, write_config

RUN, STORE, SCORES = "runs/tiny-svq/seed0", "store.zarr", "scores"
JOURNAL = "journal/sample/tiny/tiny-svq.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, a run on it that was never trained, its scores and a journal."""
    folder = tmp_path_factory.mktemp("made")
    raw = RawFiles(folder / "raw")
    raw.write()
    data = raw.data(frames_in=4, frames_out=4)
    store = prepare(data, folder / STORE)
    run = a_run(folder / "runs", data, store, SVQSettings(codebook_size=8, hidden_dim=4))
    (run.path / "log.csv").write_text("epoch,learning_rate,train_loss,validation_loss\n1,0.1,2.0,3.0\n2,0.1,1.5,2.5\n")
    (run.path / "steps.csv").write_text("step,train_loss\n2,1.0\n4,0.5\n")
    domain = Domain.of(store)
    write_config(run.path, run.experiment, 0, run.channels, run.size, domain, {"data": {}, "code": {}})
    evaluation.evaluate([open_run(run.path)], store, folder / SCORES)
    progress = Progress({}, loss_log=[{"step": 4, "train_loss": 0.5}], seconds=2.0)
    journal.write(run.experiment, {0: progress}, folder / "journal")
    (folder / "results/sample").mkdir(parents=True)
    for name in ("scores", "runs", "changes", "costs"):
        pd.DataFrame({"dataset": ["tiny"]}).to_parquet(folder / f"results/sample/{name}.parquet")
    (folder / "costs.csv").write_text(f"{','.join(COLUMNS)}\n{','.join(['1'] * len(COLUMNS))}\n")
    shutil.rmtree(folder / "raw")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "made"))


def experiment(folder: Path) -> Experiment:
    return open_run(folder / RUN).experiment


def read_store(folder: Path) -> None:
    store = Store.open(folder / STORE)
    assert len(store.times) == len(store.frames[:])
    assert all(len(store.starts(split)) for split in ("train", "validation", "test"))
    Domain.of(store)
    _ = store.climatology_table


READERS: dict[str, Callable[[Path], Any]] = {
    f"{RUN}/config.json": lambda folder: (open_run(folder / RUN), open_run(folder / RUN).domain),
    f"{RUN}/best.safetensors": lambda folder: open_run(folder / RUN).model(),
    f"{RUN}/log.csv": lambda folder: open_run(folder / RUN).log(),
    f"{RUN}/steps.csv": lambda folder: open_run(folder / RUN).steps(),
    f"{SCORES}/scores.csv": lambda folder: evaluation.read_scores(folder / SCORES),
    f"{SCORES}/codebook.csv": lambda folder: evaluation.read_measures(folder / SCORES),
    f"{SCORES}/notes.json": lambda folder: evaluation.read_notes(folder / SCORES),
    f"{SCORES}/windows.nc": lambda folder: evaluation.read_windows(folder / SCORES),
    f"{SCORES}/errors/persistence.nc": lambda folder: evaluation.read_errors(folder / SCORES),
    f"{SCORES}/forecasts/persistence.nc": lambda folder: evaluation.read_forecasts(folder / SCORES),
    f"{SCORES}/codebook.npz": lambda folder: evaluation.read_usage(folder / SCORES),
    JOURNAL: lambda folder: journal.read(experiment(folder), folder / "journal"),
    f"{STORE}/zarr.json": read_store,
    "results/sample/runs.parquet": lambda folder: Results.read("sample", folder / "results"),
    "costs.csv": lambda folder: read_costs(folder / "costs.csv"),
}


def refused(file: str, folder: Path) -> str:
    with pytest.raises(SvqkitError) as caught:
        READERS[file](folder)
    return str(caught.value)


@pytest.mark.parametrize("file", READERS)
def test_whole_files_are_read(file: str, made: Path) -> None:
    READERS[file](made)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def folder_in_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "absent": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": cut,
    "of zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "text": lambda path: path.write_text("<html>Not found</html>\n"),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\xfa\x00" * 9),
    "a folder": folder_in_its_place,
}
# Earlier versions did not write these.
MAY_BE_ABSENT = {f"{RUN}/steps.csv", JOURNAL, f"{SCORES}/errors/persistence.nc", f"{SCORES}/forecasts/persistence.nc"}
MAY_BE_ABSENT |= {"costs.csv"}  # nothing was measured


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", READERS)
def test_a_damaged_file_is_refused_by_its_name(file: str, damage: str, folder: Path) -> None:
    if damage == "absent" and file in MAY_BE_ABSENT:
        return
    DAMAGES[damage](folder / file)
    message = refused(file, folder)
    assert Path(file).name in message or RUN in message or STORE in message


def edit_json(path: Path, **places: Any) -> None:
    """Set values of a JSON file, such as ``experiment__seeds=…``; of a place that ends with ``_`` the key goes."""
    tree = json.loads(path.read_text())
    for place, value in places.items():
        *above, last = place.split("__")
        branch = tree
        for key in above:
            branch = branch[key]
        branch[last] = value
        if value is None:
            del branch[last]
    path.write_text(json.dumps(tree))


HUGE = int("9" * 200)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("experiment", None), ("experiment", []), ("experiment", "svq"), ("experiment__model", 3),
        ("experiment__seeds", [2**70]), ("experiment__data__root", ""), ("experiment__data__variables", ["a/b"]),
        ("experiment__data__frames_in", "4"), ("experiment__training__learning_rate", float("nan")),
        ("experiment__training__epochs", HUGE), ("experiment__quantizer__name", ["svq"]), ("seed", None),
        ("seed", 0.5), ("seed", HUGE), ("channels", None), ("channels", {"t2m": 1}), ("size", [4, 6, 1]),
        ("size", [10**9, 10**9]), ("size", [True, 6]), ("versions", ["torch"]), ("versions", {"torch": 2}),
        ("files", "all"), ("made_from", 1), ("domain", [1]), ("format", 99), ("format", "2"),
        ("domain__mean", None), ("domain__mean", [float("inf")]), ("domain__mean", "1"), ("domain__std", [0.0]),
        ("domain__std", [-1.0]), ("domain__std", [float("nan")]), ("domain__std", [1.0, 2.0]),
        ("domain__kind", "sphere"), ("domain__title", 3), ("domain__lat", [0.0]), ("domain__inputs", [0, -1]),
        ("domain__scale", 0), ("domain__raw", 1), ("domain__original", {"a": []}), ("domain__simulated", "no"),
        ("domain__units", []), ("domain__inputs", []), ("domain__targets", [0, 1]), ("domain__lead_step", 0),
        *[(f"experiment__{part}", name) for part in ("profile", "dataset", "name") for name in ("../../evil", "1e5")],
        ("experiment__model__N_T", 10**9), ("experiment__model__N_S", 10**9), ("experiment__model__hid_T", 10**12),
        ("experiment__model__mlp_ratio", 1e300), ("experiment__model__spatio_kernel_enc", 10**9 + 1),
        ("experiment__quantizer__codebook_size", 10**15), ("experiment__data__frames_in", 10**9),
        ("experiment__quantizer", {"name": "fsq", "levels": [1000] * 9}), ("channels", []), ("channels", [1]),
    ],
)  # fmt: skip
def test_a_config_that_does_not_fit_is_refused_by_its_key(place: str, value: object, folder: Path) -> None:
    edit_json(folder / RUN / "config.json", **{place: value})
    message = refused(f"{RUN}/config.json", folder)
    assert RUN in message
    assert place.rpartition("__")[2] in message or "domain" in message


def edit_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


WEIGHT = "readout.weight"
WEIGHTS: dict[str, Callable[[dict[str, torch.Tensor]], Any]] = {
    "not a number": lambda weights: weights[WEIGHT].fill_(float("nan")),
    "infinite": lambda weights: weights[WEIGHT][0].fill_(-float("inf")),
    "whole numbers": lambda weights: weights.update({WEIGHT: weights[WEIGHT].to(torch.int64)}),
    "another shape": lambda weights: weights.update({WEIGHT: weights[WEIGHT][:, :1].clone()}),
    "missing": lambda weights: weights.pop(WEIGHT),
    "surplus": lambda weights: weights.update({f"{WEIGHT}.more": torch.zeros(1)}),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_are_none_are_refused_by_their_name(kind: str, folder: Path) -> None:
    edit_weights(folder / RUN / "best.safetensors", WEIGHTS[kind])
    message = refused(f"{RUN}/best.safetensors", folder)
    assert WEIGHT in message
    assert "best.safetensors" in message


def edit_text(path: Path, change: Callable[[list[str]], Any]) -> None:
    lines = path.read_text().splitlines(keepends=True)
    change(lines)
    path.write_text("".join(lines))


LINES: dict[str, Callable[[list[str]], Any]] = {
    "the last line is cut": lambda lines: lines.append(lines.pop()[:-3]),
    "no line break at the end": lambda lines: lines.append(lines.pop().rstrip("\n")),
    "a value too few": lambda lines: lines.insert(1, lines[1].partition(",")[2]),
    "a value too many": lambda lines: lines.insert(1, f"1,{lines[1]}"),
    "no header": lambda lines: lines.pop(0),
    "another header": lambda lines: lines.insert(0, "a,b\n"),
    "text for the number": lambda lines: lines.append(f"{lines.pop().rpartition(',')[0]},many\n"),
}


@pytest.mark.parametrize("file", ["log.csv", "steps.csv", "scores.csv", "codebook.csv"])
@pytest.mark.parametrize("kind", LINES)
def test_a_table_that_does_not_fit_is_refused(kind: str, file: str, folder: Path) -> None:
    (file,) = [known for known in READERS if known.endswith(f"/{file}")]
    edit_text(folder / file, LINES[kind])
    assert Path(file).name in refused(file, folder)


@pytest.mark.parametrize("file", ["scores.csv", "codebook.csv"])
def test_a_table_that_is_cut_between_two_lines_is_refused(file: str, folder: Path) -> None:
    edit_text(folder / SCORES / file, lambda lines: lines.pop())
    assert "it is cut" in refused(f"{SCORES}/{file}", folder)


def test_scores_of_earlier_versions_are_read(folder: Path) -> None:
    (folder / SCORES / "windows.nc").unlink()
    before = evaluation.read_scores(folder / SCORES)
    edit_text(folder / SCORES / "scores.csv", lambda lines: lines.pop())
    pd.testing.assert_frame_equal(evaluation.read_scores(folder / SCORES), before[:-1])


@pytest.mark.parametrize(
    ("file", "value"),
    [
        (f"{SCORES}/notes.json", ["lpips"]), (f"{SCORES}/notes.json", {"lpips": 1}), (JOURNAL, []),
        (JOURNAL, {"machine": 3}), (JOURNAL, {"runs": {"first": {}}}), (JOURNAL, {"runs": {"seed0": 3}}),
        (JOURNAL, {"versions": {"torch": 2}}), (JOURNAL, {"seconds": 3}),
    ],
)  # fmt: skip
def test_json_of_another_kind_is_refused(file: str, value: object, folder: Path) -> None:
    (folder / file).write_text(json.dumps(value))
    assert Path(file).name in refused(file, folder)


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, '{"a": ' * 10_000, "NaN", "{'a': 1}", "{}{}", "\x00", "3"])
@pytest.mark.parametrize("file", [f"{RUN}/config.json", f"{SCORES}/notes.json", JOURNAL])
def test_json_that_is_none_is_refused(file: str, text: str, folder: Path) -> None:
    (folder / file).write_text(text)
    assert Path(file).name in refused(file, folder)


@pytest.mark.parametrize("file", ["windows", "errors/persistence", "forecasts/persistence"])
def test_netcdf_of_something_else_is_refused(file: str, folder: Path) -> None:
    path = folder / SCORES / f"{file}.nc"
    with netCDF4.Dataset(path, "w") as other:
        other.createDimension("x", 1)
    assert "lacks the variable" in refused(f"{SCORES}/{file}.nc", folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", None), ("kind", "sphere"), ("channels", []), ("channels", ["t2m", "r"]), ("units", 3), ("scale", 0),
        ("lead_step", 1.5), ("groups", "all"), ("clips", {}), ("clips", {"clean": {"train": [[1]]}}),
        ("statistics", {"clean": {"train": {"mean": [1.0]}}}), ("offsets", {"clean": {"inputs": [3], "targets": [1]}}),
        ("units", ["K", "K"]), ("statistics__clean__train__mean", [float("nan")]),
        ("statistics__clean__train__mean", [1.0, 2.0]), ("statistics__clean__train__std", []),
        ("settings", []), ("files", None), ("files", "7"), ("files", 10**6), ("blue_first", None),
    ],
)  # fmt: skip
def test_attributes_of_a_store_that_do_not_fit_are_refused(key: str, value: object, folder: Path) -> None:
    edit_json(folder / STORE / "zarr.json", **{f"attributes__{key}": value})
    assert STORE in refused(f"{STORE}/zarr.json", folder)


def chunk(folder: Path) -> Path:
    return next(path for path in (folder / STORE / "frames/c").rglob("*") if path.is_file())


def remake(folder: Path, name: str, values: np.ndarray) -> None:
    del zarr.open_group(folder / STORE)[name]
    zarr.open_group(folder / STORE).create_array(name, data=values)


STORES: dict[str, Callable[[Path], Any]] = {
    "a chunk is missing": lambda folder: chunk(folder).unlink(),
    "a chunk is cut": lambda folder: cut(chunk(folder)),
    "a chunk is empty": lambda folder: chunk(folder).write_bytes(b""),
    "no frames": lambda folder: shutil.rmtree(folder / STORE / "frames"),
    "no windows": lambda folder: shutil.rmtree(folder / STORE / "windows"),
    "no times": lambda folder: shutil.rmtree(folder / STORE / "time"),
    "times are cut": lambda folder: cut(next((folder / STORE / "time/c").rglob("0"))),
    "fewer latitudes": lambda folder: remake(folder, "lat", np.zeros(3)),
    "fewer times": lambda folder: remake(folder, "time", np.zeros(3, int)),
    "frames of another shape": lambda folder: remake(folder, "frames", np.zeros((384, 4, 6), np.float32)),
    "windows outside": lambda folder: remake(folder, "windows/clean/train", np.array([10**6])),
    "windows before": lambda folder: remake(folder, "windows/clean/test", np.array([-1])),
    "windows that are no list": lambda folder: remake(folder, "windows/clean/test", np.zeros((2, 2), int)),
    "metadata of the times say nothing": lambda folder: (folder / STORE / "time/zarr.json").write_text("{}"),
    "metadata of an array is cut": lambda folder: cut(folder / STORE / "frames/zarr.json"),
}


@pytest.mark.parametrize("kind", STORES)
def test_a_store_that_is_not_whole_is_refused(kind: str, folder: Path) -> None:
    STORES[kind](folder)
    assert STORE in refused(f"{STORE}/zarr.json", folder)


def test_the_digests_of_a_store_that_is_cut_are_refused(folder: Path) -> None:
    cut(next((folder / STORE / "lon/c").rglob("0")))
    store = Store.open(folder / STORE)
    with pytest.raises(SvqkitError, match=STORE):
        _ = store.digests
