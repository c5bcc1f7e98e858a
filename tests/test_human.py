"""Human3.6M: which frames form which sequence, what is read, and what is refused."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from svqkit.data.plan import Plan
from svqkit.data.sources import human
from svqkit.errors import SvqkitError
from svqkit.settings.data import HumanData

CAMERA = "54138969"
Line = tuple[str, int]
# Persons 1 and 5 train, 8 validates, 9 tests; sequences of 4 frames, every 5th number.
TRAIN: Sequence[Line] = (("S1_Walking", 11), ("S1_Walking", 1), ("S8_Eating", 6), ("S9_Walking", 1), ("S5_Greeting", 3))
TEST: Sequence[Line] = (("S1_Walking", 21), ("S9_Walking", 6), ("S8_Eating", 1))


def write(
    root: Path, train: Sequence[Line] = TRAIN, test: Sequence[Line] = TEST, length: int = 4, size: tuple = (16, 16)
) -> HumanData:
    """The lists as published (CRLF), and every frame that they name, each of a colour of its own."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    for name, lines in (("train.txt", train), ("test.txt", test)):
        text = "".join(f"images/{of}.{CAMERA}_,{begin},{begin + 70}\r\n" for of, begin in lines)
        (root / name).write_bytes(text.encode())
        for of, begin in lines:
            for number in range(begin, begin + 5 * length, 5):
                colour = (10 * int(of[1]), number, 200)
                Image.new("RGB", size[::-1], colour).save(
                    root / "images" / f"{of}.{CAMERA}_{number:06d}.jpg", quality=95
                )
    return HumanData(
        root=str(root), frames_in=2, frames_out=length - 2, size=(16, 16), train=(1, 5), validation=(8,), test=(9,)
    )


def windows(plan: Plan, protocol: str, split: str) -> list[list[str]]:
    """The files of the frames of every window."""
    paths = [path for part in plan.parts for path in part.source.files]
    files = [path.name.removesuffix(".jpg").replace(f".{CAMERA}_", " ") for path in paths]
    windowing = plan.windows[protocol]
    places = [*windowing.inputs, *windowing.targets]
    return [[files[start + place] for place in places] for start in windowing.starts[split]]


def frames(of: str, *numbers: int) -> list[str]:
    return [f"{of} {number:06d}" for number in numbers]


def test_every_window_is_what_the_lists_say(tmp_path: Path) -> None:
    plan = human.plan(write(tmp_path))
    walk = [frames("S1_Walking", 1, 6, 11, 16), frames("S1_Walking", 11, 16, 21, 26)]
    greeting, eating = frames("S5_Greeting", 3, 8, 13, 18), frames("S8_Eating", 6, 11, 16, 21)
    last = frames("S9_Walking", 6, 11, 16, 21)
    assert windows(plan, "clean", "train") == [*walk, greeting]
    assert windows(plan, "clean", "validation") == [eating]
    assert windows(plan, "clean", "test") == [last]
    assert windows(plan, "paper", "train") == [*walk, eating, frames("S9_Walking", 1, 6, 11, 16), greeting]
    tested = [frames("S1_Walking", 21, 26, 31, 36), frames("S8_Eating", 1, 6, 11, 16), last]
    assert windows(plan, "paper", "test") == windows(plan, "paper", "validation") == tested


def test_a_frame_of_several_sequences_is_stored_once(tmp_path: Path) -> None:
    plan = human.plan(write(tmp_path))
    assert plan.frames == 8 + 5 + 5 + 4
    assert [name for name, _, _ in plan.clip_names] == [
        f"{of}.{CAMERA}" for of in ("S1_Walking", "S8_Eating", "S9_Walking", "S5_Greeting")
    ]
    assert plan.windows["clean"].clips["train"] == [(0, 6), (18, 22)]
    assert "3 of 3 test sequences share frames" in plan.notes[0]


def test_numbers_on_different_grids_are_kept_apart(tmp_path: Path) -> None:
    train = (("S1_A", 1), ("S1_A", 3), ("S1_A", 41), ("S8_A", 1))
    plan = human.plan(write(tmp_path, train, (("S9_A", 1),)))
    assert windows(plan, "clean", "train") == [
        frames("S1_A", 1, 6, 11, 16),
        frames("S1_A", 41, 46, 51, 56),
        frames("S1_A", 3, 8, 13, 18),
    ]
    assert plan.windows["clean"].clips["train"] == [(0, 4), (4, 8), (8, 12)]


lines = st.lists(
    st.tuples(st.sampled_from(["S1_A", "S5_B", "S8_A", "S9_A", "S9_C", "S11_A"]), st.integers(0, 60)), max_size=12
)


