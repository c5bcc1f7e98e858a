"""A run for others to use: its settings, its best weights, and a model card, in a folder or on a hub."""

import shutil
from pathlib import Path

import pandas as pd

from svqkit.atomic import replacing
from svqkit.evaluation.reading import mean_over_channels, read_scores
from svqkit.training.paths import scores_path
from svqkit.training.runs import CONFIG, Run

FILES, CARD = ("best.safetensors", "log.csv", CONFIG), "README.md"


def save(run: Run, folder: str | Path, scores: str | Path) -> None:
    """Copy what a forecast needs of a run, and write its card."""
    card = model_card(run, scores)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in FILES:
        with replacing(Path(folder) / name) as draft:
            shutil.copyfile(run.path / name, draft)
    with replacing(Path(folder) / CARD) as draft:
        draft.write_text(card, encoding="utf-8")


def model_card(run: Run, scores: str | Path) -> str:
    """Describe a run in Markdown: data, training, scores with their spread over seeds, licence, limits.

    Raises:
        SvqkitError: the run keeps too little of its data (an older one).
    """
    domain, experiment, training, log = run.domain, run.experiment, run.experiment.training, run.log()
    trained = "The weights come from a checkpoint of OpenSTL's; how they were trained is not kept."
    if len(log):
        best = log.loc[log["validation_loss"].idxmin()]
        trained = f"""Seed {run.seed}, {len(log)} epochs of at most {training.epochs}, batch {training.batch_size}, \
loss {training.loss},
highest learning rate {training.learning_rate:g}, {training.precision}, protocol {experiment.protocol}. The weights are
those of epoch {best["epoch"]:.0f}, which had the lowest validation loss, {best["validation_loss"]:.4g}."""
    units = domain.own_units or [""] * len(domain.channels)
    named = zip(domain.channels, units, strict=True)
    channels = ", ".join(f"{name} [{unit}]" if unit else name for name, unit in named)
    lengths = f"{len(domain.inputs)} frames in, {len(domain.targets)} out"
    height, width = domain.size
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return f"""---
library_name: svqkit
license: apache-2.0
tags: [forecasting, vector-quantization]
---

# {run.name}

A SimVP model (translator {experiment.model.translator}, quantizer {experiment.quantizer.name}) made with svqkit.
It forecasts {channels} on {height} × {width}: {lengths}, one every {domain.lead_step} {domain.lead_units}.

```python
from svqkit.forecasting import ForecastingRun

run = ForecastingRun.from_pretrained("this folder, or its id on a hub")
run.forecast(frames)
```

## Data

{domain.title} {"**Simulated, not measurements.**" if domain.simulated else ""}
Raw files: {", ".join(f"{name} {value}" for name, value in domain.raw.items())}.

## Training

{trained}
All settings are in {CONFIG}. Versions: {versions}.

## Scores on the test split

{_scores(run, scores)}

## Licence and limits

The weights come under Apache-2.0, as svqkit does; the terms of the data hold besides.
It knows this grid and size, these variables and units, and the period and place of its data; nothing was tried
elsewhere. It gives one forecast, without a measure of its uncertainty.
{"Scores on simulated data say nothing of real data." if domain.simulated else ""}
"""


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
