"""What comes from others does no harm: nothing of it is run, nothing is written or read outside, nothing hangs.

Each attack ends in one error for the user. A deadline stands behind the suite only for the case that one does not.
"""

import copy
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import pandas as pd
import pytest
import torch
import zarr
from numpy.lib import format as npy
from PIL import Image
from projectcopy import ROOT, Project
from ruamel.yaml import YAML
from safetensors.torch import save_file

from svqkit import evaluation, plots
from svqkit.data.sources import plan
from svqkit.data.sources.arrayfiles import open_array
from svqkit.data.sources.gridded import Piece, inspect
from svqkit.data.sources.hickle_arrays import find_array, read_strings
from svqkit.data.sources.images import image_size, read_image
from svqkit.data.sources.seq import HEADER_BYTES, MAGIC, Seq
from svqkit.data.sources.video import Video
from svqkit.errors import SvqkitError
from svqkit.evaluation.image_metrics import Lpips
from svqkit.forecasting.files import from_files
from svqkit.interop.config import read_config
from svqkit.interop.openstl import load as load_openstl
from svqkit.interop.weights import read_state_dict
from svqkit.pipeline.commands import main as notebooks_main
from svqkit.pipeline.commands import what_a_stage_runs
from svqkit.settings import single_run
from svqkit.settings.data import ArrayData, ClipsData, HumanData, TaxiBJData, WeatherData
from svqkit.settings.params import as_tree, load_params, override
from svqkit.settings.types import is_name
from svqkit.training.checkpoint import load_weights, read_progress
from svqkit.training.runs import open_run
from svqkit.userfiles import escape_markdown, parse_yaml, read_json, read_yaml

FRAMES = 4_000_000_000
EXPERIMENT = load_params(ROOT / "params.yaml", "sample").experiment("weather_t2m-svq")
EVIL = ["../evil", "a/b", "/tmp/evil", "x; touch PWNED #", "$(touch PWNED)", "`id`", "a b", "a\nb"]
EVIL += ["..", ".", "", "-rf", "ü"]
NOT_TEXT = ["2024", "1e5", "1_000", "0x1F", "0o17", "0b1", "2024-01-01", "null", "Null", "true", "No", "off", "y"]
NOT_TEXT += ["nan", "INF"]


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(SvqkitError) as caught:
        call()
    return str(caught.value)


# Names


@pytest.mark.parametrize("name", [*EVIL, *NOT_TEXT, "x" * 101, 2024, None])
def test_what_a_shell_a_path_or_yaml_would_misread_is_no_name(name: object) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("name", ["kth", "weather_t2m-svq", "2d", "e5", "1st-try", "none", "A_b-3", "0x"])
def test_a_name_with_a_letter_is_one(name: str) -> None:
    assert is_name(name)
    assert parse_yaml(name, "name") == name


def hostile_params(folder: Path, where: str, name: object) -> Path:
    """params.yaml with something called ``name``."""
    tree = YAML(typ="safe").load(ROOT / "params.yaml")
    if where == "profile":
        tree["profiles"][name] = copy.deepcopy(tree["profiles"]["sample"])
        tree["profile"] = name
    elif where == "dataset":
        for branch in (tree["datasets"], *tree["profiles"].values()):
            if "taxibj" in branch:
                branch[name] = copy.deepcopy(branch["taxibj"])
    elif where == "experiment":
        tree["experiments"][name] = {"dataset": "taxibj"}
    elif where == "dataset of an experiment":
        tree["experiments"]["mine"] = {"dataset": name}
    else:
        tree["datasets"]["weather_t2m"]["variables"] = [name]
    YAML().dump(tree, folder / "params.yaml")
    return folder / "params.yaml"


@pytest.mark.parametrize("where", ["profile", "dataset", "experiment", "dataset of an experiment"])
@pytest.mark.parametrize("name", ["x; touch PWNED #", "../../evil", "2024", "null", 2024, True])
def test_params_with_such_a_name_are_refused(where: str, name: object, tmp_path: Path) -> None:
    message = refused(lambda: load_params(hostile_params(tmp_path, where, name)))
    assert str(name) in message


def test_a_variable_names_no_folder_elsewhere(tmp_path: Path) -> None:
    refused(lambda: load_params(hostile_params(tmp_path, "variable", "../secret")))


