"""Raw files are known by their bytes; what has not changed is not read again."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import zarr

from svqkit.data import rawfiles
from svqkit.data.rawfiles import raw_digest
from svqkit.errors import SvqkitError


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "raw"
    (folder / "sub").mkdir(parents=True)
    paths = [folder / "a.bin", folder / "sub" / "b.bin"]
    for number, path in enumerate(paths):
        path.write_bytes(bytes([number]) * 1000)
    return paths


def test_names_and_bytes_decide(files: list[Path], tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    first = raw_digest(files, tmp_path / "raw", known)
    assert (first["files"], first["bytes"]) == (2, 2000)
    assert raw_digest(files[::-1], tmp_path / "raw", known) == first
    assert raw_digest(files, tmp_path / "raw", tmp_path / "none.json") == first, "no earlier look changes nothing"
    files[1].write_bytes(bytes([7]) * 1000)
    second = raw_digest(files, tmp_path / "raw", known)
    assert second["digest"] != first["digest"]
    renamed = files[1].rename(files[1].with_name("c.bin"))
    assert raw_digest([files[0], renamed], tmp_path / "raw", known)["digest"] != second["digest"]


def test_only_what_changed_is_read_again(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, real, read = tmp_path / "known.json", rawfiles._digest, []
    monkeypatch.setattr(rawfiles, "_digest", lambda path: (read.append(path.name), real(path))[1])
    first = raw_digest(files, tmp_path / "raw", known)
    assert sorted(read) == ["a.bin", "b.bin"]
    read.clear()
    raw_digest(files, tmp_path / "raw", known)
    assert read == []
    os.utime(files[0], ns=(1, 1))
    assert raw_digest(files, tmp_path / "raw", known) == first, "touched, not changed"
    assert read == ["a.bin"]


@pytest.mark.parametrize("spoilt", ["", "{", json.dumps({"a.bin": [1]})])
def test_half_of_an_earlier_look_is_no_harm(spoilt: str, files: list[Path], tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    whole = raw_digest(files, tmp_path / "raw", known)
    known.write_text(spoilt)
    assert raw_digest(files, tmp_path / "raw", known) == whole


def test_a_store_behind_a_url_that_was_written_anew_is_another_one(tmp_path: Path) -> None:
    """Its metadata are looked at: of the file system of a test their time."""
    url, known = "memory://svqkit/rawdigest.zarr", tmp_path / "known.json"
    zarr.create_array(url, data=np.zeros(3))
    first = raw_digest([], url, known)
    assert raw_digest([], url, known) == first
    zarr.create_array(url, data=np.ones(3), overwrite=True)
    assert raw_digest([], url, known) != first


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match=r"There is no file .*gone\.bin"):
        raw_digest([tmp_path / "gone.bin"], tmp_path, tmp_path / "known.json")
