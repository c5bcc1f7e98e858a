"""How the cost of a training step grows: with codes, resolution, channels and frames, with SVQ and without.

    python -m benchmarks.scale [--device cpu|cuda] [--batch 1] [--repeats 3] [--threads N] [--out scale]

SimVP with gSTA in the published size of weather_t2m, one thing changed at a time; frames are random. Written are
<out>.csv and <out>.png; columns as in svqkit.paper.costs, and ``varied``, ``value``.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import matplotlib
import pandas as pd
import torch

from benchmarks.__main__ import COLOURS, pair
from svqkit.atomic import replacing
from svqkit.devices.performance import freed_memory_kept
from svqkit.paper.costs import Case, measure
from svqkit.settings.params import Experiment, override

matplotlib.use("agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import NullFormatter, ScalarFormatter

TICKS = (0.1, 0.2, 0.5, 1, 2, 5)
Shape = tuple[int, int, int]
CODES = {"10³": 1_000, "10⁴": 10_000, "10⁵": 100_000, "10⁶": 1_000_000}
# Height × width of a global grid at 5.625°, 2.8125° and 1.40625°.
RESOLUTIONS = {"5.625°": (32, 64), "2.8125°": (64, 128), "1.40625°": (128, 256)}
CHANNELS = (1, 12, 110)
FRAMES = (4, 12, 24)


def cases() -> Iterator[tuple[str, str, Experiment, Shape]]:
    """What is varied, its value, the experiment and the frames' shape."""
    both = pair("paper", "weather_t2m", "gsta", 0)
    for name, codes in CODES.items():
        yield "codes", name, override(both["svq"], {"quantizer": {"codebook_size": codes}}), (1, 32, 64)
    for experiment in both.values():
        for name, size in RESOLUTIONS.items():
            yield "resolution", name, experiment, (1, *size)
        for channels in CHANNELS:
            yield "channels", str(channels), experiment, (channels, 32, 64)
        for frames in FRAMES:
            data = replace(experiment.data, frames_in=frames, frames_out=frames)
            yield "frames in and out", str(frames), replace(experiment, data=data), (1, 32, 64)


def draw(table: pd.DataFrame, path: Path) -> None:
    """Seconds and memory of a step over each thing that is varied."""
    names = list(table["varied"].unique())
    figure, axes = plt.subplots(2, len(names), figsize=(2.6 * len(names), 5), layout="constrained", sharey="row")
    for (upper, lower), name in zip(axes.T, names, strict=True):
        for quantizer, group in table[table["varied"] == name].groupby("quantizer", sort=False):
            look = {"color": COLOURS[quantizer], "marker": "o" if quantizer == "svq" else "s", "label": quantizer}
            upper.plot(group["value"], group["step_seconds"], **look)
            lower.plot(group["value"], group["peak_bytes"].astype(float) / 1e9, **look)
        upper.set_title(name, fontsize=10)
        for axis in (upper, lower):
            axis.set_yscale("log")
            axis.yaxis.set_major_formatter(ScalarFormatter())
            axis.yaxis.set_minor_formatter(NullFormatter())
            axis.set_yticks(TICKS)
            axis.grid(alpha=0.3, which="both", axis="y")
            axis.spines[["top", "right"]].set_visible(False)
            axis.tick_params(labelsize=8)
    axes[0, 0].set_ylabel("seconds per step")
    axes[1, 0].set_ylabel("peak memory [GB]")
    axes[0, -1].legend(frameon=False, fontsize=8)
    figure.suptitle(f"{table['machine'].iloc[0]}, batch {table['batch_size'].iloc[0]}", fontsize=10)
    with replacing(path) as draft:
        figure.savefig(draft, dpi=150, format="png")
    plt.close(figure)


@freed_memory_kept()
def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--out", type=Path, default=Path("scale"), help="the csv and the picture, without ending")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    tables = []
    for varied, value, experiment, shape in cases():
        form = "folded" if experiment.quantizer.name == "svq" else "none"
        row = measure([Case(experiment, form)], shape, options.repeats, options.device, options.batch)
        tables.append(row.assign(varied=varied, value=value))
    table = pd.concat(tables, ignore_index=True)
    columns = ["varied", "value", "quantizer", "parameters", "flops", "step_seconds", "peak_bytes", "note"]
    print(table[columns].to_string(index=False, float_format="{:,.4g}".format))
    with replacing(options.out.with_suffix(".csv")) as draft:
        table.to_csv(draft, index=False, float_format="%.5g")
    draw(table, options.out.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