# The pipeline


def test_no_value_of_params_reaches_a_command() -> None:
    tree = YAML(typ="safe").load(ROOT / "dvc.yaml")
    for name, stage in tree["stages"].items():
        command = stage.get("do", stage)["cmd"]
        assert "${" not in command.replace("${python}", ""), name
    assert "${" not in json.dumps(tree["vars"])


def test_every_stage_comes_after_the_check_whatever_names_there_are() -> None:
    stages = {
        name: stage.get("do", stage) for name, stage in YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"].items()
    }
    made = {name: [path for out in stage["outs"] for path in (out if isinstance(out, dict) else [out])]
            for name, stage in stages.items()}  # fmt: skip
    assert not any("${" in path for path in made["settings"]), "DVC deletes outs before the check has run"
    checked = {"settings"}
    for _ in stages:
        fixed = [path for name in checked for path in made[name] if "${" not in path]
        checked |= {
            name for name, stage in stages.items()
            if any(dep == path or dep.startswith(f"{path}/") for dep in stage["deps"] for path in fixed)
        }  # fmt: skip
    assert checked == set(stages)


@pytest.mark.slow
def test_dvc_neither_runs_nor_deletes_what_names_say(tmp_path: Path, warm: str) -> None:
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project", warm)
    outside = tmp_path / "outside.csv"
    attacks = [
        ("trainings", '  "x;touch PWNED;": $(touch PWNED)\n', ["train@x;touch PWNED;"]),
        ("trainings", "  ../../../../outside.csv: ../svqkit\n", ["report"]),
        ("profile", "x; touch PWNED #", ["costs"]),
        ("profile", "$(touch PWNED)", ["-s", "costs"]),
        ("profile", "../../outside", ["costs"]),
        ("profile", "../../svqkit", ["-s", "settings"]),
        ("dataset", "$(touch PWNED)", ["-s", "prepare@$(touch PWNED)"]),
        ("experiment", "x;touch PWNED;", ["-s", "train@x;touch PWNED;"]),
        ("dataset of an experiment", "$(touch PWNED)", ["-s", "train@taxibj-svq"]),
    ]
    for where, name, stages in attacks:
        outside.write_text("precious")
        if where == "trainings":
            with (project.folder / "trainings.yaml").open("a") as file:
                file.write(name)
        else:
            hostile_params(project.folder, where, name)
        printed = project.run("dvc", "repro", *stages, check=False)
        assert "ERROR" in printed
        assert not list(tmp_path.rglob("PWNED*")), (name, printed)
        assert outside.read_text() == "precious", (name, printed)
        assert (project.folder / "svqkit/settings/params.py").exists(), (name, printed)


def test_a_stage_s_name_says_what_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    notebook, output, about = what_a_stage_runs("train@kth-svq")
    assert (notebook, output) == ("train", Path("reports/sample/notebooks/train-kth-svq.ipynb"))
    assert about == {"profile": "sample", "dataset": "kth", "experiment": "kth-svq"}
    assert what_a_stage_runs("../dvc.yaml:costs")[1] == Path("reports/sample/notebooks/costs.ipynb")
    assert what_a_stage_runs("evaluate@human")[2] == {"profile": "sample", "dataset": "human"}
    for stage in ("train@../../evil", "evaluate@$(touch PWNED)"):
        refused(lambda stage=stage: what_a_stage_runs(stage))


@pytest.mark.parametrize("value", ["&a [*a]", "!!python/object/apply:os.system [id]", "[" * 2000, "9" * 5000])
def test_a_parameter_that_is_no_sane_value_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert notebooks_main(["run", "train", "--output", "out.ipynb", "-p", "overrides", value]) == 1
    assert "error: -p overrides" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["table", "figure", "repro", "bench"])
def test_make_takes_its_variables_as_words(target: str, tmp_path: Path) -> None:
    evil = "x; touch PWNED; #"
    given = [f"{name}={evil}" for name in ("T", "F", "JOBS", "REFERENCE")]
    # Nothing of the set-up is done: its stamps are told to be there.
    command = ["make", "-f", str(ROOT / "Makefile"), "-o", "setup", "-o", "data", target, "VENV_PYTHON=true", *given]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=60)
    assert not (tmp_path / "PWNED").exists()


