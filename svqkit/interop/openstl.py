"""Models trained with OpenSTL or SVQ-Forecasting, from their config and state_dict.

    python -m svqkit.interop.openstl checkpoint.pth --config SimVP_gSTA.py --dataset weather_t2m

makes a run of one, which evaluate, figures and the explorers read like any other.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn

from svqkit import quantizers
from svqkit.atomic import replacing
from svqkit.data.domain import Domain
from svqkit.data.store import Store
from svqkit.errors import SvqkitError, exit_status
from svqkit.interop.config import Architecture, architecture, read_config
from svqkit.interop.weights import is_dense, read_state_dict, translated, turn_channels
from svqkit.models import SimVP, refuse_larger
from svqkit.settings.params import Experiment, Params, Training, as_tree, experiment_from_tree, load_params
from svqkit.training.card import write_card
from svqkit.training.checkpoint import save_weights
from svqkit.training.paths import run_path, store_path
from svqkit.training.runs import LOG, write_config


class Predictor(nn.Module):
    """A model that gives its forecast alone: frames (B, T, C, H, W) → (B, T, C, H, W)."""

    def __init__(self, model: SimVP) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> Tensor:
        """Forecast the T frames that follow frames (B, T, C, H, W)."""
        return self.model(frames).frames


def load(config: dict[str, Any], state_dict: Mapping[str, Tensor]) -> nn.Module:
    """Build a model of the reference (method SimVP, TAU or SimVPVQ) as one of ours, with its weights.

    Args:
        config: the reference's own keys, ``in_shape`` (T, C, H, W) among them; those that don't shape the model are
            ignored with a warning. Missing keys take the reference's defaults, see :mod:`svqkit.interop.config`.
        state_dict: by the reference's names, of any float type; in them may stand ``module.``, ``model.``,
            ``_orig_mod.`` and the like in any order, and batch norm's counters may be missing.

    Returns:
        A float32 module in eval mode that maps frames (B, T, C, H, W), normalised as in training (of Human3.6M with
        blue first), to the T that follow, (B, T, C, H, W). Frozen codebooks and projections don't require gradients.
        The loss and the rest of what SimVPVQ returns there is in its ``model``, a
        :class:`svqkit.models.SimVP`.

    Raises:
        SvqkitError: the config has a value that doesn't fit or a key that is nearly one of the model's, or the weights
            don't fit it: everything that is missing, surplus, misshapen or not finite is listed.

    Source: github.com/chengtan9907/OpenSTL and github.com/Pachark/SVQ-Forecasting, which pin timm 0.6.11 and ran
    with vector-quantize-pytorch 1.12.5.
    """
    return Predictor(build(architecture(config), state_dict)).eval()


def build(wanted: Architecture, state_dict: Mapping[str, Tensor]) -> SimVP:
    """Build the model that a config of the reference describes, with weights of the reference.

    Raises:
        SvqkitError: the model is larger than the checkpoint can be of, or the weights don't fit it.
    """
    frames, *frame_shape = wanted.in_shape
    stored = sum(value.untyped_storage().nbytes() for value in state_dict.values() if is_dense(value))
    refuse_larger(wanted.model, wanted.quantizer, frames, tuple(frame_shape), stored, "the checkpoint")
    quantizer = quantizers.build(wanted.quantizer, wanted.model.hid_S)
    model = SimVP(wanted.model, quantizer, frames, tuple(frame_shape))
    model.load_state_dict(translated(state_dict, model, wanted))
    return model


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
        checkpoint: a .pth, .ckpt or .safetensors, see :func:`svqkit.interop.weights.read_state_dict`.
        config: files, see :func:`svqkit.interop.config.read_config`; where two set a key, the later one counts.
            ``in_shape`` may be missing, since the reference's config files don't have it: then it is the store's.
        dataset, profile: of ``params``.
        name: of the experiment; None: ``<dataset>-openstl``.
        seed: under which the run is filed.
        params, stores, runs: where things are.
        force: replace a run that is there.

    Raises:
        SvqkitError: a run is there, or config, checkpoint and dataset don't fit together.
    """
    settings = load_params(params, profile)
    data = settings.dataset(dataset)
    store = Store.open(store_path(profile, dataset, stores))
    given = {key: value for path in config for key, value in read_config(path).items()}
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
        pd.DataFrame(columns=list(LOG)).to_csv(draft / "log.csv", index=False)
        domain = Domain.of(store, experiment.protocol)
        write_config(draft, experiment, seed, domain.channels, domain.size, domain)
        write_card(draft)
    return target


def _experiment(params: Params, dataset: str, name: str, seed: int, wanted: Architecture) -> Experiment:
    others = params.of_dataset(dataset)
    settings = {
        "data": params.dataset(dataset),
        "model": wanted.model,
        "quantizer": wanted.quantizer,
        "training": others[0].training if others else Training(),
    }
    trees = {part: as_tree(value) for part, value in settings.items()}
    named = {"name": name, "profile": params.profile, "dataset": dataset, "seeds": [seed]}
    experiment = experiment_from_tree(named | trees, f"the run {name!r}")
    return experiment if experiment.trained_for("paper") else replace(experiment, protocol="paper")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m svqkit.interop.openstl",
        description="Make a run of a checkpoint of OpenSTL or SVQ-Forecasting.",
    )
    parser.add_argument(
        "checkpoint", type=Path, help="a .pth, .ckpt or .safetensors: a whole checkpoint, or a bare state_dict"
    )
    parser.add_argument(
        "--config", type=Path, action="append", required=True, help=".py or .json of the reference; later ones win"
    )
    parser.add_argument("--dataset", required=True, help="what it was trained on, a dataset of params.yaml")
    parser.add_argument("--profile", default="paper", help="paper or sample (default: paper)")
    parser.add_argument("--name", help="of the experiment (default: <dataset>-openstl)")
    parser.add_argument("--seed", type=int, default=0, help="under which the run is filed (default: 0)")
    parser.add_argument("--params", type=Path, default=Path("params.yaml"), help="the settings")
    parser.add_argument("--stores", type=Path, default=Path("stores"), help="folder of the stores")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--force", action="store_true", help="replace a run that is there")
    return exit_status(lambda: _convert(**vars(parser.parse_args(arguments))))


def _convert(dataset: str, **options: Any) -> None:
    path = convert(dataset=dataset, **options)
    also = f"-p dataset {dataset} -y 'more_runs: [{path}]' -p scores scratch/scores"
    print(
        f"{path} is made. To score it beside the kit's own runs, draw it, and look into it:\n"
        f"  papermill notebooks/evaluate.ipynb out.ipynb {also}\n"
        f"  papermill notebooks/figures.ipynb out.ipynb {also} -p reports scratch/reports\n"
        f"  papermill notebooks/codebook_usage.ipynb out.ipynb -p run {path}"
    )


if __name__ == "__main__":
    sys.exit(main())
