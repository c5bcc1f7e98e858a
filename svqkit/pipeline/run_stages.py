"""``python -m svqkit.pipeline.run_stages --jobs 2``: the pipeline with several stages side by side.

Leaves the same files as ``dvc repro``. Dask runs DVC's own graph: a stage begins when those are done whose results it
reads. On a machine with several GPUs there is one worker for each, and it sees that one only; with ``--scheduler`` the
workers are those of a Dask cluster that runs already, on machines that share this folder. A stage that fails stops only
what needs its result: what joins the results of many takes those that there are. The end says what failed and why.
Stopped and started again, it goes on; a second one beside it waits.
"""

import argparse
import contextlib
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import networkx as nx
import psutil

from svqkit.atomic import alone
from svqkit.errors import SvqkitError, exit_status, hint, listed
from svqkit.pipeline import watchdog
from svqkit.pipeline.stage_settings import TRAININGS, link_roots, update_trainings
from svqkit.settings.params import load_params

# Seconds that a cluster's scheduler is waited for, and then its first worker.
PATIENCE = 60
# Where DVC notes which files are in use, and what one pipeline holds at a time.
IN_USE, HELD = Path(".dvc/tmp/rwlock"), Path(".dvc/tmp/pipeline")
# How Dask watches itself: many times a second by default, which takes a tenth of a core from the stages. Ours are long.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.gil.enabled": False,
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 0 when every stage is up to date."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.pipeline.run_stages", description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=0, help="stages at a time; 0: one per GPU, without any two")
    parser.add_argument("--scheduler", default="", help="address of a Dask cluster that runs already, tcp://host:8786")
    parser.add_argument("--only", nargs="*", default=[], help="stages; or a dataset: its stages, and what joins all")
    parser.add_argument("--limit", type=float, default=0, help="seconds that a stage may take; 0: as long as it likes")
    options = parser.parse_args(arguments)
    if options.jobs < 0 or options.limit < 0:
        parser.error("--jobs and --limit are 0 or more")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # they end what was started as Ctrl-C does
    watchdog.watch(stop)
    try:
        with alone(HELD, "running the pipeline here; it is stopped with `kill` and its number"):
            return exit_status(lambda: run(options))
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on.", file=sys.stderr)
        return 130


def stop(sentence: str) -> None:
    """Say why, and end this process with all that it has started."""
    print(f"\nerror: {sentence}", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGINT)


def stages_to_run(only: Sequence[str] = ()) -> nx.DiGraph:
    """Return the graph of DVC's stages that may be out of date: an edge leads from a stage to one that it reads.

    An edge has ``needed`` where the stage reads that one's result by its name, and not a folder with those of many.

    Raises:
        SvqkitError: one of ``only`` is neither a stage nor a dataset, or another DVC is writing results.
    """
    from dvc.lock import LockError
    from dvc.repo import Repo, lock_repo

    with Repo() as repo, lock_repo(repo):  # under one lock DVC reads its files once
        stages = {stage.addressing: stage for stage in repo.index.stages if stage.cmd}
        try:
            changed = {*repo.status(), *(name for name in stages if stages[name].always_changed)}
        except LockError as error:
            raise SvqkitError(f"Another DVC is at work here: {error} Wait for its end, or stop it.") from error
        graph = nx.DiGraph()
        graph.add_nodes_from(stages)
        for reader, made in repo.index.graph.edges:
            if made.cmd:
                outs = {out.fs_path for out in made.outs}
                needed = any(dep.fs_path in outs for dep in reader.deps)
                graph.add_edge(reader.addressing, made.addressing, needed=needed)
    lonely = [name for name in stages if stages[name].meta and stages[name].meta.get("alone")]
    for name in lonely:
        before = set(graph) - nx.ancestors(graph, name) - {name}
        graph.add_edges_from(((name, other) for other in before if not graph.has_edge(name, other)), needed=False)
    if only := [name for name in only if name]:
        of_all = {name for name in graph if "@" not in name}
        firsts = {name.partition("@")[2]: name for name in graph if name.startswith("raw@")}
        chosen = {name: {name} for name in graph}
        chosen |= {dataset: of_all | {first} | nx.ancestors(graph, first) for dataset, first in firsts.items()}
        if unknown := [name for name in only if name not in chosen]:
            raise SvqkitError(
                f"There is no dataset or stage {unknown[0]!r}{hint(unknown[0], chosen)}. The datasets are "
                f"{listed(firsts)}; `dvc stage list --name-only` names the stages."
            )
        graph = graph.subgraph(set().union(*map(chosen.get, only)))
    stale = set().union(*({name} | nx.ancestors(graph, name) for name in changed & set(graph)))
    return graph.subgraph(stale)


