"""How a trained model uses its codebook on test data, and what single codes mean."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from svqkit.atomic import replacing
from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser, Windows
from svqkit.errors import SvqkitError
from svqkit.evaluation.fields import coordinates
from svqkit.models.simvp import SimVP, roll_out
from svqkit.ownfiles import read_arrays
from svqkit.quantizers import MultiheadVQ, Quantized, Quantizer, Usage
from svqkit.training.runs import Run

# Windows looked at, spread evenly over the test split: a codebook of 10,000 takes seconds, not minutes.
WINDOWS = 2

Cell = tuple[int, int]


@torch.inference_mode()
def codebook_usage(run: Run, store: Store, windows: int = WINDOWS) -> Usage:
    """Measure the usage of the run's codebook over ``windows`` windows of the test split.

    Raises:
        SvqkitError: the run's quantizer has no codebook.
    """
    model = _model_with_codebook(run)
    return model.quantizer.usage(model.latents(sample_frames(store, windows)))


@torch.inference_mode()
def code_similarity(run: Run, usage: Usage, codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute the cosine similarity (n, n) of the codes that win most often, and return their numbers (n,) with it."""
    codebook = run.model().quantizer.codes()
    chosen = usage.share.argsort(descending=True)[: min(codes, len(codebook))]
    unit = torch.nn.functional.normalize(codebook[chosen].float(), dim=1)
    return (unit @ unit.T).numpy(), chosen.numpy()


