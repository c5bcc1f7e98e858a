"""The one style of tables: mean ± spread over seeds, the best marked, changes with intervals, published numbers apart.

A table is made of *cells*, a tidy frame with a row for each number, as its CSV has it:

    section, row, heading    where it stands; sections are tables of their own, one below the other
    kind         "measured" (``value`` ± ``std`` over ``seeds``), "change" (``value``, relative to ``base``, its 95 %
                 interval ``low`` to ``high``, ``p_value``, ``seeds`` and ``windows``), "published" (``value``, from
                 ``source``) or "text" (``text``)
    metric       what is measured; "" for numbers of which none is better
    folder, notebook         where it was made: the folder of its runs, and the executed notebook
    alike        cells of a section with the same one share their decimals and are ranked: their column, if not said

:func:`measured`, :func:`changed` and :func:`words` make them of other tidy frames, and :func:`show_table` shows them.
"""

import html
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from itertools import accumulate
from math import ceil
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
from IPython.display import display
from matplotlib.font_manager import FontProperties, findfont
from matplotlib.ft2font import FT2Font
from pandas.io.formats.style import Styler

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError
from svqkit.plots.names import (
    HIGHER_IS_BETTER,
    METRICS,
    dataset_title,
    display_name,
    display_names,
    metric_label,
    metric_name,
    need_columns,
)
from svqkit.userfiles import escape_markdown

CELLS = (
    "section", "row", "heading", "kind", "metric", "value", "std", "seeds", "low", "high", "p_value", "windows", "base",
    "source", "text", "folder", "notebook", "alike",
)  # fmt: skip
HOW_TO_READ = (
    "Mean ± standard deviation over seeds; a number without ± is of one training. An arrow says where better numbers "
    "are; of what was measured here the best is bold and the second best underlined. A change is relative to the mean "
    "error of what it is compared with, negative is better: between runs of the same seed in the same test windows, "
    "with its 95 % interval and a two-sided p by a bootstrap over seeds and blocks of time, or whole clips; with one "
    "seed it leaves out the chance in training, and with few windows it is too short. Published numbers are not "
    "ranked; those beside them are measured under protocol paper. Scores are of the test split, all lead times "
    "together, under protocol clean unless a heading says otherwise; of video and traffic, MSE and MAE are sums over "
    "a frame in [0, 1]."
)
SEEDS = "Seeds"

_DIGITS = 4  # significant ones of a typical value of a column; after the point there are 6 at most
_PLAIN = (1e-3, 1e6)  # numbers that are typically smaller or larger are written with an exponent
# LaTeX: the text width of a two-column page, the size of the tables' font, space at each side of a column, all in pt;
# its lines in that font, beside the caption, and those that a heading and its rules take.
_PAGE, _SIZE, _SPACE, _WORDS_WIDTH = 500.0, 8.0, 3.0, 130.0
_LINES, _HEADING_LINES = 56, 3
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "<": "$<$", ">": "$>$", "\n": " ", "\r": " ", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "⁻": "$^-$",
    "±": r"$\pm$", "–": "--", "−": "$-$", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "∞": r"$\infty$",
    "°": r"$^\circ$", "·": r"$\cdot$", "×": r"$\times$", "→": r"$\rightarrow$", "…": r"\dots{}",
} | {sign: f"$^{number}$" for number, sign in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}  # fmt: skip
# Spaces at which no line of a cell may break, in HTML: within "1.0 ± 0.1", "+5 % [+1, +9]", "p < 0.1".
_TOGETHER = re.compile(r" (?=[±%=↑↓]|&lt; )|(?<=[±=]) (?=[\d.])|(?<=&lt;) (?=[\d.])|(?<=,) (?=[+−])")


