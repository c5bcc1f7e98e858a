"""Bad and odd raw files, one after the other through prepare: one clear error that names the file or key, or a note.

``GOOD`` writes small files of each kind that can be prepared; ``BAD`` and ``ODD`` change one thing about them.
"""

import gzip
import os
import re
import struct
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
import zarr
from numpy.lib import format as npy
from PIL import Image

from svqkit.data.domain import Domain
from svqkit.data.prepare import prepare
from svqkit.data.sources import plan
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.forecasting.files import from_files
from svqkit.settings.data import ArrayData, ClipsData, Dataset, HumanData, KittiCaltechData, KTHData, TaxiBJData

SIZE = (16, 24)
SHORT = {"frames_in": 2, "frames_out": 1}
RNG = np.random.default_rng(0)
Harm = Callable[[Path], Any]


# Small files of each kind


def record(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape or (30, 1, 4, 6), np.float32)


def npy_file(root: Path) -> ArrayData:
    np.save(root / "a.npy", record())
    return ArrayData(root=str(root / "a.npy"), **SHORT)


def npz_file(root: Path) -> ArrayData:
    np.savez(root / "a.npz", frames=record(200, 1, 16, 16))
    return ArrayData(root=str(root / "a.npz"), **SHORT)


def zarr_store(root: Path) -> ArrayData:
    zarr.create_array(root / "a.zarr", data=record(), chunks=(10, 1, 4, 6))
    return ArrayData(root=str(root / "a.zarr"), **SHORT)