@torch.inference_mode()
def code_activity(run: Run, store: Store, usage: Usage, codes: int = 4, windows: int = WINDOWS) -> xr.DataArray:
    """Compute the mean weight of the codes that win most often at each cell of the latent map, (code, lat, lon).

    Latitudes and longitudes are those of the middle of each latent cell.
    """
    model, frames = run.model(), sample_frames(store, windows)
    chosen = usage.share.argsort(descending=True)[:codes]
    latent = model.latents(frames)
    weights = model.quantizer.weights_of(latent, chosen).mean(0)
    dims, axes = store.spatial_coords
    # How many rows and columns a latent cell covers; cells that lie in the padding beyond the frame are cut off.
    cells = [-(-size // count) for size, count in zip(store.frame_shape[1:], weights.shape[-2:], strict=True)]
    rows, columns = (-(-size // cell) for size, cell in zip(store.frame_shape[1:], cells, strict=True))
    middles = {name: _middles(axes[name], cell) for name, cell in zip(dims, cells, strict=True) if name in axes}
    return xr.DataArray(
        weights[:, :rows, :columns].numpy(),
        dims=("code", *dims),
        coords={"code": chosen.numpy(), **middles},
        attrs={"long_name": "mean weight of a code"},
    )


def _model_with_codebook(run: Run) -> SimVP:
    if not run.has_codebook:
        kind = run.experiment.quantizer.name
        raise SvqkitError(f"{run.name} has no codebook: its quantizer is {kind!r}. Choose a run with svq or vq.")
    return run.model()


def _middles(values: np.ndarray, cell: int) -> list[float]:
    """The mean coordinate of each cell."""
    return [float(values[i : i + cell].mean()) for i in range(0, len(values), cell)]


def sample_frames(store: Store, windows: int) -> torch.Tensor:
    """Return the normalised input frames of ``windows`` test windows, spread evenly."""
    return Normaliser.of(store).forward(spread_windows(store, windows).inputs)


def spread_windows(store: Store, count: int) -> Batch:
    """Return ``count`` test windows, spread evenly, as they are stored."""
    test = Windows(store, "test", hold=False)
    return test.read(np.unique(np.linspace(0, len(test) - 1, count).round().astype(int)).tolist())


@torch.inference_mode()
def decode_codes(
    run: Run, store: Store, codes: Sequence[int], at: Sequence[Cell] | None = None, windows: int = WINDOWS
) -> xr.DataArray:
    r"""Compute the change of the forecast when a typical amount of a code is added to the quantized latents.

    For a window with quantized latents y (T, D, H', W') and the rest of the model F (translator, decoder with the
    skip of that window), code c_k decodes to

    .. math:: E_k = F(y + \sigma_k\, c_k\, 1_P) - F(y)

    in physical units, mean over the windows. σ_k is the standard deviation of the code's weight over the positions
    and frames of these windows, so that a code is added as strongly as it varies in use; a code that never varies
    there decodes to 0. P is every position, or one. It is added to all frames that the quantizer is given and, of
    forecasts that take several passes, in each pass.

    Why not F(σ_k c_k) − F(0): a latent that is zero, or constant, everywhere is far from all that the model was
    trained on, and its normalisation layers would scale up whatever is left.

    Args:
        run: its quantizer's output is a sum of codes.
        store: the run's dataset; windows are of its test split.
        codes: numbers of the codes, (n,).
        at: for each code the latent cell (row, column) that it is added to; everywhere when None.
        windows: how many windows, evenly spread over the split.

    Returns:
        (code, channel, lead, lat, lon) or (code, channel, lead, y, x), the coordinate ``unit`` along ``channel``.

    Raises:
        SvqkitError: the run has no codebook, or a code of it is no latent vector (those of a multi-head VQ are mixed
            by a further map); there is no such code or cell.
    """
    model, frames, scale = _model_with_codebook(run), sample_frames(store, windows), Normaliser.of(store)
    book, latents = model.quantizer.codes().double(), model.latents(frames)
    _check(run, model.quantizer, latents, codes, at)
    chosen = torch.as_tensor(list(codes))
    typical = model.quantizer.weights_of(latents, chosen).transpose(0, 1).flatten(1).std(1, correction=0)
    frames_out = len(Windows(store, "test").targets)
    where = torch.full((len(codes), *latents.shape[-2:]), float(at is None))
    for mask, cell in zip(where, at or (), strict=False):
        mask[cell] = 1

    # One code of thousands changes a forecast by little more than float32 rounds it.
    model, frames = model.double(), frames.double()
    plain = roll_out(model, frames, frames_out).frames
    changes = []
    for number, code in enumerate(chosen.tolist()):
        with _added(model.quantizer, typical[number] * book[code][:, None, None] * where[number]):
            change = (roll_out(model, frames, frames_out).frames - plain).mean(0)
        changes.append((change * scale.std).transpose(0, 1))
    return xr.DataArray(
        torch.stack(changes).float().numpy(),
        dims=("code", "channel", "lead", *store.spatial_coords[0]),
        coords={"code": chosen.numpy(), **coordinates(store, frames_out)},
        attrs={"long_name": "change of the forecast by one standard deviation of a code's weight"},
    )


def strongest_cells(activity: xr.DataArray) -> list[Cell]:
    """Return the latent cell (row, column) where the mean weight of each code is largest in size, the first of equals.

    Args:
        activity: (code, rows, columns), of :func:`svqkit.evaluation.code_activity`.
    """
    width = activity.shape[-1]
    strongest = abs(activity.to_numpy()).reshape(len(activity), -1).argmax(1).tolist()
    return [divmod(cell, width) for cell in strongest]


def _added(quantizer: nn.Module, change: Tensor) -> RemovableHandle:
    """Add ``change`` (D, H', W') to what a quantizer gives, at every frame, as long as a ``with`` block lasts."""
    return quantizer.register_forward_hook(lambda _, __, result: Quantized(result.output + change, result.loss))


def _check(run: Run, quantizer: Quantizer, latents: Tensor, codes: Sequence[int], at: Sequence[Cell] | None) -> None:
    size, width = quantizer.codes().shape
    if isinstance(quantizer, MultiheadVQ) or width != latents.shape[1]:
        raise SvqkitError(
            f"A code of {run.name} alone is no latent vector: {run.experiment.quantizer.name} makes one of several, by "
            "a further map. Choose a run whose output is a sum of codes, such as svq or vq."
        )
    missing = [code for code in codes if not 0 <= code < size]
    if missing or not len(codes):
        raise SvqkitError(
            f"{run.name} has no code {', '.join(map(str, missing)) or '(none asked for)'}; it has 0 to {size - 1}."
        )
    height, width = latents.shape[-2:]
    if at is not None and len(at) != len(codes):
        raise SvqkitError(f"Each code needs one latent cell: there are {len(codes)} codes and {len(at)} cells.")
    outside = [cell for cell in at or () if not (0 <= cell[0] < height and 0 <= cell[1] < width)]
    if outside:
        raise SvqkitError(f"The latents of {run.name} are maps of {height} × {width}: there is no cell {outside[0]}.")


def usage_tree(usage: Usage) -> dict[str, Any]:
    """Return a usage as plain arrays and numbers, as it is written; of a hard quantizer three of them.

    ``histogram`` are the counts between ``edges``, ``sparsity`` the share of weights below each of ``thresholds``.
    """
    tree = {name: value.numpy() if isinstance(value, Tensor) else value for name, value in vars(usage).items()}
    if usage.histogram is None:
        return {key: tree[key] for key in ("share", "perplexity", "dead_codes")}
    near_zero, (edges, counts) = usage.near_zero, usage.histogram
    del tree["near_zero"]
    weights = {"histogram": counts, "sparsity": [*near_zero.values()], "edges": edges, "thresholds": [*near_zero]}
    return tree | {name: np.asarray(value) for name, value in weights.items()}


def measures(usage: Usage) -> dict[str, float]:
    """Return the numbers of a usage by name, as they stand in codebook.csv; a hard quantizer has no kurtosis."""
    found: dict[str, float] = {"codes": len(usage.share)}
    found |= {name: getattr(usage, name) for name in ("perplexity", "dead_codes", "codes_per_position")}
    for name in ("active_codes", "near_zero"):
        found |= {f"{name}_{threshold:g}": value for threshold, value in getattr(usage, name).items()}
    return found if usage.kurtosis is None else found | {"kurtosis": usage.kurtosis}


def describe_usage(usage: Usage) -> pd.DataFrame:
    """Return the numbers of a usage as a table for reading."""
    rows = {
        "codes": len(usage.share),
        "perplexity (effective number of winning codes)": round(usage.perplexity, 1),
        "codes that are never the strongest": usage.dead_codes,
        "codes at a place (effective number)": round(usage.codes_per_position, 1),
    }
    rows |= {f"codes above {limit:g} of the largest at a place": round(n, 1) for limit, n in usage.active_codes.items()}
    rows |= {f"share of weights below {limit:g} of it": round(share, 4) for limit, share in usage.near_zero.items()}
    if len(usage.stage_perplexity) > 1:
        stages = enumerate(usage.stage_perplexity, start=1)
        rows |= {f"perplexity of stage {stage} alone": round(value, 1) for stage, value in stages}
    if usage.kurtosis is not None:
        rows["kurtosis of the weights (normal: 3)"] = round(usage.kurtosis, 2)
    return pd.DataFrame({"value": pd.Series(rows, dtype=object)})  # whole numbers stay whole


def write_codebooks(runs: Sequence[Run], store: Store, folder: Path) -> None:
    """Measure the codebooks of runs and write them into a folder of scores: codebook.npz and codebook.csv (tidy)."""
    usages = {run.name: codebook_usage(run, store) for run in runs}
    write_usage(usages, folder / "codebook.npz")
    rows = [(run.experiment.name, run.seed, *item) for run in runs for item in measures(usages[run.name]).items()]
    table = pd.DataFrame(rows, columns=["experiment", "seed", "metric", "value"])
    table.to_csv(folder / "codebook.csv", index=False)


def write_usage(usage: Mapping[str, Usage], path: Path) -> None:
    """Write usages by name as one npz of plain arrays, ``<name>/<field>``."""
    trees = {name: usage_tree(of_run) for name, of_run in usage.items()}
    arrays: dict[str, Any] = {
        f"{name}/{key}": np.asarray(value) for name, tree in trees.items() for key, value in tree.items()
    }
    with replacing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_usage(folder: str | Path) -> dict[str, dict[str, Any]]:
    """Read what ``write_usage`` wrote into a folder of scores: per run the tree of its usage.

    Raises:
        SvqkitError: it is not there, or damaged.
    """
    usage: dict[str, dict[str, Any]] = {}
    for key, values in read_arrays(Path(folder) / "codebook.npz", "Run the evaluate stage: `dvc repro`.").items():
        name, _, field = key.rpartition("/")
        usage.setdefault(name, {})[field] = values
    return usage
