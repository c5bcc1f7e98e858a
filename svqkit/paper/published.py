"""What others reported: the model zoo of OpenSTL, what is known here of the SVQ paper's own numbers, and later work.

The numbers lie as they were found in the folder ``published``, each with its source: ``openstl.csv`` has a row per
dataset, variable and method, the others a row per number, with a doubt where there is one. ``frames.csv`` says how
many frames go in and out: scores of other lengths don't compare. ``counterparts.csv`` says which methods are ours,
where that is certain. (Not there: TAU, which was trained with a further loss that ours has not; "SimVP+SVQ", of which
the index that lists it does not say whether its codebook learned.) Three things are said differently here, none of
them another number:

- published SSIM was computed with a data range of 2 on frames in [0, 1], so its metric is our ``ssim_published``;
- the zoo's "sum" over the variables of weather_mv is their mean (a test holds each to it), our channel "mean";
- a number with a ``doubt`` (what it is is not certain, or it was computed in another way) compares with none: tables
  name it in a note, with the doubt, not in a column.

What is second-hand says so in its source. That later work computes its SSIM as OpenSTL does is assumed.
"""

from functools import cache
from pathlib import Path

import pandas as pd

from svqkit.plots import measured
from svqkit.plots.names import METRICS, metric_name
from svqkit.plots.table import published_cells

FOLDER = Path(__file__).parent / "published"
_FILES = ("openstl.csv", "svq_paper.csv", "svq_paper_more.csv", "later_work.csv")
_COLUMNS = ["dataset", "variable", "method", "metric", "value", "source", "setting", "doubt"]
# Columns of the zoo: scores; millions of parameters, billions of operations a sample, samples a second on a V100.
_ZOO = ["mse", "mae", "rmse", "ssim", "psnr", "lpips", "params_m", "flops_g", "fps_v100"]


@cache
def read() -> pd.DataFrame:
    """Return all published numbers, the model zoo's first; not to be changed.

    Columns: dataset, variable ("mean": our channel of that name), method (as the source calls it), metric, value,
    source, setting (what the source says of the training), doubt (why it compares with none, else ""), doubtful
    (whether there is one), frames_in, frames_out (of models whose scores compare); and of methods that are certainly
    ours translator, quantizer, learnable, codebook_size.
    """
    numbers = pd.concat([_read_file(FOLDER / name) for name in _FILES], ignore_index=True)
    ours = pd.read_csv(FOLDER / "counterparts.csv", dtype={"codebook_size": "Int64"})
    frames = pd.read_csv(FOLDER / "frames.csv")
    return (
        numbers.assign(doubtful=numbers["doubt"] != "").merge(ours, "left", "method").merge(frames, "left", "dataset")
    )