def measured(
    values: pd.DataFrame, section: str = "dataset", row: str = "label", extra: str = "", alike: str = "heading"
) -> pd.DataFrame:
    """Return cells with the mean and spread over seeds of some scores, or of other numbers of runs.

    Args:
        values: experiment, seed (-1: a baseline), metric, value; and, where they are known, unit, folder, notebook,
            and the columns that the other arguments name.
        section, row: the columns that say where a number stands. A section that is no column is the title itself;
            without the column for rows they are called by the experiments' display names.
        extra: a column with what is added to the name of the metric in the heading, such as "frozen".
        alike: "heading", or "row" where rows are quantities and columns are models.

    Raises:
        SvqkitError: a column is missing, or a place has two values of one seed.
    """
    need_columns(values, ("experiment", "seed", "metric", "value"), "The table of numbers")
    values = values.dropna(subset="value")
    names = display_names(values["experiment"].unique())
    there = values.assign(
        section=values.get(section, section),
        row=values.get(row, values["experiment"].map(names)),
        extra=values[extra] if extra else "",
        value=values["value"].astype(float),
        **{column: values.get(column, "") for column in ("unit", "folder", "notebook")},
    )
    place = ["section", "row", "metric", "extra"]
    if (twice := there.duplicated([*place, "seed"])).any():
        first = there[twice].iloc[0]
        raise SvqkitError(
            f"{first['metric']} of {first['row']} ({first['experiment']}), seed {first['seed']}, is there twice."
        )
    of_place = there.groupby(place, sort=False)
    rows = of_place[["unit", "folder", "notebook"]].first()
    rows["value"] = of_place["value"].agg(lambda seeds: seeds.mean())
    rows["std"] = of_place["value"].agg(lambda seeds: seeds.std(ddof=1))
    rows["seeds"] = of_place["seed"].agg(lambda seeds: (seeds >= 0).sum())
    rows = rows.reset_index()
    headings = map(_heading, rows["metric"], rows["extra"], rows["unit"])
    rows = rows.assign(heading=[*headings], folder=rows["folder"].str.replace(r"/seed\d+$", "", regex=True))
    cells = _as_cells(rows, "measured")
    cells["alike"] = cells[alike]
    counted = cells[(cells["seeds"] > 0) & (alike == "heading")]
    return pd.concat([words(counted, SEEDS, "seeds"), cells], ignore_index=True)


def of_models(
    scores: pd.DataFrame,
    changes: pd.DataFrame,
    section: str = "dataset",
    measures: Sequence[str] = (),
    differs: str = "",
) -> pd.DataFrame:
    """Return cells with a row per model: its scores, its changes, its codebook, its settings.

    Args:
        scores: as for :func:`measured`, with what is known of their runs.
        changes: as for :func:`changed`; those of other experiments are left out.
        section: a column of the scores.
        measures: columns with numbers of codebooks.
        differs: the heading of what the settings are other than; empty: without.
    """
    about = scores.drop(columns=["metric", "value"]).drop_duplicates(["dataset", "experiment", "seed"])
    places = about[[*dict.fromkeys(["dataset", "experiment", section])]].drop_duplicates()
    others = [] if section == "dataset" else [section]
    of_these = changes.drop(columns=others, errors="ignore").merge(places, on=["dataset", "experiment"])
    parts = [measured(scores, section), changed(of_these, section)]
    if measures:
        known = [*dict.fromkeys(["experiment", "seed", "label", "folder", "notebook", section])]
        of_codebooks = measured(about.melt(known, measures, "metric"), section)
        parts.append(of_codebooks[of_codebooks["heading"] != SEEDS])
    if differs:
        parts.append(words(about.assign(section=about[section], row=about["label"]), differs, "differs"))
    return pd.concat(parts, ignore_index=True)


def means_over(values: pd.DataFrame, by: str, base: str, other: str, section: str = "dataset") -> pd.DataFrame:
    """Return cells with means over models, and of their changes: a row for each group of two models or more.

    Args:
        values: as for :func:`measured`, with a row name each model has in both its forms, and ``which`` of the two it
            is: ``base`` or ``other``. A model without one of them is left out.
        by: the column of the groups.
        base, other: the two forms.
        section: as for :func:`measured`.
    """
    there = ["unit"] if "unit" in values else []
    both = values.pivot_table("value", [section, "metric", *there, by, "row"], "which").reindex(columns=[base, other])
    both = both.dropna().assign(relative=lambda pair: pair[other] / pair[base] - 1)
    groups = both.groupby([section, "metric", *there, by])
    means = groups.mean().join(groups.size().rename("count")).query("count > 1").reset_index()
    means = means.assign(row=means[by] + ", mean of " + means["count"].astype(str), seed=-1, experiment=means[by])
    long = means.melt([section, "row", "metric", *there, "seed", "experiment"], [base, other], "which")
    return pd.concat(
        [measured(long, section, "row", "which").assign(metric=""), changed(means, section, "row", base)],
        ignore_index=True,
    )


