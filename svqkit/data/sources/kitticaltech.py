"""KittiCaltech: a model learns from KITTI's cars and is tested on Caltech Pedestrian's; ten frames in, one out.

Files under ``root``: see :mod:`svqkit.data.sources.kitti` and :mod:`svqkit.data.sources.caltech`.

Windows end at the end of a recording and step back by their length, so that no two share a frame. (How many that makes
of the published files is told in two ways: OpenSTL's paper has 2042 for training, a user of its code got 3738, see its
issue 12.) Under both protocols all of Caltech's sets 06 to 10 is the test. "clean"
validates on X_val; under "paper" the test is the validation too, as the reference has no other.

The reference reads KITTI's frames as RGB but Caltech's through OpenCV, which gives BGR: its models are tested with
red and blue swapped. Here both are RGB; under "paper" red and blue of Caltech's frames change places before a model
sees them. The reference also keeps the fractions of the resized test frames (or cuts them off, in its cache); here they
are rounded.
"""

from dataclasses import replace

import numpy as np

from svqkit.data.plan import Clip, Plan, Windowing, declares_simulated, windows_from_end
from svqkit.data.sources.caltech import caltech
from svqkit.data.sources.driving import Recording
from svqkit.data.sources.kitti import kitti
from svqkit.settings.data import KittiCaltechData


def plan(data: KittiCaltechData) -> Plan:
    """Look at names and headers, and say which frames form which windows.

    Raises:
        SvqkitError: a file is missing, damaged, or holds what it should not; a split has no window.
    """
    learnt = kitti(data)
    test, caltech_notes = caltech(data)
    length = data.frames_in + data.frames_out
    every = [*learnt.train, *learnt.validation, *test]
    used = [recording for recording in every if recording.part.frames >= length]
    stops = np.cumsum([recording.part.frames for recording in used]).tolist()
    clips = [(stop - recording.part.frames, stop) for recording, stop in zip(used, stops, strict=True)]

    def clips_of(recordings: list[Recording]) -> list[Clip]:
        wanted = set(map(id, recordings))
        return [clip for clip, recording in zip(clips, used, strict=True) if id(recording) in wanted]

    tested = clips_of(test)
    notes = [*learnt.notes, *caltech_notes, *_too_short(len(every) - len(used), length)]
    return Plan(
        parts=[recording.part for recording in used],
        frame_shape=(3, *data.size),
        dtype="uint8",
        kind="image",
        channels=("red", "green", "blue"),
        units=("", "", ""),
        windows={
            "clean": _windowing(data, clips_of(learnt.train), clips_of(learnt.validation), tested),
            "paper": replace(
                _windowing(data, clips_of(learnt.paper_train), tested, tested), blue_first=("validation", "test")
            ),
        },
        files=tuple(dict.fromkeys(path for recording in used for path in recording.files)),
        title=learnt.title,
        simulated=declares_simulated(learnt.title),
        scale=1 / 255,
        clip_names=[(recording.name, *clip) for recording, clip in zip(used, clips, strict=True)],
        notes=tuple(notes),
    )


def _windowing(data: KittiCaltechData, train: list[Clip], validation: list[Clip], test: list[Clip]) -> Windowing:
    length = data.frames_in + data.frames_out
    clips = {"train": train, "validation": validation, "test": test}
    return Windowing(
        inputs=tuple(range(data.frames_in)),
        targets=tuple(range(data.frames_in, length)),
        starts={split: windows_from_end(owned, length, length) for split, owned in clips.items()},
        clips=clips,
    )


def _too_short(count: int, length: int) -> list[str]:
    return [f"{count} recording(s) are shorter than a window of {length} frames and were left out"] if count else []