def picture(path: Path, size: tuple[int, int] = SIZE, mode: str = "RGB", **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if mode in ("L", "I;16") else (*size, len(mode))
    values = RNG.integers(0, 255, shape, np.uint16 if mode == "I;16" else np.uint8)
    Image.fromarray(values).save(path, **how)
    return path


def images(root: Path, size: tuple[int, int] = SIZE) -> ClipsData:
    for clip in "abc":
        for frame in range(4):
            picture(root / clip / f"{frame}.png", size)
    return ClipsData(root=str(root), **SHORT)


def film(path: Path, frames: int = 8, size: tuple[int, int] = SIZE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = "MJPG" if path.suffix == ".avi" else "mp4v"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 25, size[::-1])
    for number in range(frames):
        writer.write(np.full((*size, 3), 20 * number, np.uint8))
    writer.release()
    return path


def films(root: Path) -> ClipsData:
    for number in range(3):
        film(root / f"{number}.avi")
    film(root / "3.mp4")
    return ClipsData(root=str(root), **SHORT)


def kth_frames(root: Path) -> KTHData:
    for person in (1, 15, 17):
        for frame in range(1, 5):
            picture(root / f"boxing/person{person:02}_boxing_d1_uncomp/image_{frame:04}.png")
    persons = {"train": (1,), "validation": (15,), "test": (17,)}
    return KTHData(root=str(root), actions=("boxing",), size=(8, 8), **persons, **SHORT)


def kth_films(root: Path) -> KTHData:
    for person in (1, 15, 17):
        film(root / f"person{person:02}_boxing_d1_uncomp.avi")
    lines = [f"person{person:02}_boxing_d1 frames 1-4, 5-8\n" for person in (1, 15, 17)]
    (root / "00sequences.txt").write_text("".join(lines))
    persons = {"train": (1,), "validation": (15,), "test": (17,)}
    return KTHData(root=str(root), actions=("boxing",), size=(8, 8), **persons, **SHORT)


def human(root: Path) -> HumanData:
    for person in (1, 8, 9):
        for frame in range(1, 32, 5):
            picture(root / f"images/S{person}_A.1_{frame:06}.jpg")
    lines = [f"images/S{person}_A.1_,{begin},40\n" for person in (1, 8) for begin in (1, 6)]
    (root / "train.txt").write_text("".join(lines))
    (root / "test.txt").write_text("images/S9_A.1_,1,40\n")
    return HumanData(root=str(root), train=(1,), validation=(8,), test=(9,), size=(8, 8), **SHORT)


def hkl(path: Path, value: Any, about: bytes = b"ndarray") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["data_0"] = value
        file["data_0"].attrs["type"] = [about]
    return path


def seq(path: Path, frames: int = 9, promised: int = 9, size: tuple[int, int] = SIZE) -> Path:
    """JPEG pictures of SIZE, under a header that promises others."""
    path.parent.mkdir(parents=True, exist_ok=True)
    jpeg = picture(path.with_suffix(".jpg")).read_bytes()
    path.with_suffix(".jpg").unlink()
    head = (struct.pack("<I", 0xFEED) + "Norpix seq".encode("utf-16-le")).ljust(548, b"\0")
    head += struct.pack("<9I", *size[::-1], 24, 8, 0, 201, promised, 0, 0)
    frame = struct.pack("<I", len(jpeg) + 4) + jpeg + b"\1" * 6 + bytes(2)
    path.write_bytes(head.ljust(1024, b"\0") + frame * frames)
    return path


def drives(root: Path) -> KittiCaltechData:
    for which in ("train", "val"):
        hkl(root / f"kitti_hkl/X_{which}.hkl", RNG.integers(0, 255, (4, *SIZE, 3), np.uint8))
        hkl(root / f"kitti_hkl/sources_{which}.hkl", np.array([f"city-{which}".encode()] * 4))
    seq(root / "caltech/set06/V000.seq")
    return KittiCaltechData(root=str(root), size=(8, 8), **SHORT)


def kitti_frames(root: Path) -> KittiCaltechData:
    for drive in "ab":
        for frame in range(4):
            picture(root / f"kitti/{drive}/{frame:010}.png")
    seq(root / "caltech/set06/V000.seq")
    return KittiCaltechData(root=str(root), size=(8, 8), validation=("b",), **SHORT)


def samples(root: Path, **changes: Any) -> TaxiBJData:
    arrays = {
        f"{part}_{split}": RNG.uniform(-1, 1, (12 if split == "train" else 3, 3, 2, 4, 4)).astype(np.float32)
        for part in "XY"
        for split in ("train", "test")
    }
    np.savez(root / "dataset.npz", **arrays | changes)
    return TaxiBJData(root=str(root), **SHORT)


def taxi_days(root: Path, year: int = 13, days: int = 8, **changes: Any) -> TaxiBJData:
    dates = [f"20{year}11{day:02}{slot:02}".encode() for day in range(1, days + 1) for slot in range(1, 49)]
    arrays = {"date": dates, "data": RNG.integers(0, 99, (len(dates), 2, 4, 4)).astype(np.float64)} | changes
    with h5py.File(root / f"BJ{year}_M32x32_T30_InOut.h5", "w") as file:
        for name, values in arrays.items():
            if values is not None:
                file[name] = values
    return TaxiBJData(root=str(root), test_days=2, **SHORT)


# What is done to them


def edit(name: str, change: Callable[[bytes], bytes]) -> Harm:
    return lambda root: (root / name).write_bytes(change((root / name).read_bytes()))


def cut(name: str, size: int) -> Harm:
    return edit(name, lambda content: content[:size])


def write(name: str, content: bytes | str = b"rubbish") -> Harm:
    return lambda root: (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def add(name: str, text: str) -> Harm:
    return edit(name, lambda content: content + text.encode())


def gone(name: str) -> Harm:
    return lambda root: (root / name).unlink()


def folder(name: str) -> Harm:
    """A folder where a file should be."""

    def harm(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        (root / name).mkdir(parents=True)

    return harm


def pipe(name: str) -> Harm:
    def harm(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        os.mkfifo(root / name)

    return harm


def elsewhere(name: str) -> Harm:
    """What lies there is moved out of the root, and a link put in its place."""

    def harm(root: Path) -> None:
        (root / name).rename(root.parent / "elsewhere")
        (root / name).symlink_to(root.parent / "elsewhere")

    return harm


def array(*shape: int, kind: str = "f4", value: Any = 0) -> Harm:
    return lambda root: np.save(root / "a.npy", np.full(shape, value, kind), allow_pickle=True)


def with_value(value: float) -> Harm:
    def harm(root: Path) -> None:
        values = record().astype(np.float64)
        values[17, 0, 2, 3] = value
        np.save(root / "a.npy", values)

    return harm


def two_sizes(root: Path) -> None:
    """Temperature, once -9999, beside geopotential, among whose values -9999 would be nothing special."""
    values = np.concatenate([record(), 1e5 * record() - 5e4], axis=1)
    values[17, 0, 2, 3] = -9999
    np.save(root / "a.npy", values)


def header(shape: tuple[int, ...], descr: str = "<f4") -> Harm:
    def harm(root: Path) -> None:
        with (root / "a.npy").open("wb") as file:
            npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})

    return harm


def member(name: str, content: bytes | None = None) -> Harm:
    """One more member of the .npz, by default the first one again."""

    def harm(root: Path) -> None:
        (path,) = root.glob("*.npz")
        with zipfile.ZipFile(path, "a") as file, warnings.catch_warnings(action="ignore"):
            file.writestr(name, content or file.read(name))

    return harm


def zipped(**arrays: np.ndarray) -> Harm:
    return lambda root: np.savez(root / "a.npz", **arrays)


def chunk_gone(fill: float) -> Harm:
    def harm(root: Path) -> None:
        zarr.create_array(root / "a.zarr", data=record(), chunks=(10, 1, 4, 6), fill_value=fill, overwrite=True)
        (root / "a.zarr/c/1/0/0/0").unlink()

    return harm


def packed(root: Path) -> None:
    zarr.open_array(root / "a.zarr").attrs["scale_factor"] = 0.01


def appended(root: Path) -> None:
    """The metadata that are put together know nothing of the last 12 frames."""
    group = zarr.create_group(root / "a.zarr", overwrite=True, zarr_format=2)
    array = group.create_array("r", data=record())
    zarr.consolidate_metadata(root / "a.zarr")
    array.append(record(12, 1, 4, 6))


def sharded(root: Path) -> None:
    """The last shard is not full."""
    values = record(42, 1, 4, 6) + 1
    zarr.create_array(root / "a.zarr", data=values, chunks=(5, 1, 4, 6), shards=(20, 1, 4, 6), overwrite=True)


def nested(root: Path) -> None:
    """An array in a group of a group."""
    zarr.create_group(root / "a.zarr", overwrite=True).create_group("x").create_array("y", data=record())


def png(name: str, **how: Any) -> Harm:
    return lambda root: picture(root / name, **how)


def several(name: str) -> Harm:
    """Three pictures in one file: pages, or an animation."""
    return png(name, save_all=True, append_images=[Image.new("RGB", SIZE[::-1], colour) for colour in ("red", "blue")])


def palette(root: Path) -> None:
    Image.new("P", SIZE[::-1]).save(root / "a/1.png", transparency=0)


def png_bomb(root: Path) -> None:
    content = bytearray((root / "a/1.png").read_bytes())
    content[16:24] = struct.pack(">II", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    (root / "a/1.png").write_bytes(content)


def promise(content: bytes, frames: int = 30) -> bytes:
    changed = bytearray(content)
    for mark, offset in ((b"avih", 8 + 16), (b"strh", 8 + 32)):
        place = changed.find(mark) + offset
        changed[place : place + 4] = struct.pack("<I", frames)
    return bytes(changed)


def rubbish_frames(content: bytes) -> bytes:
    start, stop = content.find(b"movi") + 4, content.rfind(b"idx1")
    return content[:start] + bytes(stop - start) + content[stop:]


def no_test_clip(root: Path) -> None:
    for split, clip in (("train", "a"), ("validation", "b"), ("test", "")):
        (root / split).mkdir()
        if clip:
            (root / clip).rename(root / split / clip)


def later_edit(content: bytes) -> bytes:
    """An MP4 whose edit list leaves out its first three frames."""
    changed = bytearray(content)
    place, per_frame = changed.find(b"elst") + 16, int.from_bytes(content[content.find(b"stts") + 16 :][:4], "big")
    changed[place : place + 4] = (int.from_bytes(changed[place : place + 4], "big") + 3 * per_frame).to_bytes(4, "big")
    return bytes(changed)


def twice(name: str, other: str) -> Harm:
    return lambda root: (root / other).symlink_to(root / name)


def link(root: Path) -> None:
    hkl(root.parent / "elsewhere.hkl", np.zeros((4, *SIZE, 3), np.uint8))
    with h5py.File(root / "kitti_hkl/X_train.hkl", "w") as file:
        file["data_0"] = h5py.ExternalLink(str(root.parent / "elsewhere.hkl"), "/data_0")


def train(value: Any) -> Harm:
    return lambda root: hkl(root / "kitti_hkl/X_train.hkl", value)


def sources(*names: str, about: bytes = b"list") -> Harm:
    return lambda root: hkl(root / "kitti_hkl/sources_train.hkl", np.array([name.encode() for name in names]), about)


def cache(frames: Any, starts: Any) -> Harm:
    def harm(root: Path) -> None:
        (root / "caltech/set06/V000.seq").unlink()
        np.save(root / "caltech/data_cache.npy", frames)
        np.save(root / "caltech/indices_cache.npy", starts)

    return harm


def zero_to_one(root: Path) -> None:
    arrays = np.load(root / "dataset.npz")
    np.savez(root / "dataset.npz", **{key: (arrays[key] + 1) / 2 for key in arrays.files})


def half_to_one(root: Path) -> None:
    arrays = dict(np.load(root / "dataset.npz"))
    np.savez(root / "dataset.npz", **arrays | {"X_train": (arrays["X_train"] + 1) / 2})


def sample_with(value: float) -> Harm:
    values = np.zeros((12, 3, 2, 4, 4), np.float32)
    values[7, 1, 0, 2, 3] = value
    return lambda root: samples(root, X_train=values)


def moved(number: int, **changes: Any) -> Harm:
    return lambda root: taxi_days(root, number, **changes)


DATES = [f"201311{day:02}{slot:02}".encode() for day in range(1, 9) for slot in range(1, 49)]
LONE = (65535, 99999, 2**31 - 1, -9999)


def one_slot_of(value: float) -> np.ndarray:
    values = RNG.integers(0, 99, (384, 2, 4, 4)).astype(float)
    values[5, 0, 1, 1] = value
    return values


CLIP = np.zeros((12, *SIZE, 3), np.uint8)

# Kind of files, what is done to them, settings that are changed, and what the error says.
BAD: list[tuple[Callable[[Path], Dataset], Harm, dict[str, Any], str]] = [
    # .npy
    (npy_file, with_value(np.nan), {}, r"a\.npy: nan at frame 17, channel 0, row 2, column 3"),
    (npy_file, with_value(-np.inf), {}, r"a\.npy: -inf at frame 17"),
    (npy_file, with_value(1e300), {}, r"a\.npy: 1e\+300 at frame 17.*too large for float32"),
    (npy_file, with_value(1e20), {}, r"a\.npy: 1e\+20 at frame 17.*never written"),
    (npy_file, with_value(9.969209968386869e36), {}, r"a\.npy: 9\.96.* at frame 17.*never written"),
    (npy_file, with_value(-9999), {}, r"a\.npy: -9999.* at frame 17.*stands for what is missing"),
    (npy_file, two_sizes, {}, r"a\.npy: -9999.* at frame 17, channel 0.*stands for what is missing"),
    (npy_file, with_value(1.5), {"range": (0.0, 1.0)}, r"a\.npy: 1\.5 at frame 17.*outside `range`"),
    (npy_file, add("a.npy", "more"), {}, r"a\.npy holds more than its header says"),
    (npy_file, cut("a.npy", 300), {}, r"a\.npy .*truncated"),
    (npy_file, cut("a.npy", 20), {}, r"a\.npy"),
    (npy_file, cut("a.npy", 0), {}, r"a\.npy"),
    (npy_file, write("a.npy"), {}, r"a\.npy .* can't be read as an array"),
    (npy_file, lambda root: zipfile.ZipFile(root / "a.npy", "w").close(), {}, r"a\.npy .* can't be read as an array"),
    (npy_file, array(30, 1, 4, 6, kind="O"), {}, r"a\.npy.*Python objects"),
    (npy_file, array(30, 1, 4, 6, kind="U3"), {}, r"a\.npy.*<U3, expected numbers"),
    (npy_file, array(30, 1, 4, 6, kind="c8"), {}, r"a\.npy.*complex64, expected numbers"),
    (npy_file, array(30, 1, 4, 6, kind="M8[s]", value="2020-01-01"), {}, r"a\.npy.*expected numbers"),
    (npy_file, array(30, 1, 4, 6, kind="i4,f4"), {}, r"a\.npy.*expected numbers"),
    (npy_file, array(30), {}, r"a\.npy.*shape \(30,\)"),
    (npy_file, array(4, 6), {}, r"a\.npy.*shape \(4, 6\)"),
    (npy_file, array(30, 4, 6), {}, r"a\.npy.*`axes: THW`"),
    (npy_file, array(2, 3, 4, 5, 6, 7), {}, r"a\.npy.*shape"),
    (npy_file, array(30, 0, 4, 6), {}, r"a\.npy.*is empty"),
    (npy_file, array(30, 20, 8, 8), {}, r"a\.npy.*30 clips of 20 frames.*`axes: NTHW` or `axes: TCHW`"),
    (npy_file, array(30, 32, 32, 3), {}, r"a\.npy.*channels came last"),
    (npy_file, array(9, 5, 32, 32, 1), {}, r"a\.npy.*channels came last"),
    (npy_file, array(9, 5, 8, 8), {"axes": "THW"}, r"a\.npy.*has 4 axes; `axes` names 3: THW"),
    (npy_file, array(9, 5, 8, 8), {"axes": "NTCHW"}, r"a\.npy.*has 4 axes; `axes` names 5: NTCHW"),
    (npy_file, array(9, 5, 8, 8), {"axes": "NTHW", "channels": ("a", "b")}, r"`channels` names 2.*a\.npy.*has 1"),
    (npy_file, array(30, 5, 8, 8), {"channels": ("a", "b")}, r"`channels` names 2.*a\.npy.*has 5"),
    (npy_file, array(30, 2, 8, 8), {"units": ("K",)}, r"`units` names 1 units.*a\.npy has 2"),
    (npy_file, array(2, 9, 1, 8, 8), {}, r"2 clips of .*a\.npy are too few to share out"),
    (npy_file, array(2, 1, 8, 8), {}, r"2 frames of .*a\.npy are too few to share out"),
    (npy_file, array(12, 1, 8, 8), {}, "validation split has no window"),
    (npy_file, array(9, 2, 1, 8, 8), {}, "train split has no window"),
    (npy_file, lambda root: None, {"key": "x"}, r"a\.npy is a single array.*`key`"),
    (npy_file, edit("a.npy", gzip.compress), {}, r"a\.npy .*it is a gzip archive\. Unpack it"),
    (npy_file, with_value(1e15), {}, r"a\.npy: 1000000000000000\.0 at frame 17.*stands for what is missing"),
    (npy_file, folder("a.npy"), {}, r"a\.npy.*the other way round"),
    (npy_file, pipe("a.npy"), {}, r"a\.npy.*named pipe"),
    (npy_file, gone("a.npy"), {}, r"There is no .*a\.npy"),
    (npy_file, header((-30, 1, -4, 6)), {}, r"a\.npy.*damaged"),
    (npy_file, header((2**40, 1, 8, 8)), {}, r"a\.npy .*truncated"),
    (npy_file, header((2**200, 1, 8, 8)), {}, r"a\.npy"),
    (npy_file, header((30, 1, 4, 6), "|V0"), {}, r"a\.npy"),
    (npy_file, lambda root: (root / "a.npy").rename(root / "a.csv"), {"root": "a.csv"}, r"kind of array file '\.csv'"),
    # .npz
    (npz_file, member("frames.npy"), {}, r"a\.npz holds frames twice"),
    (npz_file, zipped(), {}, r"a\.npz holds no array"),
    (npz_file, zipped(a=record(), b=record()), {}, r"a\.npz holds these arrays: a, b; `key`"),
    (npz_file, lambda root: None, {"key": "other"}, r"a\.npz holds these arrays: frames; `key` is 'other'"),
    (npz_file, cut("a.npz", 4000), {}, r"a\.npz .*truncated"),
    (npz_file, cut("a.npz", 0), {}, r"a\.npz"),
    (npz_file, write("a.npz"), {}, r"a\.npz"),
    (npz_file, edit("a.npz", lambda c: c[:9000] + b"\xff" * 9 + c[9009:]), {}, r"a\.npz .*file with frames"),
    (npz_file, zipped(a=np.asfortranarray(record(30, 2, 4, 6))), {}, r"a\.npz: a is stored column by column"),
    (npz_file, zipped(a=np.array([{}])), {}, r"a\.npz, a: the array holds object.*pickled"),
    (npz_file, lambda root: [(root / "a.npz").unlink(), zipfile.ZipFile(root / "a.npz", "w").close()], {}, "no array"),
    (npz_file, member("b.npy", b"rubbish"), {"key": "b"}, r"a\.npz .* can't be read as an \.npz file with b"),
    (npz_file, folder("a.npz"), {}, r"a\.npz.*the other way round"),
    (npz_file, pipe("a.npz"), {}, r"a\.npz.*named pipe"),
    # .zarr
    (zarr_store, packed, {}, r"a\.zarr: the array is packed \(scale_factor\)"),
    (zarr_store, chunk_gone(np.nan), {}, r"a\.zarr lacks 1 of its 3 chunks, and its fill value nan"),
    (zarr_store, cut("a.zarr/c/1/0/0/0", 9), {}, r"a\.zarr can't be read"),
    (zarr_store, write("a.zarr/zarr.json"), {}, r"a\.zarr can't be read as a Zarr store"),
    (zarr_store, gone("a.zarr/zarr.json"), {}, r"a\.zarr"),
    (zarr_store, elsewhere("a.zarr/c/1"), {}, r"a\.zarr/c/1 leads out"),
    (zarr_store, pipe("a.zarr/c/1/0/0/0"), {}, r"a\.zarr/c/1/0/0/0.*named pipe"),
    (zarr_store, edit("a.zarr/zarr.json", lambda c: c.replace(b"30", b"3000000000")), {}, r"a\.zarr.*promises"),
    (zarr_store, lambda root: zarr.create_group(root / "a.zarr", overwrite=True), {}, r"a\.zarr holds no array"),
    (zarr_store, nested, {"key": "x/z"}, r"a\.zarr holds these arrays: x/y; `key` is 'x/z'"),
    (zarr_store, lambda root: None, {"key": "x"}, r"a\.zarr is a single array"),
    # Folders of frames
    (images, png("a/1.png", mode="I;16"), {}, r"a/1\.png has more than 8 bits"),
    (images, lambda root: Image.fromarray(np.ones(SIZE, "f4")).save(root / "a/4.tif"), {}, r"a/4\.tif.*8 bits"),
    (images, lambda root: cv2.imwrite(str(root / "a/1.png"), np.ones((*SIZE, 3), "u2")), {}, r"1\.png has more than"),
    (images, cut("a/1.png", 60), {}, r"a/1\.png .*can't be read as an image"),
    (images, cut("b/0.png", 0), {}, r"b/0\.png .*can't be read as an image"),
    (images, write("a/1.png"), {}, r"a/1\.png .*can't be read as an image"),
    (images, write("a/1.png", "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"), {}, r"a/1\.png"),
    (images, png("a/1.png", mode="RGBA"), {}, r"a/1\.png is transparent in part"),
    (images, png("a/1.png", mode="LA"), {}, r"a/1\.png is transparent in part"),
    (images, palette, {}, r"a/1\.png is transparent in part"),
    (images, several("a/1.png"), {}, r"a/1\.png holds 3 pictures"),
    (images, several("a/4.tif"), {}, r"a/4\.tif holds 3 pictures"),
    (images, several("b/0.png"), {}, r"b/0\.png holds 3 pictures"),
    (images, png("a/1.png", size=(24, 16)), {}, r"a/1\.png has 24 × 16 pixels"),
    (images, lambda root: [picture(root / f"a/{n}.png", (8, 8)) for n in range(4)], {}, r"differ in size.*/a has 8"),
    (images, png("a/1.jpg"), {}, r"/a/1\.(png|jpg) and .*/a/1\.(png|jpg): which"),
    (images, png_bomb, {}, r"a/1\.png is too large"),
    (images, folder("a/1.png"), {}, r"a/1\.png can't be read: it is a folder"),
    (images, pipe("a/1.png"), {}, r"a/1\.png can't be read: it is a named pipe"),
    (images, elsewhere("a/1.png"), {}, r"a/1\.png leads out"),
    (images, elsewhere("a"), {}, r"/a(/\d\.png)? leads out"),
    (images, lambda root: (root / "a/4.png").symlink_to(root / "a/4.png"), {}, r"a/4\.png can't be read: Too many"),
    (images, twice("a", "d"), {}, r"/a and .*/d are one and the same"),
    (images, lambda root: (root / "train").mkdir(), {}, "has the folders a, b, c, train"),
    (images, lambda root: None, {"frames_in": 9}, "/raw: the train split has no window"),
    (images, lambda root: None, {"root": "nowhere"}, "There is no folder .*nowhere"),
    (images, no_test_clip, {}, "no clip in .*test, which holds nothing; expected video files"),
    (images, lambda root: (root / "none").mkdir(), {"root": "none"}, "no clip in .*none, which holds nothing"),
    # Videos
    (films, cut("1.avi", 3000), {}, r"1\.avi is truncated"),
    (films, edit("1.avi", lambda c: c[:-20]), {}, r"1\.avi is truncated"),
    (films, edit("1.avi", lambda c: c[:4] + bytes(4) + c[8:]), {}, r"1\.avi was never finished"),
    (films, edit("1.avi", promise), {}, r"1\.avi is truncated: it ends after 8 frames, its header promises 30"),
    (films, edit("1.avi", rubbish_frames), {}, r"1\.avi"),
    (films, cut("3.mp4", 900), {}, r"3\.mp4 .*truncated"),
    (films, cut("3.mp4", 0), {}, r"3\.mp4"),
    (films, write("1.avi", "not a video\n" * 100), {}, r"1\.avi .*can't be read as a video"),
    (films, write("1.avi", "ffconcat version 1.0\nfile 0.avi\n"), {}, r"1\.avi"),
    (films, write("3.mp4", "#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\n0.avi\n#EXT-X-ENDLIST\n"), {}, r"3\.mp4"),
    (films, lambda root: picture(root / "x.png").rename(root / "1.avi"), {}, r"1\.avi"),
    (films, folder("1.avi"), {}, r"1\.avi can't be read: it is a folder"),
    (films, pipe("1.avi"), {}, r"1\.avi can't be read: it is a named pipe"),
    (films, elsewhere("1.avi"), {}, r"1\.avi leads out"),
    (films, lambda root: film(root / "4.avi", size=(32, 32)), {}, r"differ in size.*4\.avi 32 × 32"),
    (films, lambda root: seq(root / "4.seq", frames=5), {}, r"4\.seq is truncated.*frame 6 of 9"),
    # KTH
    (kth_films, folder("00sequences.txt"), {}, r"00sequences\.txt can't be read: it is a folder"),
    (kth_films, lambda root: [gone("00sequences.txt")(root), (root / "00sequences.txt").symlink_to("gone")], {},
     r"There is no file .*00sequences\.txt"),
    (kth_films, pipe("00sequences.txt"), {}, r"00sequences\.txt can't be read: it is a named pipe"),
    (kth_films, write("00sequences.txt", "person01_boxing_d1 frames 1-"), {}, r"00sequences\.txt, line 1"),
    (kth_films, write("00sequences.txt", "person01_boxing_d1 frames 5-1"), {}, r"00sequences\.txt, line 1"),
    (kth_films, write("00sequences.txt", f"person01_boxing_d1 frames 1-{'9' * 5000}"), {}, r"sequences\.txt, line 1"),
    (kth_films, write("00sequences.txt", "person01_boxing_d1 frames 1-999999999"), {}, r"lists frame 999999999"),
    (kth_films, add("00sequences.txt", "person01_boxing_d1 frames 1-8"), {}, r"00sequences\.txt, line 4.*second time"),
    (kth_films, write("00sequences.txt", "<html>404</html>"), {}, r"00sequences\.txt names no recording"),
    (kth_films, edit("00sequences.txt", lambda c: c.decode().encode("utf-16")), {}, r"sequences\.txt names no record"),
    (kth_films, cut("person15_boxing_d1_uncomp.avi", 3000), {}, r"person15_boxing_d1_uncomp\.avi is truncated"),
    (kth_films, folder("person15_boxing_d1_uncomp.avi"), {}, r"person15_boxing_d1_uncomp\.avi.*a folder"),
    (kth_films, gone("person17_boxing_d1_uncomp.avi"), {}, "test split has no window"),
    (kth_films, lambda root: None, {"actions": ("flying",)}, "Unknown action of KTH 'flying'"),
    (kth_films, lambda root: None, {"root": "00sequences.txt"}, r"There is no folder .*00sequences\.txt"),
    (kth_films, lambda root: None, {"frames_in": 90}, "/raw: the train split has no window"),
    (kth_frames, kth_films, {}, r"person01_boxing_d1 is there twice"),
    (kth_frames, png("boxing/person01_boxing_d1_uncomp/image_2.png"), {}, "person01.* has two frames number 2"),
    (kth_frames, png("boxing/person01_boxing_d1_uncomp/image_0002.png", size=(8, 8)), {}, r"image_0002\.png has 8 × 8"),
    (kth_frames, png("boxing/person01_boxing_d1_uncomp/image_0002.png", mode="RGBA"), {}, r"0002\.png is transparent"),
    (kth_frames, several("boxing/person01_boxing_d1_uncomp/image_0002.png"), {}, r"image_0002\.png holds 3 pictures"),
    # Human3.6M
    (human, add("train.txt", "images/S1_A.1_,1\n"), {}, r"train\.txt, line 5: expected recording,begin,end"),
    (human, add("train.txt", "images/S1_A.1_,one,30\n"), {}, r"train\.txt, line 5"),
    (human, add("train.txt", f"images/S1_A.1_,1,{'9' * 5000}\n"), {}, r"train\.txt, line 5"),
    (human, add("train.txt", "images/S1_A.1_,30,1\n"), {}, r"train\.txt, line 5: the sequence ends at 1"),
    (human, add("train.txt", "images/A.1_,1,30\n"), {}, r"train\.txt, line 5: a recording's name"),
    (human, add("train.txt", "../S1_A.1_,1,30\n"), {}, r"train\.txt, line 5: .*leads out"),
    (human, add("train.txt", "/tmp/S1_A.1_,1,30\n"), {}, r"train\.txt, line 5: .*leads out"),
    (human, add("train.txt", "images/S1_A.1_,26,40\n"), {}, r"S1_A\.1_000036\.jpg \(line 5 of .*train\.txt"),
    (human, gone("images/S9_A.1_000006.jpg"), {}, r"S9_A\.1_000006\.jpg"),
    (human, gone("test.txt"), {}, r"There is no list .*test\.txt"),
    (human, folder("test.txt"), {}, r"test\.txt can't be read: it is a folder"),
    (human, pipe("test.txt"), {}, r"test\.txt can't be read: it is a named pipe"),
    (human, write("test.txt", "\n"), {}, r"test\.txt names no sequence"),
    (human, edit("test.txt", lambda c: c.decode().encode("utf-16")), {}, r"test\.txt, line 1"),
    (human, lambda root: os.truncate(root / "test.txt", 2**24 + 1), {}, r"test\.txt has 16,777,217 bytes"),
    (human, lambda root: (root / "images").rename(root / "pictures"), {}, "images can't be read"),
    (human, elsewhere("images"), {}, "images leads out"),
    (human, cut("images/S9_A.1_000006.jpg", 100), {}, r"S9_A\.1_000006\.jpg .*can't be read as an image"),
    (human, lambda root: None, {"test": (11,)}, r"test split has no window.*test\.txt has no sequence .*11"),
    # KittiCaltech
    (drives, gone("kitti_hkl/X_train.hkl"), {}, r"There is no file .*X_train\.hkl"),
    (drives, gone("kitti_hkl/sources_val.hkl"), {}, r"There is no file .*sources_val\.hkl"),
    (drives, cut("kitti_hkl/X_val.hkl", 900), {}, r"X_val\.hkl .*truncated"),
    (drives, folder("kitti_hkl/X_val.hkl"), {}, r"X_val\.hkl can't be read: it is a folder"),
    (drives, write("kitti_hkl/X_val.hkl", "<html>404</html>"), {}, r"X_val\.hkl .*as HDF5.*it is a web page"),
    (drives, train(np.zeros((4, *SIZE), "u1")), {}, r"X_train\.hkl: expected frames"),
    (drives, train(np.zeros((4, *SIZE, 1), "u1")), {}, r"X_train\.hkl: expected frames"),
    (drives, train(np.zeros((4, *SIZE, 3), "f4")), {}, r"X_train\.hkl.*float32"),
    (drives, train(np.zeros((0, *SIZE, 3), "u1")), {}, r"X_train\.hkl.*\(0, 16, 24, 3\)"),
    (drives, train(np.zeros((4, 90, 30, 3), "u1")), {}, r"X_train\.hkl has pictures of 90 × 30"),
    (drives, train(b"text"), {}, r"X_train\.hkl: /data_0 should be one array of numbers"),
    (drives, link, {}, r"X_train\.hkl: data_0 is a link, which is not followed"),
    (drives, sources("a", "b"), {}, r"sources_train\.hkl names the recordings of 2 frames"),
    (drives, sources(*"aaaa", about=b"pickle"), {}, r"sources_train\.hkl holds a pickled Python object"),
    (drives, sources(*["city-val"] * 4), {}, "both have frames of city-val"),
    (drives, lambda root: hkl(root / "kitti_hkl/sources_train.hkl", [b"\xff"] * 4), {}, r"sources_train\.hkl.*'utf-8'"),
    (drives, lambda root: seq(root / "caltech/set06/V000.seq", frames=8), {}, r"V000\.seq is truncated"),
    (drives, lambda root: seq(root / "caltech/set06/V000.seq", size=(16, 30)), {}, r"V000\.seq has 16 × 24 pixels"),
    (drives, lambda root: seq(root / "caltech/set06/V000.seq", size=(60_000,) * 2), {}, r"V000\.seq.*60000 × 60000"),
    (drives, cut("caltech/set06/V000.seq", 600), {}, r"V000\.seq .* can't be read as a Norpix \.seq video"),
    (drives, write("caltech/set06/V000.seq", b"RIFF" * 500), {}, r"V000\.seq .* can't be read as a Norpix \.seq video"),
    (drives, folder("caltech/set06/V000.seq"), {}, r"V000\.seq can't be read: it is a folder"),
    (drives, gone("caltech/set06/V000.seq"), {}, "No Caltech Pedestrian test set in .*caltech"),
    (drives, cache(CLIP[..., 0], [0]), {}, r"data_cache\.npy: expected frames"),
    (drives, cache(CLIP, [1.5]), {}, r"indices_cache\.npy: expected a list of whole numbers"),
    (drives, cache(CLIP, [3, 3]), {}, r"indices_cache\.npy has window starts from 3 to 3"),
    (drives, cache(CLIP, [3, 30]), {}, r"indices_cache\.npy has window starts from 3 to 30"),
    (drives, lambda root: [cache(CLIP, [0])(root), add("caltech/data_cache.npy", "x")(root)], {}, r"holds more than"),
    (kitti_frames, png("kitti/a/0000000002.png", size=(8, 30)), {}, r"0000000002\.png has 8 × 30 pixels"),
    (kitti_frames, png("kitti/a/0000000002.png", mode="RGBA"), {}, r"0000000002\.png is transparent"),
    (kitti_frames, cut("kitti/a/0000000002.png", 60), {}, r"0000000002\.png .*can't be read as an image"),
    (kitti_frames, lambda root: None, {"validation": ("c",)}, r"lacks the validation recording\(s\) c; it has a, b"),
    (kitti_frames, elsewhere("kitti/a"), {}, "train split has no window|leads out"),
    # TaxiBJ
    (samples, zero_to_one, {}, r"dataset\.npz: X_test.* has no value below 0, so its"),
    (samples, half_to_one, {}, r"dataset\.npz: X_train has no value below 0"),
    (samples, sample_with(1.5), {}, r"dataset\.npz: X_train has 1 .*1\.5 in sample 7, frame 1"),
    (samples, sample_with(np.nan), {}, r"dataset\.npz: X_train has 1 .*nan in sample 7, frame 1"),
    (samples, lambda root: samples(root, X_train=np.zeros((12, 2, 4, 4))), {}, r"dataset\.npz: X_train has the shape"),
    (samples, lambda root: samples(root, X_train=np.zeros((12, 3, 2, 8, 8))), {}, r"X_train has the shape .*8\), Y_"),
    (samples, lambda root: samples(root, X_train=np.zeros((11, 3, 2, 4, 4))), {}, r"X_train has the shape \(11, "),
    (samples, lambda root: samples(root, X_train=np.zeros((12, 3, 2, 4, 4), "i4")), {}, r"in int32, expected floats"),
    (samples, lambda root: np.savez(root / "dataset.npz", X_train=CLIP), {}, r"dataset\.npz has no X_test"),
    (samples, member("X_train.npy"), {}, r"dataset\.npz holds X_train twice"),
    (samples, cut("dataset.npz", 3000), {}, r"dataset\.npz .*truncated"),
    (samples, folder("dataset.npz"), {}, r"dataset\.npz can't be read: it is a folder"),
    (samples, lambda root: None, {"frames_out": 9}, r"dataset\.npz has samples of 3 \+ 3 frames"),
    (samples, gone("dataset.npz"), {}, r"neither dataset\.npz.*BJ13"),
    (taxi_days, moved(13, date=None), {}, r"BJ13.*has no dataset date"),
    (taxi_days, moved(13, date=[b"2013110101"] * 3), {}, r"BJ13.*384 slots, date the shape \(3,\)"),
    (taxi_days, moved(13, date=[b"2013110199", *DATES[1:]]), {}, r"BJ13.*date 0.*'2013110199'"),
    (taxi_days, moved(13, date=[b"tomorrow", *DATES[1:]]), {}, r"BJ13.*date 0.*'tomorrow'"),
    (taxi_days, moved(13, data=np.full((384, 2, 4, 4), np.nan)), {}, r"BJ13.*2013-11-01 are NaN"),
    (taxi_days, moved(13, data=np.full((384, 2, 4, 4), 1e36)), {}, r"BJ13.*2013-11-01 are .*never written"),
    (taxi_days, moved(13, data=RNG.uniform(-1, 1, (384, 2, 4, 4))), {}, r"BJ13.*2013-11-01 lie.*scaled to \[-1, 1\]"),
    (taxi_days, moved(13, data=np.ones((384, 2, 4, 4))), {}, r"BJ13.*every value before the test is 1"),
    (taxi_days, moved(13, data=np.ones((384, 4, 4))), {}, r"BJ13.*of shape \(384, 4, 4\)"),
    (taxi_days, moved(13, data=np.full((384, 2, 4, 4), b"x")), {}, r"BJ13.*expected numbers"),
    *[(taxi_days, moved(13, data=one_slot_of(value)), {}, r"BJ13.*1 value.* of 2013-11-01.*slot 06") for value in LONE],
    (taxi_days, moved(13, date=DATES[:40], data=np.ones((40, 2, 4, 4))), {}, "no day has all of its 48 slots"),
    (taxi_days, moved(14, data=np.ones((384, 2, 8, 8))), {}, r"files differ: .*BJ13.*BJ14"),
    (taxi_days, moved(14, date=DATES), {}, r"BJ14.*days must rise"),
    (taxi_days, lambda root: None, {"test_days": 9}, r"8 whole days"),
    (taxi_days, cut("BJ13_M32x32_T30_InOut.h5", 3000), {}, r"BJ13.*truncated"),
    (taxi_days, folder("BJ13_M32x32_T30_InOut.h5"), {}, r"BJ13.*a folder"),
]  # fmt: skip


def prepared(good: Callable[[Path], Dataset], harm: Harm, changes: dict[str, Any], folder: Path) -> Callable[[], Store]:
    """Write the files, and return what prepares them."""
    root = folder / "raw"
    root.mkdir()
    data = good(root)
    harm(root)
    if "root" in changes:
        changes = changes | {"root": str(root / changes["root"])}
    data = replace(data, **changes)
    return lambda: prepare(data, folder / "stores" / "own.zarr")


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_files_are_one_clear_error(case: int, tmp_path: Path) -> None:
    good, harm, changes, message = BAD[case]
    call = prepared(good, harm, changes, tmp_path)
    before = [path for path in tmp_path.rglob("*") if "stores" not in path.parts]
    with pytest.raises(SvqkitError, match=message):
        call()
    left = [path for path in tmp_path.rglob("*") if "stores" in path.parts]
    assert tmp_path / "stores" / "own.zarr" not in left
    assert not [path for path in left if path.name == "draft"], "nothing half-written"
    assert [path for path in tmp_path.rglob("*") if "stores" not in path.parts] == before, "nothing elsewhere"


@pytest.mark.parametrize("good", dict.fromkeys(case[0] for case in BAD))
def test_the_files_that_the_bad_ones_begin_from_are_good(good: Callable[[Path], Dataset], tmp_path: Path) -> None:
    store = prepared(good, lambda root: None, {}, tmp_path)()
    assert store.frames.shape[0] > 8
    assert not [note for note in store.notes if "protocol paper" not in note and "recordings are missing" not in note]


@pytest.fixture
def for_all() -> Iterator[Path]:
    """A folder that other users may look into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


LOCKED = [
    (npy_file, "a.npy"), (npz_file, "a.npz"), (zarr_store, "a.zarr/zarr.json"), (zarr_store, "a.zarr/c/1/0/0/0"),
    (images, "a/1.png"), (images, "a"), (films, "1.avi"), (films, "3.mp4"), (kth_films, "00sequences.txt"),
    (kth_frames, "boxing/person01_boxing_d1_uncomp"), (human, "train.txt"), (human, "images"),
    (human, "images/S9_A.1_000006.jpg"), (drives, "kitti_hkl/X_train.hkl"), (drives, "caltech/set06/V000.seq"),
    (samples, "dataset.npz"), (taxi_days, "BJ13_M32x32_T30_InOut.h5"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "name"), LOCKED)
def test_what_may_not_be_read_is_told_as_that(good: Callable[[Path], Dataset], name: str, for_all: Path) -> None:
    data = good(for_all)
    read = lambda: [piece for part in plan(data).parts for piece in part.read()]  # noqa: E731
    assert read()
    (for_all / name).chmod(0)
    user = os.geteuid()
    try:
        if user == 0:  # who may read everything
            os.seteuid(65_534)
        with pytest.raises(SvqkitError, match=f"{name}.*([Pp]ermission|can't be read)") as error:
            read()
    finally:
        os.seteuid(user)
    assert "truncated" not in str(error.value)


def mac(*names: str) -> Harm:
    """What macOS writes beside files on foreign disks."""
    return lambda root: [write(name, b"\0\5\x16\7")(root) for name in names]


def without_utf8(root: Path) -> None:
    name = os.fsdecode(b"S1_\xe4.1_")
    for number in (1, 6, 11):
        os.rename(root / f"images/S1_A.1_{number:06}.jpg", root / f"images/{name}{number:06}.jpg")
    lines = os.fsencode(f"images/{name},1,30\n") + b"".join((root / "train.txt").read_bytes().splitlines(True)[2:])
    (root / "train.txt").write_bytes(lines)


# Kind of files, what is done to them, settings that are changed, how many frames the store has, and what is noted.
ODD: list[tuple[Callable[[Path], Dataset], Harm, dict[str, Any], int, str]] = [
    (npy_file, array(9, 5, 8, 8), {"axes": "NTHW"}, 45, ""),
    (npy_file, array(30, 5, 8, 8), {"axes": "TCHW"}, 30, ""),
    (npy_file, array(30, 8, 8), {"axes": "THW"}, 30, ""),
    (npy_file, array(30, 5, 8, 8), {"channels": tuple("abcde")}, 30, ""),
    (npy_file, array(9, 5, 32, 3, 2), {"axes": "NTCHW"}, 45, ""),
    (npy_file, lambda root: npy.write_array((root / "a.npy").open("wb"), record(), version=(3, 0)), {}, 30, ""),
    (zarr_store, chunk_gone(0.0), {}, 30, r"a\.zarr lacks 1 of its 3 chunks, which are 0\.0"),
    (npz_file, member("__MACOSX/._frames.npy", b"Mac OS X"), {}, 200, ""),
    (zarr_store, appended, {"key": "r"}, 42, ""),
    (zarr_store, sharded, {}, 42, ""),
    (zarr_store, nested, {"key": "x/y"}, 30, ""),
    (images, png("a/1.png", size=(24, 16)), {"size": (8, 8)}, 12, ""),
    (images, mac("._a", "a/._1.png", "._film.avi"), {}, 12, ""),
    (images, gone("a/1.png"), {}, 11, r"1 clip\(s\), the first .*/a, are not numbered evenly"),
    (images, lambda root: (root / "labels").mkdir(), {}, 12, r"1 folder\(s\) in .* hold no frame, the first is labels"),
    (images, lambda root: os.rename(root / "a", os.fsencode(root) + b"/\xe4"), {}, 12, ""),
    (images, lambda root: Image.new("RGBA", SIZE[::-1]).convert("RGB").save(root / "a/1.png"), {}, 12, ""),
    (films, edit("3.mp4", later_edit), {}, 29, r"3\.mp4: the header promises 8 frames, 5 are shown"),
    (films, edit("1.avi", lambda content: promise(content, 3)), {}, 32, r"1\.avi: the header promises 3 frames, 8 are"),
    (films, mac("._1.avi"), {}, 32, ""),
    (films, lambda root: os.rename(root / "1.avi", os.fsencode(root) + b"/\xe4.avi"), {}, 32, ""),
    (films, lambda root: seq(root / "4.seq"), {}, 41, ""),
    (kth_films, mac("._person01_boxing_d1_uncomp.avi", "._00sequences.txt"), {}, 24, ""),
    (kth_films, edit("00sequences.txt", lambda content: b"\xef\xbb\xbf" + content), {}, 24, ""),
    (kth_films, gone("00sequences.txt"), {}, 24, ""),
    (kth_films, edit("00sequences.txt", lambda content: content.replace(b"person", b"Person")), {}, 24, ""),
    (kth_frames, png(f"boxing/person01_boxing_d1_uncomp/image_{'9' * 60}.png"), {}, 12, ""),
    (kth_frames, mac("boxing/person01_boxing_d1_uncomp/._image_0001.png"), {}, 12, ""),
    (human, add("train.txt", "images/S1_A.1_,1,40\n" * 2), {}, 11, r"2 line\(s\) of train\.txt stand"),
    (human, edit("train.txt", lambda content: b"\xef\xbb\xbf" + content), {}, 11, ""),
    (human, without_utf8, {}, 10, ""),
    (human, lambda root: [p.rename(p.with_suffix(".JPG")) for p in root.glob("images/S1*.jpg")], {}, 11, ""),
    (human, edit("train.txt", lambda content: content.replace(b"images/", b"images\\")), {}, 11, ""),
    (human, edit("train.txt", lambda content: content.replace(b"images/", b"./images//", 1)), {}, 11, ""),
    (human, mac("images/._S1_A.1_000001.jpg"), {}, 11, ""),
    (drives, lambda root: seq(root / "caltech/set06/V000.seq", frames=12), {}, 11, r"V000\.seq goes on behind the 9"),
    (drives, lambda root: seq(root / "caltech/set06/V000.seq", promised=0), {}, 11, ""),
    (drives, mac("caltech/._set06", "caltech/set06/._V000.seq", "kitti_hkl/._X_train.hkl"), {}, 11, ""),
    (drives, lambda root: film(root / "caltech/set06/V000.avi"), {}, 11, r"V000\.avi of set06 was left out"),
    (kitti_frames, mac("kitti/a/._0000000000.png", "kitti/._a"), {}, 11, ""),
    (kitti_frames, gone("kitti/b/0000000000.png"), {}, 10, ""),
    (samples, mac("._dataset.npz"), {}, 90, ""),
    (taxi_days, mac("._BJ13_M32x32_T30_InOut.h5"), {}, 384, ""),
    (taxi_days, lambda root: taxi_days(root, date=DATES[1:], data=RNG.random((383, 2, 4, 4))), {}, 336, r"1 day\(s\)"),
    (taxi_days, moved(13, data=RNG.random((384, 2, 4, 4))), {}, 384, "no value before the test is above 0.99"),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(ODD)))
def test_odd_files_are_taken_and_told(case: int, tmp_path: Path) -> None:
    good, harm, changes, frames, note = ODD[case]
    store = prepared(good, harm, changes, tmp_path)()
    assert store.frames.shape[0] == frames
    assert not note or any(re.search(note, told) for told in store.notes), store.notes
    assert note or not [told for told in store.notes if " chunks" in told]


def test_a_picture_that_lies_on_its_side_is_put_upright(tmp_path: Path) -> None:
    """As viewers and OpenCV's imread show it."""
    turned = Image.Exif()
    turned[0x0112] = 6
    data = images(tmp_path)
    for frame in range(4):
        picture(tmp_path / "a" / f"{frame}.png", SIZE[::-1], exif=turned)
    store = prepare(data, tmp_path / "own.zarr")
    grey = cv2.cvtColor(cv2.imread(str(tmp_path / "a/0.png")), cv2.COLOR_BGR2GRAY)
    assert np.abs(store.frames[0, 0].astype(int) - grey).max() <= 1


def test_the_axes_say_what_a_frame_is(tmp_path: Path) -> None:
    values = record(9, 5, 4, 6)
    np.save(tmp_path / "a.npy", values)
    np.save(tmp_path / "b.npy", values[:, :, None])
    data = ArrayData(root=str(tmp_path / "a.npy"), axes="NTHW", **SHORT)
    stores = [
        prepare(replace(data, root=str(tmp_path / f"{name}.npy"), axes=axes), tmp_path / f"{name}.zarr")
        for name, axes in (("a", "NTHW"), ("b", ""))
    ]
    for split in ("train", "validation", "test"):
        assert stores[0].clips(split) == stores[1].clips(split)
    np.testing.assert_array_equal(stores[0].frames[:], stores[1].frames[:])


FRAME = "boxing/person01_boxing_d1_uncomp/image"


def sized(root: Path) -> None:
    """Names of frames that tell their size too."""
    for path in (root / FRAME).parent.iterdir():
        path.rename(path.with_name(f"{path.stem}_128x160.png"))


def jpeg(root: Path) -> None:
    picture(root / "a/1.png").unlink()
    picture(root / "a/1.jpg")


def of_format_2(root: Path) -> None:
    zarr.create_array(root / "a.zarr", data=record(), zarr_format=2, overwrite=True)


# Files that prepare takes, and what of them a forecast is given; its frames are the last ones that prepare made of it.
ALIKE: list[tuple[Callable[[Path], Dataset], Harm, dict[str, Any], str, slice]] = [
    (npy_file, lambda root: np.save(root / "a.npy", record() > 0.5), {}, "a.npy", slice(None)),
    (npy_file, array(30, 1, 4, 6, kind=">i4", value=70), {"range": (0.0, 90.0)}, "a.npy", slice(None)),
    (zarr_store, of_format_2, {}, "a.zarr", slice(None)),
    (images, jpeg, {}, "a", slice(4)),
    (kth_frames, sized, {}, "boxing/person01_boxing_d1_uncomp", slice(4)),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(ALIKE)))
def test_a_forecast_takes_what_prepare_takes(case: int, tmp_path: Path) -> None:
    good, harm, changes, name, frames = ALIKE[case]
    root = tmp_path / "raw"
    root.mkdir()
    data = replace(good(root), **changes)
    harm(root)
    store = prepare(data, tmp_path / "own.zarr")
    made = from_files(root / name, data, Domain.of(store), (1,))
    np.testing.assert_allclose(made.frames[0], store.frames[frames][-2:], rtol=0, atol=1e-6)
    made.restore(np.zeros((1, 1, *store.frame_shape), np.float32))


def last_frame(value: float) -> Harm:
    def harm(root: Path) -> None:
        values = record().astype(np.float64)
        values[-1, 0, 2, 3] = value
        np.save(root / "a.npy", values)

    return harm


@pytest.mark.parametrize(
    ("value", "changes", "said"),
    [
        (-9999, {}, "1 value.* stand for missing ones"),
        (9.969209968386869e36, {}, "1 value.* stand for missing ones"),
        (1.5, {"range": (0.0, 1.0), "units": "dBZ"}, r"a\.npy: the frames reach 1\.5, above `range`"),
    ],
)
def test_a_forecast_refuses_what_prepare_refuses(
    value: float, changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    data = replace(npy_file(tmp_path), **changes)
    domain = Domain.of(prepare(data, tmp_path / "own.zarr"))
    last_frame(value)(tmp_path)
    with pytest.raises(SvqkitError, match=said):
        from_files(tmp_path / "a.npy", data, domain, (1,))
