"""What a GPU makes of it, in about eight minutes on an H100: steps, memory over codes, evaluation, loading.

    make gpu REFERENCE=path/to/SVQ-Forecasting     with the tests before it
    python -m benchmarks.gpu --quick --device cpu  small models, to see that it works

weather_t2m in the published size, batch 16, without a quantizer and with SVQ: ours in float32 and bf16, eager, compiled
and as CUDA graphs, beside the published code where a checkout is named. What there is no time left for is left out, and
said. Written are <out>.csv, with columns as in ``python -m benchmarks``, and the tables between the marks in <page>.
"""

import argparse
import re
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch

from benchmarks import loader, published, scale, scoring, steps
from benchmarks.__main__ import pair
from benchmarks.stores import SHAPES
from svqkit.atomic import replacing
from svqkit.devices.performance import freed_memory_kept
from svqkit.errors import exit_status
from svqkit.paper import costs
from svqkit.settings.params import Compile, Experiment, Precision, override

BEGIN, END = "<!-- Written by `make gpu`: -->", "<!-- to here. -->"
DATASET, TRANSLATOR = "weather_t2m", "gsta"
# In the order of what one would miss most when the time is over.
WAYS: list[tuple[Precision, Compile]] = [
    ("fp32", "off"),
    ("bf16", "off"),
    ("bf16", "graphs"),
    ("bf16", "on"),
    ("fp32", "graphs"),
    ("fp32", "on"),
]
COLUMNS = {
    "step": [
        "quantizer",
        "who",
        "precision",
        "compile",
        "seconds",
        "peak_MB",
        "times",
        "of_own",
        "hours_50_epochs",
        "note",
    ],
    "evaluation": ["quantizer", "who", "seconds", "samples_per_second", "times"],
    "codes": ["codes", "seconds", "peak_MB", "parameters_MB"],
    "loading": ["dataset", "batch", "disk [samples/s]", "memory [samples/s]", "step [samples/s]", "disk / step"],
}


@freed_memory_kept()
def of_codes(experiment: Experiment, device: str, batch: int, repeats: int) -> pd.DataFrame:
    """A step with SVQ for growing codebooks: what it holds beside parameters, gradients and Adam's moments is flat."""
    rows = []
    for codes in scale.CODES.values():
        case = costs.Case(override(experiment, {"quantizer": {"codebook_size": codes}}), "folded")
        rows.append(costs.measure([case], SHAPES[DATASET][:3], repeats, device, batch).assign(codes=codes))
    table = pd.concat(rows).rename(columns={"step_seconds": "seconds"})
    parameters = 4 * table["parameters"] / 1e6
    return table.assign(part="codes", peak_MB=table["peak_bytes"].astype(float) / 1e6, parameters_MB=parameters)


def measured(options: argparse.Namespace) -> pd.DataFrame:
    """All parts, one below the other."""
    begun = time.monotonic()
    both = pair(options.profile, DATASET, TRANSLATOR, 0)
    device, batch, repeats = options.device, options.batch, options.repeats
    ways = WAYS if device == "cuda" else [way for way in WAYS if way[1] == "off"]
    parts = [of_codes(both["svq"], device, batch, repeats)]
    parts.append(scoring.measure(both, device, options.windows, repeats, options.reference))
    with tempfile.TemporaryDirectory() as folder:
        row = loader.measure("weather_hmv", options, Path(folder))
        parts.append(pd.DataFrame([row]).assign(part="loading"))
    until = begun + options.minutes * 60
    parts.append(steps.measure(both, SHAPES[DATASET][:3], device, batch, repeats, ways, options.reference, until))
    return pd.concat(parts, ignore_index=True).assign(machine=costs.machine(device), torch=torch.__version__)


def as_page(table: pd.DataFrame) -> str:
    """The tables in Markdown."""
    blocks = [f"{table['machine'].iloc[0]}, torch {table['torch'].iloc[0]}."]
    for part, columns in COLUMNS.items():
        rows = table[table["part"] == part].reindex(columns=columns).dropna(axis="columns", how="all")
        lines = [list(rows.columns), ["---"] * len(rows.columns), *rows.map(_written).values.tolist()]
        blocks.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join([BEGIN, *blocks, END])


def _written(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--reference", type=Path, metavar="PATH", help="a checkout of SVQ-Forecasting")
    parser.add_argument("--minutes", type=float, default=8, help="after these no further contestant is made")
    parser.add_argument("--out", type=Path, default=Path("docs/gpu"), help="the csv, without ending")
    parser.add_argument("--page", type=Path, default=Path("docs/performance.md"), help="that has the marks")
    parser.add_argument("--quick", action="store_true", help="the sample's models, few samples, one round")
    options = parser.parse_args(arguments)
    options.profile, options.batch, options.repeats, options.windows = "paper", 16, 5, 512
    options.params, options.frames, options.seconds = "params.yaml", 600, 5.0
    if options.quick:
        options.profile, options.batch, options.repeats, options.windows = "sample", 2, 1, 20
        options.frames, options.seconds = 120, 0.1
    return exit_status(lambda: _write(options))


def _write(options: argparse.Namespace) -> None:
    if options.reference:
        published.use(options.reference)
    table = measured(options)
    with replacing(options.out.with_suffix(".csv")) as draft:
        table.to_csv(draft, index=False, float_format="%.5g")
    page = options.page.read_text(encoding="utf-8")
    marked = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    with replacing(options.page) as draft:
        draft.write_text(marked.sub(lambda _: as_page(table), page), encoding="utf-8")
    print(as_page(table))


if __name__ == "__main__":
    sys.exit(main())
