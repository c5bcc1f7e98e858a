"""What the SVQ layer costs by itself for growing codebooks, folded and by the formula as it is written.

    python -m benchmarks.svq_layer [--device cpu|cuda] [--precision fp32|bf16] [--batch 8] [--repeats 5]
                                   [--threads N] [--csv out.csv] [--quick]

Variants: "folded" is :class:`svqkit.quantizers.SVQ`; "plain" does the formula's three products one after the other
and so holds a weight for every position and code. Whole models are measured by ``python -m benchmarks``.

step_ms is forward and backward, with_Adam_ms the same and an optimizer step: medians over the rounds in one process.
The variants take turns in each round, so that a machine that slows down slows all; the first round is not counted.
The ratio in the last column is the median over the rounds of with_Adam_ms, with the smallest and the largest.

activations_MB is the most that a step holds at a time beyond parameters and their gradients: every tensor's memory,
from the operation that makes it until it is freed; buffers that an operation has inside itself are not seen. peak_MB
is the most beyond the parameters, gradients included; on CUDA by ``torch.cuda.max_memory_allocated``, which sees all.
What would take more than 60 % of the free memory is not run.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pandas as pd
import torch
from torch import nn

from svqkit.atomic import replacing
from svqkit.devices.performance import freed_memory_kept
from svqkit.paper.costs import Ledger, PlainSVQ, free_bytes, now
from svqkit.quantizers import SVQ

CODES, QUICK_CODES = (1_000, 10_000, 100_000, 1_000_000), (1_000, 3_000)
# The latents of the paper's t2m model: channels, frames, height and width (half of the grid's 32 × 64).
DIM, FRAMES, HEIGHT, WIDTH = 32, 12, 16, 32
FREE_SHARE = 0.6
MAKES = dict[str, tuple[Callable[[], nn.Module], int]]


def memory(model: nn.Module, step: Callable[[nn.Module], None], device: str) -> tuple[int, int]:
    """The most bytes of a step beyond parameters and gradients, and beyond the parameters only."""
    model.zero_grad()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    with Ledger() as ledger:
        step(model)
    made = [weight.grad.untyped_storage() for weight in model.parameters() if weight.grad is not None]
    activations = ledger.peak(without={ledger.numbers[id(storage)] for storage in made})
    return activations, torch.cuda.max_memory_allocated() - before if device == "cuda" else ledger.peak(set())


@freed_memory_kept()
def measure(makes: MAKES, step: Callable[[nn.Module], None], repeats: int, device: str) -> pd.DataFrame:
    """A row for every variant of ``makes``, which gives for each how to make it and what bytes a step will take."""
    rows, ready, seconds = {}, {}, {}
    for name, (make, needed) in makes.items():
        free, rows[name] = free_bytes(device), {"variant": name}
        if needed > FREE_SHARE * free:
            rows[name]["note"] = f"does not fit: {needed / 1e9:,.1f} GB of {free / 1e9:,.1f} GB free"
            continue
        torch.manual_seed(0)
        model = make().to(device)
        ready[name], seconds[name] = (model, torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)), []
        activations, peak = memory(model, step, device)
        rows[name] |= {"activations_MB": activations / 1e6, "peak_MB": peak / 1e6}
    for _ in range(repeats + 1):
        for name, (model, optimizer) in ready.items():
            model.zero_grad()
            start = now(device)
            step(model)
            middle = now(device)
            optimizer.step()
            seconds[name].append((middle - start, now(device) - start))
    for name, rounds in seconds.items():
        only, whole = zip(*rounds[1:], strict=True)
        rows[name] |= {"step_ms": 1e3 * median(only), "with_Adam_ms": 1e3 * median(whole)}
        if name != "folded" and "folded" in seconds:
            ratios = [one[1] / two[1] for one, two in zip(rounds[1:], seconds["folded"][1:], strict=True)]
            rows[name]["note"] = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) times folded"
    return pd.DataFrame(rows.values())


def layers(codes: int, batch: int, repeats: int, device: str, bf16: bool) -> pd.DataFrame:
    """The layer with ``codes`` codes."""
    x = torch.randn(batch * FRAMES, DIM, HEIGHT, WIDTH, device=device)
    towards = torch.randn_like(x)

    def step(layer: nn.Module) -> None:
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            output = layer(x.detach().requires_grad_()).output
        output.float().backward(towards)

    learnt = 4 * codes * (DIM + 128 + 1)
    folded = 5 * learnt + 10 * x.nbytes  # parameters, gradients, Adam's two; temporaries; latents and hidden layer
    makes = {
        "folded": (lambda: SVQ(DIM, codes, init="normal"), folded),
        "plain": (lambda: PlainSVQ(SVQ(DIM, codes, init="normal")), folded + all_weights(batch, codes)),
    }
    return measure(makes, step, repeats, device).assign(codes=codes)


def all_weights(batch: int, codes: int) -> int:
    """Bytes of the weights of all codes at all positions and of their gradients."""
    return 2 * 4 * batch * FRAMES * HEIGHT * WIDTH * codes


def main() -> None:
    """Measure, print the table, and write it where ``--csv`` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the CPU; all of them if not given")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--quick", action="store_true", help="small sizes and two rounds, to see that it works")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    batch, repeats = (1, 2) if args.quick else (args.batch, args.repeats)
    machine = torch.cuda.get_device_name() if args.device == "cuda" else f"{args.threads} CPU threads"
    print(f"torch {torch.__version__}, {machine}, {args.precision}, batch {batch}, {repeats} rounds", flush=True)
    bf16 = args.precision == "bf16"
    tables = [layers(codes, batch, repeats, args.device, bf16) for codes in (QUICK_CODES if args.quick else CODES)]
    columns = ["codes", "variant", "step_ms", "with_Adam_ms", "activations_MB", "peak_MB", "note"]
    table = pd.concat(tables).reindex(columns=columns)
    print(table.to_string(index=False, na_rep="", float_format="{:,.1f}".format, formatters={"codes": "{:,}".format}))
    if args.csv:
        with replacing(args.csv) as draft:
            table.to_csv(draft, index=False)


if __name__ == "__main__":
    main()