def cost_cells(costs: pd.DataFrame, quantities: Sequence[str], forms: Mapping[str, str]) -> pd.DataFrame:
    """Return cells with what models cost: a section per quantity, a row per translator, and the median change.

    Args:
        costs: a row per ``translator`` and ``form``, with the columns ``quantities``.
        quantities: titles of sections.
        forms: what each form is called; the first is what the others are compared with.
    """
    base = next(iter(forms))
    long = costs.melt(["translator", "form"], list(quantities), "section").dropna(subset="value")
    long = long.assign(row=long["translator"].map(display_name), heading=long["form"].map(forms))
    of_base = long[long["form"] == base].set_index(["section", "translator"])["value"].rename("before")
    changes = long[long["form"] != base].join(of_base, ["section", "translator"]).dropna(subset="before")
    headings = changes["heading"] + " against " + forms[base]
    changes = changes.assign(value=changes["value"] / changes["before"] - 1, heading=headings, base=base)
    medians = changes.groupby(["section", "heading", "base"], sort=False)["value"].median().reset_index()
    changes = pd.concat([changes, medians.assign(row="Median")])
    cells = pd.concat([_as_cells(long, "measured"), _as_cells(changes, "change")], ignore_index=True)
    return cells.assign(notebook="costs.ipynb")


def changed(changes: pd.DataFrame, section: str = "dataset", row: str = "label", against: str = "") -> pd.DataFrame:
    """Return cells with how experiments differ from what they are compared with.

    Args:
        changes: experiment, base, metric, relative, low, high, p_value, seeds, windows, see svqkit.paper.gather.
        section, row: as for :func:`measured`.
        against: what they are compared with, for the headings; empty: the base, where all of a section have one.
    """
    cells = _as_cells(changes.rename(columns={section: "section", row: "row", "relative": "value"}), "change")
    if section not in changes:
        cells["section"] = section
    bases = cells.groupby("section")["base"].transform(lambda names: names.iloc[0] if names.nunique() == 1 else "")
    whom = bases.map(lambda name: against or (display_name(name) if name else "its base"))
    headings = cells["metric"].map(metric_name) + " against " + whom
    return cells.assign(heading=headings, alike=headings)


def published_cells(numbers: pd.DataFrame, section: str, heading: str) -> pd.DataFrame:
    """Return cells with published numbers, each once, of columns row, metric, value and source."""
    cells = numbers.assign(section=section, heading=heading).drop_duplicates(["row", "value", "source"])
    return _as_cells(cells, "published")


def words(frame: pd.DataFrame, heading: str, text: str) -> pd.DataFrame:
    """Return cells with the text of a column in every row that a frame of cells has."""
    said = frame.assign(
        heading=heading, alike=heading, text=frame[text].astype(str), metric="", value=np.nan, std=np.nan
    )
    return _as_cells(said[said["text"] != ""].drop_duplicates(["section", "row"]), "text")


def show_table(
    cells: pd.DataFrame | Sequence[pd.DataFrame],
    title: str,
    path: str | Path | None = None,
    notes: Sequence[str] = (),
    simulated: Collection[str] = (),
) -> None:
    """Show a table in a notebook and, with a ``path`` (without a suffix), write it.

    Written are ``.md`` and ``.tex`` for readers, ``.html`` for the report (a part of a page) and ``.csv``, the cells
    with every digit.

    Args:
        cells: what it shows, in order; without any the table says that.
        title: a few words.
        path: folder and name, such as ``reports/sample/tables/t1``; links are seen from there.
        notes: what must be said of it, below it.
        simulated: datasets whose numbers compare with no published ones: the report folds these sections away.
    """
    parts = [cells] if isinstance(cells, pd.DataFrame) else cells
    cells = pd.concat([pd.DataFrame(), *parts], ignore_index=True)
    notes = list(notes) if len(cells) else ["Nothing was measured for it."]
    sources = list(dict.fromkeys(cells.loc[cells["kind"] == "published", "source"])) if len(cells) else []
    parts = [Section(name, part, sources) for name, part in cells.groupby("section", sort=False)] if len(cells) else []
    if sources:
        notes.append(
            "Published: " + "; ".join(f"[{number}] {source}" for number, source in enumerate(sources, 1)) + "."
        )
    stem = Path(path).name if path else "table"
    texts = {
        "md": _markdown(title, parts, [*notes, HOW_TO_READ]),
        "csv": cells.to_csv(index=False, lineterminator="\n"),
        "tex": _latex(title, stem, parts, [*notes, HOW_TO_READ]),
        "html": _html(parts, notes, simulated),
    }
    for suffix, text in texts.items() if path else ():
        with replacing(Path(path).with_name(f"{stem}.{suffix}")) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
    page, plain = f"<p><b>{html.escape(title)}</b></p>{texts['html']}", _markdown(title, parts, notes)
    display({"text/html": page, "text/markdown": plain, "text/plain": plain}, raw=True)


