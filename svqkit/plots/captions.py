"""What stands above a table of results."""

from collections.abc import Mapping

import pandas as pd

from svqkit.plots.names import metric_name


def caption(dataset: str, scores: pd.DataFrame, data: str, absent: Mapping[str, str]) -> str:
    """Which dataset and split, how its metrics are summed, what could not be computed and why, what the data are.

    Args:
        dataset: its name.
        scores: the tidy scores that the table is made from.
        data: what the raw files say of themselves.
        absent: per metric that could not be computed the reason.
    """
    sentences = [f"{dataset}, test split, all lead times"]
    if "psnr" in set(scores["metric"]):
        sentences.append("MSE and MAE are sums over a frame in [0, 1], as published")
    reasons: dict[str, list[str]] = {}
    for metric, reason in absent.items():
        reasons.setdefault(reason, []).append(metric_name(metric))
    for reason, metrics in reasons.items():
        named = ", ".join(metrics)
        sentences.append(reason if reason.startswith(named) else f"{named}: {reason}")
    sentences.append(data)
    return " ".join(f"{sentence.rstrip('.')}." for sentence in sentences if sentence)
