"""How stages are shared out among processes and GPUs, and what is said of those that fail."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from svqkit.pipeline import run_stages

PRINTED = """
Running stage 'train@a':
> python -m svqkit.pipeline run train
error: The loss is nan at step 3 (epoch 1); training stops.
ERROR: failed to reproduce 'train@a': failed to run: python, exited with 1
Running stage 'train@b':
step 1
Running stage 'train@c':
ERROR: failed to reproduce 'train@c': failed to run: python, exited with 137
"""


def test_each_failed_stage_has_its_own_reason() -> None:
    assert run_stages.failures(PRINTED) == {
        "train@a": "The loss is nan at step 3 (epoch 1); training stops.",
        "train@c": "see above",
    }
    assert run_stages.failures("Running stage 'train@b':\nall is well") == {}


@given(st.lists(st.integers(0, 30), min_size=1, max_size=5), st.integers(1, 4))
def test_every_stage_is_in_one_task_after_what_it_needs(counts: list[int], jobs: int) -> None:
    datasets = {f"d{number}-{index}": f"d{number}" for number, count in enumerate(counts) for index in range(count)}
    items = [f"{kind}@d{number}" for kind in ("raw", "prepare", "evaluate", "figures") for number in range(len(counts))]
    stages = ["notebooks", *items, *(f"train@{name}" for name in datasets), "report"]
    tasks = run_stages.plan(stages, datasets, jobs)
    planned = [name for task in tasks for name in task.stages]
    assert sorted(planned) == sorted(name for name in stages if "@" in name)
    before = {
        name: {*task.after, *task.stages[:position]} for task in tasks for position, name in enumerate(task.stages)
    }
    for name, dataset in datasets.items():
        assert f"raw@{dataset}" in before[f"prepare@{dataset}"]
        assert f"prepare@{dataset}" in before[f"train@{name}"]
        assert f"train@{name}" in before[f"evaluate@{dataset}"]
        together = next(task for task in tasks if f"train@{name}" in task.stages)
        assert f"evaluate@{dataset}" not in together.stages, "DVC would leave it out when a training fails"
    assert all(f"evaluate@d{number}" in before[f"figures@d{number}"] for number in range(len(counts)))
    assert tasks[0].stages[0] == f"raw@d{counts.index(max(counts))}", "the longest begins first"


def test_every_stage_of_the_pipeline_is_run() -> None:
    stages = YAML(typ="safe").load(Path(__file__).parents[1] / "dvc.yaml")["stages"]
    for name, stage in stages.items():
        assert ("foreach" in stage) != (name in {*run_stages.FIRST, *run_stages.LAST}), name
    # DVC waits for nobody: what a stage reads must have been made by those that it comes after.
    made = {
        name: {str(path) for out in stage["outs"] for path in out} for name, stage in stages.items() if "outs" in stage
    }
    for name, after in run_stages.LAST.items():
        ahead = {*after, *(earlier for earlier_stage in after for earlier in run_stages.LAST[earlier_stage])}
        for other in set(run_stages.LAST) - ahead:
            assert not made[other] & {*stages[name]["deps"]}, f"{name} needs what {other} makes"


@pytest.mark.parametrize(
    ("visible", "expected"), [("", []), ("-1", []), ("3", ["3"]), ("0,2, GPU-ab", ["0", "2", "GPU-ab"])]
)
def test_gpus_are_those_that_are_visible(visible: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert run_stages.gpus() == expected


def test_each_process_sees_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def fake(command: list[str], env: dict[str, str], **options: object) -> object:
        seen.append(env["CUDA_VISIBLE_DEVICES"])
        return real([*command[:1], "-c", "import time; time.sleep(0.3)"], env=env, **options)

    real = run_stages.subprocess.Popen
    monkeypatch.setattr(run_stages.subprocess, "Popen", fake)
    workers = run_stages.Workers(2, ["5", "7"])
    workers.run([run_stages.Task((f"train@{name}",)) for name in "abcd"])
    assert sorted(seen[:2]) == ["5", "7"], "the first two run side by side, one on each"
    assert set(seen) == {"5", "7"}
    assert len(seen) == 4
    assert workers.failures == {}


def test_a_process_that_dies_without_a_word_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    real = run_stages.subprocess.Popen
    monkeypatch.setattr(
        run_stages.subprocess, "Popen", lambda command, **options: real([*command[:1], "-c", "exit(3)"], **options)
    )
    workers = run_stages.Workers(1, [])
    workers.run([run_stages.Task(("train@a", "train@b"))])
    assert workers.failures == {"train@a, train@b": "it printed nothing"}


def test_a_task_waits_for_what_it_comes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []

    def repro(self: run_stages.Workers, stages: tuple[str, ...]) -> None:
        log.append(f"begin {stages[0]}")
        time.sleep(0.2 if stages[0] == "a" else 0.01)
        log.append(f"end {stages[0]}")

    monkeypatch.setattr(run_stages.Workers, "_repro", repro)
    tasks = [run_stages.Task(("a",)), run_stages.Task(("b",), frozenset("a")), run_stages.Task(("c",))]
    run_stages.Workers(2, []).run(tasks)
    assert log.index("begin b") > log.index("end a")
    assert log.index("begin c") < log.index("end a"), "what can run runs meanwhile"


SLOW = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)  # of {mark}"])
time.sleep(60)
"""


