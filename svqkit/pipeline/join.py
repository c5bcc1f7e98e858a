"""``python -m svqkit.pipeline.join FOLDER``: a run that was trained outside the pipeline becomes one of it.

By torchrun, on another machine, or in another folder.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from svqkit.atomic import replacing
from svqkit.data.store import Store
from svqkit.errors import SvqkitError, exit_status
from svqkit.settings.params import load_params
from svqkit.training.fingerprint import differences
from svqkit.training.loop import fingerprint
from svqkit.training.paths import run_path, store_path
from svqkit.training.runs import Run, finished_seeds, is_run_of, made_from, open_run


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 after an error that is meant for the user."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.pipeline.join", description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="of the run, or of an experiment's runs of several seeds")
    options = parser.parse_args(arguments)
    return exit_status(lambda: join(options.folder))


def join(folder: str | Path, root: str | Path = "runs") -> None:
    """Take the finished run in ``folder``, or those of all seeds in an experiment's folder, as the pipeline's own.

    Each must have been made as the pipeline would make it: same settings, seed, data and code, by its fingerprint. It
    is copied below ``root``, unless it lies there; DVC then runs the stage, which finds it and trains only what is
    missing. What lies there already is never written over.

    Raises:
        SvqkitError: a run was made from something else (the message says from what), params.yaml has no such seed, the
            run's files are not as its training left them, another run is in its place, or DVC failed.
    """
    found = [open_run(path) for path in finished_seeds(folder) or [folder]]
    settings, its = load_params(), found[0].experiment
    if its.profile != settings.profile:
        raise SvqkitError(
            f"{folder} is of profile {its.profile!r}, params.yaml says {settings.profile!r}: change it there."
        )
    experiment = settings.experiment(its.name)
    # The stage removes runs of other seeds.
    if others := sorted({run.seed for run in found} - {*experiment.seeds}):
        raise SvqkitError(
            f"{folder} has seeds {others}, params.yaml has {list(experiment.seeds)} for {experiment.name}: add them."
        )
    repro(f"prepare@{experiment.dataset}")
    store = Store.open(store_path(experiment.profile, experiment.dataset))
    targets = {}
    for run in found:
        wanted, target = fingerprint(experiment, run.seed, store), run_path(experiment, run.seed, root)
        refuse_other(run, wanted)
        if target.exists() and not is_run_of(target, wanted):
            raise SvqkitError(f"{target} holds another run, which is not written over: move it away first.")
        targets[run.path] = target
    for path, target in targets.items():
        if not target.exists():
            with replacing(target) as draft:
                shutil.copytree(path, draft)
    if missing := sorted({*experiment.seeds} - {run.seed for run in found}):
        print(f"Of its seeds {missing} are not among these runs: what is not in {root} either is trained now.")
    repro(f"train@{experiment.name}")


def refuse_other(run: Run, wanted: dict) -> None:
    """Raise a SvqkitError unless a run was made from what ``wanted`` says, its files as its training left them."""
    if other := differences(made_from(run.path), wanted):
        raise SvqkitError(
            f"{run.path} was not made as the pipeline would make it here: {'; '.join(other)}. Take over these settings "
            "in params.yaml, the same version of svqkit and the same data; or leave it out."
        )
    if not is_run_of(run.path, wanted):
        raise SvqkitError(f"The files in {run.path} are not those that its training left. Copy the folder again.")


def repro(stage: str) -> None:
    """Have DVC bring a stage up to date, with what it needs.

    Raises:
        SvqkitError: it fails; DVC has said why.
    """
    if subprocess.run([sys.executable, "-m", "dvc", "repro", stage], check=False).returncode:
        raise SvqkitError(f"`dvc repro {stage}` failed, see above.")


if __name__ == "__main__":
    sys.exit(main())