# A stranger's run


def a_run(folder: Path, **changes: Any) -> Path:
    """A folder whose config.json is an experiment's, with ``changes`` at places such as experiment__model__N_T."""
    tree: dict[str, Any] = {
        "versions": {}, "seed": 0, "channels": ["t2m"], "size": [32, 64],
        "experiment": as_tree(EXPERIMENT),
        "domain": {
            "kind": "grid", "title": "", "units": ["K"], "lat": [0.0] * 32, "lon": [0.0] * 64, "mean": [1.0],
            "std": [1.0], "scale": 1.0, "inputs": [-1, 0], "targets": [1, 2], "lead_step": 1, "lead_units": "hours",
            "first_hour": 0, "original": {}, "raw": {},
        },
    }  # fmt: skip
    for place, value in changes.items():
        *above, last = place.split("__")
        branch = tree
        for key in above:
            branch = branch[key]
        branch[last] = value
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(tree))
    return folder


def test_a_config_json_without_end_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(2**40)
    refused(lambda: open_run(tmp_path))


def test_a_model_larger_than_its_weights_file_is_not_built(tmp_path: Path) -> None:
    folder = a_run(tmp_path / "run", experiment__model__hid_T=16_000, experiment__model__N_T=40)
    save_file({"a": torch.zeros(3)}, folder / "best.safetensors")
    assert "can hold no more" in refused(lambda: open_run(folder).model())
    bare = {"in_shape": [2, 1, 8, 8], "hid_T": 16_000, "N_T": 40}
    assert "can hold no more" in refused(lambda: load_openstl(bare, {"a": torch.zeros(3).expand(2**40, 3)}))


@pytest.mark.parametrize("key", ["profile", "dataset", "name"])
def test_overrides_say_nothing_of_where_a_run_lies(key: str) -> None:
    refused(lambda: override(EXPERIMENT, {key: "../../evil"}))
    settings = load_params(ROOT / "params.yaml", "sample")
    for value in ("../../evil", "elsewhere"):
        refused(lambda value=value: single_run.choose_run(settings, "weather_t2m", overrides={key: value}))


# What is no file, in the place of one


def fifo(path: Path) -> Path:
    os.mkfifo(path)
    return path


def as_weather(path: Path) -> Piece:
    return inspect(path, "t2m")


