"""What `python -m svqkit.data check` finds in folders of raw files: what is missing, damaged, or not as published."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
from numpy.lib import format as npy
from PIL import Image
from rawfiles import files_below
from simulated import human as human_sample
from simulated import kitticaltech as driving_sample
from simulated import kth as kth_sample
from simulated import taxibj as taxi_sample

from svqkit.data import __main__ as command
from svqkit.data.bundled import bundled_files
from svqkit.data.check import Report, check, published
from svqkit.data.sources.kth import NEVER_PUBLISHED
from svqkit.errors import SvqkitError
from svqkit.settings.data import KTH_ACTIONS, ArrayData, KTHData, WeatherData
from svqkit.settings.params import Params, load_params

PROJECT = Path(__file__).parents[1]
LEVELS = (500, 850, 1000)


@pytest.fixture(scope="module")
def params() -> Params:
    """The project's own settings, profile paper."""
    return load_params(PROJECT / "params.yaml", "paper")


@pytest.fixture
def report(tmp_path: Path, params: Params) -> Callable[[str], Report]:
    """The report of one dataset below tmp_path."""
    return lambda name: check(tmp_path, params, [name])[0]


def year(
    root: Path, variable: str, year: int, hours: int = 0, step: int = 1, shape: tuple = (32, 64), kind: str = "NETCDF4"
) -> Path:
    """A file with WeatherBench's name and axes, and bytes as values; of NETCDF4 they are never written: it is tiny."""
    path = root / published.weather_file(variable, year)
    path.parent.mkdir(parents=True, exist_ok=True)
    hours = hours or (8784 if year % 4 == 0 else 8760)
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.title = "made up for a test"
        sizes = {"time": hours // step, "lat": shape[0], "lon": shape[1]}
        for name, size in sizes.items():
            file.createDimension(name, size)
            axis = file.createVariable(name, "f8", (name,))
            axis[:] = np.arange(size) * (step if name == "time" else 1)
        file["time"].units = f"hours since {year}-01-01"
        dims = ("time", "lat", "lon")
        if variable in ("r", "t", "u", "v"):
            file.createDimension("level", len(LEVELS))
            file.createVariable("level", "i4", ("level",))[:] = LEVELS
            dims = ("time", "level", "lat", "lon")
        chunks = [min(24, sizes["time"]), *(file.dimensions[name].size for name in dims[1:])]
        file.createVariable(variable, "i1", dims, **({"chunksizes": chunks} if kind == "NETCDF4" else {}))
    return path


def record(root: Path, variables: Sequence[str] = ("t2m",), years: Sequence[int] = range(2010, 2019)) -> None:
    for variable in variables:
        for each_year in years:
            year(root / "weather", variable, each_year)


def missing(report: Report) -> list[str]:
    """Every missing file that is named."""
    return [name for names in report.missing.values() for name in names]


def checked(report: Report, what: str) -> tuple[str, bool | None]:
    """What was found of one thing, and whether it is as expected."""
    return next((check.found, check.fits) for check in report.checks if check.fact.what == what)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """The exit code of the command, and what it prints."""
    code = command.main(["check", *map(str, arguments), "--params", str(PROJECT / "params.yaml")])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


# --- weather ------------------------------------------------------------------------------------------------------


def test_a_whole_record_is_complete(tmp_path: Path, params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path, ("t2m", "r"))
    (tmp_path / "weather/2m_temperature/._2m_temperature_2010_5.625deg.nc").write_bytes(b"Mac OS X")
    reports = {found.dataset: found for found in check(tmp_path, params)}
    whole = reports["weather_t2m"]
    assert whole.complete
    # 6 · 365 + 1 days, 366 days, 730 days; a window has 24 hours.
    hours = 2191 * 24, 366 * 24, 730 * 24
    assert checked(whole, "windows, clean") == (" / ".join(f"{n - 23:,}" for n in hours), True)
    # The last hour of a period is dropped, then one window.
    assert checked(whole, "windows, paper") == (" / ".join(f"{n - 25:,}" for n in hours), True)
    assert whole.store_bytes == sum(hours) * 32 * 64 * 4
    assert checked(whole, "frames") == (f"{sum(hours):,}", True)
    assert checked(reports["weather_r"], "grid") == ("32 × 64", True)
    assert [name for name, found in reports.items() if found.folder] == ["weather_t2m", "weather_r"]

    code, text = printed(capsys, tmp_path)
    assert code == 0
    assert "weather_t2m   complete" in text
    assert "kth           not there" in text
    # r is there because of weather_r; nobody began to fetch the other three variables of weather_mv.
    assert "weather_mv    not there: 3 of its 4 variables" in text
    assert printed(capsys, tmp_path, "weather_t2m", "kth")[0] == 1, "a dataset that was named is not there"


def test_a_missing_year_is_named_as_it_is_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path)
    (tmp_path / "weather" / published.weather_file("t2m", 2013)).unlink()
    code, text = printed(capsys, tmp_path)
    assert code == 1
    assert "2m_temperature/2m_temperature_2013_5.625deg.nc (from 2m_temperature_5.625deg.zip)" in text
    assert "A hole in the train period" in text
    assert "NOT COMPLETE" in text


