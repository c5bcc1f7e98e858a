"""How much host memory the two largest datasets need: prepare, train and evaluate on synthetic raw files.

    python -m benchmarks.host_memory [--dataset weather_hmv|kth] [--gigabytes 12] [--steps 20] [--batch 8]
                                     [--profile paper|sample] [--folder /tmp/…] [--keep]

weather_hmv: random NetCDF files in WeatherBench's layout (8 variables × 13 levels + 6, 32 × 64, six-hourly, float32).
kth: 600 videos of 480 frames under the published names (links to one simulated video), without the list of sequences.

Then `prepare`, `train` and `evaluate` run, each in a process of its own. While one runs, the memory of it and of all
its child processes together is sampled ten times a second: "unique" is what would be free if they ended (USS),
"resident" counts what they share once per process (RSS). Everything is deleted at the end.

On a CPU the model's activations are host memory too, and most of it; on a GPU they are not.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import psutil
import xarray as xr

from svqkit.data.sources.video import Video
from svqkit.data.sources.weather import LONG_NAMES
from svqkit.settings.data import KTH_ACTIONS
from svqkit.settings.params import Experiment, as_tree, load_params, override
from tests.simulated import kth

BYTES_PER_FRAME = 110 * 32 * 64 * 4
FRAMES_PER_YEAR = 1460
LEVELS = (50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000)
ON_LEVELS = ("z", "pv", "r", "q", "t", "u", "v", "vo")
ON_ONE = ("u10", "v10", "t2m", "tisr", "tcc", "tp")


def write_videos(root: Path) -> None:
    """600 videos of 480 frames: one simulated video over and over, under 600 names."""
    sample = kth.write(root / "sample", persons=(1,), actions=("walking",))
    video = Video.open(next(path for path in sample if path.suffix == ".avi"), colour=True)
    frames = list(video.read(range(video.count)))
    one = root / "one.avi"
    writer = cv2.VideoWriter(str(one), cv2.VideoWriter_fourcc(*"DIVX"), 25, frames[0].shape[1::-1])
    for number in range(480):
        writer.write(frames[number % len(frames)])
    writer.release()
    (root / "raw").mkdir()
    for person in range(1, 26):
        for action in KTH_ACTIONS:
            for scene in range(1, 5):
                os.link(one, root / "raw" / f"person{person:02}_{action}_d{scene}_uncomp.avi")


def write_weather(root: Path, years: int) -> None:
    """Random files of every variable for so many years."""
    random = np.random.default_rng(0)
    lat, lon = np.linspace(-87.1875, 87.1875, 32), np.arange(64) * 5.625
    for year in range(2000, 2000 + years):
        time_axis = np.datetime64(f"{year}-01-01", "ns") + np.arange(FRAMES_PER_YEAR) * np.timedelta64(6, "h")
        for name in (*ON_LEVELS, *ON_ONE):
            levels = LEVELS if name in ON_LEVELS else ()
            dims = ("time", "level", "lat", "lon") if levels else ("time", "lat", "lon")
            shape = (FRAMES_PER_YEAR, *([len(levels)] if levels else []), 32, 64)
            coords = {"time": time_axis, "lat": lat, "lon": lon, **({"level": list(levels)} if levels else {})}
            values = random.standard_normal(shape, dtype=np.float32)
            file = root / LONG_NAMES[name] / f"{LONG_NAMES[name]}_{year}_5.625deg.nc"
            file.parent.mkdir(parents=True, exist_ok=True)
            xr.Dataset({name: (dims, values)}, coords=coords).to_netcdf(file, engine="netcdf4")
        print(f"raw files of {year} written", flush=True)


def experiment_on(root: Path, options: argparse.Namespace) -> Experiment:
    """The dataset's SVQ experiment on the synthetic files: of weather the last two Januaries validate and test."""
    data: dict = {**as_tree(load_params("params.yaml", "paper").dataset(options.dataset)), "root": str(root)}
    if options.dataset == "weather_hmv":
        last = 2000 + years_of(options.gigabytes) - 1
        periods = {"train": ["2000", str(last - 2)], "validation": [f"{last - 1}-01"] * 2, "test": [f"{last}-01"] * 2}
        data |= {"gaps": "split", **periods}
    training = {"epochs": 1, "warmup_epochs": 0, "steps_per_epoch": options.steps, "batch_size": options.batch}
    experiment = load_params("params.yaml", options.profile).experiment(f"{options.dataset}-svq")
    return override(experiment, {"data": data, "training": training})