class Section:
    """A section as text: ``texts`` and ``marks`` ("best", "second", "") by row and heading; the notebooks of rows.

    A title that begins with the name of a dataset begins with what it is called for readers.
    """

    def __init__(self, title: str, cells: pd.DataFrame, sources: Sequence[str]) -> None:
        self.dataset = re.match(r"[\w-]*", title).group()
        self.title = dataset_title(self.dataset) + title.removeprefix(self.dataset)
        self.notebooks = cells[cells["notebook"] != ""].drop_duplicates("row").set_index("row")["notebook"].to_dict()
        rows = pd.concat([cells[cells["heading"] != SEEDS], cells])["row"].unique()  # not all rows have seeds
        metrics = cells.drop_duplicates("heading").set_index("heading")["metric"]
        # What belongs to a metric stands together.
        ranked = sorted(metrics[metrics.map(_is_ranked)].index, key=lambda name: METRICS.index(_known(metrics[name])))
        in_order = iter(ranked)
        headings = [next(in_order) if name in ranked else name for name in metrics.index]
        self.has_published = bool((cells["kind"] == "published").any())
        self.has_words = {name for name, part in cells.groupby("heading") if (part["kind"] == "text").all()}
        written = pd.concat([_written(alike, sources) for _, alike in cells.groupby("alike", sort=False)])
        places = written.groupby(["heading", "row"])
        texts = places["text"].agg(lambda texts: ", ".join(dict.fromkeys(texts)))
        self.texts, self.marks = (
            part.unstack("heading").reindex(rows, columns=headings).fillna("")
            for part in (texts, places["mark"].last())
        )

    def written(self, escape: Callable[[str], str], best: str, second: str, link: str = "{0}") -> pd.DataFrame:
        """Return the texts in a markup, whose rows are links to their notebooks where it has any."""
        wraps = {"best": best, "second": second, "": "{}"}
        mark = np.vectorize(lambda text, mark: wraps[mark].format(escape(text)), otypes=[object])
        texts = pd.DataFrame(mark(self.texts, self.marks), columns=[escape(heading) for heading in self.texts.columns])
        names = ((escape(row), self.notebooks.get(row, "")) for row in self.texts.index)
        texts.index = [link.format(name, quote(notebook)) if notebook else name for name, notebook in names]
        return texts

    def markdown(self, link: str = "{0}") -> str:
        """Return the table in Markdown."""
        texts = self.written(escape_markdown, "**{}**", "<u>{}</u>", link)
        return texts.to_markdown(colalign=["left", *["right"] * len(texts.columns)], disable_numparse=True)


def _as_cells(rows: pd.DataFrame | Sequence[dict[str, object]], kind: str) -> pd.DataFrame:
    cells = pd.DataFrame(rows).assign(kind=kind).reindex(columns=list(CELLS))
    texts = ["section", "row", "heading", "kind", "metric", "base", "source", "text", "folder", "notebook"]
    kinds = {"seeds": "Int64", "windows": "Int64", **dict.fromkeys([*texts, "alike"], object)}
    cells = cells.astype(kinds).fillna(dict.fromkeys(texts, ""))
    return cells.assign(alike=cells["alike"].where(cells["alike"].notna(), cells["heading"]))