def test_years_that_lack_are_told_by_archive(report: Callable[[str], Report], tmp_path: Path) -> None:
    record(tmp_path, ("u10", "v10"), (2010, 2011, 2014, 2018))
    of = report("weather_uv10")
    names = [
        published.weather_file(variable, year) for variable in ("u10", "v10") for year in (2012, 2013, 2015, 2016, 2017)
    ]
    assert missing(of) == names
    assert [*of.missing] == ["10m_u_component_of_wind_5.625deg.zip", "10m_v_component_of_wind_5.625deg.zip"]
    assert checked(of, "files") == ("8", False)
    assert of.refusal


def test_of_a_dataset_that_is_not_there_the_variables_that_lack_are_named(tmp_path: Path, params: Params) -> None:
    record(tmp_path, ("r", "t"), (2010,))
    reports = {found.dataset: found for found in check(tmp_path, params)}
    assert reports["weather_mv"].folder is None
    assert "2 of its 4 variables have no file" in reports["weather_mv"].notes[0]
    assert "v_component_of_wind" in reports["weather_mv"].notes[0]
    (named,) = check(tmp_path, params, ["weather_mv"])
    assert published.weather_file("u", 1979) in missing(named)


@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_64BIT_OFFSET"])
def test_every_truncated_file_is_named(report: Callable[[str], Report], tmp_path: Path, kind: str) -> None:
    for number in range(2010, 2019):
        path = year(tmp_path / "weather", "t2m", number, hours=48, shape=(4, 8), kind=kind)
        if number in (2012, 2014):
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    damaged = report("weather_t2m").damaged
    assert [number for number in (2010, 2012, 2014) if any(f"_{number}_" in line for line in damaged)] == [2012, 2014]
    assert missing(report("weather_t2m")) == []


def test_a_truncated_file_in_a_folder_of_all_variables_hides_no_other(tmp_path: Path, params: Params) -> None:
    """And files of two variables may have one name, each in its own folder."""
    record(tmp_path)
    for path in (tmp_path / "weather/2m_temperature").iterdir():
        path.rename(tmp_path / "weather" / path.name)
    spoilt = tmp_path / "weather/2m_temperature_2012_5.625deg.nc"
    spoilt.write_bytes(spoilt.read_bytes()[:-900])
    (found,) = (report for report in check(tmp_path, params) if report.dataset == "weather_t2m")
    assert found.folder == tmp_path / "weather"
    assert any(spoilt.name in line for line in [*found.damaged, str(found.refusal)])


def test_files_of_two_variables_may_have_one_name(report: Callable[[str], Report], tmp_path: Path) -> None:
    record(tmp_path, ("u10", "v10"))
    for path in sorted((tmp_path / "weather").rglob("*.nc")):
        path.rename(path.with_name(path.name[-17:]))
    assert missing(report("weather_uv10")) == []


def test_files_that_are_not_as_published(report: Callable[[str], Report], tmp_path: Path) -> None:
    record(tmp_path, years=range(2010, 2016))
    year(tmp_path / "weather", "t2m", 2016, hours=240)
    year(tmp_path / "weather", "t2m", 2017, step=3)
    year(tmp_path / "weather", "t2m", 2018, shape=(8, 16))
    of = report("weather_t2m")
    assert checked(of, "grid") == ("8 × 16", False)
    assert "grid: not 32 × 64 in 1 of 8, 2m_temperature/2m_temperature_2018_5.625deg.nc" in of.notes
    assert "wrong cadence, one frame every 3 h" in of.damaged[0]
    assert "wrong cadence" in of.refusal
    year(tmp_path / "weather", "t2m", 2017)
    year(tmp_path / "weather", "t2m", 2018)
    of = report("weather_t2m")
    assert not of.damaged
    assert "A hole in the validation period ['2016', '2016']: no frame after 2016-01-10T23:00" in of.refusal


