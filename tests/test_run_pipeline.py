"""DVC's graph on Dask's workers: what runs when, what is said of stages that fail, and what ends with what."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import psutil
import pytest
from distributed import Client, LocalCluster

from svqkit.errors import SvqkitError
from svqkit.pipeline import run_stages
from svqkit.pipeline.warm import SOCKET

ROOT = Path(__file__).parents[1]
PATH = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
STAGES = """
stages:
  first: {cmd: echo one > first.txt, outs: [first.txt]}
  raw:
    foreach: [x, y]
    do: {cmd: "cp first.txt raw-${item}.txt", deps: [first.txt], outs: ["raw-${item}.txt"]}
  good:
    foreach: [x, y]
    do:
      cmd: mkdir -p all; cp raw-${item}.txt all/${item}.txt; echo good-${item} >> ../order
      deps: ["raw-${item}.txt"]
      outs: ["all/${item}.txt"]
  bad:
    cmd: "test -e ../mended || { echo 'error: this is why'; exit 3; }; mkdir -p all; touch all/bad.txt"
    deps: [first.txt]
    outs: [all/bad.txt]
  needs_bad: {cmd: cp all/bad.txt needs_bad.txt, deps: [all/bad.txt], outs: [needs_bad.txt]}
  measured:
    cmd: echo measured >> ../order; sleep 0.3; echo end of measured >> ../order; touch measured.txt
    deps: [first.txt]
    outs: [measured.txt]
    meta: {alone: true}
  joins: {cmd: cat all/* measured.txt > joined.txt, deps: [all, measured.txt], outs: [joined.txt]}
"""


def project(folder: Path, stages: str) -> Path:
    """A project of DVC's whose stages are commands of a shell."""
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], cwd=folder, check=True)
    for name in ("params.yaml", "trainings.yaml"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    (folder / "dvc.yaml").write_text(stages)
    return folder


def begin(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen:
    """Start the pipeline there; without warm starts, which take seconds to prepare, unless the environment says so."""
    return subprocess.Popen(
        [sys.executable, "-m", "svqkit.pipeline.run_stages", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": PATH, SOCKET: ""} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the pipeline there; return its exit code and what it printed."""
    process = begin(folder, *arguments)
    printed = process.communicate(timeout=500)[0]
    return process.returncode, printed


def until(true: Callable[[], object], seconds: float = 200) -> bool:
    """Wait for a condition; whether it came true."""
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(true())


def test_a_failed_stage_stops_only_what_needs_it_and_the_next_command_goes_on(tmp_path: Path) -> None:
    folder = project(tmp_path / "project", STAGES)
    code, printed = run(folder, "--jobs", "2")
    said = printed[printed.rindex("stage(s) failed:") :]
    assert code == 1
    assert "bad: this is why" in said
    assert "needs_bad: not tried, since it needs bad" in said
    assert len(said.splitlines()) == 3
    assert (folder / "joined.txt").read_text() == "one\none\n", "what joins many takes those that there are"
    order = (tmp_path / "order").read_text().splitlines()
    assert order[order.index("measured") + 1] == "end of measured", "it has the machine for itself"

    (tmp_path / "mended").touch()
    code, printed = run(folder, "--jobs", "2")
    assert code == 0, printed
    assert (folder / "needs_bad.txt").exists()
    assert len((tmp_path / "order").read_text().splitlines()) == len(order), "what was done is not done again"
    code, printed = run(folder)
    assert code == 0
    assert "Running stage" not in printed

    noted = (folder / "dvc.lock").read_bytes()
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q", "--force", "-s", "joins"], cwd=folder, check=True)
    assert (folder / "dvc.lock").read_bytes() == noted, "as DVC alone writes it"


def test_only_one_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path / "project", STAGES))
    everything, some = set(run_stages.stages_to_run()), set(run_stages.stages_to_run(["x"]))
    assert everything - some == {"raw@y", "good@y"}
    assert set(run_stages.stages_to_run(["joins", "bad"])) == {"joins", "bad"}
    with pytest.raises(SvqkitError, match="'z'"):
        run_stages.stages_to_run(["z"])


def test_what_the_largest_group_waits_for_goes_first() -> None:
    graph = nx.DiGraph()
    for dataset, count in (("small", 2), ("large", 5)):
        for number in range(count):
            graph.add_edge(f"train@{dataset}-{number}", f"prepare@{dataset}")
            graph.add_edge(f"evaluate@{dataset}", f"train@{dataset}-{number}")
            graph.add_edge("report", f"train@{dataset}-{number}")
        graph.add_edge("report", f"evaluate@{dataset}")
    urgent = run_stages.urgency(graph)
    for kind in ("prepare@{}", "train@{}-0"):
        assert urgent[kind.format("large")] > urgent[kind.format("small")]
    assert urgent["train@large-0"] > urgent["evaluate@large"] > urgent["report"]


WORKER_DIES = """
stages:
  killer:
    cmd: "test -e ../tried && touch done || {{ touch ../tried; kill -9 $SVQKIT_PIPELINE; sleep {seconds}; }}"
    outs: [done]
"""


def test_a_stage_whose_worker_was_killed_runs_again(tmp_path: Path) -> None:
    folder = project(tmp_path / "project", WORKER_DIES.format(seconds=f"61.{os.getpid()}"))
    code, printed = run(folder, "--jobs", "1")
    assert code == 0, printed
    assert (folder / "done").exists()
    assert until(lambda: not sleeping(f"61.{os.getpid()}"), 10)


HANGS = "stages:\n  hangs: {{cmd: touch ../runs; sleep {seconds}, outs: [none]}}\n"


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM, signal.SIGKILL],
    ids=lambda number: number.name,
)
def test_whatever_stops_the_pipeline_leaves_nothing_running(number: signal.Signals, tmp_path: Path) -> None:
    seconds = f"6{int(number)}.{os.getpid()}"
    folder = project(tmp_path / "project", HANGS.format(seconds=seconds))
    process = begin(folder, "--jobs", "2")
    assert until((tmp_path / "runs").exists)
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    assert process.wait(60) != 0
    assert until(lambda: not sleeping(seconds), 20)
    assert until(lambda: not any(child.is_running() for child in below), 20), below
    process.stdout.close()


@pytest.mark.slow
def test_a_stage_that_hangs_is_stopped_after_the_limit(tmp_path: Path) -> None:
    folder = project(tmp_path / "project", HANGS.format(seconds="62.75"))
    code, printed = run(folder, "--jobs", "1", "--limit", "5")
    assert code == 1
    assert "hangs: stopped after 5 s" in printed
    assert until(lambda: not sleeping("62.75"), 10)


def sleeping(seconds: str) -> list[int]:
    """Processes that sleep so long."""
    return [
        process.pid for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", seconds]
    ]


@pytest.mark.slow
def test_a_cluster_of_slurm_s_jobs_does_the_work(tmp_path: Path) -> None:
    """The job script of docs/several_machines.md, as Slurm would run it."""
    blocks = (ROOT / "docs/several_machines.md").read_text().split("```sh\n")[1:]
    (script,) = [text for block in blocks if "dask worker" in (text := block.partition("```")[0]) and "#SBATCH" in text]
    folder = project(tmp_path / "project", STAGES)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/dask").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m dask "$@"\n')
    (folder / ".venv/bin/dask").chmod(0o755)
    known = folder / ".dvc/tmp/scheduler.json"
    environment = os.environ | {"SLURM_ARRAY_TASK_ID": "0", "PYTHONPATH": PATH, SOCKET: ""}
    scheduler = [".venv/bin/dask", "scheduler", "--scheduler-file", str(known), "--port", "0", "--no-dashboard"]
    jobs = [subprocess.Popen(words, cwd=folder, env=environment) for words in (scheduler, ["bash", "-c", script])]
    try:
        assert until(known.exists)
        code, printed = run(folder, "--scheduler", json.loads(known.read_text())["address"], "--only", "x")
    finally:
        for job in jobs:
            job.terminate()
        for job in jobs:
            job.wait(60)
    assert code == 1
    assert "bad: this is why" in printed
    assert (folder / "joined.txt").read_text() == "one\n"


def test_a_scheduler_that_is_killed_is_one_clear_error_and_a_worker_s_stage_ends_with_it(tmp_path: Path) -> None:
    seconds = f"64.{os.getpid()}"
    folder = project(tmp_path / "project", HANGS.format(seconds=seconds))
    known = str(folder / ".dvc/tmp/scheduler.json")
    environment = os.environ | {"PYTHONPATH": PATH, SOCKET: ""}

    def dask(*words: str) -> subprocess.Popen:
        words = (*words, "--scheduler-file", known)
        return subprocess.Popen([sys.executable, "-m", "dask", *words], cwd=folder, env=environment)

    scheduler = dask("scheduler", "--port", "0", "--no-dashboard")
    worker = dask("worker", "--no-nanny")
    try:
        assert until(Path(known).exists)
        pipeline = begin(folder, "--scheduler", json.loads(Path(known).read_text())["address"])
        assert until((tmp_path / "runs").exists)
        scheduler.kill()
        printed = pipeline.communicate(timeout=100)[0]
        assert pipeline.returncode == 1
        assert "error: The connection to Dask's scheduler was lost" in printed
        assert sleeping(seconds)
        code, printed = run(folder)
        assert code == 1
        assert "error: Another DVC is at work here" in printed
    finally:
        worker.kill()
        scheduler.kill()
        worker.wait()
        scheduler.wait()
    assert until(lambda: not sleeping(seconds), 20)


@pytest.mark.parametrize("option", ["--jobs", "--limit"])
def test_a_negative_number_is_refused(option: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        run_stages.main([option, "-1"])


def test_a_cluster_that_can_t_be_used_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def use(address: str) -> None:
        with run_stages.workers(argparse.Namespace(scheduler=address, jobs=1)):
            pass

    monkeypatch.setattr(run_stages, "PATIENCE", 1)
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        with pytest.raises(SvqkitError, match=address):
            use(address)
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        with pytest.raises(SvqkitError, match="no worker"):
            use(cluster.scheduler_address)
        cluster.scale(1)
        with Client(cluster, set_as_default=False) as client:
            client.wait_for_workers(1)
        monkeypatch.setattr(Client, "run", lambda self, function: {"tcp://other:1": "9.9 (abc)"})
        with pytest.raises(SvqkitError, match=r"9\.9 \(abc\)"):
            use(cluster.scheduler_address)


@pytest.mark.parametrize(
    ("visible", "expected"), [("", []), ("-1", []), ("3", ["3"]), ("0,2, GPU-ab", ["0", "2", "GPU-ab"])]
)
def test_gpus_are_those_that_are_visible(visible: str, expected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert run_stages.gpus() == expected


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
