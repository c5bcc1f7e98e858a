"""One run against another on the same windows: is the difference more than chance, and where is it?"""

from collections.abc import Sequence

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from svqkit.data.store import Store
from svqkit.data.windows import Windows
from svqkit.evaluation.fields import window_errors
from svqkit.evaluation.significance import compare, significant_places
from svqkit.exploring.choosing import one_seed
from svqkit.exploring.diagnostics import Diagnostics, by_label
from svqkit.plots import difference_map, display_names
from svqkit.plots.fields import over_seeds
from svqkit.plots.table import escape_markdown


def paired_tests(models: Sequence[Diagnostics], store: Store, metric: str = "mse") -> pd.DataFrame:
    """Test each experiment against the first one, seed by seed and window by window.

    One row for each experiment but the first; of a single experiment, for each seed but the first. Columns ``change``
    (relative; negative is better), ``low`` and ``high`` (its 95 % interval), ``p_value`` (two-sided), ``seeds``
    (pairs) and ``windows``. See :func:`svqkit.evaluation.significance.compare`.

    Raises:
        SvqkitError: unknown metric, or no seed that two experiments share.
    """
    windows = _windows_of(models, store)
    base, *others = dict.fromkeys(windows["experiment"].to_numpy().tolist())
    names = display_names([base, *others])
    rows = {}
    for other in others:
        found = compare(windows, other, base, metric)
        rows[f"{names[other]} against {names[base]}"] = {
            "change": found.relative,
            "low": found.low,
            "high": found.high,
            "p_value": found.p_value,
            "seeds": found.seeds,
            "windows": found.windows,
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def in_words(tests: pd.DataFrame, metric: str = "mse") -> str:
    """Say what :func:`paired_tests` found, one sentence for each row, as Markdown."""
    sentences = []
    for name, row in tests.iterrows():
        change = f"{100 * abs(row['change']):.1f} % {'lower' if row['change'] < 0 else 'higher'}"
        interval = f"95 % interval {100 * row['low']:+.1f} to {100 * row['high']:+.1f} %".replace("-", "−")
        verdict = "more than chance" if row["p_value"] < 0.05 else "may be chance"
        alone = " for these two trainings; one pair of seeds tells nothing of others" if row["seeds"] == 1 else ""
        found = f"{metric.upper()} {change} ({interval}, p = {row['p_value']:.3g})"
        sentences.append(f"{escape_markdown(name)}: {found}: {verdict}{alone}.")
    return "  \n".join(sentences)


def difference_figure(
    models: Sequence[Diagnostics], bases: Sequence[Diagnostics], channel: int | str | None = None
) -> Figure:
    """Draw the RMSE of some runs minus that of others at every place, each over its seeds; on maps with dots.

    A dot is where the difference is significant, see :func:`svqkit.evaluation.significance.significant_places`.
    """
    ours, theirs = ([model.errors for model in group] for group in (models, bases))
    names = by_label([models[0], bases[0]])
    return difference_map(over_seeds(ours), over_seeds(theirs), *names, channel, significant=_dots(ours, theirs))


def _dots(a: Sequence[xr.Dataset], b: Sequence[xr.Dataset]) -> xr.DataArray | None:
    """Significant places, where errors by stretch of time are known and there are two or more of these."""
    if any("mse_blocks" not in errors or errors.sizes["block"] < 2 for errors in (*a, *b)):
        return None
    return significant_places(a, b)


def _windows_of(models: Sequence[Diagnostics], store: Store) -> xr.Dataset:
    alone = len({model.name for model in models}) == 1
    who = [(one_seed(model.name, model.seed), 0) if alone else (model.name, model.seed) for model in models]
    return window_errors(who, [model.windows for model in models], Windows(store, "test"))
