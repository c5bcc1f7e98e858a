"""How much longer a training step takes that goes around the earth: `longitude: wrap` beside `zeros`.

    python -m benchmarks.longitude                                  the published sizes, batch 2
    python -m benchmarks.longitude --profile sample --batch 1       the sample's
    python -m benchmarks.longitude --translators gsta swin vit

Random frames; both take turns in one process. ``times`` is the median over the rounds of one step's seconds divided by
the other's, ``times_low`` and ``times_high`` the smallest and the largest.
"""

import argparse
import sys
from statistics import median
from typing import get_args

import pandas as pd
import torch

from benchmarks.rounds import as_each_runs, ratio, take_turns
from benchmarks.steps import QUANTIZERS, OwnSubject
from benchmarks.stores import SHAPES
from svqkit.paper.costs import Case, machine
from svqkit.settings.experiment import Longitude
from svqkit.settings.params import TRANSLATORS, load_params, override

DATASET = "weather_t2m"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.longitude", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="paper", help="whose sizes the models have")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--translators", nargs="+", choices=list(TRANSLATORS), default=["gsta"])
    parser.add_argument("--batch", type=int, default=2, help="samples of a step")
    parser.add_argument("--repeats", type=int, default=9, help="rounds")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    settings = load_params(profile=options.profile)
    rows = []
    for translator in options.translators:
        for quantizer in QUANTIZERS:
            experiment = settings.experiment(f"{DATASET}-{quantizer}")
            subjects = {
                f"svqkit {longitude}": OwnSubject(
                    Case(override(experiment, {"model": {"translator": translator, "longitude": longitude}}), "folded"),
                    SHAPES[DATASET][:3],
                    options.batch,
                    options.device,
                )
                for longitude in get_args(Longitude)
            }
            steps = {name: subject.step for name, subject in subjects.items()}
            seconds = take_turns(steps, options.repeats, options.device, f"{translator} {quantizer}", as_each_runs)
            zeros, wrap = seconds.values()
            times = dict(zip(("times", "times_low", "times_high"), ratio(wrap, zeros), strict=True))
            rows.append({"translator": translator, "quantizer": quantizer, "seconds": median(wrap)} | times)
    print(f"{machine(options.device)}, profile {options.profile}, batch {options.batch}")
    print(pd.DataFrame(rows).round(4).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