READERS: dict[str, Callable[[Path], Any]] = {
    "params.yaml": load_params,
    "config.json": lambda path: open_run(path.parent),
    "log.csv": lambda path: open_run(a_run(path.parent)).log(),
    "steps.csv": lambda path: open_run(a_run(path.parent)).steps(),
    "best.safetensors": lambda path: load_weights(torch.nn.Linear(1, 1), path),
    "x.yaml": read_yaml,
    "x.json": read_json,
    "openstl.py": read_config,
    "openstl.json": read_config,
    "checkpoint.pth": read_state_dict,
    "alexnet.pth": Lpips,
    "alexnet.safetensors": Lpips,
    "scores.csv": lambda path: evaluation.read_scores(path.parent),
    "notes.json": lambda path: evaluation.read_notes(path.parent),
    "windows.nc": lambda path: evaluation.read_windows(path.parent),
    "t2m.nc": as_weather,
    "a.npy": open_array,
    "a.npz": open_array,
    "X.hkl": find_array,
    "sources.hkl": read_strings,
    "V000.seq": lambda path: Seq.open(path, colour=True),
    "clip.avi": lambda path: Video.open(path, colour=True),
    "frame.png": lambda path: read_image(path, colour=True),
    "train.txt": lambda path: plan(HumanData(root=str(path.parent))),
    "dataset.npz": lambda path: plan(TaxiBJData(root=str(path.parent))),
    "BJ13_M32x32_T30_InOut.h5": lambda path: plan(TaxiBJData(root=str(path.parent))),
    "2m_temperature.nc": lambda path: plan(
        WeatherData(root=str(path.parent), variables=("t2m",), train=("2000", "2001"), validation=("2002", "2002"),
                    test=("2003", "2003"))
    ),
    "film.mp4": lambda path: plan(ClipsData(root=str(path.parent))),
    "array.npy": lambda path: plan(ArrayData(root=str(path))),
    "input.npy": lambda path: from_files(path, EXPERIMENT.data, None, ()),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_a_named_pipe_is_refused_at_once(name: str, tmp_path: Path) -> None:
    """In a process of its own with a deadline: who opens a pipe that nobody writes waits for ever."""
    fifo(tmp_path / name)
    # The child inherits everything that is imported; a thread could not be ended.
    child = os.fork()
    if not child:
        code = 1
        try:
            READERS[name](tmp_path / name)
        except SvqkitError as error:
            code = 0 if "named pipe" in str(error) or "Can't read AlexNet" in str(error) else 2
        finally:
            os._exit(code)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pytest.fail(f"{name} hangs")


def test_a_state_that_is_a_pipe_is_none(tmp_path: Path) -> None:
    assert read_progress(fifo(tmp_path / "state.safetensors")) is None


def test_sockets_devices_and_folders_are_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s.json")
        for path in ("s.json", "/dev/zero", str(tmp_path)):
            assert "not a file" in refused(lambda path=path: read_json(path))


# Files that refer to others


def hdf5(path: Path, kind: str, secret: Path) -> Path:
    with h5py.File(secret, "w") as file:
        file["data"] = np.ones((3, 4, 4, 3), np.uint8)
    raw = secret.with_suffix(".bin")
    raw.write_bytes(bytes(144))
    with h5py.File(path, "w") as file:
        if kind == "external link":
            file["data_0"] = h5py.ExternalLink(str(secret), "/data")
        elif kind == "soft link":
            file["data_0"] = h5py.SoftLink("/somewhere")
        elif kind == "link in a group":
            file.create_group("data_0")["data0"] = h5py.ExternalLink(str(secret), "/data")
        elif kind == "external storage":
            file.create_dataset("data_0", (3, 4, 4, 3), "u1", external=[(str(raw), 0, 144)])
        else:
            layout = h5py.VirtualLayout((3, 4, 4, 3), "u1")
            layout[:] = h5py.VirtualSource(str(secret), "data", (3, 4, 4, 3))
            file.create_virtual_dataset("data_0", layout)
        file["date"] = np.array([b"2013070101"] * 3)
    return path


@pytest.mark.parametrize(
    "kind", ["external link", "soft link", "link in a group", "external storage", "virtual dataset"]
)
def test_hdf5_that_reads_other_files_is_refused(kind: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    path = hdf5(tmp_path / "BJ13_M32x32_T30_InOut.h5", kind, secret)
    for read in (find_array, read_strings, lambda _: plan(TaxiBJData(root=str(tmp_path))), as_weather):
        assert "not followed" in refused(lambda read=read: read(path))


def image(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)
    return path


def human(root: Path, line: str) -> HumanData:
    root.mkdir(exist_ok=True)
    for name in ("train.txt", "test.txt"):
        (root / name).write_text(f"{line}\n")
    return HumanData(root=str(root), train=(1,), validation=(5,), test=(9,), frames_in=1, frames_out=1)


@pytest.mark.parametrize("line", ["../secret/S1_a_,1,30", "{secret}/S1_a_,1,30", "images/../../secret/S1_a_,1,30"])
def test_a_list_of_human_names_nothing_outside(line: str, tmp_path: Path) -> None:
    for number in (1, 6):
        image(tmp_path / f"secret/S1_a_{number:06d}.jpg")
    data = human(tmp_path / "raw", line.format(secret=tmp_path / "secret"))
    assert "leads out" in refused(lambda: plan(data))


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_link_in_human_s_folder_leads_nowhere_else(what: str, tmp_path: Path) -> None:
    root = tmp_path / "raw"
    data = human(root, "images/S1_a_,1,30")
    with (root / "train.txt").open("a") as file:
        file.write("images/S5_a_,1,30\n")
    (root / "test.txt").write_text("images/S9_a_,1,30\n")
    for name in (f"S{person}_a_{number:06d}.jpg" for person in (1, 5, 9) for number in (1, 6)):
        image(tmp_path / "secret" / name)
    if what == "folder":
        (root / "images").symlink_to(tmp_path / "secret")
    else:
        shutil.copytree(tmp_path / "secret", root / "images")
        (root / "images/S1_a_000001.jpg").unlink()
        (root / "images/S1_a_000001.jpg").symlink_to(tmp_path / "secret/S1_a_000001.jpg")
    assert "leads out" in refused(lambda: plan(data))


@pytest.mark.parametrize("linked", ["raw/train", "raw/test/clip0", "raw/README.txt"])
def test_a_link_above_the_frames_leads_nowhere_else(linked: str, tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        for frame in range(4):
            image(tmp_path / f"raw/{split}/clip0/{frame}.png")
    (tmp_path / "raw/README.txt").write_text("A secret.")
    (tmp_path / linked).rename(tmp_path / "secret")
    (tmp_path / linked).symlink_to(tmp_path / "secret")
    data = ClipsData(root=str(tmp_path / "raw"), frames_in=2, frames_out=2)
    assert "leads out" in refused(lambda: plan(data))


@pytest.mark.parametrize("target", ["secret/1.png", ".dvc/cache/files/md5/ab/0123456789abcdef0123456789abcd"])
def test_a_link_in_a_folder_of_frames_leads_into_dvc_s_cache_only(target: str, tmp_path: Path) -> None:
    for clip in range(12):
        for frame in range(4):
            image(tmp_path / f"raw/clip{clip}/{frame}.png")
    image(tmp_path / "one.png")
    (tmp_path / target).parent.mkdir(parents=True)
    (tmp_path / "one.png").rename(tmp_path / target)
    (tmp_path / "raw/clip3/2.png").unlink()
    (tmp_path / "raw/clip3/2.png").symlink_to(tmp_path / target)
    data = ClipsData(root=str(tmp_path / "raw"), frames_in=2, frames_out=2)
    if "secret" in target:
        assert "leads out" in refused(lambda: plan(data))
    else:
        assert plan(data).frames == 48


def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    np.save(tmp_path / "there.npy", np.zeros((40, 1, 8, 8), np.float32))
    (tmp_path / "a.npy").symlink_to(tmp_path / "there.npy")
    assert plan(ArrayData(root=str(tmp_path / "a.npy"), frames_in=1, frames_out=1)).frames == 40


def test_a_zarr_store_holds_no_links_and_no_pipes(tmp_path: Path) -> None:
    for name in ("link", "pipe"):
        zarr.save(tmp_path / f"{name}.zarr", np.zeros((4, 1, 8, 8), np.float32))
    (tmp_path / "secret").write_bytes(bytes(1024))
    (tmp_path / "link.zarr/c/0/0/0").mkdir(parents=True, exist_ok=True)
    (tmp_path / "link.zarr/c/0/0/0/1").symlink_to(tmp_path / "secret")
    fifo(tmp_path / "pipe.zarr/more")
    assert "leads out" in refused(lambda: open_array(tmp_path / "link.zarr"))
    assert "named pipe" in refused(lambda: open_array(tmp_path / "pipe.zarr"))


def test_a_video_that_is_a_script_is_not_played(tmp_path: Path) -> None:
    avi(tmp_path / "secret.avi", frames=1)
    assert Video.open(tmp_path / "secret.avi", colour=True).count == 1
    (tmp_path / "clip.avi").write_text("ffconcat version 1.0\nfile secret.avi\n")
    refused(lambda: Video.open(tmp_path / "clip.avi", colour=True))


def test_an_image_of_postscript_is_not_drawn(tmp_path: Path) -> None:
    (tmp_path / "frame.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    refused(lambda: image_size(tmp_path / "frame.png"))


# Promises


def npy_header(path: Path, shape: tuple[int, ...]) -> None:
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})


def npz_header(path: Path, shape: tuple[int, ...]) -> None:
    npy_header(path.with_suffix(".npy"), shape)
    with zipfile.ZipFile(path, "w") as file:
        for key in ("X_train", "Y_train", "X_test", "Y_test"):
            file.write(path.with_suffix(".npy"), f"{key}.npy")
    path.with_suffix(".npy").unlink()


def avi(path: Path, frames: int = FRAMES, size: tuple[int, int] = (8, 8)) -> None:
    """A header that promises frames, and an empty list of them."""
    main = struct.pack("<10I", 40_000, 0, 0, 0x10, frames, 0, 1, 0, *size) + bytes(16)
    stream = b"vidsMJPG" + struct.pack("<10I", 0, 0, 0, 1, 25, 0, frames, 0, 0, 0) + bytes(8)
    layout = struct.pack("<IiiHH4sIiiII", 40, *size, 1, 24, b"MJPG", 0, 0, 0, 0, 0)

    def chunk(name: bytes, content: bytes) -> bytes:
        return name + struct.pack("<I", len(content)) + content

    lists = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", layout))
    jpeg = path.with_suffix(".jpg")
    Image.new("RGB", (8, 8)).save(jpeg)
    picture = jpeg.read_bytes() + bytes(len(jpeg.read_bytes()) % 2)
    content = chunk(b"LIST", b"hdrl" + chunk(b"avih", main) + lists) + chunk(b"LIST", b"movi" + chunk(b"00dc", picture))
    path.write_bytes(chunk(b"RIFF", b"AVI " + content))


def seq(path: Path, frames: int = FRAMES, size: tuple[int, int] = (8, 8)) -> None:
    head = MAGIC.ljust(548, b"\0") + struct.pack("<9I", *size, 8, 8, 192, 102, frames, 0, 0)
    path.write_bytes(head.ljust(HEADER_BYTES, b"\0") + bytes(400))


def netcdf(path: Path, kind: str) -> None:
    with netCDF4.Dataset(path, "w", format=kind) as file:
        for name, length in (("time", None if kind == "NETCDF4" else FRAMES // 8), ("lat", 2), ("lon", 2)):
            file.createDimension(name, length)
            file.createVariable(name, "i4" if name == "time" else "f4", (name,))
        file["time"].units = "hours since 2000-01-01"
        file.createVariable("t2m", "f4", ("time", "lat", "lon"))
        if kind == "NETCDF4":
            file["time"][FRAMES // 8 : FRAMES // 8 + 1] = 1


def classic_netcdf(path: Path) -> None:
    """A record dimension whose length is a number in the header."""
    netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC").close()
    with netCDF4.Dataset(path, "w", format="NETCDF3_CLASSIC") as file:
        file.createDimension("time", None)
        file.createVariable("time", "i4", ("time",))[:] = [0, 1]
    content = bytearray(path.read_bytes())
    content[4:8] = struct.pack(">I", 2**31 - 1)
    path.write_bytes(content)


def hkl(path: Path, shape: tuple[int, ...] = (FRAMES, 8, 8, 3)) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("data_0", shape, "u1", chunks=(1, *shape[1:]))


def zarr_store(path: Path, shape: tuple[int, ...], chunks: tuple[int, ...]) -> None:
    zarr.create_array(path, shape=shape, chunks=chunks, dtype="float32")


PROMISES: dict[str, tuple[Callable[[Path], None], Callable[[Path], Any]]] = {
    "a.npy": (lambda path: npy_header(path, (FRAMES, 1, 8, 8)), open_array),
    "negative.npy": (lambda path: npy_header(path, (-FRAMES, 1, -8, 8)), open_array),
    "a.npz": (lambda path: npz_header(path, (FRAMES, 1, 8, 8)), lambda path: open_array(path, "X_train")),
    "dataset.npz": (
        lambda path: npz_header(path, (FRAMES, 4, 2, 8, 8)), lambda path: plan(TaxiBJData(root=str(path.parent)))
    ),
    "frames.zarr": (lambda path: zarr_store(path, (FRAMES, 1, 8, 8), (1, 1, 8, 8)), open_array),
    "chunk.zarr": (lambda path: zarr_store(path, (2, 1, 8, 8), (10**9, 1, 8, 8)), open_array),
    "X.hkl": (hkl, find_array),
    "wide.hkl": (lambda path: hkl(path, (10, 10**5, 10**4, 3)), find_array),
    "clip.avi": (avi, lambda path: Video.open(path, colour=True)),
    "V000.seq": (seq, lambda path: Seq.open(path, colour=True)),
    "wide.seq": (lambda path: seq(path, 1, size=(60_000, 60_000)), lambda path: Seq.open(path, colour=True)),
    "record.nc": (classic_netcdf, as_weather),
    "fixed.nc": (lambda path: netcdf(path, "NETCDF4"), as_weather),
}  # fmt: skip


@pytest.mark.parametrize("name", PROMISES)
def test_a_header_that_promises_more_than_there_is_is_refused(name: str, tmp_path: Path) -> None:
    write, read = PROMISES[name]
    write(tmp_path / name)
    refused(lambda: read(tmp_path / name))


def test_an_image_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = image(tmp_path / "frame.png")
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    for read in (lambda: read_image(path, colour=True), lambda: plan(ClipsData(root=str(tmp_path)))):
        assert "too large" in refused(read)


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)),
        "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)),
        "a: &a {b: *a}",
        "[" * 3000,
        f"profile: {'9' * 5000}",
        f"profile: 0x{'f' * 5000}",
        f"profile: {'x' * 10**6}",
        "!!python/object/apply:os.system [touch PWNED]",
        "? [a, b]\n: c",
        "2010-01-01: x",
        "- a",
        "\x00",
    ],
)
def test_params_that_double_themselves_or_are_none_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(text)
    assert len(refused(lambda: load_params(tmp_path / "params.yaml"))) < 1000


def test_aliases_of_a_sane_size_are_read() -> None:
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}", "it") == {"a": {"x": 1}, "b": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    "text",
    [
        "lr = 10\n" + "lr = lr * lr\n" * 40,
        "lr = 10.0\n" + "lr = lr * lr\n" * 40,
        "a = [1]\n" + "a = [a, a]\n" * 60,
        "a = {'b': 1}\n" + "a = {'b': a, 'c': a}\n" * 60,
        "a = " + "[" * 5000 + "]" * 5000,
        "a = " + "-" * 100_000 + "1",
        "a = " + "9" * 5000,
        "a = [0] * 10**9",
        "a = 1 << 10**10",
        "# " + "x" * 2**21,
    ],
)
def test_a_config_of_openstl_that_grows_without_end_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text(text)
    refused(lambda: read_config(tmp_path / "config.py"))