@given(lines, lines)
def test_no_frame_of_a_tested_person_is_trained_on(train: list[Line], test: list[Line]) -> None:
    train, test = [*train, ("S1_A", 1), ("S8_A", 1)], [*test, ("S9_A", 1)]
    names: dict[str, int] = {}

    def rows(lines: list[Line]) -> human.Sequences:
        table = [(names.setdefault(of, len(names)), begin, int(of[1:].split("_")[0]), 1) for of, begin in lines]
        return human.Sequences(Path("list"), *np.array(table).T)

    data = HumanData(root="anywhere", train=(1, 5), validation=(8,), test=(9, 11))
    lists = [rows(train), rows(test)]
    found = human.frames_of_lists(lists, 8, 5)
    starts = human.window_starts(data, lists, found)
    of_split = {
        split: {
            (int(found.recordings[s + i]), int(found.numbers[s + i])) for s in starts["clean"][split] for i in range(8)
        }
        for split in starts["clean"]
    }
    assert of_split["test"].isdisjoint(of_split["train"] | of_split["validation"])
    assert of_split["train"].isdisjoint(of_split["validation"])
    name = {number: of for of, number in names.items()}
    for split, persons in (("train", "S1_ S5_"), ("validation", "S8_"), ("test", "S9_ S11_")):
        assert all(name[recording].startswith(tuple(persons.split())) for recording, _ in of_split[split])
    for split, lines in (("train", train), ("test", test)):
        got = sorted([(name[found.recordings[s]], found.numbers[s]) for s in starts["paper"][split]])
        assert got == sorted(lines)
        for start in starts["paper"][split]:
            np.testing.assert_array_equal(found.numbers[start : start + 8], found.numbers[start] + 5 * np.arange(8))
            assert len(set(found.recordings[start : start + 8])) == 1


def test_values_are_those_of_another_reader(tmp_path: Path) -> None:
    plan = human.plan(write(tmp_path))
    pixels = np.concatenate([piece for part in plan.parts for piece in part.read()])
    assert pixels.dtype == np.uint8
    assert pixels.shape == (plan.frames, *plan.frame_shape)
    for frame, path in zip(pixels, plan.files[2:], strict=True):
        blue_green_red = cv2.imread(str(path))
        np.testing.assert_allclose(frame[::-1].transpose(1, 2, 0).astype(int), blue_green_red, atol=1)


def test_other_sizes_are_resized_as_the_reference_does(tmp_path: Path) -> None:
    data = write(tmp_path)
    path = tmp_path / "images" / f"S1_Walking.{CAMERA}_000001.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, format="PNG")
    first = next(human.plan(data).parts[0].read())[0]
    expected = cv2.resize(cv2.imread(str(path)), (16, 16), interpolation=cv2.INTER_CUBIC)[..., ::-1]
    np.testing.assert_array_equal(first.transpose(1, 2, 0), expected)


def test_grey_and_png_frames_become_colour(tmp_path: Path) -> None:
    data = write(tmp_path)
    path = tmp_path / "images" / f"S1_Walking.{CAMERA}_000001.jpg"
    path.unlink()
    Image.new("L", (16, 16), 77).save(path.with_suffix(".png"))
    assert (next(human.plan(data).parts[0].read())[0] == 77).all()


def test_parts_are_small(tmp_path: Path) -> None:
    train = [("S1_A", 1 + 5 * k) for k in range(90)] + [("S8_A", 1)]
    plan = human.plan(write(tmp_path, train, (("S9_A", 1),), size=(2, 2)))
    assert max(part.frames for part in plan.parts) == 32
    assert sum(part.frames for part in plan.parts) == plan.frames == 93 + 4 + 4


def test_absent_frames_are_told_all_at_once(tmp_path: Path) -> None:
    data = write(tmp_path)
    for number in (16, 21, 26):
        (tmp_path / "images" / f"S1_Walking.{CAMERA}_{number:06d}.jpg").unlink()
    with pytest.raises(SvqkitError, match=r"3 of the 22 frames .* are absent") as error:
        human.plan(data)
    assert f"S1_Walking.{CAMERA}_000016.jpg (line 1 of {tmp_path / 'train.txt'})" in str(error.value)


@pytest.mark.parametrize("name", ["train.txt", "test.txt"])
def test_a_missing_list_is_told_where_it_is_published(name: str, tmp_path: Path) -> None:
    data = write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(SvqkitError, match=f"tools/prepare_data/meta/human/{name}"):
        human.plan(data)


def test_a_split_without_a_person_of_the_list_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(SvqkitError, match=r"validation split has no window.*person\(s\) 6"):
        human.plan(HumanData(root=str(tmp_path), frames_in=2, frames_out=2, train=(1,), validation=(6,), test=(9,)))
