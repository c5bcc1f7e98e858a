"""The benchmarks run, and what they say is what they measured. Nothing here asks how fast anything is."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image
from torch import multiprocessing

from benchmarks import __main__ as benchmarks
from benchmarks import gpu, longitude, processes, published, rounds, steps
from svqkit.evaluation.image_metrics import ssim


def test_ratios_are_of_the_same_round() -> None:
    assert rounds.ratio([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == (2.0, 1.0, 3.0)


def test_each_takes_its_turns_in_its_context() -> None:
    log: list[str] = []
    turns = {"a": lambda: log.append("a"), "b": lambda: log.append("b")}
    seconds = rounds.take_turns(turns, 3, "cpu", "test")
    assert {name: len(each) for name, each in seconds.items()} == {"a": 3, "b": 3}
    assert sorted(log) == ["a"] * 6 + ["b"] * 6, "twice at each turn"


def test_the_cost_of_going_around_is_a_ratio_of_steps(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--profile", "sample", "--batch", "1", "--repeats", "1", "--threads", "1", "--device", "cpu"]
    assert longitude.main(command) == 0
    *_, none, svq = capsys.readouterr().out.splitlines()
    for quantizer, line in (("none", none), ("svq", svq)):
        translator, kind, *numbers = line.split()
        assert (translator, kind) == ("gsta", quantizer)
        seconds, times, low, high = map(float, numbers)
        assert seconds > 0 < low == times == high


@pytest.mark.slow
def test_the_whole_benchmark_on_small_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "small"
    command = ["--quick", "--device", "cpu", "--translators", "gsta", "--precisions", "fp32", "bf16", "--out", str(out)]
    assert benchmarks.main(command) == 0
    table = pd.read_csv(out.with_suffix(".csv"), keep_default_na=False)
    steps = table[table["part"] == "step"]
    assert list(steps["quantizer"]) == ["none", "svq"] * 2
    assert list(steps["precision"]) == ["fp32", "fp32", "bf16", "bf16"]
    assert (steps["seconds"].astype(float) > 0).all()
    assert (steps["peak_MB"].astype(float) > 0).all()
    assert set(table["part"]) == {"step", "scores", "evaluation"}
    assert Image.open(out.with_suffix(".png")).size[0] > 600
    assert "samples_per_second" in capsys.readouterr().out


@pytest.mark.slow
def test_the_benchmark_of_a_gpu_tried_on_a_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu.scale, "CODES", {"10³": 1_000, "10⁴": 10_000})
    monkeypatch.setattr(gpu.loader.loading, "IN_MEMORY_BYTES", 0)  # which it changes
    page, out = tmp_path / "page.md", tmp_path / "gpu"
    page.write_text(f"Before.\n\n{gpu.BEGIN}\nold\n{gpu.END}\n\nAfter.\n", encoding="utf-8")
    command = ["--quick", "--device", "cpu", "--out", str(out), "--page", str(page)]
    assert gpu.main(command) == 0
    table = pd.read_csv(out.with_suffix(".csv"))
    assert set(table["part"]) == {"step", "scores", "evaluation", "codes", "loading"}
    assert (table.loc[table["part"].isin(["step", "evaluation", "codes"]), "seconds"] > 0).all()
    written = page.read_text(encoding="utf-8")
    assert written.startswith("Before.\n\n<!--")
    assert written.endswith("-->\n\nAfter.\n")
    assert "| svq | svqkit | bf16 | off |" in written
    assert "old" not in written


def test_for_what_the_time_was_over_is_said() -> None:
    both = benchmarks.pair("sample", "weather_t2m", "gsta", 0)
    table = steps.measure(both, (1, 32, 64), "cpu", 2, 1, [("fp32", "off")], None, until=0)
    assert set(table["note"]) == {"left out: the time was over"}
    assert "left out: the time was over" in gpu.as_page(table.assign(torch=torch.__version__))


def test_the_page_has_a_place_for_what_a_gpu_gives() -> None:
    page = (Path(__file__).parents[1] / "docs/performance.md").read_text(encoding="utf-8")
    assert page.count(gpu.BEGIN) == 1
    assert gpu.END in page.split(gpu.BEGIN)[1]


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--quick", "--device", "cpu", "--reference", str(tmp_path), "--out", str(tmp_path / "x")]
    assert benchmarks.main(command) == 1
    assert "expected a checkout of github.com/Pachark/SVQ-Forecasting" in capsys.readouterr().err


def test_every_translator_has_its_published_name() -> None:
    assert set(published.NAMES) == set(benchmarks.TRANSLATORS)


def test_published_scores_have_the_ssim_of_the_scikit_image_of_their_time() -> None:
    """Which took floats for values from −1 to 1."""
    generator = torch.Generator().manual_seed(0)
    one, other = torch.rand(2, 9, 8, 3, generator=generator, dtype=torch.float64)
    found = published.ssim_of_old(one.numpy(), other.numpy(), multichannel=True)
    expected = ssim(*(frame.permute(2, 0, 1)[None] for frame in (one, other)), data_range=2.0)
    assert found == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.slow
def test_processes_share_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Forked, since to import everything anew takes each of them seconds.
    monkeypatch.setattr(multiprocessing, "spawn", partial(multiprocessing.start_processes, start_method="forkserver"))
    out = tmp_path / "processes"
    command = ["--device", "cpu", "--profile", "sample", "--counts", "2", "--batch", "2", "--repeats", "1"]
    assert processes.main([*command, "--threads", "2", "--out", str(out)]) == 0
    table = pd.read_csv(out.with_suffix(".csv"))
    assert list(table["processes"]) == [1, 2, 1, 2]
    assert list(table["batch_size"]) == [2, 2, 2, 4]
    assert (table["seconds"] > 0).all()
    assert table["times_one"][0] == 1


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--device", "cpu", "--counts", "2", "--batch", "3", "--out", str(tmp_path / "x")]
    assert processes.main(command) == 1
    assert "2 processes can't share a batch of 3 evenly" in capsys.readouterr().err
