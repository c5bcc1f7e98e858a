"""What a codebook is worth: what is lost when few codes are kept, and how its use changes as a run is trained."""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor, nn

from svqkit import models
from svqkit.data.store import Store
from svqkit.data.windows import Batch, Normaliser
from svqkit.errors import SvqkitError
from svqkit.evaluation import forecasters
from svqkit.evaluation.codebook import measures, sample_frames, spread_windows
from svqkit.plots.names import metric_name
from svqkit.quantizers import Quantized, Quantizer, Usage
from svqkit.quantizers.base import as_map, rows
from svqkit.training.runs import Run

AT_EACH_PLACE, EVERYWHERE = "the strongest at each place", "the same ones everywhere"

SHOWN = ("codes", "dead_codes", "perplexity", "codes_per_position", "kurtosis")


@torch.inference_mode()
def error_by_codes_kept(run: Run, store: Store, usage: Usage, windows: int = 4) -> pd.DataFrame:
    r"""Return the error of a trained model whose quantizer adds up only n of its codes; nothing is trained again.

    Of :math:`y = \sum_k w_k c_k` only n terms stay: the n with the largest :math:`|w_k|` at each place, or the n codes
    that are the strongest on average, the same everywhere.

    Args:
        run: a run with a codebook.
        store: its store.
        usage: of the run, from which the strongest codes are taken.
        windows: how many test windows are forecast, spread evenly.

    Returns:
        Columns ``kept`` (one of the two ways), ``codes`` (n) and ``error``: the root over channels of the mean of
        MSE / MSE of the whole model, without unit; 1 is as good as with all codes.

    Raises:
        SvqkitError: the output of this quantizer is no sum of its codes.
    """
    model, batch, scale = run.model(), spread_windows(store, windows), Normaliser.of(store)
    quantizer, size = model.quantizer, len(usage.share)
    _check_sum(run, quantizer, model.latents(scale.forward(batch.inputs[:1])))
    counts = [0, *(2**power for power in range(size.bit_length()) if 2**power < size), size]
    whole = _error(model, batch, scale)
    found = []
    strongest = usage.strength.argsort(descending=True, stable=True)
    for kept in (AT_EACH_PLACE, EVERYWHERE):
        for count in counts:
            few = None if kept == AT_EACH_PLACE else strongest[:count]
            model.quantizer = FewCodes(quantizer, count, few)
            error = float((_error(model, batch, scale) / whole).mean().sqrt())
            found.append({"kept": kept, "codes": int(count), "error": error})
    return pd.DataFrame(found)


def codes_for(kept: pd.DataFrame, error: float, how: str) -> int | None:
    """Return the fewest codes tried from which on ``error`` is not exceeded; None where even the most exceed it."""
    part = kept[kept["kept"] == how].sort_values("codes", ascending=False)
    enough = part.loc[(part["error"] <= error).cumprod().astype(bool), "codes"]
    return int(enough.min()) if len(enough) else None


class FewCodes(nn.Module):
    """A quantizer that gives Σ w_k c_k over a few codes only.

    ``few`` are their numbers; None: at each place the ``count`` codes with the largest weight there, in size.
    """

    def __init__(self, quantizer: Quantizer, count: int, few: Tensor | None) -> None:
        super().__init__()
        self.quantizer, self.count, self.few = quantizer, count, few

    def forward(self, latents: Tensor) -> Quantized:
        # one map at a time: all weights at all of its places are in memory
        output = torch.cat([self._sum(latent) for latent in latents.split(1)])
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
        summed = FewCodes(quantizer, 1, torch.arange(len(quantizer.codes())))(latents).output
    if summed is None or (summed - output).abs().max() > 1e-3 * output.abs().max():
        raise SvqkitError(
            f"What {run.name} makes of a place is no sum of its codes (quantizer {run.experiment.quantizer.name!r}: "
            "its stages are mixed once more), so that none can be left out. Leave this question out."
        )


def _error(model: nn.Module, batch: Batch, scale: Normaliser) -> Tensor:
    """MSE (C,) in physical units, in float64."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    forecast = forecasters.of_model(model, scale, scale, device)
    targets = scale.physical(batch.targets).double()
    return (forecast(batch, targets).cpu().double() - targets).square().mean((0, 1, 3, 4))


def stages_of_training(run: Run) -> dict[str, nn.Module]:
    """Return the model as initialised, and with the weights of its best and of its last epoch, where there are any.

    The first is made anew from the run's seed, as training does; of weights that were read from elsewhere it is only
    some start.
    """
    kept = [weights for weights in ("best", "last") if (run.path / f"{weights}.safetensors").exists()]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.seed)
        start = models.build(run.experiment, (len(run.channels), *run.size)).eval()
        return {"untrained": start} | {f"{weights} epoch": run.model(weights) for weights in kept}


@torch.inference_mode()
def usages_of(trained: Mapping[str, nn.Module], store: Store, windows: int) -> dict[str, Usage]:
    """Return the usage of each model's codebook over ``windows`` test windows, spread evenly; the same ones for all."""
    frames = sample_frames(store, windows)
    return {name: model.quantizer.usage(model.latents(frames)) for name, model in trained.items()}


def usage_table(usages: Mapping[str, Usage]) -> pd.DataFrame:
    """Tabulate usages: codes, dead codes, perplexity, codes mixed, kurtosis (missing of hard quantizers)."""
    rows = {name: measures(usage) for name, usage in usages.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=list(SHOWN))
    return table.rename(columns={name: metric_name(name) for name in SHOWN}).round(1)


@torch.inference_mode()
def moved_codes(trained: Mapping[str, nn.Module]) -> pd.Series:
    """Return how far codes have turned from the first of ``trained``: the median of their cosines with the start.

    1: they point where they pointed; 0: where they point now has nothing to do with it.
    """
    codes = {name: model.quantizer.codes().float() for name, model in trained.items()}
    start = next(iter(codes.values()))
    cosines = {name: nn.functional.cosine_similarity(vectors, start, dim=1) for name, vectors in codes.items()}
    return pd.Series({name: float(cosine.median()) for name, cosine in cosines.items()}).round(3)


def usage_in_words(usage: Usage) -> str:
    """Return two or three sentences with the numbers that tell whether a codebook is alive and how sparse it is."""
    codes, winning = len(usage.share), len(usage.share) - usage.dead_codes
    words = [
        f"{winning} of {codes} codes win a place somewhere; taken together that is as if {usage.perplexity:.1f} codes "
        "won equally often (perplexity)."
    ]
    mixed = f"{usage.codes_per_position:.1f}"
    if usage.kurtosis is None:
        words.append(f"A place is given {mixed} different code{'s' * (mixed != '1.0')}, all others weigh nothing.")
    else:
        share = usage.codes_per_position / codes
        words.append(f"At one place {mixed} codes are mixed in effect, {100 * share:.0f} % of all.")
        words.append(
            f"{100 * usage.near_zero[0.1]:.0f} % of the weights are below a tenth of the largest at their place."
        )
    return " ".join(words)
