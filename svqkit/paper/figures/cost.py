"""F9: what SVQ costs as its codebook grows: folded, by the published computation, and beside sparse coding."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from svqkit.errors import SvqkitError
from svqkit.paper.costs import measured_where
from svqkit.paper.figures.captions import CaptionedFigure
from svqkit.paper.results import Results
from svqkit.plots import display_name, heading, line_styles, new_figure, use
from svqkit.plots.style import FULL_WIDTH

_QUANTITIES = {
    "step_seconds": ("Training step [ms]", 1e-3),
    "flops": ("FLOPs of a forecast [10⁹]", 1e9),
    "peak_bytes": ("Peak memory [MB]", 1e6),
}
# By form: the kind whose line style it has, and its name.
_LINES = {
    "folded": ("svq", "SVQ, folded"),
    "plain": ("svq_plain", "SVQ, plain"),
    "lista": ("lista", display_name("lista")),
}
_BASE = "none"


def draw(results: Results) -> list[CaptionedFigure]:
    """Draw time of a training step, FLOPs and memory over the number of codes, on logarithmic axes.

    Raises:
        SvqkitError: no costs were measured, or those of one size of codebook only.
    """
    costs = results.costs
    swept = _swept(costs)
    base = costs[(costs["translator"] == swept["translator"].iloc[0]) & (costs["form"] == _BASE)]
    dataset = str(swept["dataset"].iloc[0])
    title = f"Cost over the size of the codebook ({dataset}, profile {results.profile})"
    return [CaptionedFigure("f9", _figure(swept, base, title), _caption(results.profile, swept, base))]


def _swept(costs: pd.DataFrame) -> pd.DataFrame:
    """The rows of the translator that was measured with the most sizes of codebooks."""
    with_codes = costs[costs["form"].isin(_LINES)]
    sizes = with_codes.groupby("translator", sort=False)["codebook_size"].nunique()
    if sizes.empty or sizes.max() < 2:
        raise SvqkitError(
            "Figure 9 needs the costs of two sizes of codebook or more; the measured ones have "
            f"{0 if sizes.empty else sizes.max()}. Give notebooks/costs.ipynb some (codebook_sizes), or add "
            "experiments with SVQ to study 'codebook_size' of params.yaml."
        )
    return with_codes[with_codes["translator"] == sizes.idxmax()].sort_values("codebook_size", kind="stable")


def _caption(profile: str, swept: pd.DataFrame, base: pd.DataFrame) -> str:
    unfit = swept[swept["step_seconds"].isna()]
    names = [f"{_LINES[row.form][1]} with K = {row.codebook_size:,}" for row in unfit.itertuples()]
    parts = [
        f"Figure 9. Cost of the whole model of profile {profile} over the number of codes K, {measured_where(swept)}. "
        "Folded: svqkit's layer, which never forms the weights of all codes. Plain: the published computation, which "
        "does. Both are the same function.",
        "LISTA: sparse coding by learned shrinkage; of many codes it makes the weights of a few positions at a time, "
        "and again in the backward pass."
        if (swept["form"] == "lista").any()
        else "",
        "Dashed: the same model without a quantizer." if len(base) else "",
        "FLOPs are of one sample, counted for convolutions and matrix products, two for each multiply-add. Peak "
        "memory is of a training step with the parameters, their gradients and Adam's moments. All axes are "
        "logarithmic.",
        f"Not there, for lack of memory: {', '.join(names)}." if names else "",
    ]
    return " ".join(part for part in parts if part)


def _figure(swept: pd.DataFrame, base: pd.DataFrame, title: str) -> Figure:
    with use():
        figure = new_figure(FULL_WIDTH, 2.7)
        panels = figure.subplots(1, len(_QUANTITIES))
        for axes, (column, (label, divisor)) in zip(panels, _QUANTITIES.items(), strict=True):
            _panel(axes, swept, base, column, divisor)
            axes.set_ylabel(label)
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(_LINES) + 1)
        heading(figure, title)
    return figure


def _panel(axes: Axes, swept: pd.DataFrame, base: pd.DataFrame, column: str, divisor: float) -> None:
    styles = line_styles([_BASE, *(kind for kind, _ in _LINES.values())])
    if len(base) and pd.notna(base[column].iloc[0]):
        value = float(base[column].iloc[0]) / divisor
        axes.axhline(value, color=styles[_BASE].colour, linestyle="--", label=f"{display_name(_BASE)}, no quantizer")
    for form, (kind, name) in _LINES.items():
        rows = swept[swept["form"] == form].dropna(subset=[column])
        if len(rows):
            colour, marker = styles[kind]
            values = rows[column].astype(float) / divisor
            axes.plot(rows["codebook_size"], values, color=colour, marker=marker, label=name)
    axes.set_xlabel("Codes K")
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:,g}")
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", labelrotation=45)
    axes.grid(True)