def _heading(metric: str, extra: str, unit: str) -> str:
    name, bracket, unit = metric_label(metric, unit).partition(" [")
    arrow = "" if not _is_ranked(metric) else " ↑" if metric in HIGHER_IS_BETTER else " ↓"
    return f"{name}, {extra}{bracket}{unit}{arrow}" if extra else f"{name}{bracket}{unit}{arrow}"


def _is_ranked(metric: str) -> bool:
    return _known(metric) in METRICS


def _known(metric: str) -> str:
    return metric.removesuffix("_original")


def _written(alike: pd.DataFrame, sources: Sequence[str]) -> pd.DataFrame:
    """Cells with their ``text``, numbers with the same decimals or with an exponent, and their ``mark``.

    Marked are the best and the second best of our numbers; equal ones share a mark.
    """
    numbers = alike.loc[alike["kind"].isin(("measured", "published")), "value"].astype(float)
    sizes = numbers.abs()[lambda size: (size > 0) & np.isfinite(size)]
    whole = sizes.map(float.is_integer).all()
    typical = 1.0 if sizes.empty else sizes.median()
    form = "e" if not whole and not _PLAIN[0] <= typical < _PLAIN[1] else "f"
    decimals = 0 if whole else 3 if form == "e" else int(np.clip(_DIGITS - 1 - np.floor(np.log10(typical)), 0, 6))
    write = {
        "measured": lambda cell: number_text(cell.value, cell.std, f".{decimals}{form}", ".1e" if form == "e" else ""),
        "published": lambda cell: f"{cell.value:.10g} [{sources.index(cell.source) + 1}]",
        "change": lambda cell: change_text(cell.value, cell.low, cell.high, cell.p_value),
        "text": lambda cell: cell.text,
    }
    ours = alike["value"].where(alike["kind"].eq("measured") & alike["metric"].map(_is_ranked)).astype(float)
    order = ours.rank(method="dense", ascending=not alike["metric"].isin(HIGHER_IS_BETTER).any())
    marks = {1.0: "best", 2.0: "second"} if ours.nunique() > 1 else {}
    texts = [write[cell.kind](cell) for cell in alike.itertuples()]
    return alike.assign(text=texts, mark=[marks.get(rank, "") for rank in order])


def number_text(mean: float, spread: float, form: str, form_of_spread: str = "") -> str:
    """Return ``"8.040 ± 0.452"``; without a spread the mean only."""
    if np.isinf(mean):  # the PSNR of a forecast without any error
        return "∞" if mean > 0 else "−∞"
    return f"{mean:{form}}" if pd.isna(spread) or spread == 0 else f"{mean:{form}} ± {spread:{form_of_spread or form}}"


def change_text(relative: float, low: float = np.nan, high: float = np.nan, p_value: float = np.nan) -> str:
    """Return ``"−12.3 % [−15.0, −9.1], p = 0.004"``; without what is NaN."""
    percents = [f"{100 * share:+.1f}".replace("-", "−") for share in (relative, low, high)]
    percents = [text[1:] if text[1:] == "0.0" else text for text in percents]
    text = f"{percents[0]} %"
    if low < high:
        text += f" [{percents[1]}, {percents[2]}]"
    if np.isfinite(p_value):
        text += ", p < 0.001" if p_value < 0.001 else f", p = {p_value:.3f}"
    return text


def _markdown(title: str, parts: Sequence[Section], notes: Sequence[str]) -> str:
    lines = [f"### {escape_markdown(title)}"]
    for part in parts:
        lines += ["", f"**{escape_markdown(part.title)}**", "", part.markdown("[{}](../notebooks/{})")]
    lines += [line for note in notes for line in ("", escape_markdown(note))]
    return "\n".join([*lines, ""])


def _html(parts: Sequence[Section], notes: Sequence[str], simulated: Collection[str]) -> str:
    """The sections as a part of a page, which says how tables are read."""
    lines = []
    for part in parts:
        texts = part.written(_escape_html, "<b>{}</b>", "<u>{}</u>", '<a href="../notebooks/{1}">{0}</a>')
        table = f'<div class="scroll">{Styler(texts).to_html(exclude_styles=True)}</div>'
        title = html.escape(part.title)
        folded = part.has_published and part.dataset in simulated
        opening = f"<details><summary>{title}</summary>" if folded else f"<h4>{title}</h4>"
        lines.append(f"{opening}{table}{'</details>' * folded}")
    return "\n".join([*lines, *(f'<p class="note">{html.escape(note)}</p>' for note in notes), ""])