def test_a_file_without_its_variable_or_with_other_content(report: Callable[[str], Report], tmp_path: Path) -> None:
    record(tmp_path, years=range(2010, 2017))
    (tmp_path / "weather" / published.weather_file("t2m", 2017)).write_text("<html>503</html>")
    year(tmp_path / "weather", "v10", 2018, hours=24).rename(tmp_path / "weather" / published.weather_file("t2m", 2018))
    damaged = "\n".join(report("weather_t2m").damaged)
    assert "2m_temperature_2017_5.625deg.nc (16 bytes) can't be read as NetCDF" in damaged
    assert "2m_temperature_2018_5.625deg.nc has no variable 't2m'; it has" in damaged


@pytest.mark.parametrize("folder", ["weather", "weather_5_625deg", "5.625deg", "."])
def test_the_folder_may_be_named_as_others_do(tmp_path: Path, params: Params, folder: str) -> None:
    year(tmp_path / folder, "t2m", 2010)
    (found,) = check(tmp_path, params, ["weather_t2m"])
    assert (found.folder, found.says) == (tmp_path / folder, "made up for a test")


def test_expected_windows_of_the_published_periods(params: Params) -> None:
    """Counted by hand: 37 and 36 years with 9 leap days, 6-hourly, over 8 frames, and over 37 of the reference."""
    frames = (37 * 365 + 9) * 4
    mv, hmv = (published.whole(params.dataset(name)) for name in ("weather_mv", "weather_hmv"))
    assert mv.windows == {
        "clean": [frames - 7, 366 * 4 - 7, 730 * 4 - 7],
        "paper": [frames - 37, 366 * 4 - 37, 730 * 4 - 37],
    }
    assert mv.frames == frames + 366 * 4 + 730 * 4 == hmv.frames + 365 * 4
    assert hmv.frame_bytes == (8 * 13 + 6) * 32 * 64 * 4
    assert published.whole(replace(params.dataset("weather_mv"), train=("1979", "2014"))) is None


# --- KTH ----------------------------------------------------------------------------------------------------------


def test_missing_recordings_of_kth(tmp_path: Path, params: Params, capsys: pytest.CaptureFixture[str]) -> None:
    kth_sample.write(tmp_path / "kth", persons=(1, 15, 17), actions=("boxing", "handclapping"))
    (of,) = check(tmp_path, params, ["kth"])
    assert of.refusal == "", "it can be prepared"
    assert not of.complete
    assert len(missing(of)) == 599 - 6
    assert not any(NEVER_PUBLISHED in name for name in missing(of))
    assert checked(of, "files") == ("7", False)
    assert checked(of, "frame size") == ("120 × 160", True)
    assert of.says.startswith("Simulated data")
    text = printed(capsys, tmp_path, "kth", "--names")[1]
    assert "person13_handclapping_d3 is missing in the published set itself" in text
    assert "(from handclapping.zip)" in text
    assert text.count("_uncomp.avi") >= 593, "--names lists all of them"


def test_truncated_videos_and_an_absent_list_of_kth(report: Callable[[str], Report], tmp_path: Path) -> None:
    written = kth_sample.write(tmp_path / "kth", persons=(1, 15, 17), actions=("boxing",))
    for path in written[:2]:
        path.write_bytes(path.read_bytes()[:9000])
    (tmp_path / "kth" / "00sequences.txt").unlink()
    of = report("kth")
    assert [path.name for path in written[:2] if any(path.name in line for line in of.damaged)] == [
        "person01_boxing_d1_uncomp.avi",
        "person15_boxing_d1_uncomp.avi",
    ]
    assert "person01_boxing_d1_uncomp.avi is truncated" in of.refusal
    assert "00sequences.txt" in missing(of)
    assert of.store_bytes == 227_188 * 128 * 128


