"""What was run, as an RO-Crate that the library rocrate opens."""

import subprocess
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from svqkit.errors import SvqkitError
from svqkit.pipeline.crate import write

LOCK = """
schema: '2.0'
stages:
  prepare@kth:
    cmd: python prepare
    deps:
    - {path: build/roots/kth/kth, hash: md5, md5: aa.dir, size: 7, nfiles: 2}
    - {path: svqkit/data/store.py, hash: md5, md5: bb, size: 3}
    outs:
    - {path: stores/sample/kth.zarr, hash: md5, md5: cc.dir, size: 9, nfiles: 4}
  train@kth-svq:
    cmd: python train
    deps:
    - {path: stores/sample/kth.zarr, hash: md5, md5: cc.dir, size: 9, nfiles: 4}
    outs:
    - {path: runs/sample/kth/kth-svq, hash: md5, md5: dd.dir, size: 5, nfiles: 6}
    - {path: journal/sample/kth/kth-svq.json, hash: md5, md5: ee, size: 1}
"""


def test_each_stage_is_an_action_with_what_it_read_and_made(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(LOCK)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", tmp_path, *author, "commit", "-q", "--allow-empty", "-m", "a"], check=True)
    words = ["git", "-C", tmp_path, "rev-parse", "HEAD"]
    commit = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    first = write(tmp_path).read_bytes()
    assert write(tmp_path).read_bytes() == first, "the same results are told in the same bytes"
    assert {path.name for path in tmp_path.iterdir()} == {".git", "dvc.lock", "ro-crate-metadata.json"}

    crate = ROCrate(tmp_path)
    assert "process" in crate.root_dataset["conformsTo"].id
    prepared, trained = crate.root_dataset["mentions"]
    assert (prepared.type, prepared["name"], trained["name"]) == ("CreateAction", "prepare@kth", "train@kth-svq")
    assert prepared["instrument"] == trained["instrument"]
    assert commit in trained["instrument"]["softwareVersion"]
    assert any(need.startswith("torch ") for need in trained["instrument"]["softwareRequirements"])
    assert [entity.id for entity in prepared["object"]] == ["build/roots/kth/kth/"], "code is no data"
    assert trained["object"] == prepared["result"]
    digests = {entity.id: (entity.type, entity["identifier"]) for entity in trained["result"]}
    assert digests == {
        "runs/sample/kth/kth-svq/": ("Dataset", "md5:dd.dir"),
        "journal/sample/kth/kth-svq.json": ("File", "md5:ee"),
    }


def test_where_nothing_was_run_there_is_nothing_to_tell(tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match="make repro"):
        write(tmp_path)
    assert not any(tmp_path.iterdir())
