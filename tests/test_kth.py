"""KTH actions: which frames form which window is worked out by hand, from the reference's loader and KTH's own list."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from simulated import kth as sample

from svqkit.data.plan import Plan, Windowing
from svqkit.data.sources import kth
from svqkit.data.sources.kth import plan
from svqkit.errors import SvqkitError
from svqkit.settings.data import SPLITS, KTHData

SIZE = (12, 16)
# Lines of the published 00sequences.txt: blanks and tabs as they are there, pieces that overlap or are out of order.
PUBLISHED = (
    "\r\nSome words about the data and who may be asked about them (person not found).\r\n\r\n"
    "Training:   person11, 12, 13, 14, 15, 16, 17, 18\r\n"
    "Test:       person22, 02, 03, 05, 06, 07, 08, 09, 10 \r\n\r\n\r\n"
    "person01_boxing_d1\t\tframes\t1-95, 96-185, 186-245, 246-360\r\n"
    "person01_jogging_d1\t\tframes\t1-50, 120-170, 250-300, 362-415\r\n"
    "\r\n"
    "person07_jogging_d4\t\tframes\t1-64, 270-332, 194-264, 490-570\r\n"
    "person11_boxing_d4    \t\tframes\t1-106, 107-194, 195-250\r\n"
    "person13_handclapping_d3\t*missing*\r\n"
    "person17_boxing_d1\t\tframes\t1-110, 110-192, 193-306, 307-378\r\n"
)


def film(root: Path, name: str, frames: int, size: tuple[int, int] = SIZE) -> Path:
    """A video without loss whose frame number n (from 1) has the level 2 n."""
    path = root / f"{name}_uncomp.avi"
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"FFV1"), 25, size[::-1])
    for number in range(1, frames + 1):
        writer.write(np.full((*size, 3), 2 * number, np.uint8))
    writer.release()
    return path


def folder(root: Path, name: str, numbers: Sequence[int], suffix: str = ".png") -> Path:
    """OpenSTL's folder of frames; the level is twice the number."""
    path = root / name.split("_")[1] / f"{name}_uncomp"
    path.mkdir(parents=True)
    for number in numbers:
        Image.fromarray(np.full((*SIZE, 3), 2 * number, np.uint8)).save(path / f"image_{number:04}{suffix}")
    return path


def settings(root: Path, **changes: Any) -> KTHData:
    """Windows of four frames; persons 1 and 2 train, 3 validates, 17 tests."""
    small = {"train": (1, 2), "validation": (3,), "test": (17,), "frames_in": 2, "frames_out": 2, "size": SIZE}
    return KTHData(root=str(root), **{**small, "slow_stride": 3, "fast_stride": 2, **changes})


def stored(made: Plan) -> np.ndarray:
    return np.concatenate([piece for part in made.parts for piece in part.read()])


def windows(made: Plan, windowing: Windowing, split: str) -> dict[str, list[list[int]]]:
    """Per recording the numbers of the frames of its windows, as they stand in the raw files (level / 2)."""
    levels = stored(made)[:, 0, 0, 0] // 2
    offsets = (*windowing.inputs, *windowing.targets)
    found: dict[str, list[list[int]]] = {}
    for start in windowing.starts[split]:
        name = next(name for name, first, stop in made.clip_names if first <= start < stop)
        found.setdefault(name, []).append([int(levels[start + offset]) for offset in offsets])
    return found


def persons_of(made: Plan, windowing: Windowing, split: str) -> set[str]:
    return {name[:8] for name in windows(made, windowing, split)}


