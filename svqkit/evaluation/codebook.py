"""How a trained model uses its codebook on test data."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from svqkit.atomic import replacing
from svqkit.data.store import Store
from svqkit.data.windows import Normaliser, Windows
from svqkit.errors import SvqkitError
from svqkit.quantizers import Usage
from svqkit.training.runs import Run
from svqkit.userfiles import refuse_special

# Windows looked at, spread evenly over the test split: a codebook of 10,000 takes seconds, not minutes.
WINDOWS = 2


@torch.inference_mode()
def codebook_usage(run: Run, store: Store, windows: int = WINDOWS) -> Usage:
    """The usage of the run's codebook over ``windows`` windows of the test split.

    Raises:
        SvqkitError: the run's quantizer has no codebook.
    """
    if not run.has_codebook:
        kind = run.experiment.quantizer.name
        raise SvqkitError(f"{run.name} has no codebook: its quantizer is {kind!r}. Choose a run with svq or vq.")
    model = run.model()
    return model.quantizer.usage(model.latents(sample_frames(run, store, windows)))


@torch.inference_mode()
def code_similarity(run: Run, usage: Usage, codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine similarity (n, n) of the codes that win most often, and their numbers (n,), the most frequent first."""
    codebook = run.model().quantizer.codes()
    chosen = usage.share.argsort(descending=True)[: min(codes, len(codebook))]
    unit = torch.nn.functional.normalize(codebook[chosen].float(), dim=1)
    return (unit @ unit.T).numpy(), chosen.numpy()


@torch.inference_mode()
def code_activity(run: Run, store: Store, usage: Usage, codes: int = 4, windows: int = WINDOWS) -> xr.DataArray:
    """Mean weight of the codes that win most often at each place of the latent map, (code, lat, lon).

    Latitudes and longitudes are those of the middle of each latent cell.
    """
    model, frames = run.model(), sample_frames(run, store, windows)
    chosen = usage.share.argsort(descending=True)[:codes]
    latent = model.latents(frames)
    weights = model.quantizer.weights_of(latent, chosen).mean(0)
    height, width = weights.shape[-2:]
    dims, axes = store.places
    cells = {
        name: -(-size // count) for name, size, count in zip(dims, store.frame_shape[1:], (height, width), strict=True)
    }
    middles = {name: _middles(values, cells[name]) for name, values in axes.items()}
    return xr.DataArray(
        weights[:, : -(-store.frame_shape[1] // cells[dims[0]]), : -(-store.frame_shape[2] // cells[dims[1]])].numpy(),
        dims=("code", *dims),
        coords={"code": chosen.numpy(), **middles},
        attrs={"long_name": "mean weight of a code"},
    )


def _middles(values: np.ndarray, cell: int) -> list[float]:
    """The mean coordinate of each cell."""
    return [float(values[i : i + cell].mean()) for i in range(0, len(values), cell)]


def sample_frames(run: Run, store: Store, windows: int) -> torch.Tensor:
    """Normalised input frames of ``windows`` test windows, spread evenly."""
    test = Windows(store, "test", hold=False)
    chosen = np.unique(np.linspace(0, len(test) - 1, windows).round().astype(int)).tolist()
    return Normaliser.of(store).forward(test.read(chosen).inputs)


def usage_tree(usage: Usage) -> dict[str, object]:
    """A usage as plain arrays and numbers; ``sparsity`` is the share below each threshold."""
    tree = {name: value.numpy() if isinstance(value, Tensor) else value for name, value in vars(usage).items()}
    if usage.histogram is None:
        return {key: tree[key] for key in ("share", "perplexity", "dead_codes")}
    tree["histogram"] = tuple(part.numpy() for part in usage.histogram)
    return tree | {"sparsity": usage.near_zero}


def measures(usage: Usage) -> dict[str, float]:
    """The numbers of a usage by name, as they stand in codebook.csv; a hard quantizer has no kurtosis."""
    by_threshold = {
        f"{name}_{threshold:g}": value
        for name in ("active_codes", "near_zero")
        for threshold, value in getattr(usage, name).items()
    }
    found = {
        "codes": len(usage.share),
        "perplexity": usage.perplexity,
        "dead_codes": usage.dead_codes,
        "codes_per_position": usage.codes_per_position,
        **by_threshold,
    }
    return found if usage.kurtosis is None else found | {"kurtosis": usage.kurtosis}


def describe_usage(usage: Usage) -> pd.DataFrame:
    """The numbers of a usage as a table for reading."""
    rows = {
        "codes": len(usage.share),
        "perplexity (effective number of winning codes)": round(usage.perplexity, 1),
        "dead codes (never the strongest)": usage.dead_codes,
        "codes per position (effective number mixed)": round(usage.codes_per_position, 1),
    }
    rows |= {
        f"codes above {threshold:g} of the position's largest (mean over positions)": round(count, 1)
        for threshold, count in usage.active_codes.items()
    }
    rows |= {
        f"share of weights below {threshold:g} of the position's largest": round(share, 4)
        for threshold, share in usage.near_zero.items()
    }
    if len(usage.stage_perplexity) > 1:
        rows |= {
            f"perplexity of stage {stage} alone": round(value, 1)
            for stage, value in enumerate(usage.stage_perplexity, start=1)
        }
    if usage.kurtosis is not None:
        rows["kurtosis of the weights (normal: 3)"] = round(usage.kurtosis, 2)
    return pd.DataFrame({"value": rows})


def write_usage(usage: Mapping[str, Usage], path: Path) -> None:
    """Usages by name as one npz of plain arrays, ``<name>/<field>``."""
    arrays: dict[str, np.ndarray] = {}
    for name, one in usage.items():
        tree = usage_tree(one)
        if "histogram" in tree:
            tree["edges"], tree["histogram"] = tree["histogram"]
            below = tree.pop("near_zero")
            tree["thresholds"], tree["sparsity"] = list(below), list(below.values())
        arrays |= {f"{name}/{key}": np.asarray(value) for key, value in tree.items()}
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_usage(folder: str | Path) -> dict[str, dict[str, object]]:
    """What ``write_usage`` wrote into a folder of scores: per run the tree of its usage."""
    usage: dict[str, dict[str, object]] = {}
    refuse_special(Path(folder) / "codebook.npz")
    with np.load(Path(folder) / "codebook.npz", allow_pickle=False) as file:
        for key in file.files:
            name, field = key.rsplit("/", 1)
            usage.setdefault(name, {})[field] = file[key]
    for tree in usage.values():
        if "histogram" in tree:
            tree["histogram"] = tree.pop("edges"), tree["histogram"]
            tree["sparsity"] = dict(zip(tree.pop("thresholds").tolist(), tree["sparsity"].tolist(), strict=True))
    return usage