def test_openstl_folders_of_kth(report: Callable[[str], Report], tmp_path: Path) -> None:
    for person in (1, 15, 17):
        folder = tmp_path / "kth" / "boxing" / f"person{person:02}_boxing_d1_uncomp"
        folder.mkdir(parents=True)
        for number in range(1, 32):
            Image.new("RGB", (160, 120)).save(folder / f"image_{number:04}.jpg")
    of = report("kth")
    assert "person02" in missing(of), "of persons alone it is known that there must be folders"
    assert checked(of, "windows, clean") == ("1 / 1 / 1", None)
    assert any("5,200 and 3,167 windows" in note for note in of.notes)


def test_a_list_of_kth_without_videos(report: Callable[[str], Report], tmp_path: Path) -> None:
    (tmp_path / "kth").mkdir()
    (tmp_path / "kth" / "00sequences.txt").write_text("person01_boxing_d1 frames 1-95\n")
    of = report("kth")
    assert "No recording of KTH" in of.refusal
    assert len(missing(of)) == 599


def test_expected_windows_of_kth_are_for_the_usual_settings_only() -> None:
    assert published.whole(KTHData(root="x")).windows["paper"] == [8781, 5045, 5045]
    assert published.whole(KTHData(root="x", frames_out=40)).windows["clean"] == [6002, 946, 4068]
    assert published.whole(KTHData(root="x", actions=("walking",))) is None
    names = [
        name
        for of_archive in published.kth_archives(KTH_ACTIONS).values()
        for name in of_archive
        if name.endswith(".avi")
    ]
    assert (len(names), len(set(names))) == (599, 599)


# --- KittiCaltech -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated drives, drawn once."""
    root = tmp_path_factory.mktemp("drives")
    train = [driving_sample.Drive("city-2011_09_26_drive_0001_sync", 12, 6.0)]
    validation = [driving_sample.Drive("city-2011_09_26_drive_0005_sync", 12, 6.0)]
    caltech = [driving_sample.Drive("set06/V000", 36, 6.0)]
    driving_sample.write(root, 0, train, validation, caltech)
    return root


def test_missing_files_of_kitticaltech(report: Callable[[str], Report], tmp_path: Path, driven: Path) -> None:
    shutil.copytree(driven, tmp_path / "kitticaltech")
    (tmp_path / "kitticaltech" / "kitti_hkl" / "X_train.hkl").unlink()
    of = report("kitticaltech")
    assert "kitti_hkl/X_train.hkl" in missing(of)
    assert "caltech/set06/V018.seq" in missing(of)
    assert "caltech/set10/V011.seq" in missing(of)
    assert "caltech/set06/V000.seq" not in missing(of)
    assert checked(of, "files") == ("4", False)
    assert "X_train.hkl" in of.refusal


def test_a_whole_kitticaltech_right_below_the_root(tmp_path: Path, params: Params, driven: Path) -> None:
    shutil.copytree(driven, tmp_path, dirs_exist_ok=True)
    videos = [name for names in published.caltech_archives().values() for name in names]
    for name in videos[1:]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(tmp_path / "caltech/set06/V000.seq", tmp_path / name)
    (of,) = check(tmp_path, params, ["kitticaltech"])
    assert of.complete
    assert of.folder == tmp_path
    assert checked(of, "windows, clean") == ("1 / 1 / 66", None), "no number to compare with is published"
    assert any("2,042 and 1,983" in note for note in of.notes)
    assert len(videos) == 66
    assert of.says == "Simulated streets (svqkit), not the real data"


def test_damaged_files_of_kitticaltech(report: Callable[[str], Report], tmp_path: Path, driven: Path) -> None:
    shutil.copytree(driven, tmp_path, dirs_exist_ok=True)
    for name in ("kitti_hkl/X_val.hkl", "caltech/set06/V000.seq"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:700])
    damaged = "\n".join(report("kitticaltech").damaged)
    assert "X_val.hkl" in damaged
    assert "V000.seq" in damaged


def test_folders_of_kitti_and_drives_of_ones_own(tmp_path: Path, params: Params) -> None:
    for number in range(12):
        folder = tmp_path / "kitticaltech" / "kitti" / "mine"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (160, 128)).save(folder / f"{number:04}.png")
    (of,) = check(tmp_path, params, ["kitticaltech"])
    own = replace(params.dataset("kitticaltech"), validation=("mine",))
    (of,) = check(tmp_path, replace(params, datasets=params.datasets | {"kitticaltech": own}), ["kitticaltech"])
    assert "lacks the validation recording" not in of.refusal


