"""Tables of results: the mean and spread of each metric over seeds, written as Markdown, CSV and LaTeX."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.plots.names import (
    HIGHER_IS_BETTER,
    MEASURES,
    METRICS,
    display_name,
    display_names,
    metric_label,
    metric_name,
    need_columns,
)

OUR_RUN = "this run"

_DIGITS = 4  # significant ones, of a typical value of each metric
_MOST_DECIMALS = 6
_MEAN_NOTE = "Mean ± standard deviation over seeds."
_RANK_NOTE = "The best value among our rows is bold, the second best underlined; published numbers are not ranked."
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}",
    "<": "$<$", ">": "$>$",
    "\n": " ", "\r": " ",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "⁻": "$^-$",
    "±": r"$\pm$", "–": "--", "−": "$-$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "∞": r"$\infty$", "°": r"$^\circ$", "·": r"$\cdot$", "×": r"$\times$", "→": r"$\rightarrow$", "…": r"\dots{}",
} | {sign: f"$^{number}$" for number, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}  # fmt: skip

_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
# A link ends with "](", "][" or "]:"; a tag, or an address in angles, begins with "<" and no space.
_MARKUP = re.compile(r"&(?=#?\w+;)|[`*|$\\]|~(?=~)|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])|<(?=\S)")
# At a line's start: headings, quotations, lists, rules.
_LEADS = re.compile(r"^(\s*\d*)(>|[#=+-]+(?=\s|$)|(?<=\d)[.)](?=\s|$))")


def results_table(
    scores: pd.DataFrame,
    metrics: Sequence[str] | None = None,
    published: pd.DataFrame | None = None,
    protocol: str = "clean",
    lead: int = 0,
) -> pd.DataFrame:
    """Tabulate one row for each experiment, with the mean and spread of each metric over its seeds.

    Args:
        scores: columns ``experiment``, ``seed`` (-1 for baselines), ``protocol``, ``metric``, ``lead``
            (hours or frames; 0 over all) and ``value``.
        metrics: the metrics to show, in order; when ``None`` all that the scores hold, in the order of
            ``names.METRICS`` and then that of the scores.
        published: numbers that others reported, to stand below: columns ``experiment``, ``metric``, ``value``
            and, if known, ``source``.
        protocol: which protocol of the scores.
        lead: which lead time of the scores; 0 for all together.

    Returns:
        Index ``experiment`` (names for readers, in the order of the scores); columns ``source`` ("this run",
        or where a published number is from), ``seeds`` (how many; 0 for a baseline, missing when
        published), and for each metric ``<metric>_mean`` and ``<metric>_std`` (sample standard deviation
        over seeds; NaN for fewer than two, or where a value is infinite). A metric that an experiment has no
        score for is NaN.

    Raises:
        SvqkitError: a column is missing, there are no such scores, or an experiment has two values for one
            seed and metric.
    """
    need_columns(scores, ("experiment", "seed", "protocol", "metric", "lead", "value"), "The table of scores")
    chosen = scores[(scores["protocol"] == protocol) & (scores["lead"] == lead)]
    metrics = _metrics_in(chosen) if metrics is None else metrics
    chosen = chosen[chosen["metric"].isin(metrics)]
    if chosen.empty:
        raise SvqkitError(
            f"There are no scores for protocol {protocol!r}, lead {lead} and {', '.join(metrics) or 'any metric'}."
        )
    twice = chosen[chosen.duplicated(["experiment", "seed", "metric"])]
    if not twice.empty:
        row = twice.iloc[0]
        raise SvqkitError(f"The scores hold {row.metric} of {row.experiment}, seed {row.seed}, more than once.")

    names = display_names(chosen["experiment"].unique())
    rows = [
        {
            "experiment": names[name],
            "source": OUR_RUN,
            "seeds": int(group.loc[group["seed"] >= 0, "seed"].nunique()),
            **_over_seeds(group, metrics),
        }
        for name, group in chosen.groupby("experiment", sort=False)
    ]
    if published is not None:
        rows += _published_rows(published, metrics)
    return pd.DataFrame(rows).set_index("experiment").astype({"seeds": "Int64"})


def metrics_of(table: pd.DataFrame) -> list[str]:
    """Return the metrics of a table of ``results_table``, in order."""
    return [column.removesuffix("_mean") for column in table.columns if column.endswith("_mean")]


def _metrics_in(scores: pd.DataFrame) -> list[str]:
    """The metrics that the scores hold, the well-known ones first."""
    there = list(scores["metric"].unique())
    return [*(metric for metric in METRICS if metric in there), *(metric for metric in there if metric not in METRICS)]


def _over_seeds(scores: pd.DataFrame, metrics: Sequence[str]) -> dict[str, float]:
    by_metric = {metric: scores.loc[scores["metric"] == metric, "value"] for metric in metrics}
    return {
        f"{metric}_{what}": float(value)
        for metric, values in by_metric.items()
        for what, value in (("mean", values.mean()), ("std", _spread(values)))
    }


def _spread(values: pd.Series) -> float:
    """Sample standard deviation; around an infinite value there is none."""
    return float("nan") if np.isinf(values).any() else float(values.std(ddof=1))


def _published_rows(published: pd.DataFrame, metrics: Sequence[str]) -> list[dict[str, object]]:
    need_columns(published, ("experiment", "metric", "value"), "The table of published numbers")
    if "source" not in published:
        published = published.assign(source="published")
    published = published[published["metric"].isin(metrics)]
    return [
        {
            "experiment": display_name(name),
            "source": source,
            "seeds": pd.NA,
            **_over_seeds(numbers, metrics),
            **{f"{metric}_std": np.nan for metric in metrics},
        }
        for (name, source), numbers in published.groupby(["experiment", "source"], sort=False)
    ]


@dataclass(frozen=True)
class Markup:
    """How one kind of text writes plain words, the best value, the second best, and where a number is from."""

    plain: Callable[[str], str]
    best: Callable[[str], str]
    second: Callable[[str], str]
    link: Callable[[str, str], str] = lambda text, target: text

    def marked(self, text: str, mark: str) -> str:
        """Mark ``text`` as "best", "second" or, for "", as it is."""
        return {"best": self.best, "second": self.second, "": lambda text: text}[mark](text)


def write_table(
    table: pd.DataFrame, path_without_suffix: str | Path, caption: str, units: Mapping[str, str] | None = None
) -> list[Path]:
    """Write a table of ``results_table`` as Markdown and LaTeX for readers, and as CSV with all digits.

    Args:
        table: from ``results_table``.
        path_without_suffix: folder and name, such as ``reports/results``; folders are made as needed.
        caption: what the table shows, as plain text.
        units: units by metric, such as ``{"mse": "K²", "rmse": "K"}``; the PSNR's are known.

    Returns:
        The paths written: ``[….md, ….csv, ….tex]``.
    """
    texts = {
        "md": markdown_table(table, caption, units),
        "csv": table.to_csv(lineterminator="\n"),
        "tex": latex_table(table, caption, units),
    }
    return write_texts(path_without_suffix, texts)


def write_texts(path_without_suffix: str | Path, texts: Mapping[str, str]) -> list[Path]:
    """Write texts by the suffix of their file, and return the paths."""
    stem = Path(path_without_suffix)
    written = []
    for suffix, text in texts.items():
        target = stem.with_name(f"{stem.name}.{suffix}")
        with replacing(target) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
        written.append(target)
    return written


def markdown_table(table: pd.DataFrame, caption: str, units: Mapping[str, str] | None = None) -> str:
    """Return a table of ``results_table`` as Markdown, with its caption above and a note on the marks below."""
    header, *rows = _cells(table, units or {}, MARKDOWN)
    return "\n".join([escape_markdown(caption), "", *pipe_table(header, rows), "", _note(table), ""])


def pipe_table(header: list[str], rows: Iterable[list[str]]) -> list[str]:
    """Return the lines of a Markdown table, its first column to the left and all others to the right."""
    ruler = [":--", *["--:"] * (len(header) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (header, ruler, *rows)]


def latex_table(table: pd.DataFrame, caption: str, units: Mapping[str, str] | None = None) -> str:
    r"""Return a table of ``results_table`` as a LaTeX ``table``; the document needs ``\usepackage{booktabs}``."""
    header, *rows = ([" & ".join(cells) + r" \\"] for cells in _cells(table, units or {}, LATEX))
    columns = "l" + "r" * (1 + len(metrics_of(table)))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(f'{caption} {_note(table)}')}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *header,
        r"\midrule",
        *(line for row in rows for line in row),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape_latex(text: str) -> str:
    """Return text with every sign that LaTeX would obey written so that it prints as itself."""
    return "".join(_LATEX.get(sign, sign) for sign in text)


def escape_markdown(text: str) -> str:
    """Return text on one line, with every sign escaped that Markdown (as Jupyter and GitHub read it) would obey.

    An underscore within a word, or a bracket that begins no link, is none.
    """
    return _LEADS.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", _BREAKS.sub(" ", text)))


MARKDOWN = Markup(
    escape_markdown,
    lambda text: f"**{text}**",
    lambda text: f"<u>{text}</u>",
    lambda text, target: f"[{text}]({quote(target)})",
)
LATEX = Markup(escape_latex, lambda text: rf"\textbf{{{text}}}", lambda text: rf"\underline{{{text}}}")


def best_and_second(values: pd.Series, higher_is_better: bool) -> pd.Series:
    """Return ``"best"``, ``"second"`` or ``""``; equal values share a mark, NaN and a lone value get none."""
    order = values.rank(method="dense", ascending=not higher_is_better)
    if values.notna().sum() < 2:
        return order.map(lambda _: "")
    return order.map({1.0: "best", 2.0: "second"}).fillna("")


def _cells(table: pd.DataFrame, units: Mapping[str, str], markup: Markup) -> list[list[str]]:
    """The header and the rows as text, cell by cell."""
    metrics = metrics_of(table)
    header = ["Experiment", "Seeds", *(_metric_heading(metric, units.get(metric)) for metric in metrics)]
    names = [
        name if source == OUR_RUN else f"{name} ({source})"
        for name, source in zip(table.index, table["source"], strict=True)
    ]
    seeds = ["–" if pd.isna(count) or count == 0 else str(count) for count in table["seeds"]]
    columns = [_metric_cells(table, metric, markup) for metric in metrics]
    plain = [[markup.plain(text) for text in column] for column in (names, seeds)]
    return [
        [markup.plain(text) for text in header],
        *(list(row) for row in zip(*plain, *columns, strict=True)),
    ]


def _note(table: pd.DataFrame) -> str:
    return _MEAN_NOTE if set(metrics_of(table)) <= set(MEASURES) else f"{_MEAN_NOTE} {_RANK_NOTE}"


def _metric_heading(metric: str, units: str | None) -> str:
    if metric in MEASURES:
        return metric_label(metric, units)
    return f"{metric_label(metric, units)} {'↑' if metric in HIGHER_IS_BETTER else '↓'}"


def _metric_cells(table: pd.DataFrame, metric: str, markup: Markup) -> list[str]:
    means, spreads = table[f"{metric}_mean"], table[f"{metric}_std"]
    ours = means.where((table["source"] == OUR_RUN).to_numpy())
    marks = best_and_second(ours, metric in HIGHER_IS_BETTER) if metric not in MEASURES else ours.map(lambda _: "")
    decimals = decimals_of(means)
    texts = [markup.plain(number_text(mean, spread, decimals)) for mean, spread in zip(means, spreads, strict=True)]
    return [markup.marked(text, mark) for mark, text in zip(marks, texts, strict=True)]


def decimals_of(values: pd.Series) -> int:
    """Return decimals for a whole column, such that its typical value has four significant digits; at most six."""
    sizes = values.abs()
    typical = sizes[(sizes > 0) & np.isfinite(sizes)].median()
    if not np.isfinite(typical):
        return 2
    return int(np.clip(_DIGITS - 1 - np.floor(np.log10(typical)), 0, _MOST_DECIMALS))


def number_text(mean: float, spread: float, decimals: int) -> str:
    """Return ``"8.040 ± 0.452"``; without a spread (NaN) the mean only, and ``"–"`` where there is none."""
    if pd.isna(mean):
        return "–"
    if np.isinf(mean):  # the PSNR of a forecast without any error
        return "∞" if mean > 0 else "−∞"
    number = f"{mean:.{decimals}f}"
    return number if pd.isna(spread) else f"{number} ± {spread:.{decimals}f}"


def caption(dataset: str, scores: pd.DataFrame, data: str, absent: Mapping[str, str]) -> str:
    """Say which dataset and split, how metrics are summed, what could not be computed and why, what the data are.

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