def reference_windows(videos: dict[str, list[int]], length: int, fast: set[str]) -> dict[str, list[list[int]]]:
    """What the reference's loop finds in videos that lie behind one another, written down again from its description.

    It goes from the last frame of all to the first. Where ``length`` frames up to here are of one video and numbered
    without a hole, they are a window, and it steps back by ``length``, for the fast actions by 3; else by 1.
    """
    rows = [(name, number) for name, numbers in videos.items() for number in numbers]
    found: dict[str, list[list[int]]] = {}
    last = len(rows) - 1
    while last >= length - 1:
        (name, stop), (other, start) = rows[last], rows[last - length + 1]
        if name == other and stop - start == length - 1:
            found.setdefault(name, []).insert(0, list(range(start, stop + 1)))
            last -= 3 if name in fast else length
        else:
            last -= 1
    return found


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Four persons who box in 14 and jog in 13 frames, of which the list leaves some out."""
    for person in (1, 2, 3, 17):
        film(tmp_path, f"person{person:02}_boxing_d1", 14)
        film(tmp_path, f"person{person:02}_jogging_d1", 13)
    lines = [f"person{p:02}_boxing_d1\t\tframes\t1-5, 6-10, 12-14\r\n" for p in (1, 2, 3, 17)]
    lines += [f"person{p:02}_jogging_d1\t\tframes\t1-7, 9-13\r\n" for p in (1, 2, 3, 17)]
    (tmp_path / "00sequences.txt").write_text("Training: person11, 12\r\n\r\n" + "".join(lines), newline="")
    return tmp_path


def test_windows_end_where_their_run_ends(videos: Path) -> None:
    made = plan(settings(videos))
    clean, paper = made.windows["clean"], made.windows["paper"]
    # Boxing: 1-5 and 6-10 touch and make one run, 12-14 is shorter than a window. Steps of 3 back from frame 10.
    boxing = [[1, 2, 3, 4], [4, 5, 6, 7], [7, 8, 9, 10]]
    # Jogging: two runs, steps of 2 back from frames 7 and 13.
    jogging = [[2, 3, 4, 5], [4, 5, 6, 7], [10, 11, 12, 13]]
    # The reference steps by a window's length in boxing, trains on the validation's persons, and validates on the test.
    by_length = [[3, 4, 5, 6], [7, 8, 9, 10]]
    of_clean, of_paper = {"train": (1, 2), "validation": (3,)}, {"train": (1, 2, 3), "validation": (17,)}
    for windowing, boxed, persons in ((clean, boxing, of_clean), (paper, by_length, of_paper)):
        for split in SPLITS:
            assert windows(made, windowing, split) == {
                f"person{person:02}_{action}_d1": expected
                for person in persons.get(split, (17,))
                for action, expected in (("boxing", boxed), ("jogging", jogging))
            }
    assert made.frames == 4 * (10 + 7 + 5)
    assert clean.clips["test"] == [(66, 76), (76, 83), (83, 88)]
    assert (made.dtype, made.kind, made.scale, made.channels) == ("uint8", "image", 1 / 255, ("grey",))
    assert "00sequences.txt" in {path.name for path in made.files}
    notes = " ".join(made.notes)
    assert "4 run(s) of frames are shorter than a window of 4 and were skipped" in notes
    assert "88 of 96 recordings are missing, the first: person01_boxing_d2" in notes


def test_without_the_list_a_video_is_one_run(videos: Path) -> None:
    (videos / "00sequences.txt").unlink()
    made = plan(settings(videos, actions=("boxing",), test=(17, 18)))
    assert windows(made, made.windows["paper"], "test") == {
        "person17_boxing_d1": [[3, 4, 5, 6], [7, 8, 9, 10], [11, 12, 13, 14]]
    }


@pytest.mark.parametrize("below", ["", "kth", "boxing"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_folders_of_frames_run_where_their_numbers_do(below: str, suffix: str, tmp_path: Path) -> None:
    root = tmp_path / below if below == "kth" else tmp_path
    for person in (1, 2, 3, 17):
        path = folder(root, f"person{person:02}_boxing_d3", [*range(2, 8), *range(9, 13), 20], suffix)
        (path / "Thumbs.db").touch()
        (path / "frame_0001.png").touch()
    if below == "boxing":  # the recordings right in the root, no folder per action
        for path in (root / "boxing").iterdir():
            path.rename(root / path.name)
    made = plan(settings(tmp_path))
    assert windows(made, made.windows["clean"], "test") == {"person17_boxing_d3": [[4, 5, 6, 7], [9, 10, 11, 12]]}
    assert len(made.files) == made.frames == 4 * (6 + 4)


def draw_runs() -> st.SearchStrategy[list[int]]:
    return st.sets(st.integers(1, 40), max_size=35).map(sorted)


@given(numbers=st.lists(draw_runs(), min_size=8, max_size=8), length=st.integers(4, 7))
def test_protocol_paper_finds_the_reference_s_windows(numbers: list[list[int]], length: int) -> None:
    """For any frames that are there, and the actions' own strides; in the store they lie in another order."""
    names = [f"person{p:02}_{a}_d1" for p, a in product((1, 2, 3, 17), ("boxing", "running"))]
    there = dict(zip(names, numbers, strict=True))
    lengths: dict[str, list[tuple[int, int]]] = {}
    for name in names:
        runs = [run for run in kth.find_runs(there[name]) if len(run) >= length]
        stride = 3 if "running" in name else length
        starts = kth.windows_from_end([(run.start, run.stop) for run in runs], length, stride)
        if len(starts):
            lengths[name] = [list(range(start, start + length)) for start in starts.tolist()]
    expected = reference_windows(there, length, {name for name in names if "running" in name})
    assert lengths == expected