def run(options: argparse.Namespace) -> int:
    """Bring every stage up to date; return 0 when none failed.

    Raises:
        SvqkitError: params.yaml does not fit, ``only`` names no stage, or the cluster can't be used.
    """
    forget_the_dead(IN_USE)
    settings = load_params()
    link_roots(settings)
    if changes := update_trainings(settings):
        print(f"{TRAININGS}: {changes}")
    if not (graph := stages_to_run(options.only)):
        print("Every stage is up to date.")
        return 0
    with workers(options) as client:
        print(f"What is going on is shown at {client.dashboard_link}")
        # What most others wait for runs first: often it changes nothing, and then there is nothing else to do.
        failed: dict[str, str] = {}
        done: set[str] = set()
        while first := hubs(graph) - done:
            failed |= run_part(client, graph, first, failed, options)
            graph, done = stages_to_run(options.only), done | first
        failed |= run_part(client, graph, set(graph) - done, failed, options)
    if failed:
        print(f"\n{len(failed)} stage(s) failed:")
        for name, reason in failed.items():
            print(f"  {name}: {reason}")
    return int(bool(failed))


def hubs(graph: nx.DiGraph) -> set[str]:
    """Return the stages that wait for nothing, and that more than half of all wait for."""
    return {name for name in graph if not graph[name] and 2 * len(nx.ancestors(graph, name)) > len(graph)}


def run_part(
    client: Any, graph: nx.DiGraph, part: set[str], failed: dict[str, str], options: argparse.Namespace
) -> dict[str, str]:
    """Bring a part of the stages up to date, after others of which some failed; return those that fail, and why.

    Raises:
        SvqkitError: the scheduler was lost.
    """
    from distributed import wait

    from svqkit.pipeline.worker import reproduce

    devices, urgent = [] if options.scheduler else gpus(), urgency(graph)
    futures = {}
    for name in nx.topological_sort(graph.subgraph(part).reverse()):
        earlier = {other: futures.get(other, failed.get(other, "")) for other in graph[name]}
        needed = [other for other in earlier if graph.edges[name, other]["needed"]]
        futures[name] = client.submit(
            reproduce, name, earlier, needed, devices, options.limit, key=name, pure=False, priority=urgent[name]
        )
    try:
        with client.as_current():
            wait(list(futures.values()))
    except CancelledError as error:
        raise SvqkitError(
            "The connection to Dask's scheduler was lost, so that nobody knows what its workers do. Start it and them "
            "again, then give the same command: what is done is not done again."
        ) from error
    return {name: reason for name, future in futures.items() if (reason := outcome(future))}


def urgency(graph: nx.DiGraph) -> dict[str, int]:
    """Return, by stage, the longest way from it to the end, each stage on it counted by how many it reads.

    What scores sixty trainings takes longer than what scores three: these trainings go first.
    """
    found: dict[str, int] = {}
    for name in nx.topological_sort(graph):
        found[name] = max((len(graph[reader]) + found[reader] for reader in graph.predecessors(name)), default=0)
    return found


def outcome(future: Any) -> str:
    """Return why a stage failed, or an empty text."""
    return future.result() if future.status == "finished" else f"its worker was lost ({future.exception()})"


@contextlib.contextmanager
def workers(options: argparse.Namespace) -> Iterator:
    """Yield a client of workers: of a cluster that runs already, or of one that ends with the context.

    Raises:
        SvqkitError: the cluster can't be reached, has no workers, or its workers have other code.
    """
    import dask
    from distributed import Client, LocalCluster

    from svqkit.pipeline.worker import WarmServer, code_version

    if not options.scheduler:
        count = options.jobs or len(gpus()) or 2
        with (
            dask.config.set(QUIET),
            LocalCluster(n_workers=count, threads_per_worker=1, memory_limit=0) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            client.register_plugin(WarmServer())
            yield client
        return
    try:
        client = Client(options.scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SvqkitError(
            f"No Dask scheduler answers at {options.scheduler}: {error}. Start one with `dask scheduler`, and workers "
            "with `dask worker`, in this folder; see docs/several_machines.md."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, PATIENCE)
        except TimeoutError as error:
            raise SvqkitError(
                f"The cluster at {options.scheduler} has no worker. Start some: `dask worker` and its address."
            ) from error
        for worker, version in client.run(code_version).items():
            if version != code_version():
                raise SvqkitError(
                    f"The worker {worker} has svqkit {version}, here it is {code_version()}: results would be mixed. "
                    "Start the workers again, in this folder."
                )
        client.register_plugin(WarmServer())
        yield client


def gpus() -> list[str]:
    """Return what CUDA_VISIBLE_DEVICES can be set to, one entry per GPU that this process may use."""
    if (allowed := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [device.strip() for device in allowed.split(",") if device.strip() not in ("", "-1")]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def forget_the_dead(in_use: Path) -> None:
    """Remove DVC's note of files in use when all of its processes were killed: it may be half written, or name others.

    DVC itself takes any process that has got the number of a dead one for the one that holds the files.
    """
    for _ in range(3):
        try:
            noted = json.loads(in_use.read_text(encoding="utf-8"))
            holders = [*itertools.chain(*noted["read"].values()), *noted["write"].values()]
            if not any(_is_starter(holder["pid"]) for holder in holders):
                in_use.unlink(missing_ok=True)
            return
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError):
            time.sleep(0.3)  # a DVC may be writing it just now
    in_use.unlink(missing_ok=True)


def _is_starter(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return watchdog.is_starter(psutil.Process(pid))
    return False


if __name__ == "__main__":
    sys.exit(main())
