"""The model card: what a run's README.md says to whoever is given its folder."""

from pathlib import Path

from svqkit.training.paths import scores_path
from svqkit.training.runs import CARD, CONFIG, Run


def write_card(folder: Path) -> None:
    """Write the card of a run that is not scored yet into its folder."""
    run = Run.open(folder)
    known_later = f"""They are not known when a training ends: evaluating puts them into
`{scores_path(run.experiment.profile, run.experiment.dataset)}`. A copy of the run by `save_pretrained` has them in
its card, with their spread over seeds."""
    (folder / CARD).write_text(model_card(run, known_later), encoding="utf-8")


def model_card(run: Run, scores: str) -> str:
    """Describe a run in Markdown: data, training, ``scores`` as they are given, licence, limits.

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

{domain.title}{" **Simulated, not measurements.**" if domain.simulated else ""}
Raw files: {", ".join(f"{name} {value}" for name, value in domain.raw.items())}.

## Training

{trained}
All settings are in {CONFIG}. Versions: {versions}.

## Scores on the test split

{scores}

## Licence and limits

The weights come under Apache-2.0, as svqkit does; the terms of the data hold besides.
It knows this grid and size, these variables and units, and the period and place of its data; nothing was tried
elsewhere. It gives one forecast, without a measure of its uncertainty.
{"Scores on simulated data say nothing of real data." if domain.simulated else ""}
"""
