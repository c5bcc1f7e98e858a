"""Evidence on cost: what SVQ adds to a model, and what it saves beside sparse coding by iteration."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from svqkit.errors import SvqkitError
from svqkit.paper.claims import rules
from svqkit.paper.claims.evidence import OTHER_SETTINGS, PUBLISHED
from svqkit.paper.claims.rules import Evidence, Finding
from svqkit.paper.results import Results

LITTLE = 0.10  # as much as this, relative to the model without, is still little
AS_PUBLISHED = "plain"  # the form of SVQ that the paper computes
QUANTITIES = {"parameters": "parameters", "flops": "FLOPs", "step_seconds": "time of a training step"}


def little_overhead(results: Results) -> Evidence:
    """Gather evidence that SVQ as published adds at most ``LITTLE`` to parameters, FLOPs and time; folded beside it.

    Raises:
        SvqkitError: costs of SVQ as published were not measured.
    """
    costs = results.costs
    bases = costs[costs["form"] == "none"].set_index("translator")
    judged, shown = [], []
    for form in sorted(set(costs["form"]) & {AS_PUBLISHED, "folded"}, key=lambda form: form != AS_PUBLISHED):
        for column, words in QUANTITIES.items():
            ratios = _over_translators(costs[costs["form"] == form], bases, column)
            if not ratios:
                continue
            found = _change(results, f"{form} SVQ against none over {len(ratios)} translators, {words}", ratios, costs)
            (judged if form == AS_PUBLISHED else shown).append(found)
    if not judged:
        raise SvqkitError(f"costs of models without SVQ and with SVQ in form {AS_PUBLISHED!r}")
    return Evidence((*(rules.below(finding, LITTLE) for finding in rules.corrected(judged)), *shown))


def cheaper_than_lista(results: Results) -> Evidence:
    """Gather evidence that at every codebook size, SVQ as published takes less time for a training step than LISTA.

    Raises:
        SvqkitError: costs of LISTA and SVQ with the same codebook were not measured.
    """
    costs = results.costs.dropna(subset=["step_seconds"])
    steps = {form: part.set_index("codebook_size")["step_seconds"] for form, part in _of_sizes(costs).items()}
    if AS_PUBLISHED not in steps or "lista" not in steps:
        raise SvqkitError(f"costs of LISTA and of SVQ in form {AS_PUBLISHED!r} with the same codebook")
    ratios = (steps[AS_PUBLISHED] / steps["lista"]).dropna()
    if ratios.empty:
        raise SvqkitError(f"costs of LISTA and of SVQ in form {AS_PUBLISHED!r} with the same codebook")
    what = f"{AS_PUBLISHED} SVQ against LISTA over {len(ratios)} codebook sizes, time of a training step"
    return Evidence((rules.below(_change(results, what, ratios.tolist(), costs), 0.0),))


def _of_sizes(costs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The rows over codebook sizes, by form: those of the translator that LISTA was measured with."""
    translators = set(costs.loc[costs["form"] == "lista", "translator"])
    with_codes = costs[costs["translator"].isin(translators) & (costs["codebook_size"] > 0)]
    return {form: part.drop_duplicates("codebook_size") for form, part in with_codes.groupby("form")}


def _over_translators(rows: pd.DataFrame, bases: pd.DataFrame, column: str) -> list[float]:
    """A cost relative to that without SVQ, once for each translator; several codebook sizes: that of its first row."""
    first = rows[rows["quantizer"] == "svq"].drop_duplicates("translator").set_index("translator")
    return (first[column].astype(float) / bases[column].astype(float)).dropna().tolist()


def _change(results: Results, what: str, ratios: Sequence[float], costs: pd.DataFrame) -> Finding:
    """The geometric mean of ratios less 1, with a t-interval of their logarithms."""
    value, low, high, _ = (math.expm1(number) for number in rules.mean_interval([math.log(ratio) for ratio in ratios]))
    machine = ", ".join(sorted(set(costs["machine"].dropna().astype(str))))
    found = Finding(f"{what} ({machine})", value, low, high)
    return replace(found, doubts=(OTHER_SETTINGS,) * (results.profile != PUBLISHED))
