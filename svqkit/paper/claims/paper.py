"""The claims of the SVQ paper in our words: where each stands, and how it is judged here.

arXiv 2312.03406 (KDD 2025). Sizes are those of its abstract; those of Table 3, and numbers of tables and figures, are
as public reviews of the paper quote them.
"""

from collections.abc import Iterator
from functools import partial

from svqkit.paper.claims import evidence, rules
from svqkit.paper.claims.evidence import RIVALS, TWELVE, compared
from svqkit.paper.claims.rules import SAME, Claim

_OF_TRANSLATORS = "against == 'base' and kind == 'svq' and studies.str.contains('translators')"
_lower, _higher = partial(rules.effects, sign=-1), partial(rules.effects, sign=1)

_AGAINST_BASE = "SVQ against SimVP, MSE"
_WEATHER = {
    "weather_r": ("relative humidity (WeatherBench-S)", "Table 1"),
    "weather_uv10": ("wind (WeatherBench-S)", "Table 1"),
    "weather_tcc": ("total cloud cover (WeatherBench-S)", "Table 1"),
    "weather_mv": ("the variables of WeatherBench-M", "Table 1"),
    "weather_hmv": ("the 110 variables of WeatherBench-HMV", "appendix; README of the code"),
    "human": ("Human3.6M", "Table 2"),
    "kth": ("KTH", "Table 2"),
    "kitticaltech": ("KittiCaltech", "Table 2"),
    "taxibj": ("traffic in Beijing (TaxiBJ)", "Table 2"),
}


def _on_datasets() -> Iterator[Claim]:
    yield Claim(
        "weather_t2m",
        "SVQ lowers the error of 2 m temperature (WeatherBench-S) by 7.9 %.",
        "abstract; Table 1: MSE 1.105 → 1.018",
        f"{_AGAINST_BASE}; claimed size 7.9 %",
        partial(evidence.beats_base, dataset="weather_t2m", size=0.079),
    )
    for dataset, (words, where) in _WEATHER.items():
        yield Claim(
            dataset,
            f"SVQ lowers the error on {words}.",
            where,
            _AGAINST_BASE,
            partial(evidence.beats_base, dataset=dataset),
        )
    yield Claim(
        "video_mae",
        "On the three video datasets SVQ lowers the MAE by 9.4 % on average.",
        "abstract",
        "mean of the three relative changes of MAE; claimed size 9.4 %",
        partial(evidence.video_error, size=0.094),
    )
    yield Claim(
        "video_lpips",
        "On the three video datasets SVQ betters image quality by 17.3 % (LPIPS) on average.",
        "abstract",
        "mean of the three relative changes of LPIPS, interval over seeds only; claimed size 17.3 %",
        partial(evidence.video_quality, size=0.173),
    )


def _on_translators() -> Iterator[Claim]:
    yield Claim(
        "each_translator",
        "SVQ improves each of the twelve MetaFormers it is put into.",
        "Table 3",
        "each translator with SVQ against itself without, MSE",
        partial(
            compared,
            which=f"{_OF_TRANSLATORS} and translator in {TWELVE}",
            judge=_lower,
            expected=TWELVE,
            by="translator",
        ),
    )
    for family, size in {"": 0.048, "CNN": 0.041, "Transformer": 0.051, "MLP": 0.107}.items():
        yield Claim(
            f"translators_{family.lower() or 'all'}",
            f"Over the {f'{family} translators' if family else 'twelve MetaFormers'} SVQ lowers the MSE by "
            f"{size:.1%} on average.".replace("%", " %"),
            "Table 3",
            f"mean relative change of MSE over translators, t-interval; claimed size {100 * size:.1f} %"
            + ("; which translators the paper counts to a family is not known here" if family else ""),
            partial(evidence.translators_on_average, family=family, size=size),
        )


def _on_quantizers() -> Iterator[Claim]:
    yield Claim(
        "beats_rivals",
        "SVQ has a lower error than every other quantizer.",
        "Figure 1; Table 4",
        "SVQ against each quantizer of the paper, MSE",
        partial(
            compared,
            which="against == 'rival' and kind_of_base in @rivals and studies_of_base.str.contains('quantizers')",
            judge=_lower,
            expected=RIVALS,
            by="kind_of_base",
        ),
    )
    yield Claim(
        "rivals_harm",
        "Every other quantizer makes the model worse than it is without one.",
        "abstract; Figure 1; Table 4: MSE 1.105 → 1.174 to 1.854",
        "each quantizer of the paper against SimVP, MSE",
        partial(
            compared,
            which="against == 'base' and kind in @rivals and studies.str.contains('quantizers')",
            judge=_higher,
            expected=RIVALS,
        ),
    )