# --- Human3.6M ----------------------------------------------------------------------------------------------------


def test_truncated_and_absent_lists_and_frames_of_human(report: Callable[[str], Report], tmp_path: Path) -> None:
    human_sample.write(tmp_path / "human", persons=(1, 8, 9), frames=24)
    of = report("human")
    found, fits = checked(of, "windows, paper")
    assert found.startswith(f"{len((tmp_path / 'human' / 'train.txt').read_text().splitlines()):,} / ")
    assert fits is False
    assert checked(of, "frames") == ("72", False)
    assert checked(of, "image size") == ("256 × 256", True)
    assert [*of.missing] == ["S5.tar", "S6.tar", "S7.tar", "S11.tar"]
    assert of.says.startswith("Simulated by svqkit.samples.human")
    (tmp_path / "human" / "images" / "S8_Walking.54138969_000006.jpg").unlink()
    assert "S8_Walking.54138969_000006.jpg" in report("human").refusal
    (tmp_path / "human" / "train.txt").unlink()
    of = report("human")
    assert missing(of)[0] == "train.txt"
    assert "There is no list" in of.refusal
    assert of.store_bytes == 412_444 * 3 * 256 * 256, "what it will need when it is whole"


def test_an_image_of_human_that_is_none(report: Callable[[str], Report], tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "S1_Walking.54138969_000001.jpg").write_bytes(b"")
    of = report("human")
    assert "can't be read as an image" in of.damaged[0]
    assert missing(of)[:2] == ["train.txt", "test.txt"]


# --- TaxiBJ -------------------------------------------------------------------------------------------------------


TAXIBJ_KEYS = ("X_train", "Y_train", "X_test", "Y_test")
TAXIBJ_SAMPLE = (4, 2, 32, 32)


