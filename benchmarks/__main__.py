"""How fast a training step and the evaluation are: every translator with SVQ and without, ours and the published.

    python -m benchmarks                                           this machine's GPU, or else its CPU: ours only
    python -m benchmarks --reference ~/SVQ-Forecasting             beside the published code, in one process
    python -m benchmarks --translators gsta --batch 8 --repeats 7  one translator, other sizes
    python -m benchmarks --precisions fp32 bf16 --compile off on graphs
    python -m benchmarks --quick                                   small models, to see that it works

Frames are random, so no data are needed. All contestants of a translator are in one process and take turns; seconds are
medians over the rounds, ratios medians of the rounds' ratios. Times and memory are those of svqkit.paper.costs. What is
measured is written to <out>.csv and drawn in <out>.png. Columns:

    part            step; evaluation (forecasts and scores of a test set); scores (the same without a model)
    who             svqkit or published
    seconds         of a step, or of the whole test set
    peak_MB         the most that tensors hold during a step, with parameters, gradients and Adam's moments
    times           how many times longer the published one takes with the same quantizer (times_low, times_high: the
                    smallest and the largest of the rounds); more is better
    of_plain        how many times longer the published step *without* a quantizer takes; more is better
    of_own          our step with SVQ as a multiple of our own without it; 1 is best
    hours_50_epochs of weather_t2m's published training, steps alone
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import matplotlib
import pandas as pd
import torch

from benchmarks import published, scoring, steps
from benchmarks.stores import SHAPES
from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.settings.params import TRANSLATORS, Compile, Experiment, Precision, load_params, override

matplotlib.use("agg")

import matplotlib.pyplot as plt

SHOWN = ["part", "translator", "quantizer", "who", "precision", "compile", "batch_size", "seconds"]
SHOWN += ["samples_per_second", "peak_MB", "times", "of_plain", "of_own", "hours_50_epochs", "note"]
COLOURS = {"none": "#0072b2", "svq": "#d55e00", "": "#666666"}


def pair(profile: str, dataset: str, translator: str, codes: int) -> dict[str, Experiment]:
    """The dataset's experiment without a quantizer and with SVQ, with another translator in both."""
    settings = load_params(profile=profile)
    chosen = {}
    for quantizer in steps.QUANTIZERS:
        one = settings.experiment(f"{dataset}-{quantizer}")
        chosen[quantizer] = replace(one, model=replace(one.model, translator=translator))
    if codes:
        chosen["svq"] = override(chosen["svq"], {"quantizer": {"codebook_size": codes}})
    return chosen


def draw(table: pd.DataFrame, path: Path) -> None:
    """A panel for the steps and one for the evaluation: samples per second, longer is better."""
    parts = [part for part in ("step", "evaluation", "scores") if (table["part"] == part).any()]
    groups = [table[table["part"] == part].dropna(subset=["seconds"]) for part in parts]
    heights = [max(1, len(group)) for group in groups]
    figure, axes = plt.subplots(
        len(parts),
        1,
        figsize=(8, 1.2 + 0.26 * sum(heights)),
        height_ratios=heights,
        layout="constrained",
        squeeze=False,
    )
    titles = {"step": "Training step", "evaluation": "Evaluation, with forecasts", "scores": "Scores alone"}
    for axis, part, group in zip(axes.flat, parts, groups, strict=True):
        names = [_name(row) for row in group.to_dict("records")]
        hatches = ["" if who == "svqkit" else "////" for who in group["who"]]
        bars = axis.barh(
            range(len(group)),
            group["samples_per_second"],
            color=[COLOURS[quantizer] for quantizer in group["quantizer"]],
            hatch=hatches,
            edgecolor="white",
        )
        axis.bar_label(bars, fmt="{:.3g}", padding=3, fontsize=8)
        axis.set_yticks(range(len(group)), names, fontsize=8)
        axis.invert_yaxis()
        axis.margins(x=0.12)
        axis.set_xlabel("samples per second" if part == "step" else "windows per second")
        axis.set_title(titles[part], loc="left")
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{table['dataset'].iloc[0]}, {table['machine'].iloc[0]} (hatched: published code)", fontsize=10)
    with replacing(path) as draft:
        figure.savefig(draft, dpi=150, format="png")
    plt.close(figure)


def _name(row: dict[str, object]) -> str:
    what = " ".join(str(row[key]) for key in ("translator", "quantizer") if row[key])
    how = [] if row["precision"] == "fp32" else [str(row["precision"])]
    how += [] if row["compile"] == "off" else [f"compile {row['compile']}"]
    return ", ".join([f"{row['who']} {what}".strip(), *how])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--reference", type=Path, metavar="PATH", help="a checkout of SVQ-Forecasting")
    parser.add_argument("--dataset", choices=list(SHAPES), default="weather_t2m")
    parser.add_argument("--translators", nargs="+", choices=list(TRANSLATORS), default=list(TRANSLATORS))
    parser.add_argument("--profile", default="paper", help="whose sizes the models have")
    parser.add_argument("--codes", type=int, default=0, help="size of the codebook; 0: the profile's")
    parser.add_argument("--batch", type=int, default=0, help="samples of a step; 0: 16 on a GPU, 8 on a CPU")
    parser.add_argument("--windows", type=int, default=64, help="of the test set that is scored")
    parser.add_argument("--repeats", type=int, default=5, help="rounds")
    parser.add_argument("--precisions", nargs="+", choices=get_args(Precision), default=["fp32"])
    parser.add_argument("--compile", nargs="+", choices=get_args(Compile), default=["off"])
    parser.add_argument("--parts", nargs="+", choices=("step", "evaluation"), default=["step", "evaluation"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--out", type=Path, default=Path("benchmark"), help="the csv and the picture, without ending")
    parser.add_argument("--quick", action="store_true", help="the sample's models, few samples, two rounds")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    if options.quick:
        options.profile, options.repeats, options.windows = "sample", 2, 20
        options.batch = options.batch or 2
    batch = options.batch or (16 if options.device == "cuda" else 8)
    shape = SHAPES[options.dataset][:3]
    tables: list[pd.DataFrame] = []
    try:
        if options.reference:
            published.use(options.reference)
        for translator in options.translators:
            both = pair(options.profile, options.dataset, translator, options.codes)
            if "step" in options.parts:
                ways = list(product(options.precisions, options.compile))
                how = options.device, batch, options.repeats, ways, options.reference
                tables.append(steps.measure(both, shape, *how))
            if "evaluation" in options.parts and translator == options.translators[0]:
                tables.append(
                    scoring.measure(both, options.device, options.windows, options.repeats, options.reference)
                )
    except SvqkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    table = pd.concat(tables, ignore_index=True).dropna(axis="columns", how="all")
    print(table.reindex(columns=SHOWN).to_string(index=False, na_rep="", float_format="{:,.3g}".format))
    with replacing(options.out.with_suffix(".csv")) as draft:
        table.to_csv(draft, index=False, float_format="%.5g")
    draw(table, options.out.with_suffix(".png"))
    print(f"Written: {options.out.with_suffix('.csv')}, {options.out.with_suffix('.png')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
