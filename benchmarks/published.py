"""The published models and scores, imported from a checkout of SVQ-Forecasting and run as they are there.

Only what is measured is imported: its packages' own imports need much else, and are passed by.
"""

import importlib
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import timm.layers
import torch
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from svqkit.errors import SvqkitError
from svqkit.interop.config import MODEL_TYPES
from svqkit.models import Forecast
from svqkit.paper.costs import Subject
from svqkit.settings.params import Experiment
from svqkit.training.loop import Objective

SIZES = ("hid_S", "hid_T", "N_S", "N_T", "mlp_ratio", "drop", "drop_path", "spatio_kernel_enc", "spatio_kernel_dec")

# The published name of each translator.
NAMES = {ours: theirs for theirs, ours in MODEL_TYPES.items()}


def use(checkout: Path) -> None:
    """Make the checkout's models and metrics importable.

    Raises:
        SvqkitError: it is no checkout of SVQ-Forecasting.
    """
    if not (checkout / "openstl" / "models" / "simvpvq_model.py").exists():
        raise SvqkitError(
            f"{checkout.absolute()} holds no openstl/models/simvpvq_model.py; expected a checkout of "
            "github.com/Pachark/SVQ-Forecasting."
        )
    sys.modules.setdefault("timm.models.layers", timm.layers)
    for name in ("openstl", "openstl.modules", "openstl.models", "openstl.core"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(checkout / name.replace(".", "/"))]
    for name in ("simvp_modules", "quantization_modules"):
        part = vars(importlib.import_module(f"openstl.modules.{name}"))
        vars(sys.modules["openstl.modules"]).update({key: one for key, one in part.items() if key[0] != "_"})


def metric() -> Callable[..., tuple[dict[str, Any], str]]:
    """The published function that scores all forecasts at once, as arrays."""
    module = importlib.import_module("openstl.core.metrics")
    module.cal_ssim = ssim_of_old
    return module.metric


def ssim_of_old(first: np.ndarray, second: np.ndarray, *, multichannel: bool) -> float:
    """scikit-image's SSIM by the option that the published code still uses, with what it then meant."""
    axis = -1 if multichannel else None
    return structural_similarity(first, second, channel_axis=axis, data_range=2.0)


class Published(nn.Module):
    """The published model of an experiment's size, its output given as ours."""

    def __init__(self, experiment: Experiment, frame_shape: tuple[int, int, int]) -> None:
        super().__init__()
        settings, quantizer = experiment.model, experiment.quantizer
        size = {name: getattr(settings, name) for name in SIZES}
        size |= {"model_type": NAMES[settings.translator], "in_shape": (experiment.data.frames_in, *frame_shape)}
        if quantizer.name == "none":
            self.model = importlib.import_module("openstl.models.simvp_model").SimVP_Model(**size)
        elif quantizer.name == "svq":
            svq = {"input_dim": settings.hid_S, "middim": quantizer.hidden_dim, "nonlinear": True}
            svq |= {"codebook_size": quantizer.codebook_size, "freeze_codebook": not quantizer.learnable}
            self.model = importlib.import_module("openstl.models.simvpvq_model").SimVPVQ_Model(vq_kwargs=svq, **size)
        else:
            raise SvqkitError(f"Of the published quantizers none and svq are measured here, not {quantizer.name}.")

    def forward(self, frames: Tensor) -> Forecast:
        """frames (B, T, C, H, W) → as many."""
        output = self.model(frames)
        if not isinstance(output, tuple):
            return Forecast(output, frames.new_zeros(()))
        return Forecast(output[0], sum(output[1].values(), frames.new_zeros(())))


class PublishedSubject(Subject):
    """The published model and training step, to be measured like ours."""

    def step(self, samples: int | None = None) -> None:
        """As in its training loop: Adam as torch makes it, and the loss looked at in every step."""
        self.model.train()
        self.optimizer.zero_grad()
        loss = sum(self.objective(self.inputs[:samples], self.targets[:samples]))
        loss.item()
        loss.backward()
        self.optimizer.step()
        loss.item()

    def _make(self, frame_shape: tuple[int, int, int]) -> tuple[Objective, torch.optim.Optimizer]:
        experiment = self.case.experiment
        try:
            model = Published(experiment, frame_shape).to(self.device)
        except (TypeError, AttributeError, ImportError) as error:
            raise SvqkitError(f"the published code can't make it with timm {timm.__version__}: {error}") from error
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        return Objective(model, experiment.training), torch.optim.Adam(trained)
