"""A checkpoint of the reference as a run of ours."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from svqkit.atomic import replacing
from svqkit.data.domain import Domain
from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.interop.configfile import read_configs
from svqkit.interop.openstl import build
from svqkit.interop.pth import read_state_dict
from svqkit.interop.settings import Architecture, architecture
from svqkit.interop.weights import turn_channels
from svqkit.settings import params as settings_file
from svqkit.settings.params import Experiment, Params, Training, as_tree, experiment_from_tree
from svqkit.training.checkpoint import save_weights
from svqkit.training.paths import run_path, store_path
from svqkit.training.runs import write_config

LOG = ["epoch", "learning_rate", "train_loss", "validation_loss"]


def convert(
    checkpoint: Path,
    config: list[Path],
    dataset: str,
    profile: str = "paper",
    name: str | None = None,
    seed: int = 0,
    params: Path = Path("params.yaml"),
    stores: Path = Path("stores"),
    runs: Path = Path("runs"),
    force: bool = False,
) -> Path:
    """Write a run's folder (see :mod:`svqkit.training.runs`), whole or not at all, and return it.

    Model and quantizer are the config's, the data those of the dataset and profile in ``params``; the names of the
    channels and the size of frames are its store's, which must be prepared. Weights that were trained on frames with
    blue first (Human3.6M) are turned, so that the model takes and gives the store's frames, red first. Where the
    reference's windows have other frames (WeatherBench-M), the run is one of protocol "paper". best and last
    weights are the same, and log.csv has no rows: the reference keeps no table of its losses. The training settings in
    config.json are those that ``params`` has for the dataset, not what the weights were trained with.

    Args:
        checkpoint: a .pth, see :func:`svqkit.interop.pth.read_state_dict`.
        config: files, see :func:`svqkit.interop.configfile.read_configs`. ``in_shape`` may be missing, since the
            reference's config files don't have it: then it is the store's.
        dataset, profile: of ``params``.
        name: of the experiment; None: ``<dataset>-openstl``.
        seed: under which the run is filed.
        params, stores, runs: where things are.
        force: replace a run that is there.

    Raises:
        SvqkitError: a run is there, or config, checkpoint and dataset don't fit together.
    """
    settings = settings_file.load_params(params, profile)
    data = settings.dataset(dataset)
    store = Store.open(store_path(profile, dataset, stores))
    given = read_configs(config)
    shape = (data.frames_in, *store.frame_shape)
    wanted = architecture({**given, "in_shape": given.get("in_shape") or list(shape)})
    if wanted.in_shape != shape:
        raise SvqkitError(
            f"The config's in_shape (T, C, H, W) is {wanted.in_shape}; {dataset} of profile {profile!r} has "
            f"{shape}: frames_in {shape[0]} of {params}, and frames (C, H, W) {shape[1:]} of the store {store.path}. "
            "Name the dataset and profile that the weights were trained for."
        )
    experiment = _experiment(settings, dataset, name or f"{dataset}-openstl", seed, wanted)
    target = run_path(experiment, seed, runs)
    if target.exists() and not force:
        raise SvqkitError(
            f"There is a run at {target} already. Give another --name or --seed, or --force to replace it."
        )
    model = build(wanted, read_state_dict(checkpoint))
    if store.blue_first("train", "paper"):
        turn_channels(model)
    with replacing(target) as draft:
        draft.mkdir()
        for weights in ("best", "last"):
            save_weights(model, draft / f"{weights}.safetensors")
        pd.DataFrame(columns=LOG).to_csv(draft / "log.csv", index=False)
        domain = Domain.of(store, experiment.protocol)
        write_config(draft, experiment, seed, domain.channels, domain.size, domain)
    return target


def _experiment(params: Params, dataset: str, name: str, seed: int, wanted: Architecture) -> Experiment:
    others = params.of_dataset(dataset)
    tree = {
        "name": name,
        "profile": params.profile,
        "dataset": dataset,
        "data": as_tree(params.dataset(dataset)),
        "model": as_tree(wanted.model),
        "quantizer": as_tree(wanted.quantizer),
        "training": as_tree(others[0].training if others else Training()),
        "seeds": [seed],
    }
    experiment = experiment_from_tree(tree, f"the run {name!r}")
    return experiment if experiment.trained_for("paper") else replace(experiment, protocol="paper")
