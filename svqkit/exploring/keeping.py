"""What a forecast loses when only the strongest codes are kept."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser, Windows
from svqkit.errors import SvqkitError
from svqkit.evaluation import forecasters
from svqkit.quantizers import Quantized, Quantizer, Usage
from svqkit.quantizers.base import as_map, rows
from svqkit.training.runs import Run

AT_EACH_PLACE, EVERYWHERE = "the strongest at each place", "the same ones everywhere"


@torch.inference_mode()
def error_by_codes_kept(
    run: Run, store: Store, usage: Usage, windows: int = 4, counts: Sequence[int] | None = None
) -> pd.DataFrame:
    r"""The error of a trained model whose quantizer adds up only n of its codes; nothing is trained again.

    Of :math:`y = \sum_k w_k c_k` only n terms stay: the n with the largest :math:`|w_k|` at each place, or the n codes
    that are the strongest on average, the same everywhere.

    Args:
        run: a run with a codebook.
        store: its store.
        usage: of the run, from which the strongest codes are taken.
        windows: how many test windows are forecast, spread evenly.
        counts: n; when None 0, powers of two, and all codes.

    Returns:
        Columns ``kept`` (one of the two ways), ``codes`` (n) and ``error``: the root over channels of the mean of
        MSE / MSE of the whole model, without unit; 1 is as good as with all codes.

    Raises:
        SvqkitError: the output of this quantizer is no sum of its codes.
    """
    model, batch, scale = run.model(), spread_windows(store, windows), Normaliser.of(store)
    quantizer, size = model.quantizer, len(usage.share)
    _check_sum(run, quantizer, model.latents(scale.forward(batch.inputs[:1])))
    counts = _counts(size) if counts is None else counts
    whole = _error(model, batch, scale)
    found = []
    strongest = usage.strength.argsort(descending=True, stable=True)
    for kept in (AT_EACH_PLACE, EVERYWHERE):
        for count in counts:
            few = None if kept == AT_EACH_PLACE else strongest[:count]
            model.quantizer = _Kept(quantizer, count, few)
            error = float((_error(model, batch, scale) / whole).mean().sqrt())
            found.append({"kept": kept, "codes": int(count), "error": error})
    return pd.DataFrame(found)


def codes_for(kept: pd.DataFrame, error: float, how: str) -> int | None:
    """The fewest codes, of those tried, from which on ``error`` is not exceeded; None where even the most exceed it."""
    part = kept[kept["kept"] == how].sort_values("codes", ascending=False)
    enough = part.loc[(part["error"] <= error).cumprod().astype(bool), "codes"]
    return int(enough.min()) if len(enough) else None


def spread_windows(store: Store, count: int) -> Batch:
    """``count`` test windows, spread evenly, as they are stored."""
    test = Windows(store, "test", hold=False)
    return test.read(np.unique(np.linspace(0, len(test) - 1, count).round().astype(int)).tolist())


class _Kept(nn.Module):
    """A quantizer that gives Σ w_k c_k over a few codes only.

    ``few`` are their numbers; None: at each place the ``count`` codes with the largest weight there, in size.
    """

    def __init__(self, quantizer: Quantizer, count: int, few: Tensor | None) -> None:
        super().__init__()
        self.quantizer, self.count, self.few = quantizer, count, few

    def forward(self, latents: Tensor) -> Quantized:
        # one map at a time: all weights at all of its places are in memory
        output = torch.cat([self._sum(one) for one in latents.split(1)])
        return Quantized(output, latents.new_zeros(()))

    def _sum(self, latents: Tensor) -> Tensor:
        codes = self.quantizer.codes().to(latents.device)
        wanted = torch.arange(len(codes), device=latents.device) if self.few is None else self.few.to(latents.device)
        if not self.count:
            return torch.zeros_like(latents)
        weights = rows(self.quantizer.weights_of(latents, wanted)).to(codes.dtype)
        if self.few is None:
            largest = weights.abs().topk(self.count, dim=1).indices
            weights = torch.zeros_like(weights).scatter(1, largest, weights.gather(1, largest))
        return as_map(weights @ codes[wanted], latents)


def _check_sum(run: Run, quantizer: Quantizer, latents: Tensor) -> None:
    output = quantizer(latents).output
    summed = None
    if quantizer.codes().shape[1] == quantizer.dim:
        summed = _Kept(quantizer, 1, torch.arange(len(quantizer.codes())))(latents).output
    if summed is None or (summed - output).abs().max() > 1e-3 * output.abs().max():
        raise SvqkitError(
            f"What {run.name} makes of a place is no sum of its codes (quantizer {run.experiment.quantizer.name!r}: "
            "its stages are mixed once more), so that none can be left out. Leave this question out."
        )


def _counts(size: int) -> list[int]:
    """0, 1, 2, 4, … and all."""
    return [0, *(2**power for power in range(size.bit_length()) if 2**power < size), size]


def _error(model: nn.Module, batch: Batch, scale: Normaliser) -> Tensor:
    """MSE (C,) in physical units, in float64."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    forecast = forecasters.of_model(model, scale, scale, device)
    targets = scale.physical(batch.targets).double()
    return (forecast(batch, targets).cpu().double() - targets).square().mean((0, 1, 3, 4))
