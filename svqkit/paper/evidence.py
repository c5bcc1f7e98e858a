"""``python -m svqkit.paper.evidence``: what was measured on real data, kept in ``docs/evidence/``.

The results of profile real are in no clone, so their numbers are: ``scores.csv`` has a row for each score of a run or
baseline with what tells it apart, ``changes.csv`` one for each comparison of two models, each at its own best rate.
"""

import sys
from pathlib import Path

import pandas as pd

from svqkit import plots
from svqkit.atomic import replacing
from svqkit.errors import exit_status
from svqkit.paper.gathered import Results

FOLDER = Path("docs/evidence")
ABOUT = [
    "dataset", "experiment", "seed", "label", "kind", "studies", "tuned", "chosen", "learning_rate", "loss",
    "codebook_size", "quantizer_learning_rate", "validation_loss", "best_epoch", "epochs", "epochs_trained",
    "windows", "processor",
]  # fmt: skip


def main() -> None:
    """Write the numbers of all runs of profile real that there are."""
    results = Results.read("real")
    scores = results.scores.query("protocol == 'clean' and channel == 'mean' and lead == 0")
    scores = scores[["dataset", "experiment", "seed", "metric", "value", "unit"]]
    tables = {
        "scores": results.runs[ABOUT].merge(scores, on=["dataset", "experiment", "seed"]),
        "changes": results.changes[results.changes["against"] == "tuned"].drop(columns="against"),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        with replacing(FOLDER / f"{name}.csv") as draft:
            table.to_csv(draft, index=False, float_format="%.6g", lineterminator="\n")
    print(f"written: {FOLDER}/scores.csv, {FOLDER}/changes.csv")


def read(name: str, folder: str | Path = FOLDER) -> pd.DataFrame:
    """Return the numbers that were kept: "scores", with the name of each ``model`` whatever its rate, or "changes"."""
    table = pd.read_csv(Path(folder) / f"{name}.csv")
    if name == "scores":
        words = ["tuned", "studies", "processor", "unit"]
        table[words] = table[words].fillna("")
        table["model"] = table["tuned"].where(table["tuned"] != "", table["experiment"]).map(plots.display_name)
        # Models in the order of params.yaml, whichever of their rates was chosen.
        table = table.sort_values("model", key=lambda column: pd.factorize(column)[0], kind="stable")
    return table


if __name__ == "__main__":
    sys.exit(exit_status(main))