def test_a_compressed_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain, zipfile.ZipFile(tmp_path / "packed.pth", "w", 8) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert read_state_dict(tmp_path / "plain.pth").keys() == {"a"}
    refused(lambda: read_state_dict(tmp_path / "packed.pth"))


# Text


@pytest.mark.parametrize(
    ("text", "not_in"),
    [("<img src=x onerror=y>", r"(?<!\\)<img"), ("[x](http://e)", r"(?<!\\)\]\("), ("![x](e)", r"(?<!\\)\]\("),
     ("[x]: http://e", r"(?<!\\)\]:"), ("*x* **y**", r"(?<!\\)\*x"), ("_x_", r"(?<!\\)_x"), ("`x`", r"(?<!\\)`x"),
     ("$x$", r"(?<!\\)\$x"), ("a\n\n# b", r"\n# b"), ("a\r## b", r"\r## b"), ("~~x~~", r"(?<!\\)~~x"),
     ("&lt;b&gt;", r"(?<!\\)&lt;"), ("a | b", r"(?<!\\)\| b"), ("> q", "(?m)^> q"), ("# H", "(?m)^# H"),
     ("1. x", r"(?m)^1\. x")],
)  # fmt: skip
def test_titles_and_units_are_text_in_markdown(text: str, not_in: str, tmp_path: Path) -> None:
    values = pd.DataFrame({"experiment": ["a", "b"], "seed": 0, "dataset": "d", "metric": "mse", "value": 1.0})
    plots.show_table(plots.measured(values.assign(unit=text.replace("|", ""))), text, tmp_path / "t")
    title, rest = (tmp_path / "t.md").read_text(encoding="utf-8").removeprefix("### ").split("\n", 1)
    assert not re.search(not_in, title)
    header = next(line for line in rest.splitlines() if line.startswith("|"))
    assert not re.search(not_in, header.replace(" | ", ""))
    assert "MSE" in header


def test_a_plain_title_stays_as_it_is() -> None:
    for text in ("MSE [K²] ↓", "weather_t2m-svq (a_b), < 3 K", "0.705 ± 0.007", "−0.5", "2 m temperature, 50 %"):
        assert escape_markdown(text) == text
