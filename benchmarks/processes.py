"""How a training step with SVQ speeds up with the number of processes: GPUs of this machine, or parts of its CPU.

    python -m benchmarks.processes [--device cpu|cuda] [--counts 1 2 4] [--batch 16] [--repeats 3] [--precision bf16]
                                   [--threads N] [--out processes]

SimVP with gSTA and SVQ in the published size of weather_t2m, gradients shared as ``train()`` shares them (DDP: NCCL on
GPUs, Gloo on a CPU, whose threads the processes divide among them). Frames are random and on the device. Two questions:
one training, sooner (``batch_size`` stays), and more samples in the same time (``batch_size`` grows with the number of
processes). Every round starts the processes of each number again, in another order. <out>.csv has the columns

    batch             "same" or "grows"
    processes, batch_size
    seconds           of a step: median over the rounds, each the median of some steps after three that warm up
    samples_per_second
    times_one         how many times as many samples per second as one process; best is the number of processes
"""

import argparse
import sys
import tempfile
from itertools import product
from pathlib import Path
from random import Random
from statistics import median

import pandas as pd
import torch
from torch import distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from benchmarks.__main__ import pair
from benchmarks.stores import SHAPES
from svqkit.atomic import replacing
from svqkit.devices.performance import freed_memory_kept
from svqkit.errors import SvqkitError
from svqkit.paper.costs import Case, Subject, machine, now
from svqkit.progress import progress
from svqkit.settings.params import Experiment, override

WARM_UP, STEPS = 3, 5


def seconds(experiment: Experiment, batch_size: int, count: int, device: str, threads: int) -> float:
    """Median seconds of a step that ``count`` new processes share."""
    with tempfile.TemporaryDirectory() as folder:
        work = (folder, experiment, batch_size // count, count, device, max(1, threads // count))
        multiprocessing.spawn(_one_of_many, work, nprocs=count)
        return float(Path(folder, "seconds").read_text(encoding="utf-8"))


@freed_memory_kept()
def _one_of_many(
    rank: int, folder: str, experiment: Experiment, samples: int, count: int, device: str, threads: int
) -> None:
    torch.set_num_threads(threads)
    if device == "cuda":
        torch.cuda.set_device(rank)
        torch.backends.cudnn.benchmark = True
    backend = "nccl" if device == "cuda" else "gloo"
    distributed.init_process_group(backend, init_method=f"file://{folder}/meet", rank=rank, world_size=count)
    torch.manual_seed(0)
    form = "folded" if experiment.quantizer.name == "svq" else "none"
    subject = Subject(Case(experiment, form), SHAPES[experiment.dataset][:3], samples, device)
    if count > 1:
        subject.objective = DistributedDataParallel(subject.objective)
    taken = []
    for _ in range(WARM_UP + STEPS):
        distributed.barrier()
        begun = now(device)
        subject.step()
        taken.append(now(device) - begun)
    if rank == 0:
        Path(folder, "seconds").write_text(str(median(taken[WARM_UP:])), encoding="utf-8")
    distributed.destroy_process_group()


def measure(
    experiment: Experiment, counts: list[int], batch_size: int, repeats: int, device: str, threads: int
) -> pd.DataFrame:
    """A row for each number of processes, with the same batch and with one that grows.

    Raises:
        SvqkitError: a number of processes can't share the batch evenly.
    """
    for count in counts:
        if batch_size % count:
            raise SvqkitError(f"{count} processes can't share a batch of {batch_size} evenly; choose a multiple.")
    cases = list(dict.fromkeys((count, batch_size * times) for count in counts for times in (1, count)))
    found: dict[tuple[int, int], list[float]] = {case: [] for case in cases}
    with progress(repeats * len(cases), "processes", "turn") as bar:
        for number in range(repeats):
            for count, size in Random(number).sample(cases, len(cases)):
                found[count, size].append(seconds(experiment, size, count, device, threads))
                bar.update()
    rows = []
    for batch, count in product(("same", "grows"), counts):
        size = batch_size * (count if batch == "grows" else 1)
        each = median(found[count, size])
        rows.append(
            {
                "batch": batch,
                "processes": count,
                "batch_size": size,
                "seconds": each,
                "samples_per_second": size / each,
                "times_one": size / each / (batch_size / median(found[counts[0], batch_size])),
                "machine": machine(device),
            }
        )
    return pd.DataFrame(rows)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    gpus = torch.cuda.device_count()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.processes", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if gpus else "cpu")
    parser.add_argument("--counts", nargs="+", type=int, help="numbers of processes beside 1; else 2, 4, … as there is")
    parser.add_argument("--batch", type=int, default=0, help="samples of a step; 0: 16 on GPUs, 8 on a CPU")
    parser.add_argument("--profile", default="paper", help="whose sizes the model has")
    parser.add_argument("--precision", choices=("fp32", "bf16"), help="else bf16 on GPUs, fp32 on a CPU")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU, shared by all")
    parser.add_argument("--out", type=Path, default=Path("processes"), help="the csv, without ending")
    options = parser.parse_args(arguments)
    most = gpus if options.device == "cuda" else options.threads
    counts = sorted({1, *(options.counts or (2**power for power in range(1, most.bit_length()) if 2**power <= most))})
    batch = options.batch or (16 if options.device == "cuda" else 8)
    precision = options.precision or ("bf16" if options.device == "cuda" else "fp32")
    try:
        svq = pair(options.profile, "weather_t2m", "gsta", 0)["svq"]
        svq = override(svq, {"training": {"precision": precision}})
        table = measure(svq, counts, batch, options.repeats, options.device, options.threads)
    except SvqkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table.to_string(index=False, float_format="{:,.3g}".format))
    with replacing(options.out.with_suffix(".csv")) as draft:
        table.to_csv(draft, index=False, float_format="%.5g")
    return 0


if __name__ == "__main__":
    sys.exit(main())
