"""hickle's trees of all versions are read by h5py alone; a pickle is refused; damaged files are told."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from svqkit.data.sources.hickle_arrays import find_array, read_strings
from svqkit.errors import SvqkitError

FRAMES = np.arange(14 * 4 * 5 * 3, dtype=np.uint8).reshape(14, 4, 5, 3)
SOURCES = ["city-2011_09_26_drive_0001_sync"] * 11 + ["road-ü"] * 3


def _v1(file: h5py.File, value: object) -> None:
    file["data"] = value if isinstance(value, np.ndarray) else np.array([text.encode() for text in value])
    file["type"] = np.array([b"ndarray" if isinstance(value, np.ndarray) else b"list"])


def _v2(file: h5py.File, value: object) -> None:
    file.attrs.update({"CLASS": b"hickle", "VERSION": 2, "type": [b"hickle"]})
    file["data_0"] = value if isinstance(value, np.ndarray) else np.array([text.encode() for text in value])
    file["data_0"].attrs["type"] = [b"ndarray" if isinstance(value, np.ndarray) else b"<type 'list'>"]


def _v3(file: h5py.File, value: object) -> None:
    file.attrs.update({"CLASS": b"hickle", "VERSION": b"3.4.9", "PYTHON_VERSION": b"3.8.0", "type": [b"hickle"]})
    if isinstance(value, np.ndarray):
        file.create_dataset("data_0", data=value, compression="gzip").attrs["type"] = [b"ndarray"]
    else:
        file.create_dataset("data_0", data=value, dtype=h5py.string_dtype()).attrs["type"] = [b"<class 'list'>"]


def _v3_unlike(file: h5py.File, value: object) -> None:
    """A list of unlike things, each on its own."""
    if isinstance(value, np.ndarray):
        return _v3(file, value)
    group = file.create_group("data_0")
    for number, text in enumerate(value):
        group.create_dataset(f"data_{number}", data=text.encode())


def _v4(file: h5py.File, value: object) -> None:
    file.attrs.update({"HICKLE_VERSION": "4.0.4", "HICKLE_PYTHON_VERSION": "3.8.0"})
    array = isinstance(value, np.ndarray)
    data = file.create_dataset("data", data=value, dtype=value.dtype if array else h5py.string_dtype())
    data.attrs.update({"base_type": b"ndarray" if array else b"list", "type": np.array(b"\x80\x04never opened.")})


def _v5(file: h5py.File, value: object) -> None:
    """A string that is the same object as an earlier one is a reference to it."""
    file.attrs.update({"HICKLE_VERSION": "5.0.3", "HICKLE_PYTHON_VERSION": "3.11.7"})
    table = file.create_group("hickle_types_table")
    table["0"] = np.array([[b"\x80", b"\x04"]])
    if isinstance(value, np.ndarray):
        file["data"] = value
    else:
        group, seen = file.create_group("data"), {}
        for number, text in enumerate(value):
            name = f"data{number}"
            if text in seen:
                group.create_dataset(name, data=seen[text], dtype=h5py.ref_dtype)
            else:
                group[name] = np.frombuffer(text.encode(), "S1")[None]
                seen[text] = group[name].ref
    file["data"].attrs["type"] = table["0"].ref


VERSIONS = [_v1, _v2, _v3, _v3_unlike, _v4, _v5]


def _write(path: Path, writer: Callable[[h5py.File, object], None], value: object) -> Path:
    with h5py.File(path, "w") as file:
        writer(file, value)
    return path


@pytest.mark.parametrize("version", VERSIONS)
def test_an_array_of_every_version_is_found_and_read(tmp_path: Path, version: Callable) -> None:
    array = find_array(_write(tmp_path / "X.hkl", version, FRAMES))
    assert (array.shape, array.dtype) == (FRAMES.shape, np.uint8)
    np.testing.assert_array_equal(np.stack(list(array.read(range(2, 13)))), FRAMES[2:13])


@pytest.mark.parametrize("version", VERSIONS)
def test_strings_of_every_version_come_in_the_order_of_their_numbers(tmp_path: Path, version: Callable) -> None:
    # 14 items: data10 would come before data2 in the order of letters.
    assert read_strings(_write(tmp_path / "s.hkl", version, SOURCES)) == SOURCES


@pytest.mark.parametrize("row", [np.uint8, "S1"])
def test_strings_may_be_rows_of_bytes(tmp_path: Path, row: object) -> None:
    rows = np.array([list(b"one\0"), list(b"four")], np.uint8).view(row)
    path = _write(tmp_path / "s.hkl", lambda file, value: file.create_dataset("data", data=value), rows)
    assert read_strings(path) == ["one", "four"]


# By version: attributes of the file, what it holds, attributes of the first of that.
PICKLES: dict[str, tuple[dict, dict, dict]] = {
    "1": ({}, {"data": np.array([b"cos\nsystem"]), "type": np.array([b"pickle"])}, {}),
    "3": ({}, {"data_0": np.array([b"cos\nsystem"])}, {"type": [b"pickle"]}),
    "4": ({"HICKLE_VERSION": "4.0.4"}, {"data": np.array(b"\x80\x04cos")}, {"base_type": b"pickle"}),
    "5": ({"HICKLE_VERSION": "5.0.3"}, {"data": np.frombuffer(b"\x80\x04cos", np.uint8)}, {}),
}


@pytest.mark.parametrize("version", PICKLES)
@pytest.mark.parametrize("read", [find_array, read_strings])
def test_a_pickle_is_never_opened(tmp_path: Path, version: str, read: Callable) -> None:
    of_file, held, of_first = PICKLES[version]
    with h5py.File(tmp_path / "p.hkl", "w") as file:
        file.attrs.update(of_file)
        for name, value in held.items():
            file[name] = value
        file[next(iter(held))].attrs.update(of_first)
    with pytest.raises(SvqkitError, match="pickled Python object"):
        read(tmp_path / "p.hkl")


@pytest.mark.parametrize("read", [find_array, read_strings])
def test_a_missing_truncated_or_other_file_is_told(tmp_path: Path, read: Callable) -> None:
    with pytest.raises(SvqkitError, match="There is no file"):
        read(tmp_path / "absent.hkl")
    whole = _write(tmp_path / "X.hkl", _v1, FRAMES).read_bytes()
    for size in (0, 100, len(whole) - 200):
        (tmp_path / "cut.hkl").write_bytes(whole[:size])
        with pytest.raises(SvqkitError, match=r"cut\.hkl .*truncated"):
            read(tmp_path / "cut.hkl")


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SvqkitError, match="one array of numbers"):
        find_array(_write(tmp_path / "a.hkl", _v1, SOURCES))
    with pytest.raises(SvqkitError, match="14 things"):
        find_array(_write(tmp_path / "b.hkl", _v5, SOURCES))
    with pytest.raises(SvqkitError, match="should be a list of strings"):
        read_strings(_write(tmp_path / "c.hkl", _v1, FRAMES))
    with pytest.raises(SvqkitError, match=r"one array or list .* it has: none"):
        find_array(_write(tmp_path / "d.hkl", lambda file, value: None, None))
    path = _write(tmp_path / "e.hkl", _v1, FRAMES)
    with h5py.File(path, "a") as file:
        file["mask"] = FRAMES
    with pytest.raises(SvqkitError, match="it has: data, mask, type"):
        find_array(path)


def test_a_damaged_chunk_is_told(tmp_path: Path) -> None:
    path = _write(tmp_path / "X.hkl", _v3, FRAMES)
    with h5py.File(path) as file:
        chunk = file["data_0"].id.get_chunk_info(0)
    damaged = bytearray(path.read_bytes())
    damaged[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    path.write_bytes(damaged)
    with pytest.raises(SvqkitError, match=r"X\.hkl .* can't be read"):
        list(find_array(path).read(range(14)))