def years_of(gigabytes: float) -> int:
    """Years of weather that make a store of that size, and two more."""
    return max(3, int(np.ceil(gigabytes * 1e9 / BYTES_PER_FRAME / FRAMES_PER_YEAR)) + 2)


def stage(name: str, folder: Path, options: argparse.Namespace) -> None:
    """One stage; runs in a process of its own."""
    from svqkit import data, evaluation
    from svqkit.data.store import Store
    from svqkit.training import loop
    from svqkit.training.runs import open_run

    experiment = experiment_on(folder / "raw", options)
    if name == "prepare":
        data.prepare(experiment.data, folder / "store.zarr")
    elif name == "train":
        loop.train(experiment, 0, Store.open(folder / "store.zarr"), folder / "runs", folder / "states")
    else:
        run = open_run(next((folder / "runs").glob("*/*/*/seed0")))
        evaluation.evaluate([run], Store.open(folder / "store.zarr"), folder / "scores")


def watched(command: list[str]) -> dict[str, float]:
    """Run a command; the most memory of its processes together in GB, and its seconds."""
    begun, peaks = time.monotonic(), {"unique [GB]": 0.0, "resident [GB]": 0.0}
    process = psutil.Popen(command)
    while process.poll() is None:
        try:
            usage = [child.memory_full_info() for child in (process, *process.children(recursive=True))]
            peaks["unique [GB]"] = max(peaks["unique [GB]"], sum(child.uss for child in usage) / 1e9)
            peaks["resident [GB]"] = max(peaks["resident [GB]"], sum(child.rss for child in usage) / 1e9)
        except psutil.Error:
            pass  # a child ended while it was looked at
        time.sleep(0.1)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {**peaks, "seconds": time.monotonic() - begun}


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.host_memory", description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", choices=("weather_hmv", "kth"), default="weather_hmv")
    parser.add_argument(
        "--profile", default="paper", help="whose model is trained; the data are those of profile paper"
    )
    parser.add_argument("--gigabytes", type=float, default=12.0, help="size of the store of weather_hmv")
    parser.add_argument("--steps", type=int, default=20, help="training steps")
    parser.add_argument("--batch", type=int, default=8, help="the published one on each of two devices is 8")
    parser.add_argument("--folder", type=Path, help="where it all goes for a while; twice the size must be free")
    parser.add_argument("--keep", action="store_true", help="do not delete it")
    parser.add_argument("--stages", nargs="+", default=["prepare", "train", "evaluate"])
    parser.add_argument("--stage", choices=("prepare", "train", "evaluate"), help="only this, in this process")
    options = parser.parse_args(arguments)
    if options.stage:
        stage(options.stage, options.folder, options)
        return 0
    folder = Path(tempfile.mkdtemp(dir=options.folder))
    try:
        if options.dataset == "kth":
            write_videos(folder)
        else:
            write_weather(folder / "raw", years_of(options.gigabytes))
        rows = {}
        for name in options.stages:
            command = [sys.executable, "-m", "benchmarks.host_memory", "--stage", name, "--folder", str(folder)]
            for option in ("dataset", "profile", "gigabytes", "steps", "batch"):
                command += [f"--{option}", str(getattr(options, option))]
            rows[name] = watched(command)
            print(pd.DataFrame(rows).T.round(2).to_string(), flush=True)
        size = sum(file.stat().st_size for file in (folder / "store.zarr").rglob("*") if file.is_file())
        print(f"the store: {size / 1e9:.2f} GB")
    finally:
        if options.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