def headers_only(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """An .npz with no values behind the headers of its arrays: nothing but these may be looked at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, shape in shapes.items():
            with file.open(f"{name}.npy", "w") as stream:
                npy.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})


@pytest.fixture
def thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a thousand samples were published: more, whose values are not there, would be called damaged."""
    monkeypatch.setitem(published.FACTS, "training samples", published.Fact("training samples", "1,000", "a test"))


@pytest.mark.usefixtures("thousand")
def test_the_published_file_of_taxibj(report: Callable[[str], Report], tmp_path: Path) -> None:
    shapes = {key: (1_000 if "train" in key else 300, *TAXIBJ_SAMPLE) for key in TAXIBJ_KEYS}
    headers_only(tmp_path / "taxibj" / "dataset.npz", shapes)
    of = report("taxibj")
    assert of.complete
    assert checked(of, "training samples") == ("1,000", True)
    assert checked(of, "test samples") == ("300", None), "no published number was found"
    assert of.store_bytes == 1_300 * 8 * 2 * 32 * 32 * 4


def test_wrong_shapes_of_taxibj(report: Callable[[str], Report], tmp_path: Path) -> None:
    path = tmp_path / "taxibj" / "dataset.npz"
    headers_only(path, dict.fromkeys(TAXIBJ_KEYS, (40, 4, 2, 16, 16)))
    assert checked(report("taxibj"), "sample") == ("4 × 2 × 16 × 16", False)
    headers_only(path, dict.fromkeys(TAXIBJ_KEYS, (40, 4, 2, 16, 16)) | {"Y_test": (39, 4, 2, 16, 16)})
    assert "X_test (40, 4, 2, 16, 16), Y_test (39, 4, 2, 16, 16)" in report("taxibj").damaged[0]
    headers_only(path, {"X_train": (40, 2, 32, 32)})
    assert "has no X_test, Y_test, Y_train" in report("taxibj").damaged[0]
    headers_only(path, dict.fromkeys(TAXIBJ_KEYS, (40,)))
    assert "has the shape (40,)" in report("taxibj").damaged[0]


def test_a_truncated_file_and_the_sample_of_taxibj(report: Callable[[str], Report], tmp_path: Path) -> None:
    taxi_sample.write(tmp_path / "taxibj", train=40, test=12)
    of = report("taxibj")
    assert checked(of, "training samples") == ("40", False)
    assert of.says.startswith("Simulated by svqkit.samples.taxibj")
    path = tmp_path / "taxibj" / "dataset.npz"
    path.write_bytes(path.read_bytes()[:5000])
    assert "dataset.npz (5,000 bytes) can't be read" in report("taxibj").damaged[0]


def test_the_original_files_of_taxibj(report: Callable[[str], Report], tmp_path: Path) -> None:
    for name in published.TAXIBJ_RECORDS[2:]:
        with h5py.File(tmp_path / name, "w") as file:
            dates = [f"201511{day:02}{slot:02}".encode() for day in (1, 2) for slot in range(1, 49)][:-3]
            file["date"] = dates
            file.create_dataset("data", (len(dates), 2, 32, 32), "f8")
    (tmp_path / published.TAXIBJ_RECORDS[2]).write_bytes(b"cut")
    of = report("taxibj")
    assert missing(of) == list(published.TAXIBJ_RECORDS[:2])
    assert published.TAXIBJ_RECORDS[2] in of.damaged[0]
    assert "1 days have all of their slots" in of.notes


def test_a_file_of_taxibj_that_ends_within_its_first_day(report: Callable[[str], Report], tmp_path: Path) -> None:
    with h5py.File(tmp_path / published.TAXIBJ_RECORDS[0], "w") as file:
        file["date"] = [f"20130701{slot:02}".encode() for slot in range(1, 41)]
        file.create_dataset("data", (40, 2, 32, 32), "f8")
    assert "0 days have all of their slots" in report("taxibj").notes


# --- the command --------------------------------------------------------------------------------------------------


def test_what_can_not_be_looked_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = printed(capsys, tmp_path / "nowhere")
    assert code == 2
    assert "There is no folder" in text
    code, text = printed(capsys, tmp_path, "weather_t2n")
    assert code == 2
    assert "did you mean 'weather_t2m'?" in text
    code, text = printed(capsys, tmp_path)
    assert code == 1, "nothing is there"
    assert "0 of 10 datasets are there" in text


def test_a_dataset_of_ones_own_is_not_known(tmp_path: Path, params: Params) -> None:
    mine = replace(params, datasets=params.datasets | {"mine": ArrayData(root="x.npy", frames_in=2, frames_out=2)})
    with pytest.raises(SvqkitError, match=r"Unknown published dataset 'mine'. Valid: human, kitticaltech, kth, "):
        check(tmp_path, mine, ["mine"])


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    """As behind `| head`, which leaves when it has its lines: here it left before the first."""
    taxi_sample.write(tmp_path / "taxibj", train=8, test=4)
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "svqkit.data", "check", str(tmp_path), "--names"]
    done = subprocess.run(command, cwd=PROJECT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_a_disk_that_is_too_small_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(tmp_path, years=(2010,))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10**8))
    text = printed(capsys, tmp_path, "--stores", tmp_path / "not" / "yet" / "there")[1]
    assert "646 MB in" in text
    assert "100 MB are free: NOT ENOUGH" in text


@pytest.fixture
def sample(tmp_path: Path) -> Callable[..., Path]:
    """A folder of another name with the bundled sample of some sources, from the store that is in git."""

    def copied(*sources: str) -> Path:
        for file in bundled_files():
            if file.path.split("/")[0] in sources:
                path = tmp_path / "elsewhere" / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT / "data-store/files/md5" / file.md5[:2] / file.md5[2:], path)
        return tmp_path / "elsewhere"

    return copied


def test_the_listing_is_of_the_sample_that_dvc_tracks() -> None:
    text = subprocess.run(["git", "show", "HEAD:data.dvc"], cwd=PROJECT, capture_output=True, text=True, check=True)
    digest = re.search(r"md5: (\w+\.dir)", text.stdout)[1]
    entries = json.loads((PROJECT / "data-store/files/md5" / digest[:2] / digest[2:]).read_text())
    assert {entry["relpath"]: entry["md5"] for entry in entries} == {file.path: file.md5 for file in bundled_files()}


