"""Numbers for claims, from gathered tables: comparisons and their means, levels, ratios of costs, what is missing."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import pandas as pd
from scipy import stats

from svqkit.errors import SvqkitError
from svqkit.models.translators.anatomy import ANATOMY
from svqkit.paper.claims import rules
from svqkit.paper.claims.rules import FEWEST_TRAININGS, SIMULATED, Answer, Evidence, Finding, mean_interval
from svqkit.paper.gathered import Results
from svqkit.plots.names import FAMILIES, dataset_title, metric_name

PUBLISHED = "paper"  # the profile with the published settings
OTHER_SETTINGS = "not the published sizes and trainings"
ONE_TRAINING = f"fewer than {FEWEST_TRAININGS} seeds"

STUDIED = "weather_t2m"  # the dataset of every study but the main one
TITLE = dataset_title(STUDIED)
VIDEO = ("human", "kth", "kitticaltech")
# The twelve of the paper's Table 3; TAU, which is not among them, was run without SVQ only.
TWELVE = tuple(name for name in ANATOMY if name != "tau")
# The quantizers that the paper compares with; others of study "quantizers" are not in it.
RIVALS = ("vq", "multihead_vq", "residual_vq", "grouped_residual_vq", "lfq", "residual_lfq", "residual_fsq")

AS_PUBLISHED = "plain"  # the form of SVQ that the paper computes
_QUANTITIES = {"parameters": "parameters", "flops": "FLOPs", "step_seconds": "time of a training step"}


def does_svq_help(results: Results) -> dict[str, Any]:
    """Return the answer in a word, the sentence behind it, and the finding on the studied dataset (or the first).

    It compares the MSE of the main SVQ of each dataset with that of the same model without, as claims are judged. A
    dataset whose MSE is a mean of several units does not count.
    """
    units = results.scores.query("metric == 'mse' and channel_kind != 'mean'").groupby("dataset")["unit"].nunique()
    mixed = units.index[units > 1].tolist()
    rows, _ = _against_base(results, results.runs["dataset"].unique().tolist(), "mse")
    found = _findings(results, rows[~rows["dataset"].isin(mixed)])
    judged = rules.effects(found, -1)
    better = sum(finding.answer is Answer.REPRODUCED for finding in judged)
    worse = sum(finding.p_value < rules.SIGNIFICANT and finding.value > 0 for finding in judged)
    if better and worse:
        answer = "It depends" if better == worse else "Mostly" if better > worse else "Mostly not"
    else:
        yes = "Yes" if better == len(found) else "On some"
        answer = yes if better else "No" if worse else "It can't be told"
    sentence = (
        f"Of {len(found)} dataset{'s' * (len(found) != 1)}, SVQ lowers the error (MSE) of the same model without it on "
        f"{better} and raises it on {worse}; on {len(found) - better - worse} chance may explain the difference "
        "(p corrected for their number)."
    )
    if mixed:
        left_out = " and ".join(f"“{dataset_title(name)}”" for name in mixed)
        sentence += f" Left out: {left_out}, where an MSE mixes units."
    return {
        "answer": answer,
        "sentence": sentence if found else "SVQ and the same model without it were not both scored on any dataset.",
        "finding": next((one for one in found if one.what.startswith(f"{TITLE}:")), found[0] if found else None),
    }


def compared(
    results: Results, which: str, judge: str, expected: str = "", by: str = "", holds: Literal["all", "any"] = "all"
) -> Evidence:
    """Gather comparisons of MSE on the studied dataset.

    Args:
        results: what was gathered.
        which: a condition on ``results.pairs``, for pandas' ``query``; it knows ``@twelve`` and ``@rivals``.
        judge: a function of svqkit/paper/claims/rules.py: lower, higher, equivalent or no_worse.
        expected: "twelve" or "rivals", if all of these must be there; empty: anything.
        by: the column of ``results.pairs`` in which they are.
        holds: whether the claim needs all of the comparisons or any of them.
    """
    groups = {"twelve": TWELVE, "rivals": RIVALS, "": ()}
    rows = _pairs(results, STUDIED).query(which, local_dict=groups)
    absent = [name for name in groups[expected] if name not in set(rows[by])]
    missing = (f"runs of {', '.join(absent)} with what they are compared with",) if absent else ()
    if rows.empty and not missing:
        missing = ("the runs that it compares",)
    return Evidence(tuple(getattr(rules, judge)(_findings(results, rows))), missing, holds)


def beats_base(results: Results, dataset: str, size: float = 0.0) -> Evidence:
    """Gather evidence that SVQ has a lower MSE than the model without, by ``size`` (relative) if one is claimed.

    Where the two were trained with different losses, SVQ against a model without that was trained with the same one
    is shown beside.
    """
    rows, missing = _against_base(results, [dataset], "mse")
    beside = _pairs(results, dataset).query("against == 'rival' and kind_of_base == 'none' and loss_of_base == loss")
    if (rows["loss"] == rows["loss_of_base"]).all():
        beside = beside[:0]
    return Evidence((*rules.effects(_findings(results, rows), -1, size), *_findings(results, beside)), missing)


def video_error(results: Results, size: float) -> Evidence:
    """Compare the MAE on the three video datasets by the mean of its changes."""
    rows, missing = _against_base(results, VIDEO, "mae")
    return _on_average(_findings(results, rows), missing, "MAE", size)


def video_quality(results: Results, size: float) -> Evidence:
    """Compare LPIPS on the three video datasets by the mean of its changes: of each seed, since windows have none."""
    scores = results.scores.query("metric == 'lpips' and protocol == 'clean' and channel == 'mean' and lead == 0")
    found, missing = [], []
    for dataset in VIDEO:
        names = f"{dataset}-svq", f"{dataset}-none"
        svq, base = (scores[scores["experiment"] == name].set_index("seed")["value"] for name in names)
        changes = (svq / base - 1).dropna().tolist()  # of the seeds that both have
        if changes:
            found.append(_finding(results, "lpips", names, mean_interval(changes), len(changes)))
        else:
            missing.append(f"LPIPS of {names[0]} and {names[1]}, with the same seed")
    return _on_average(found, tuple(missing), "LPIPS", size)


def translators_on_average(results: Results, family: str, size: float) -> Evidence:
    """Compare the MSE with each translator of a family, or with all (""), by the mean of its changes.

    Each model is one training of each kind, so that the chance in training is in the t-interval over models.
    """
    members = [name for name in TWELVE if family in ("", FAMILIES[ANATOMY[name].family])]
    rows = _pairs(results, STUDIED).query("against == 'base' and kind == 'svq' and studies.str.contains('translators')")
    found = _findings(results, rows[rows["translator"].isin(members)])
    if absent := [name for name in members if name not in set(rows["translator"])]:
        return Evidence(tuple(found), (f"runs of {', '.join(absent)} with and without SVQ",))
    what = f"{TITLE}: mean over {len(found)} translators, MSE of SVQ against none"
    mean = _joined(found, what, mean_interval([finding.value for finding in found]), len(found))
    few = (ONE_TRAINING,) * (len(found) < FEWEST_TRAININGS)
    mean = replace(mean, counted="model", doubts=(*(doubt for doubt in mean.doubts if doubt != ONE_TRAINING), *few))
    return Evidence((*rules.effects([mean], -1, size), *found))


def smooth(results: Results, worst_rise: float) -> Evidence:
    """Gather evidence that the loss never rises by more than ``worst_rise`` with SVQ before the translator."""
    rows = results.runs[results.runs["dataset"] == STUDIED].dropna(subset="largest_rise")
    rows = rows.query("studies.str.contains('stability') and kind == 'svq' and quantize_after_translator == False")
    findings = []
    for experiment, part in rows.groupby("experiment", sort=False):
        worst = float(part["largest_rise"].max())
        what = f"{TITLE}: {part['label'].iloc[0]}, largest rise of the training loss in any of its trainings"
        finding = _finding(results, "largest_rise", [experiment], [worst] * 3, len(part))
        findings.append(rules.between(replace(finding, what=what), high=worst_rise))
    missing = () if findings else ("runs of study stability with SVQ before the translator, and their losses by step",)
    return Evidence(tuple(findings), missing)


def sparse(results: Results, least_kurtosis: float, least_share: float) -> Evidence:
    """Gather evidence that most weights are near zero and few are large: kurtosis and share are above their limits."""
    svq = f"{STUDIED}-svq"
    kurtosis, share = (level(results, svq, name) for name in ("kurtosis", "near_zero_0.01"))
    return Evidence((rules.between(kurtosis, least_kurtosis), rules.between(share, least_share)))


def mae_is_sparser(results: Results) -> Evidence:
    """Gather evidence that the kurtosis of the weights is higher after training with MAE than with MSE (Welch's test).

    Raises:
        SvqkitError: there are not both, or their kurtosis was not measured.
    """
    members = results.experiments.query(
        "dataset == @STUDIED and studies.str.contains('loss') and kind == 'svq'", local_dict={"STUDIED": STUDIED}
    )
    names = members.drop_duplicates("loss").set_index("loss")["experiment"]
    if not {"mae", "mse"} <= set(names.index):
        raise SvqkitError("runs of SVQ trained with MAE and trained with MSE")
    ours, theirs = (values_of(results, names[loss], "kurtosis") for loss in ("mae", "mse"))
    mean, trainings = statistics.fmean(theirs), min(len(ours), len(theirs))
    low = high = p_value = math.nan
    if trainings > 1:
        test = stats.ttest_ind(ours, theirs, equal_var=False)
        (low, high), p_value = (end / mean for end in test.confidence_interval()), float(test.pvalue)
    numbers = statistics.fmean(ours) / mean - 1, low, high, p_value
    difference = _finding(results, "kurtosis", names[["mae", "mse"]].tolist(), numbers, trainings)
    levels = [level(results, names[loss], "kurtosis") for loss in ("mae", "mse")]
    return Evidence((*rules.effects([difference], 1), *levels))


def little_overhead(results: Results, most: float) -> Evidence:
    """Gather evidence that SVQ as published adds at most ``most`` to parameters, FLOPs and time; folded beside it.

    Raises:
        SvqkitError: costs of SVQ as published were not measured.
    """
    costs = results.costs
    bases = costs[costs["form"] == "none"].set_index("translator")
    judged, shown = [], []
    for form, found in ((AS_PUBLISHED, judged), ("folded", shown)):
        # Of several codebook sizes that of its first row.
        rows = costs[(costs["form"] == form) & (costs["quantizer"] == "svq")].drop_duplicates("translator")
        for column, words in _QUANTITIES.items():
            ratios = (rows.set_index("translator")[column].astype(float) / bases[column].astype(float)).dropna()
            if len(ratios):
                what = f"{form} SVQ against none over {len(ratios)} translators, {words}"
                found.append(_mean_ratio(results, what, ratios))
    if not judged:
        raise SvqkitError(f"costs of models without SVQ and with SVQ in form {AS_PUBLISHED!r}")
    return Evidence((*(rules.between(finding, high=most) for finding in rules.corrected(judged)), *shown))


def cheaper_than_lista(results: Results) -> Evidence:
    """Gather evidence that at every codebook size, SVQ as published takes less time for a training step than LISTA.

    Raises:
        SvqkitError: costs of LISTA and SVQ with the same codebook were not measured.
    """
    costs = results.costs.dropna(subset="step_seconds")
    translators = costs.loc[costs["form"] == "lista", "translator"]
    of_sizes = costs[costs["translator"].isin(translators) & (costs["codebook_size"] > 0)]
    of_sizes = of_sizes.drop_duplicates(["form", "codebook_size"]).set_index("codebook_size")
    svq, lista = (of_sizes.loc[of_sizes["form"] == form, "step_seconds"] for form in (AS_PUBLISHED, "lista"))
    ratios = (svq / lista).dropna()
    if ratios.empty:
        raise SvqkitError(f"costs of LISTA and of SVQ in form {AS_PUBLISHED!r} with the same codebook")
    what = f"{AS_PUBLISHED} SVQ against LISTA over {len(ratios)} codebook sizes, time of a training step"
    return Evidence((rules.between(_mean_ratio(results, what, ratios), high=0.0),))


def level(results: Results, experiment: str, metric: str) -> Finding:
    """Return the mean over seeds of a measure of an experiment's codebook, with a t-interval.

    Raises:
        SvqkitError: it was not measured.
    """
    values = values_of(results, experiment, metric)
    return replace(_finding(results, metric, [experiment], mean_interval(values)[:3], len(values)), relative=False)


def values_of(results: Results, experiment: str, metric: str) -> list[float]:
    """Return a measure of an experiment's codebook, of each seed.

    Raises:
        SvqkitError: it was not measured; the message names it, for a list of what is missing.
    """
    rows = results.runs[results.runs["experiment"] == experiment]
    values = rows[metric].dropna().tolist()
    if not values:
        raise SvqkitError(f"{metric_name(metric)} of {experiment}")
    return values


def doubts(results: Results, dataset: str, trainings: int) -> tuple[str, ...]:
    """Return why numbers of a dataset with so many trainings can't settle a claim."""
    there = {
        SIMULATED: results.runs.loc[results.runs["dataset"] == dataset, "simulated"].any(),
        OTHER_SETTINGS: results.profile != PUBLISHED,
        ONE_TRAINING: trainings < FEWEST_TRAININGS,
    }
    return tuple(doubt for doubt, holds in there.items() if holds)


def mean_of(findings: Sequence[Finding], what: str) -> Finding:
    """Return the mean of changes on different data, whose intervals are independent of each other.

    The standard error of each is (high − low) / 3.92, that of their mean the root of the sum of squares over n; the
    interval and p are those of a normal distribution.
    """
    count = len(findings)
    value = math.fsum(finding.value for finding in findings) / count
    error = math.sqrt(math.fsum((finding.high - finding.low) ** 2 for finding in findings)) / count / 3.92
    p_value = math.erfc(abs(value) / error / math.sqrt(2)) if error else float(value == 0)
    numbers = (value, value - 1.96 * error, value + 1.96 * error, p_value)
    return _joined(findings, what, numbers, min(finding.trainings for finding in findings))


def _on_average(found: Sequence[Finding], missing: tuple[str, ...], metric: str, size: float) -> Evidence:
    """The mean over the video datasets decides; where one is missing there is none."""
    if missing:
        return Evidence(tuple(found), missing)
    mean = mean_of(found, f"mean over {', '.join(VIDEO)}: {metric} of SVQ against SimVP")
    return Evidence((*rules.effects([mean], -1, size), *found))


def _joined(
    findings: Sequence[Finding], what: str, numbers: tuple[float, float, float, float], trainings: int
) -> Finding:
    return Finding(
        what,
        *numbers,
        trainings=trainings,
        windows=max(finding.windows for finding in findings),
        links=tuple(dict.fromkeys(link for finding in findings for link in finding.links)),
        doubts=tuple(dict.fromkeys(doubt for finding in findings for doubt in finding.doubts)),
    )


def _pairs(results: Results, dataset: str, metric: str = "mse") -> pd.DataFrame:
    return results.pairs[results.pairs["dataset"].eq(dataset) & results.pairs["metric"].eq(metric)]


def _against_base(results: Results, datasets: Sequence[str], metric: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The main SVQ of some datasets against its base, and what is missing."""
    names = [f"{dataset}-svq" for dataset in datasets]
    found = pd.concat([_pairs(results, dataset, metric) for dataset in datasets])
    found = found[found["against"].eq("base") & found["experiment"].isin(names)]
    absent = [dataset for dataset in datasets if dataset not in set(found["dataset"])]
    scored = set(results.runs["dataset"])
    missing = [
        f"runs of {dataset}-svq and {dataset}-none" if dataset in scored else f"scores of {dataset}"
        for dataset in absent
    ]
    return found, tuple(missing)


def _findings(results: Results, rows: pd.DataFrame) -> list[Finding]:
    found = []
    for row in rows.itertuples():
        numbers = row.relative, row.low, row.high, row.p_value
        found.append(_finding(results, row.metric, (row.experiment, row.base), numbers, row.seeds, row.windows))
    return found


def _finding(
    results: Results, metric: str, names: Sequence[str], numbers: Sequence[float], trainings: int, windows: int = 0
) -> Finding:
    """A measure of an experiment, or its change against another one on the same dataset."""
    about = results.experiments.set_index("experiment").loc[list(names)]
    dataset = about["dataset"].iloc[0]
    return Finding(
        f"{dataset_title(dataset)}: {metric_name(metric)} of {' against '.join(about['label'])}",
        *numbers,
        trainings=trainings,
        windows=windows,
        links=tuple(about["notebook"]),
        doubts=doubts(results, dataset, trainings),
    )


def _mean_ratio(results: Results, what: str, ratios: pd.Series) -> Finding:
    """The geometric mean of ratios less 1, with a t-interval of their logarithms."""
    value, low, high, _ = (math.expm1(number) for number in mean_interval([math.log(ratio) for ratio in ratios]))
    machine = ", ".join(sorted(set(results.costs["machine"].dropna().astype(str))))
    return Finding(f"{what} ({machine})", value, low, high, doubts=(OTHER_SETTINGS,) * (results.profile != PUBLISHED))
