"""How stages are shared out among processes and GPUs, and what is said of those that fail."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svqkit import pipeline

PRINTED = """
Running stage 'train@a':
> python -m svqkit.notebooks run train
error: The loss is nan at step 3 (epoch 1); training stops.
ERROR: failed to reproduce 'train@a': failed to run: python, exited with 1
Running stage 'train@b':
step 1
Running stage 'train@c':
ERROR: failed to reproduce 'train@c': failed to run: python, exited with 137
"""


def test_each_failed_stage_has_its_own_reason() -> None:
    assert pipeline.failures(PRINTED) == {
        "train@a": "The loss is nan at step 3 (epoch 1); training stops.",
        "train@c": "see above",
    }
    assert pipeline.failures("Running stage 'train@b':\nall is well") == {}


@given(st.integers(0, 200), st.integers(1, 9))
def test_every_stage_is_in_one_lot_and_lots_are_alike(count: int, jobs: int) -> None:
    stages = [f"train@{number}" for number in range(count)]
    shared = pipeline.lots(stages, jobs)
    assert sorted(name for lot in shared for name in lot) == sorted(stages)
    assert max(map(len, shared), default=0) - min(map(len, shared), default=0) <= 1
    assert len(shared) <= jobs * pipeline.LOTS


@pytest.mark.parametrize(
    ("visible", "expected"), [("", []), ("-1", []), ("3", ["3"]), ("0,2, GPU-ab", ["0", "2", "GPU-ab"])]
)
def test_gpus_are_those_that_the_process_may_use(
    visible: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert pipeline.gpus() == expected


def test_each_process_sees_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def fake(command: list[str], env: dict[str, str], **options: object) -> object:
        seen.append(env["CUDA_VISIBLE_DEVICES"])
        return real([*command[:1], "-c", "import time; time.sleep(0.3)"], env=env, **options)

    real = pipeline.subprocess.Popen
    monkeypatch.setattr(pipeline.subprocess, "Popen", fake)
    workers = pipeline.Workers(2, ["5", "7"])
    workers.run([["train@a"], ["train@b"], ["train@c"], ["train@d"]])
    assert sorted(seen[:2]) == ["5", "7"], "the first two run side by side, one on each"
    assert set(seen) == {"5", "7"}
    assert len(seen) == 4
    assert workers.failures == {}


def test_a_process_that_dies_without_a_word_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    real = pipeline.subprocess.Popen
    monkeypatch.setattr(
        pipeline.subprocess, "Popen", lambda command, **options: real([*command[:1], "-c", "exit(3)"], **options)
    )
    workers = pipeline.Workers(1, [])
    workers.run([["train@a", "train@b"]])
    assert workers.failures == {"train@a, train@b": "it printed nothing"}