@given(drawn=st.data())
def test_no_test_person_is_trained_on(drawn: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("kth")
    persons = drawn.draw(st.permutations(range(1, 6)))
    for person in persons:
        numbers = drawn.draw(st.sets(st.integers(1, 14), min_size=9).map(sorted))
        folder(root, f"person{person:02}_walking_d1", [*numbers, 15, 16, 17, 18])
    made = plan(settings(root, train=tuple(persons[:2]), validation=(persons[2],), test=tuple(persons[3:])))
    for protocol, windowing in made.windows.items():
        offsets = np.array([*windowing.inputs, *windowing.targets])
        frames = {split: set((windowing.starts[split][:, None] + offsets).ravel().tolist()) for split in SPLITS}
        seen = {split: persons_of(made, windowing, split) for split in SPLITS}
        assert seen["test"] == {f"person{person:02}" for person in persons[3:]}
        assert not frames["train"] & frames["test"]
        assert not seen["train"] & seen["test"]
        if protocol == "clean":
            assert not (seen["train"] | seen["test"]) & seen["validation"]
        else:
            np.testing.assert_array_equal(windowing.starts["validation"], windowing.starts["test"])
            assert seen["train"] == {f"person{person:02}" for person in persons[:3]}
        for split in SPLITS:
            for start in windowing.starts[split]:
                assert any(first <= start and start + 4 <= stop for first, stop in windowing.clips[split])


@pytest.mark.parametrize("colour", [False, True])
def test_frames_are_decoded_and_resized_as_the_reference_does(colour: bool, tmp_path: Path) -> None:
    sample.write(tmp_path, persons=(1, 2, 3, 17), actions=("running",))
    made = plan(settings(tmp_path, size=(128, 128), colour=colour, frames_in=10, frames_out=20))
    frames = stored(made)
    assert frames.shape == (made.frames, 3 if colour else 1, 128, 128)
    capture = cv2.VideoCapture(str(tmp_path / "person01_running_d1_uncomp.avi"))
    decoded = [capture.read()[1] for _ in range(sample.RUNS["running"][-1][1])]
    listed = [decoded[number - 1] for start, stop in sample.RUNS["running"] for number in range(start, stop + 1)]
    for ours, pixels in zip(frames, listed, strict=False):
        exact = cv2.resize(np.float32(pixels[:, :, 0]), (128, 128))
        for channel in ours:
            np.testing.assert_allclose(channel, exact, atol=0.5)


def test_the_published_list_is_understood(tmp_path: Path) -> None:
    (tmp_path / "00sequences.txt").write_text(PUBLISHED, newline="")
    ranges = kth.read_listing(tmp_path)
    names = ("01_boxing_d1", "01_jogging_d1", "07_jogging_d4", "11_boxing_d4", "17_boxing_d1")
    assert list(ranges) == [f"person{name}" for name in names]
    assert ranges["person01_boxing_d1"] == [(1, 95), (96, 185), (186, 245), (246, 360)]

    def runs(name: str, action: str, frames: int) -> list[tuple[int, int]]:
        recording = kth.Recording(name, int(name[6:8]), action, tmp_path / f"{name}_uncomp.avi")
        found = kth.listed_frames(recording, kth.read_listing(tmp_path), frames)
        return [(run.start, run.stop - 1) for run in kth.find_runs(found)]

    assert runs("person01_boxing_d1", "boxing", 400) == [(1, 360)]
    assert runs("person17_boxing_d1", "boxing", 378) == [(1, 378)]
    assert runs("person07_jogging_d4", "jogging", 570) == [(1, 64), (194, 264), (270, 332), (490, 570)]
    assert runs("person13_handclapping_d3", "handclapping", 100) == [(1, 100)]


@pytest.mark.parametrize(
    "line",
    [
        "person02_boxing_d1 frames",
        "person02_boxing_d1 frames 1-5 6-10",
        "person02_boxing_d1 frames 5-1",
        "person02_boxing_d1 frames 0-9",
        "person02_boxing_d1 frames 1-x",
        "person02_boxing_d1 1-9",
        "person01_boxing_d1 frames 1-9",
    ],
)
def test_a_list_that_is_damaged_is_refused(line: str, videos: Path) -> None:
    with (videos / "00sequences.txt").open("a") as file:
        file.write("person02_walking_d1 \t frames 1 - 9 , 10-12,\n" + line + "\n")
    with pytest.raises(SvqkitError, match=r"00sequences\.txt, line 12: "):
        plan(settings(videos))


def test_the_published_video_that_breaks_off_is_taken_so_far(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header promises 370 frames of which 304 can be decoded; here 20, of which 9 can for certain."""
    monkeypatch.setitem(kth.BROKEN_OFF, "person01_boxing_d4", 9)
    path = film(videos, "person01_boxing_d4", 20)
    content = path.read_bytes()
    first, last = content.find(b"movi"), content.rfind(b"idx1")
    path.write_bytes(content[: first + (last - first) * 6 // 10])
    with (videos / "00sequences.txt").open("a") as file:
        file.write("person01_boxing_d4\t\tframes\t1-6, 7-20\n")
    made = plan(settings(videos))
    assert windows(made, made.windows["paper"], "train")["person01_boxing_d4"] == [[2, 3, 4, 5], [6, 7, 8, 9]]
    assert any("person01_boxing_d4 breaks off" in note for note in made.notes)


def test_what_does_not_fit_is_refused(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(SvqkitError, match=r"which holds nothing.*person01_boxing_d1_uncomp"):
        plan(settings(empty))
    (empty / "person1_boxing.avi").touch()
    (empty / "person01_dancing_d1_uncomp.avi").touch()
    with pytest.raises(SvqkitError, match=r"which holds person01_dancing_d1_uncomp\.avi, person1_boxing\.avi"):
        plan(settings(empty))
    with pytest.raises(SvqkitError, match="There is no folder"):
        plan(settings(empty / "absent"))
    with pytest.raises(SvqkitError, match="Unknown action of KTH 'jumping'"):
        plan(settings(videos, actions=("jumping",)))
    with pytest.raises(SvqkitError, match=r"test split has no window.*recordings are missing"):
        plan(settings(videos, test=(25,)))
    with pytest.raises(SvqkitError, match="has no window"):
        plan(settings(videos, frames_out=20))


def test_names_that_mean_nothing_are_passed_over(videos: Path) -> None:
    expected = plan(settings(videos))
    (videos / "person02_boxing_d9_uncomp.avi").write_text("not a scene")
    (videos / "walking.zip").touch()
    (videos / "person03_walking_d1_uncomp").touch()
    made = plan(settings(videos))
    assert made.clip_names == expected.clip_names
    assert made.notes == expected.notes
    (videos / "walking" / "person02_walking_d1_uncomp").mkdir(parents=True)
    made = plan(settings(videos))
    assert made.clip_names == expected.clip_names
    assert "88 of 96 recordings are missing" in " ".join(made.notes), "an empty folder counts as missing"
