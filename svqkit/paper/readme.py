"""``python -m svqkit.paper.readme``: the README's tables, written from results and never by hand.

That of measured data is made of what :mod:`svqkit.paper.evidence` keeps.

The results of the bundled sample are in no clone, so what is quoted of them is kept in ``docs/sample_scores.csv``: a
row for each score, with the machine that it was made on. Made again on another machine, the README shows the scores of
that one, and says how far they are from the others'. (An older processor is had by training with
ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2. Rows of machines that have not trained with today's code are to be
deleted.)
"""

import sys
import textwrap
from pathlib import Path

import pandas as pd

from svqkit import plots
from svqkit.atomic import replacing
from svqkit.errors import SvqkitError, exit_status
from svqkit.paper import evidence
from svqkit.paper.claims.rules import SIGNIFICANT, holm
from svqkit.paper.gathered import Results

DATASET, UNIT = "weather_t2m", "K"
PAGE, RECORD = Path("README.md"), Path("docs/sample_scores.csv")
BEGIN, END = "<!-- Written by `make readme`, from docs/sample_scores.csv: -->", "<!-- to here. -->"
BEGIN_REAL, END_REAL = "<!-- Written by `make readme`, from docs/evidence: -->", "<!-- as far as here. -->"
MEASURED = "era5_uk"
COLUMNS = ["machine", "experiment", "seed", "metric", "value"]


def main() -> None:
    """Write the record and the tables."""
    results = Results.read("sample")
    scores = quoted(results)
    before = read_record() if RECORD.exists() else scores[:0]
    record = pd.concat([before[~before["machine"].isin(scores["machine"])], scores], ignore_index=True)
    with replacing(RECORD) as draft:
        record.to_csv(draft, index=False, float_format="%.6g", lineterminator="\n")
    with replacing(PAGE) as draft:
        page = with_block(PAGE.read_text(encoding="utf-8"), block(read_record()))
        draft.write_text(with_block(page, real_block(), BEGIN_REAL, END_REAL), encoding="utf-8")
    print(f"written: {RECORD}, {PAGE}")


def quoted(results: Results) -> pd.DataFrame:
    """Return the scores of the README's table: machine, experiment, seed (-1: a baseline), metric, value.

    Raises:
        SvqkitError: no journal tells on which machine they were trained.
    """
    runs = results.runs[results.runs["dataset"] == DATASET]
    main = runs[runs["studies"].str.contains("main")]
    if unknown := main.loc[main["processor"].eq(""), "experiment"].unique().tolist():
        raise SvqkitError(f"No journal tells where {', '.join(unknown)} was trained: `dvc repro`.")
    machines = " and ".join(sorted(set(main["processor"])))
    scores = results.scores[results.scores["dataset"] == DATASET].query(
        "protocol == 'clean' and channel == 'mean' and lead == 0"
    )
    wanted = scores["experiment"].isin(main["experiment"]) | (scores["seed"] < 0)
    return scores[wanted].assign(machine=machines)[COLUMNS]


def read_record(path: Path = RECORD) -> pd.DataFrame:
    """Return what was quoted, the latest machine last."""
    return pd.read_csv(path)


def block(record: pd.DataFrame) -> str:
    """Return what stands in the README: the table of the latest machine, and what other machines change."""
    latest = record["machine"].iloc[-1]
    shown = record[record["machine"] == latest]
    cells = plots.measured(shown.assign(unit=shown["metric"].map(plots.metric_units(UNIT)).fillna("")), DATASET)
    table = plots.table.Section(DATASET, cells, []).markdown()
    about = f"Mean ± standard deviation over seeds; simulated data. {_of_machines(record, latest)}"
    return "\n".join([table, "", textwrap.fill(about, 120, break_on_hyphens=False)])


def real_block(folder: str | Path = evidence.FOLDER) -> str:
    """Return the table of measured data: every model at its own best learning rate, and how it compares with SimVP."""
    scores, changes = (evidence.read(name, folder).query("dataset == @MEASURED") for name in ("scores", "changes"))
    best = scores[scores["chosen"].eq(True) | (scores["seed"] < 0)].assign(row=scores["model"])
    rows = best.set_index("experiment")["row"].to_dict()
    of_simvp = changes[changes["base"].map(rows).eq("SimVP") & changes["metric"].eq("mse")]
    cells = [
        plots.measured(best[best["metric"].isin(["mse", "mae", "rmse"])], row="row"),
        plots.words(best[best["seed"] >= 0].assign(section=MEASURED), "Learning rate", "learning_rate"),
        plots.changed(of_simvp.assign(row=of_simvp["experiment"].map(rows)), row="row", against="SimVP"),
    ]
    table = plots.table.Section(MEASURED, pd.concat(cells, ignore_index=True), []).markdown()
    apart = of_simvp[[p_value < SIGNIFICANT for p_value in holm(of_simvp["p_value"].tolist())]]
    who = " and ".join(apart["experiment"].map(rows)) or "none"
    seeds = best.loc[best["seed"] >= 0].groupby("row")["seed"].nunique().min()
    about = (
        f"Of {len(of_simvp)} models that are compared with SimVP, {who} can be told apart from it by more than chance "
        "(p < 0.05, corrected for their number)."
    )
    return "\n".join([table, "", textwrap.fill(f"{about} ({seeds} seeds each.)", 120, break_on_hyphens=False)])


def with_block(page: str, text: str, begin: str = BEGIN, end: str = END) -> str:
    """Return a page with ``text`` between its two marks.

    Raises:
        SvqkitError: the page has no such marks.
    """
    if page.count(begin) != 1 or page.count(end) != 1:
        raise SvqkitError(f"{PAGE} must have the lines {begin} and {end} once, for the table to stand between.")
    return f"{page.split(begin)[0]}{begin}\n\n{text}\n\n{end}{page.split(end)[1]}"


def _of_machines(record: pd.DataFrame, latest: str) -> str:
    """On what the table was made, and how far the means over seeds of other machines lie from it."""
    text = (
        f"Made on {latest}. **The digits of trained models depend on the processor**: each rounds in its own way, and "
        "training amplifies that. Persistence and climatology are the same everywhere."
    )
    trained = record[(record["seed"] >= 0) & (record["metric"] == "mse")]
    means = trained.pivot_table("value", "experiment", "machine", sort=False)
    others = [name for name in means.columns if name != latest]
    if others:
        away = means[others].sub(means[latest], axis=0).abs().max(axis=1)
        differences = ", ".join(f"{plots.display_name(name)} {most:.2f}" for name, most in away.items())
        text += f" Elsewhere ({'; '.join(others)}) the mean MSE came out up to so many {UNIT}² away: {differences}."
    return text


if __name__ == "__main__":
    sys.exit(exit_status(main))
