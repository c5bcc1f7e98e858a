"""Models trained with OpenSTL or SVQ-Forecasting, from their config and state_dict.

    python -m svqkit.interop.openstl checkpoint.pth --config SimVP_gSTA.py --dataset weather_t2m

makes a run of one, which evaluate, figures and the explorers read like any other.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from svqkit import quantizers
from svqkit.errors import SvqkitError
from svqkit.interop.settings import Architecture, architecture
from svqkit.interop.weights import translated
from svqkit.models import SimVP, refuse_larger
from svqkit.training.runs import open_run


class Predictor(nn.Module):
    """A model that gives its forecast alone: frames (B, T, C, H, W) → (B, T, C, H, W)."""

    def __init__(self, model: SimVP) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: Tensor) -> Tensor:
        """frames (B, T, C, H, W) → the T frames that follow."""
        return self.model(frames).frames


def load(config: dict[str, Any], state_dict: Mapping[str, Tensor]) -> nn.Module:
    """A model of the reference (method SimVP, TAU or SimVPVQ) as one of ours, with its weights.

    Args:
        config: the reference's own keys, ``in_shape`` (T, C, H, W) among them; those of the training are ignored.
            Missing keys take the reference's defaults, see :mod:`svqkit.interop.settings`.
        state_dict: by the reference's names, each with or without a leading ``module.``, of any float type.

    Returns:
        A float32 module in eval mode that maps frames (B, T, C, H, W), normalised as in training (of Human3.6M with
        blue first), to the T that follow, (B, T, C, H, W). Frozen codebooks and projections don't require gradients.
        The loss and the rest of what SimVPVQ returns there is at hand in its ``model``, a
        :class:`svqkit.models.SimVP`.

    Raises:
        SvqkitError: the config has a key or a value that the reference doesn't know, or the weights don't fit it:
            everything that is missing, surplus, misshapen or not finite is listed.

    Source: github.com/chengtan9907/OpenSTL and github.com/Pachark/SVQ-Forecasting, which pin timm 0.6.11 and ran
    with vector-quantize-pytorch 1.12.5.
    """
    return Predictor(build(architecture(config), state_dict)).eval()


def build(wanted: Architecture, state_dict: Mapping[str, Tensor]) -> SimVP:
    """The model that a config of the reference describes, with weights of the reference."""
    frames, *frame_shape = wanted.in_shape
    stored = sum(value.untyped_storage().nbytes() for value in state_dict.values() if isinstance(value, Tensor))
    refuse_larger(wanted.model, wanted.quantizer, frames, tuple(frame_shape), stored, "the checkpoint")
    quantizer = quantizers.build(wanted.quantizer, wanted.model.hid_S)
    model = SimVP(wanted.model, quantizer, frames, tuple(frame_shape))
    model.load_state_dict(translated(state_dict, model, wanted))
    return model


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    from svqkit.interop.convert import convert

    parser = argparse.ArgumentParser(
        prog="python -m svqkit.interop.openstl",
        description="Make a run of a checkpoint of OpenSTL or SVQ-Forecasting.",
    )
    parser.add_argument("checkpoint", type=Path, help="a .pth: the reference's whole checkpoint, or a bare state_dict")
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
    options = parser.parse_args(arguments)
    try:
        path = convert(**vars(options))
    except SvqkitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    dataset = open_run(path).experiment.dataset
    also = f"-p dataset {dataset} -y 'more_runs: [{path}]' -p scores scratch/scores"
    print(
        f"{path} is made. To score it beside the kit's own runs, draw it, and look into it:\n"
        f"  papermill notebooks/evaluate.ipynb out.ipynb {also}\n"
        f"  papermill notebooks/figures.ipynb out.ipynb {also} -p reports scratch/reports\n"
        f"  papermill notebooks/codebook_usage.ipynb out.ipynb -p run {path}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
