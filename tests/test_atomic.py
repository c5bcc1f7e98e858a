"""What is replaced appears whole or not at all."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from svqkit.atomic import remove, replacing
from svqkit.errors import SvqkitError


def a_file(path: Path, text: str) -> None:
    path.write_text(text)


def a_folder(path: Path, text: str) -> None:
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "content").write_text(text)


def content(path: Path) -> str:
    return (path / "inner" / "content").read_text() if path.is_dir() else path.read_text()


def fail_half_way(target: Path, make: Callable[[Path, str], None], error: BaseException) -> None:
    with replacing(target) as draft:
        make(draft, "half")
        raise error


KINDS = pytest.mark.parametrize("make", [a_file, a_folder])
EARLIER_KINDS = pytest.mark.parametrize("make_earlier", [a_file, a_folder])
Make = Callable[[Path, str], None]


@KINDS
def test_a_new_target_appears_with_its_folders_and_nothing_beside_it(make: Make, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "target"
    with replacing(target) as draft:
        make(draft, "new")
        assert not target.exists()
        assert draft.parent.stat().st_dev == target.parent.stat().st_dev, "across file systems a rename is a copy"
    assert content(target) == "new"
    assert list(target.parent.iterdir()) == [target]


@KINDS
@EARLIER_KINDS
def test_an_earlier_target_stays_until_it_is_replaced_whole(make: Make, make_earlier: Make, tmp_path: Path) -> None:
    target = tmp_path / "target"
    make_earlier(target, "old")
    with replacing(target) as draft:
        make(draft, "new")
        assert content(target) == "old"
    assert content(target) == "new"
    assert target.is_dir() == (make is a_folder)
    assert list(tmp_path.iterdir()) == [target]


@KINDS
@EARLIER_KINDS
@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), PermissionError(errno.EACCES, "no")])
def test_an_error_leaves_the_old_target(error: BaseException, make: Make, make_earlier: Make, tmp_path: Path) -> None:
    target = tmp_path / "target"
    make_earlier(target, "old")
    with pytest.raises(type(error)) as caught:
        fail_half_way(target, make, error)
    assert caught.value is error, "an error that is no full disk comes out as it was"
    assert content(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


@EARLIER_KINDS
def test_nothing_written_is_an_error_and_leaves_the_earlier_target(make_earlier: Make, tmp_path: Path) -> None:
    target = tmp_path / "target"
    make_earlier(target, "old")
    with pytest.raises(FileNotFoundError), replacing(target):
        pass
    assert content(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


def wrapped() -> Exception:
    error = RuntimeError("the library could not write")
    error.__cause__ = OSError(errno.ENOSPC, "full")
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        wrapped(),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
    ids=["errno", "quota", "wrapped", "quoted"],
)
@KINDS
def test_a_full_disk_is_one_error_that_names_the_place(error: Exception, make: Make, tmp_path: Path) -> None:
    target = tmp_path / "target"
    a_folder(target, "old")
    with pytest.raises(SvqkitError, match="disk is full") as caught:
        fail_half_way(target, make, error)
    assert str(target) in str(caught.value)
    assert "MiB are free" in str(caught.value)
    assert content(target) == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_too_full_for_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(SvqkitError, match="disk is full"), replacing(tmp_path / "a" / "b" / "target"):
        pass


def test_remove_takes_files_folders_and_nothing_but_a_link_only_itself(tmp_path: Path) -> None:
    kept, link, folder = tmp_path / "kept", tmp_path / "link", tmp_path / "folder"
    a_folder(kept, "kept")
    a_folder(folder, "gone")
    link.symlink_to(kept)
    for path in (link, folder, tmp_path / "absent"):
        remove(path)
    assert list(tmp_path.iterdir()) == [kept]
    assert content(kept) == "kept"


def test_a_link_to_nothing_in_the_place_of_the_draft_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".target.part").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match=r"\.target\.part"), replacing(tmp_path / "target"):
        pass


def test_a_second_process_waits_and_says_for_whom(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    target = tmp_path / "target"
    inside, entered = os.pipe()
    child = os.fork()
    if child == 0:
        with replacing(target) as draft:
            a_folder(draft, "first")
            os.write(entered, b".")
            time.sleep(1)
        os._exit(0)
    os.read(inside, 1)
    with replacing(target) as draft:
        assert content(target) == "first", "it begins when the other one is done"
        a_file(draft, "second")
    os.waitpid(child, 0)
    assert content(target) == "second"
    assert f"Waiting for process {child} " in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == [target]