def _read_file(path: Path) -> pd.DataFrame:
    """The numbers of one file, each in a row of its own."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if set(_ZOO) <= set(frame):
        about = [name for name in _COLUMNS if name in frame]
        frame = frame.melt(about, _ZOO, "metric", ignore_index=False).sort_index(kind="stable")
        frame = frame[frame["value"] != ""].reset_index(drop=True)
    frame = frame.reindex(columns=_COLUMNS, fill_value="")
    return frame.assign(
        value=frame["value"].astype(float),
        metric=frame["metric"].replace("ssim", "ssim_published"),
        variable=frame["variable"].replace({"": "mean", "sum": "mean"}),
    )


def counterparts(runs: pd.DataFrame) -> dict[str, str]:
    """Return which of our experiments, by their labels, published methods are, whatever their sizes.

    Where all go around the earth, as in profile sample, that is taken for a size too.

    Args:
        runs: of one dataset, see :mod:`svqkit.paper.gather`.
    """
    plain = (
        runs["stochastic"].ne(True)
        & runs["learnable_projection"].ne(False)
        & runs["quantize_after_translator"].eq(False)
        & runs["noise"].eq(0)
        & (runs["longitude"].eq("zeros") | runs["longitude"].eq("wrap").all())
        & runs["quantizer_learning_rate"].eq(1)
    )
    found: dict[str, str] = {}
    ours = runs[plain].assign(learnable=runs["learnable"].ne(False))
    methods = (
        read().dropna(subset="translator").drop_duplicates("method")[["method", "translator", "quantizer", "learnable"]]
    )
    for row in methods.merge(ours, on=["translator", "quantizer", "learnable"]).itertuples():
        found.setdefault(row.method, row.label)
    return found


def beside(scores: pd.DataFrame, metrics: list[str], others: bool = True) -> pd.DataFrame:
    """Return cells with our scores under protocol paper beside the published ones, a section per dataset that compares.

    Args:
        scores: ours under protocol paper, over all lead times, with what is known of their runs; those of single
            variables get columns of their own.
        metrics: what is shown.
        others: baselines, and methods that are none of ours, get rows of their own; not those with a quantizer that
            none of ours has, which another table shows.
    """
    found = [pd.DataFrame()]
    for dataset, all_ours in scores[scores["metric"].isin(metrics)].groupby("dataset", sort=False):
        variables = set(all_ours["channel"]) - {"mean"}
        ours = all_ours[all_ours["channel"].eq("mean") | (len(variables) > 1)]
        ours = ours if others else ours[ours["seed"] >= 0]
        numbers = read()[read()["dataset"].eq(dataset) & ~read()["doubtful"] & read()["metric"].isin(metrics)]
        numbers = numbers[numbers["variable"].isin(ours["channel"])]
        numbers = numbers.merge(ours[["frames_in", "frames_out"]].drop_duplicates())
        if numbers.empty:
            continue
        labels = counterparts(ours)
        numbers = numbers.assign(row=numbers["method"].map(labels))
        elsewhere = numbers["quantizer"].notna() & ~numbers["quantizer"].isin(["none", *ours["kind"]])
        numbers = numbers[numbers["row"].notna() | (others & ~elsewhere)]
        numbers = numbers.assign(row=numbers["row"].fillna(numbers["method"]))
        for (channel, metric), part in ours.groupby(["channel", "metric"], sort=False):
            quoted = numbers[(numbers["variable"] == channel) & (numbers["metric"] == metric)]
            of_variable = "" if channel == "mean" else f" of {channel}"
            if of_variable and quoted.empty:
                continue
            kind = f"{metric_name(metric)} by variable, " if of_variable else ""
            section = f"{dataset}, {kind}beside published"
            found += [
                measured(part.assign(extra=f"protocol paper{of_variable}"), section, extra="extra"),
                published_cells(quoted, section, f"{metric_name(metric)}{of_variable}, published"),
            ]
    return pd.concat(found, ignore_index=True)


def sizes_beside(scores: pd.DataFrame) -> pd.DataFrame:
    """Return cells with the MSE of SVQ by the size of its codebook, ours under protocol paper beside published ones.

    Args:
        scores: as for :func:`beside`, with what each row is called, and ``which`` kind of SVQ it is.
    """
    found = [pd.DataFrame()]
    sizes = read().query("quantizer == 'svq' and metric == 'mse' and not doubtful").dropna(subset="codebook_size")
    for dataset, ours in scores[scores["metric"] == "mse"].groupby("dataset", sort=False):
        section = f"{dataset}, beside published"
        theirs = sizes[sizes["dataset"] == dataset].merge(ours[["frames_in", "frames_out"]].drop_duplicates())
        if theirs.empty:
            continue
        theirs = theirs.assign(row=theirs["codebook_size"].map("K = {:,}".format))
        for learnable, which in ((True, "SVQ"), (False, "SVQ frozen")):
            part = ours[ours["which"] == which]
            found.append(measured(part.assign(extra=f"{which}, protocol paper"), section, "row", "extra"))
            found.append(published_cells(theirs[theirs["learnable"] == learnable], section, f"MSE, {which}, published"))
    return pd.concat(found, ignore_index=True)


def notes(datasets: list[str]) -> list[str]:
    """Return what is published of datasets and is no score to stand in a column, or is to be doubted."""
    numbers = read()[read()["dataset"].map(lambda names: not set(datasets).isdisjoint(names.split("+")))]
    aside = numbers[numbers["doubtful"] | ~numbers["metric"].isin([*METRICS, *_ZOO])]
    return [
        f"Published, not in a column: {row.dataset}, {row.method}: {metric_name(row.metric).replace('_', ' ')} "
        f"{row.value:.10g} ({row.source}){row.doubt and f'; but {row.doubt}'}."
        for row in aside.itertuples()
    ]
