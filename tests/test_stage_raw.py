"""The small file that prepare depends on: it changes with the raw files' content, and not with their place."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from rawfiles import RawFiles

from svqkit.data import rawfiles
from svqkit.data.prepare import prepare
from svqkit.pipeline import stage_raw


class Stage:
    """The stage, run in a folder."""

    def __init__(self, folder: Path) -> None:
        self.file, self.known = folder / "raw.json", folder / "known.json"

    def __call__(self, data: Any) -> bytes:
        stage_raw.write(data, self.file, self.known)
        return self.file.read_bytes()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_moved_and_touched_files_are_the_same(raw: RawFiles, stage: Stage, tmp_path: Path) -> None:
    raw.write()
    before = stage(raw.data())
    raw.root = raw.root.rename(tmp_path / "moved")
    for path in raw.root.rglob("*.nc"):
        os.utime(path, ns=(1, 1))
    assert stage(raw.data()) == before
    stage.known.unlink()
    assert stage(raw.data()) == before
    assert str(tmp_path) not in before.decode()


def test_files_of_other_datasets_don_t_matter_and_its_own_do(raw: RawFiles, stage: Stage) -> None:
    raw.write()
    before = stage(raw.data())
    other = raw.root / "another_variable/another_variable_2010_5.625deg.nc"
    other.parent.mkdir()
    other.write_bytes(b"of nobody")
    assert stage(raw.data()) == before
    (own,) = (path for path in raw.root.rglob("*.nc") if path != other)
    with own.open("ab") as file:
        file.write(b"and more")
    assert stage(raw.data()) != before


def test_it_tells_what_the_store_will_say_of_its_raw_files(raw: RawFiles, stage: Stage, tmp_path: Path) -> None:
    raw.write()
    told = json.loads(stage(raw.data()))
    store = prepare(raw.data(), tmp_path / "x.zarr")
    assert told == store.settings["raw"] | {"title": store.title}


def test_prepare_reads_no_file_a_second_time(raw: RawFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw.write()
    store = tmp_path / "stores/x.zarr"
    stage_raw.write(raw.data(), tmp_path / "raw.json", stage_raw.prepare_path(store) / "raw.json")
    monkeypatch.setattr(rawfiles, "_digest", lambda path: pytest.fail(f"{path} was read again"))
    prepare(raw.data(), store)
