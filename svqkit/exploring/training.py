"""How the use of a codebook changes: while a run is trained, and from one run to its twins."""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor, nn

from svqkit import models
from svqkit.data.store import Store
from svqkit.data.windows import Normaliser
from svqkit.evaluation.codebook import measures
from svqkit.exploring.keeping import spread_windows
from svqkit.plots.names import metric_name
from svqkit.quantizers import Usage
from svqkit.training.runs import Run

SHOWN = ("codes", "dead_codes", "perplexity", "codes_per_position", "kurtosis")


def stages_of_training(run: Run) -> dict[str, nn.Module]:
    """The model as it was initialised, and with the weights of its best and of its last epoch, where there are any.

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
    """The usage of each model's codebook over ``windows`` test windows, spread evenly; the same ones for all."""
    frames = Normaliser.of(store).forward(spread_windows(store, windows).inputs)
    return {name: model.quantizer.usage(model.latents(frames)) for name, model in trained.items()}


def usage_table(usages: Mapping[str, Usage]) -> pd.DataFrame:
    """One row for each usage: codes, dead codes, perplexity, codes mixed, kurtosis (missing of hard quantizers)."""
    rows = {name: measures(usage) for name, usage in usages.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=list(SHOWN))
    return table.rename(columns={name: metric_name(name) for name in SHOWN}).round(1)


@torch.inference_mode()
def moved_codes(trained: Mapping[str, nn.Module]) -> pd.Series:
    """How far codes have turned from the first of ``trained``: the median over codes of their cosine with the start.

    1: they point where they pointed; 0: where they point now has nothing to do with it.
    """
    codes = {name: model.quantizer.codes().float() for name, model in trained.items()}
    start = next(iter(codes.values()))
    return pd.Series({name: float(_cosine(one, start).median()) for name, one in codes.items()}).round(3)


def usage_in_words(usage: Usage) -> str:
    """Two or three sentences with the numbers that tell whether a codebook is alive and how sparse it is."""
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


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(a, b, dim=1)