def _on_parts() -> Iterator[Claim]:
    yield Claim(
        "frozen_as_good",
        "A frozen random codebook is about as good as one that learns.",
        "Table 7: MSE 1.023 and 1.018 with 10,000 codes",
        f"SVQ frozen against SVQ, MSE, as good within ±{SAME:.0%}".replace("%", " %"),
        partial(
            compared,
            which="against == 'svq' and experiment == 'weather_t2m-svq_frozen'",
            judge=rules.equivalent,
            expected=["svq_frozen"],
        ),
    )
    yield Claim(
        "large_codebook",
        "SVQ's largest codebook is no worse than smaller ones.",
        "Figure 5",
        f"SVQ with the largest codebook against each smaller one, MSE, no worse than by {SAME:.0%}".replace("%", " %"),
        partial(compared, which="against == 'smaller' and kind == 'svq'", judge=rules.no_worse),
    )
    yield Claim(
        "rival_saturates",
        "Grouped residual VQ gets worse when its codebook is too large.",
        "Figure 5",
        "grouped residual VQ with the largest codebook against each smaller one, MSE; one worse is enough",
        partial(compared, which="against == 'smaller' and kind == 'grouped_residual_vq'", judge=_higher, holds="any"),
    )
    yield Claim(
        "noise",
        "SVQ keeps its lead when the training input is perturbed.",
        "section on robustness to noise; appendix",
        "SVQ against SimVP at each share of perturbed values above 0, MSE",
        partial(
            compared,
            which="against == 'base' and kind == 'svq' and studies.str.contains('noise') and noise > 0",
            judge=_lower,
        ),
    )
    yield Claim(
        "codebook_matters",
        "The gain is the codebook's, not that of the two layers in front of it.",
        "Table 5 (the layers alone: a control that reviews ask for)",
        "SVQ against its layers without a codebook, MSE",
        partial(
            compared,
            which="against == 'rival' and kind_of_base == 'mlp'",
            judge=_lower,
            expected=["mlp"],
            by="kind_of_base",
        ),
    )
    yield Claim(
        "mae_loss",
        "SVQ is better trained with MAE than with MSE.",
        "Table 5",
        "SVQ trained with MAE against SVQ trained with MSE, MSE of the forecasts",
        partial(
            compared,
            which="against == 'rival' and kind_of_base == 'svq' and loss == 'mae' and loss_of_base == 'mse'",
            judge=_lower,
        ),
    )


def _on_weights() -> Iterator[Claim]:
    yield Claim(
        "sparse",
        "The weights of the codes are sparse: most are near zero, few are large.",
        "abstract; Figure 7",
        f"kurtosis above {evidence.LEAST_KURTOSIS:g} (normal: 3), and above {100 * evidence.LEAST_SHARE:g} % of the "
        "weights below 1 % of the largest of their place",
        evidence.sparse,
    )
    yield Claim(
        "mae_sparser",
        "Training with MAE makes the weights sparser than training with MSE.",
        "Figure 7",
        "kurtosis of the weights after training with MAE against MSE, Welch's test over seeds",
        evidence.mae_is_sparser,
    )


def _on_cost() -> Iterator[Claim]:
    yield Claim(
        "little_cost",
        "SVQ costs little.",
        "abstract; section on complexity",
        f"parameters, FLOPs and time of a training step, each at most {100 * evidence.LITTLE:g} % above those of the "
        "model without, on average over translators; SVQ computed as published (the folded form is shown beside)",
        evidence.little_overhead,
    )
    yield Claim(
        "cheaper_than_lista",
        "Its two layers cost far less than sparse regression by iteration.",
        "abstract; Figure 3",
        "time of a training step of SVQ as published against LISTA with as many codes, over codebook sizes",
        evidence.cheaper_than_lista,
    )
    yield Claim(
        "stable",
        "Training with SVQ before the translator is stable.",
        "Figure 6",
        f"in no training the loss rises by more than {100 * evidence.WORST_RISE:g} % above its lowest value so far",
        evidence.smooth,
    )
    yield Claim(
        "rivals_unstable",
        "Other quantizers are unstable after the translator.",
        "Figure 6: MSE above 10",
        "each quantizer after the translator against itself before it, MSE; one worse is enough",
        partial(compared, which="against == 'before' and kind in @rivals", judge=_higher, holds="any"),
    )


_GROUPS = (_on_datasets, _on_translators, _on_quantizers, _on_parts, _on_weights, _on_cost)
CLAIMS: dict[str, Claim] = {claim.key: claim for group in _GROUPS for claim in group()}
