"""What single codes mean: by how much the forecast changes when a little more of one is mixed into the latents."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import xarray as xr
from torch import Tensor, nn

from svqkit.data.store import Store
from svqkit.data.windows import Normaliser, Windows
from svqkit.errors import SvqkitError
from svqkit.evaluation.codebook import WINDOWS, sample_frames
from svqkit.models.rollout import roll_out
from svqkit.quantizers.base import Quantized, Quantizer
from svqkit.quantizers.vq import MultiheadVQ
from svqkit.training.runs import Run

Cell = tuple[int, int]


@torch.inference_mode()
def decode_codes(
    run: Run, store: Store, codes: Sequence[int], at: Sequence[Cell] | None = None, windows: int = WINDOWS
) -> xr.DataArray:
    r"""The change of the forecast when a typical amount of a code is added to the quantized latents.

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
    if not run.has_codebook:
        raise SvqkitError(f"{run.name} has no codebook: choose a run with codes, such as one of svq or vq.")
    model, frames, scale = run.model(), sample_frames(run, store, windows), Normaliser.of(store)
    book, latents = model.quantizer.codes().double(), model.latents(frames)
    _check(run, model.quantizer, latents, codes, at)
    chosen = torch.as_tensor(list(codes))
    typical = model.quantizer.weights_of(latents, chosen).transpose(0, 1).flatten(1).std(1, correction=0)
    frames_out = len(Windows(store, "test").targets)

    # One code of thousands changes a forecast by little more than float32 rounds it.
    model, frames = model.double(), frames.double()
    plain = roll_out(model, frames, frames_out).frames
    changes = []
    for number, code in enumerate(chosen.tolist()):
        where = torch.ones(latents.shape[-2:]) if at is None else _only(at[number], latents.shape[-2:])
        with _added(model.quantizer, typical[number] * book[code][:, None, None] * where):
            change = (roll_out(model, frames, frames_out).frames - plain).mean(0)
        changes.append((change * scale.std).transpose(0, 1))
    dims, axes = store.places
    return xr.DataArray(
        torch.stack(changes).float().numpy(),
        dims=("code", "channel", "lead", *dims),
        coords={
            "code": chosen.numpy(),
            "channel": store.channels,
            "unit": ("channel", store.units),
            "lead": ("lead", [store.lead_step * (1 + step) for step in range(frames_out)], {"units": store.lead_units}),
            **axes,
        },
        attrs={"long_name": "change of the forecast by one standard deviation of a code's weight"},
    )


def strongest_cells(activity: xr.DataArray) -> list[Cell]:
    """The latent cell (row, column) where the mean weight of each code is largest in size, the first of equals.

    Args:
        activity: (code, rows, columns), of :func:`svqkit.evaluation.code_activity`.
    """
    width = activity.shape[-1]
    places = abs(activity.to_numpy()).reshape(len(activity), -1).argmax(1).tolist()
    return [divmod(place, width) for place in places]


@contextmanager
def _added(quantizer: nn.Module, change: Tensor) -> Iterator[None]:
    """A quantizer whose output has ``change`` (D, H', W') added to it at every frame, as long as a block lasts."""

    def add(_: nn.Module, __: object, result: Quantized) -> Quantized:
        return Quantized(result.output + change, result.loss)

    hook = quantizer.register_forward_hook(add)
    try:
        yield
    finally:
        hook.remove()


def _only(cell: Cell, size: torch.Size) -> Tensor:
    """1 at one cell of a map of ``size``, 0 elsewhere."""
    where = torch.zeros(size)
    where[cell] = 1
    return where


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
