"""``python -m svqkit.training weather_t2m-svq``: the command line of training, also for torchrun.

It stands apart from the loop so that ``--list`` and ``--help`` are answered at once: torch alone takes seconds to
import.
"""

import argparse
import sys

from svqkit.errors import exit_status
from svqkit.settings.params import load_params
from svqkit.training.paths import store_path


def main(arguments: list[str] | None = None) -> int:
    """Run the command line, ``torchrun --nproc-per-node 2 -m svqkit.training weather_t2m-svq``; 1 after an error."""
    parser = argparse.ArgumentParser(
        prog="python -m svqkit.training", description="Train an experiment of params.yaml."
    )
    parser.add_argument("experiment", nargs="?", help="its name in params.yaml")
    parser.add_argument("--list", action="store_true", help="print the names of the experiments, and train none")
    parser.add_argument("--dataset", help="list those of one dataset only")
    parser.add_argument("--params", default="params.yaml", help="the settings")
    parser.add_argument("--profile", help="sample or paper; else the one that params.yaml names")
    parser.add_argument("--runs", default="runs", help="folder of the runs")
    parser.add_argument("--states", default="states", help="folder of what a stopped training needs to go on")
    parser.add_argument("--journal", default="journal", help="folder of what is noted of machine and duration")
    options = parser.parse_args(arguments)
    if options.list == bool(options.experiment):
        parser.error("give the name of an experiment, or --list")
    if options.dataset and not options.list:
        parser.error("--dataset goes with --list")
    if options.list:
        return exit_status(lambda: _list(options))
    from torch.distributed.elastic.multiprocessing.errors import record

    # torchrun then shows the traceback of the process that failed first.
    return record(exit_status)(lambda: _train(options)) or 0


def _list(options: argparse.Namespace) -> None:
    settings = load_params(options.params, options.profile)
    for dataset in [options.dataset] if options.dataset else settings.datasets:
        settings.dataset(dataset)  # refuses an unknown one
        print(*(experiment.name for experiment in settings.of_dataset(dataset)), sep="\n")


def _train(options: argparse.Namespace) -> None:
    from svqkit.data.store import Store
    from svqkit.training.loop import train_all

    settings = load_params(options.params, options.profile)
    experiment = settings.experiment(options.experiment)
    store = Store.open(store_path(experiment.profile, experiment.dataset))
    train_all(experiment, store, options.runs, options.states, options.journal)


if __name__ == "__main__":
    sys.exit(main())