def _latex(title: str, stem: str, parts: Sequence[Section], notes: Sequence[str]) -> str:
    r"""A ``table*`` per section, none larger than a two-column page: too wide goes on below, too high on the next page.

    The document needs ``\usepackage{booktabs}``.
    """
    lines = []
    for number, part in enumerate(parts, 1):
        caption = escape_latex(f"{title}: {part.title}")
        first = rf"\caption{{{caption}.}}" + "\n" + rf"\label{{tab:{stem}-{number}}}"
        later = rf"\addtocounter{{table}}{{-1}}\caption{{{caption}, continued.}}"
        for page, tabulars in enumerate(_pages(part)):
            lines += [
                r"\begin{table*}",
                rf"\centering\footnotesize\setlength{{\tabcolsep}}{{{_SPACE:g}pt}}\setlength{{\belowcaptionskip}}{{4pt}}",
                later if page else first,
                "\\\\[4pt]\n".join(tabulars) + r"\end{table*}",
            ]
    return "\n".join([*lines, rf"{{\footnotesize\noindent {escape_latex(' '.join(notes))}\par}}", ""])


def _pages(part: Section) -> list[list[str]]:
    """The section's tabulars, as many together as fit on a page."""
    texts = part.written(escape_latex, r"\textbf{{{}}}", r"\underline{{{}}}")
    texts.index = [f"{{}}{text}" if text[:1] in ("[", "*") else text for text in texts.index]
    pages: list[list[str]] = []
    left = 0
    for places, layout in _chunks(part):
        words = [place for place in places if part.texts.columns[place] in part.has_words]
        heights = [
            max([1, *(ceil(1.2 * text_width(text) / _WORDS_WIDTH) for text in row)])
            for row in part.texts.iloc[:, words].to_numpy()
        ]
        while heights:
            if left < min(_HEADING_LINES + sum(heights), _LINES):
                pages.append([])
                left = _LINES
            left -= _HEADING_LINES
            fits = max(1, sum(height <= left for height in accumulate(heights)))
            rows = texts.iloc[len(texts) - len(heights) :, places].head(fits)
            pages[-1].append(Styler(rows).to_latex(hrules=True, column_format=layout))
            left -= sum(heights[:fits])
            heights = heights[fits:]
    return pages


def _chunks(part: Section) -> list[tuple[list[int], str]]:
    """The columns that fit beside each other on a page, with their layout; the names of rows come first in each."""
    first = max(map(text_width, [*part.texts.index, ""])) + 2 * _SPACE
    chunks: list[tuple[list[int], str]] = []
    left = 0.0
    for place, heading in enumerate(part.texts.columns):
        width, layout = max(map(text_width, [heading, *part.texts[heading]])), "r"
        if heading in part.has_words and width > _WORDS_WIDTH:
            width, layout = _WORDS_WIDTH, rf"p{{{_WORDS_WIDTH:g}pt}}"
        width += 2 * _SPACE
        if width > left:
            chunks.append(([], "l"))
            left = _PAGE - first
        columns, before = chunks[-1]
        chunks[-1] = ([*columns, place], before + layout)
        left -= width
    return chunks


@cache
def text_width(text: str) -> float:
    """Return the width of a text in pt, in bold Computer Modern at the size of LaTeX tables; others are narrower.

    Computer Modern 10 is at hand; bold letters drawn for 8 pt are 18 % wider (a digit takes 0.59 em, not 0.5).
    """
    font = FT2Font(findfont(FontProperties(family="cmr10")))
    font.set_size(100 * _SIZE, 72)  # large, so that no width is rounded
    font.set_text("".join(sign if " " <= sign <= "~" else "+" for sign in text))
    return 1.18 * font.get_width_height()[0] / 6400


def escape_latex(text: str) -> str:
    """Return text with every sign that LaTeX would obey written so that it prints as itself."""
    return "".join(_LATEX.get(sign, sign) for sign in text)


def _escape_html(text: str) -> str:
    return _TOGETHER.sub("&nbsp;", html.escape(text))