def test_the_bundled_sample_is_enough(sample: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    root = sample("weather", "kth", "kitticaltech", "human", "taxibj")
    code, text = printed(capsys, root)
    assert code == 0
    assert "bundled sample" in text.splitlines()[0]
    assert "NOT COMPLETE" not in text
    assert len(text.splitlines()) <= 15
    code, text = printed(capsys, root, "-v", "kth")
    assert code == 0, "an option may stand between the names"
    assert "person01_boxing_d2_uncomp.avi" in text


def test_a_sample_is_not_enough_for_the_paper(sample: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, text = printed(capsys, sample("kth"), "--profile", "paper")
    assert code == 1
    assert "NOT COMPLETE for profile paper" in text.splitlines()[0]


def test_real_files_beside_samples_of_other_datasets(
    sample: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = sample("weather", "taxibj")
    record(root)  # the years 2010 to 2018 of t2m, over those of the sample
    code, text = printed(capsys, root)
    assert code == 0
    assert "weather_t2m   complete, in" in text
    assert "weather_hmv   complete: 42 files" in text, "1980 to 1982 are still the sample's"
    (root / "weather" / published.weather_file("t2m", 2013)).unlink()
    code, text = printed(capsys, root)
    assert code == 1
    assert text.count("NOT COMPLETE") == 1
    assert "2m_temperature_2013_5.625deg.nc" in text


def test_real_files_among_those_of_the_sample(sample: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    root = sample("kth")
    kth_sample.write(root / "kth", persons=(4,), actions=("boxing",))
    code, text = printed(capsys, root, "kth")
    assert code == 1
    assert "42 files are still those of the bundled sample" in text
    assert "person04_boxing_d1_uncomp.avi" in text


def test_samples_right_below_the_root(sample: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    root = sample("kitticaltech", "human", "taxibj")
    for source in ("kitticaltech", "human", "taxibj"):
        shutil.copytree(root / source, root, dirs_exist_ok=True)
        shutil.rmtree(root / source)
    (root / "images" / ".DS_Store").write_bytes(b"")
    (root / "caltech.zip").write_bytes(b"")
    code, text = printed(capsys, root)
    assert code == 0, text
    assert "3 of 10 datasets are there, 3 of them complete" in text


@pytest.mark.parametrize("name", ["00sequences.txt", "person25_running_d1_uncomp.avi"])
def test_a_part_of_the_sample(sample: Callable[..., Path], capsys: pytest.CaptureFixture[str], name: str) -> None:
    root = sample("kth")
    (root / "kth" / name).unlink()
    code, text = printed(capsys, root, "kth")
    assert code == 1
    assert name in text
    assert "dvc checkout" in " ".join(text.split())


def test_a_damaged_file_of_the_sample(sample: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    root = sample("taxibj", "kth")
    path = root / "kth" / "person25_running_d1_uncomp.avi"
    path.write_bytes(path.read_bytes()[:9000])
    code, text = printed(capsys, root)
    assert code == 1
    assert "person25_running_d1_uncomp.avi is truncated" in " ".join(text.split())
    assert "taxibj        complete" in text


@pytest.mark.usefixtures("thousand")
def test_the_readme_of_the_sample_beside_real_files(
    sample: Callable[..., Path], report: Callable[[str], Report], tmp_path: Path
) -> None:
    root = sample("taxibj")
    shapes = dict.fromkeys(TAXIBJ_KEYS, (1000, *TAXIBJ_SAMPLE))
    headers_only(root / "taxibj" / "dataset.npz", shapes)
    shutil.move(root / "taxibj", tmp_path / "taxibj")
    of = report("taxibj")
    assert of.complete
    assert any("README.txt" in note and "remove" in note for note in of.notes)


def test_a_readme_that_can_t_be_read_keeps_nothing_from_being_looked_at(
    sample: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root = sample("kth", "taxibj")
    (root / "kth/README.txt").unlink(missing_ok=True)
    (root / "kth/README.txt").mkdir()
    _, text = printed(capsys, root, "kth", "taxibj")
    assert "taxibj        complete" in text


def test_nothing_is_written(tmp_path: Path, params: Params) -> None:
    taxi_sample.write(tmp_path / "taxibj", train=8, test=4)
    human_sample.write(tmp_path / "human", persons=(1,), frames=16)
    record(tmp_path, years=(2010,))
    before = files_below(tmp_path)
    check(tmp_path, params)
    assert files_below(tmp_path) == before


def test_names_of_files_are_those_of_the_source() -> None:
    data = WeatherData(
        root="x", variables=("t2m",), train=("2010", "2011"), validation=("2012", "2012"), test=("2013", "2014-06")
    )
    assert published.weather_years(data) == [2010, 2011, 2012, 2013, 2014]
    assert [*published.weather_archives(data)] == ["2m_temperature_5.625deg.zip"]
