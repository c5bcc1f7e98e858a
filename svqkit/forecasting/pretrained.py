"""A run for others to use: its settings, its best weights, and a model card, in a folder or on a hub."""

import shutil
from pathlib import Path

import pandas as pd

from svqkit.atomic import replacing
from svqkit.evaluation.reading import mean_over_channels, read_scores
from svqkit.quantizers.pretrained import made_folder
from svqkit.training.card import model_card
from svqkit.training.paths import scores_path
from svqkit.training.runs import CARD, CONFIG, Run

FILES = ("best.safetensors", "log.csv", CONFIG)


def save(run: Run, folder: str | Path, scores: str | Path) -> None:
    """Copy what a forecast needs of a run, and write its card, with the scores below ``scores``.

    Raises:
        SvqkitError: the run keeps too little of its data (an older one), its weights can't be read, or the folder
            can't be made.
    """
    run.model()  # what can't be read is not passed on
    card, target = model_card(run, _scores(run, scores)), made_folder(folder)
    for name in FILES:
        with replacing(target / name) as draft:
            shutil.copyfile(run.path / name, draft)
    with replacing(target / CARD) as draft:
        draft.write_text(card, encoding="utf-8")


def _scores(run: Run, scores: str | Path) -> str:
    """A table of mean and standard deviation over the seeds that were scored."""
    folder = scores_path(run.experiment.profile, run.experiment.dataset, scores)
    if not folder.exists():
        return f"Not scored yet: there is no {folder}."
    table = mean_over_channels(read_scores(folder))
    rows = table[(table["experiment"] == run.experiment.name) & (table["lead"] == 0)]
    if rows.empty:
        return f"Not scored yet: {folder} has none of {run.experiment.name}."
    lines = ["| protocol | metric | mean | standard deviation | seeds |", "| --- | --- | --: | --: | --: |"]
    for (protocol, metric), values in rows.groupby(["protocol", "metric"], sort=False)["value"]:
        spread = "" if pd.isna(values.std()) else f"{values.std():.3g}"
        lines.append(f"| {protocol} | {metric} | {values.mean():.4g} | {spread} | {len(values)} |")
    return "\n".join(lines)