def test_a_pipeline_that_is_stopped_leaves_nothing_running(tmp_path: Path) -> None:
    mark = tmp_path.as_posix()
    program = f"""
import signal, subprocess, sys
from svqkit.pipeline import run_stages
real = subprocess.Popen
slow = [sys.executable, "-c", {SLOW.format(mark=mark)!r}]
run_stages.subprocess.Popen = lambda command, **options: real(slow, **options)
run_stages.load_params = lambda: type("Params", (), {{"experiments": {{}}}})
run_stages.stage_names = lambda: ["notebooks", "settings"]
run_stages.main(["--jobs", "2"])
"""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(Path(__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, env=environment)
    while not left_of(mark):
        assert process.poll() is None, "it ended before anything was stopped"
        time.sleep(0.05)
    process.terminate()
    assert process.wait(10) == 128 + signal.SIGTERM
    time.sleep(0.5)
    assert not left_of(mark)


def left_of(mark: str) -> list[int]:
    """Processes that sleep for the test."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = " ".join(process.cmdline())
            if f"# of {mark}" in words and "subprocess" not in words:
                found.append(process.pid)
    return found


@pytest.mark.parametrize(
    ("noted", "stays"),
    [
        ('{"write": {"a": {"pid": PID, "cmd": "dvc repro"}}, "read": {}}', False),
        ('{"write": {}, "read": {"a": [{"pid": PID, "cmd": "dvc repro"}]}}', False),
        ('{"write": {"a": {"pid": DVC, "cmd": "dvc repro"}}, "read": {"b": [{"pid": PID, "cmd": "dvc"}]}}', True),
        ('{"write": {"a": {"pid', False),
        ("", False),
        ("[]", False),
    ],
    ids=["a number used again", "of a reader", "one that lives", "half written", "empty", "something else"],
)
def test_what_a_killed_dvc_noted_keeps_no_other_from_running(noted: str, stays: bool, tmp_path: Path) -> None:
    living = subprocess.Popen([sys.executable, "-c", "input()", "dvc", "repro"], stdin=subprocess.PIPE)
    in_use = tmp_path / "rwlock"
    # The parent of these tests has a number, and is no DVC.
    in_use.write_text(noted.replace("PID", str(os.getppid())).replace("DVC", str(living.pid)))
    run_stages.forget_the_dead(in_use)
    run_stages.forget_the_dead(tmp_path / "none")
    assert in_use.exists() == stays
    living.communicate(b"\n")
