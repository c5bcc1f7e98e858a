"""``python -m svqkit.paper.gather``: all that tables, figures and claims are made of, in tidy tables.

``<results>/<profile>/`` gets Parquet files, which pandas reads alone:

    scores.parquet   a row per score: dataset, experiment, seed (-1: a baseline), protocol, channel ("mean": over all),
                     channel_kind ("mean", "variable", "channel"), metric, lead (0: over all), lead_unit, value, unit
    runs.parquet     a row per dataset, experiment and seed, baselines too, in the order of params.yaml:
        label, kind          the experiment's name for readers, and what stands between encoder and translator (none,
                             svq, svq_frozen, vq, …; a baseline's own name)
        studies              words of params.yaml, joined by spaces
        base                 the experiment with the same model and no quantizer, "" without another one
        differs              the settings that the main SVQ of the dataset does not have
        trained_for          "clean", "paper" or "clean paper": the protocols whose windows it was trained on
        translator, loss, …  every setting of model, training and quantizers; NaN where one has no such setting
        perplexity, …        what is known of its codebook (see svqkit.plots.MEASURES)
        largest_rise         of its training loss, see :func:`largest_rise`
        validation_loss, best_epoch, epochs_trained    the lowest one, when it was reached, and when training ended
        tuned                in study sweep: the first experiment that differs from it in the learning rate only
        chosen               whether its rate is the one with the lowest mean validation loss of these
        seconds, steps, steps_per_second, peak_memory_gb, machine, processor, versions
                             of its training, where a journal tells; the digits of results depend on the processor
        parameters, flops, step_seconds, peak_bytes    of its model, where costs were measured
        data, simulated, windows, absent    what the raw files say of themselves, whether they are simulated, how many
                             test windows, and which metrics could not be computed and why
        digest, folder       of the frames that it was trained on; where it lies, seen from the project
        family               of its translator: CNN, Transformer, MLP (an MLP or pooling), or Other
        notebook             the executed one that made it, in reports/<profile>/notebooks
        source, frames_in, frames_out    of the dataset: the kind of its raw files, the frames of a window
    changes.parquet  a row per pair that is compared, metric (mse, mae) and test over seeds and windows: dataset,
                     experiment, base, against, metric, relative (negative: better), low, high, p_value, seeds, windows.
                     ``against`` says what the base is to the experiment:
        base      the same model without a quantizer
        svq       the main SVQ, of which it is a variant
        frozen    the same SVQ with a codebook that does not learn
        smaller   the same quantizer with fewer codes; the experiment has the most
        before    the same quantizer before the translator; the experiment's is behind it
        rival     another quantizer, a control or another loss; the experiment is the main SVQ
        tuned     another model of study sweep, both at their chosen rates
    costs.parquet    what models cost, see :mod:`svqkit.paper.costs`; no rows where that was not measured

Not every dataset need be there: whoever has the real files of one only gets tables of that one.
"""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import pandas as pd

from svqkit import evaluation, plots
from svqkit.atomic import replacing
from svqkit.data.plan import declares_simulated
from svqkit.errors import SvqkitError, exit_status
from svqkit.evaluation.significance import compare
from svqkit.models.translators.anatomy import ANATOMY
from svqkit.ownfiles import read_netcdf, read_table
from svqkit.paper.costs import COLUMNS as COSTS
from svqkit.plots.names import FAMILIES, variable_of
from svqkit.settings.params import Experiment, Params, load_params
from svqkit.settings.quantizers import QUANTIZERS
from svqkit.training import journal
from svqkit.training.fingerprint import settings_of_training
from svqkit.training.paths import run_path, scores_path
from svqkit.training.runs import Run, open_run, read_config

TESTED = ("mse", "mae")  # the metrics whose errors are kept window by window
CHANGES = (
    "dataset", "experiment", "base", "against", "metric", "relative", "low", "high", "p_value", "seeds", "windows",
)  # fmt: skip
_COST = ["parameters", "flops", "step_seconds", "peak_bytes"]

Pair = tuple[Experiment, Experiment]


def gather(
    settings: Params,
    runs: str | Path = "runs",
    scores: str | Path = "scores",
    costs: str | Path = "costs",
    journals: str | Path = "journal",
    results: str | Path = "results",
) -> Path:
    """Write the tables of a profile, whole or not at all, and return their folder ``<results>/<profile>``.

    Args:
        settings: params.yaml.
        runs, scores, costs, journals: where the stages of the pipeline leave what they make.
        results: where the tables go.

    Raises:
        SvqkitError: there are no scores at all, or runs that were scored are gone.
    """
    profile = settings.profile
    there = [name for name in settings.datasets if (scores_path(profile, name, scores) / "scores.csv").exists()]
    if not there:
        raise SvqkitError(f"No scores of profile {profile!r} in {scores}. Run `dvc repro` first.")
    measured = read_costs(Path(costs) / f"{profile}.csv")
    parts = [_Dataset(settings, name, Path(runs), Path(scores), Path(journals)) for name in there]
    rows = pd.concat([part.runs() for part in parts], ignore_index=True)
    # Also the settings and measures that none of these runs has: whoever asks for them finds that there are none.
    known = [field.name for kind in QUANTIZERS.values() for field in fields(kind) if field.name != "name"]
    rows = rows.reindex(columns=[*dict.fromkeys([*rows.columns, *known, *plots.MEASURES])])
    cheapest = measured[measured["form"].isin(("none", "folded"))].drop_duplicates(["dataset", "experiment"])
    tables = {
        "scores": pd.concat([part.scores() for part in parts], ignore_index=True),
        "runs": rows.merge(cheapest[["dataset", "experiment", *_COST]], "left", ["dataset", "experiment"]),
        "changes": pd.DataFrame([row for part in parts for row in part.changes()], columns=list(CHANGES)),
        "costs": measured,
    }
    target = Path(results) / profile
    with replacing(target) as draft:
        draft.mkdir(parents=True)
        for name, table in tables.items():
            table.to_parquet(draft / f"{name}.parquet", index=False)
    return target


def read_costs(path: Path) -> pd.DataFrame:
    """Read measured costs; no rows where there is no such file.

    Raises:
        SvqkitError: it is damaged.
    """
    if not path.exists():
        return pd.DataFrame(columns=list(COSTS))
    table = read_table(path, COSTS)
    return table.assign(note=table["note"].mask(table["note"] == ""))


class _Dataset:
    """What is known of one dataset."""

    def __init__(self, settings: Params, name: str, runs: Path, scores: Path, journals: Path) -> None:
        self.name, self.data, self.journals = name, settings.dataset(name), journals
        self.folder = scores_path(settings.profile, name, scores)
        told = ("data", "windows")
        self.errors = read_netcdf(self.folder / "errors" / "persistence.nc", ("channel", "unit", "lead"), told)
        self.scored = evaluation.read_scores(self.folder)
        there = set(zip(self.scored["experiment"], self.scored["seed"], strict=True))
        self.members = [
            open_run(run_path(experiment, seed, runs)).as_part_of(experiment)
            for experiment in settings.of_dataset(name)
            for seed in experiment.seeds
            if (experiment.name, seed) in there
        ]
        self.experiments = list({run.experiment.name: run.experiment for run in self.members}.values())
        self.tuned = tuned(self.experiments)
        self.logs = {(run.experiment.name, run.seed): run.log() for run in self.members}
        lowest = pd.Series({key: log["validation_loss"].min() for key, log in self.logs.items()}, dtype=float)
        losses = lowest.groupby(level=0, sort=False).mean().fillna(math.inf)  # over seeds; of one that failed infinite
        self.chosen = set(losses.groupby(losses.index.map(self.tuned.get)).idxmin())

    def scores(self) -> pd.DataFrame:
        """The scores, with the unit of each and what its channel is."""
        channels = dict(zip(self.errors["channel"].values.tolist(), self.errors["unit"].values.tolist(), strict=True))
        variables = {variable_of(channel): unit for channel, unit in channels.items()}
        kinds = dict.fromkeys(channels, "channel") | dict.fromkeys(variables, "variable") | {"mean": "mean"}
        common = next(iter(channels.values())) if len(set(channels.values())) == 1 else ""
        original = str(self.errors.attrs.get("original_units", ""))
        units = {
            channel: plots.metric_units((variables | channels).get(channel, common), original) for channel in kinds
        }
        scored = pd.concat([self.scored, self._over_levels()], ignore_index=True)
        return scored.assign(
            dataset=self.name,
            channel_kind=scored["channel"].map(kinds),
            lead_unit=str(self.errors["lead"].attrs.get("units", "")),
            unit=[units[row.channel].get(row.metric, "") for row in scored.itertuples()],
        )

    def _over_levels(self) -> pd.DataFrame:
        """MAE and RMSE of variables that were scored by level only: the mean, and the root of the mean square."""
        variables = self.scored["channel"].map(variable_of)
        own = self.scored["metric"].isin(["mae", "rmse"]) & ~variables.isin({*self.scored["channel"]})
        levels = self.scored[own].assign(channel=variables[own])
        power = 1 + levels["metric"].eq("rmse")
        place = ["experiment", "seed", "protocol", "channel", "metric", "lead"]
        means = levels.assign(value=levels["value"] ** power).groupby(place, sort=False)["value"].mean().reset_index()
        return means.assign(value=means["value"] ** (1 / (1 + means["metric"].eq("rmse"))))

    def runs(self) -> pd.DataFrame:
        """A row per baseline and run."""
        baselines = list(self.scored.loc[self.scored["seed"] < 0, "experiment"].unique())
        labels = plots.display_names([*baselines, *(member.name for member in self.experiments)])
        about = {
            "dataset": self.name,
            "data": str(self.errors.attrs["data"]).rstrip("."),
            "simulated": bool(self.errors.attrs.get("simulated", declares_simulated(self.errors.attrs["data"]))),
            "windows": int(self.errors.attrs["windows"]),
            "absent": "; ".join(f"{name}: {why}" for name, why in evaluation.read_notes(self.folder).items()),
            "source": self.data.source,
            "frames_in": self.data.frames_in,
            "frames_out": self.data.frames_out,
            "notebook": f"evaluate-{self.name}.ipynb",
        }
        of_baseline = {"studies": "", "base": "", "differs": "", "trained_for": "clean paper"}
        rows = [
            {"experiment": name, "seed": -1, "kind": name, **of_baseline, "folder": self.folder.as_posix()}
            for name in baselines
        ]
        rows += [self._row(run) for run in self.members]
        table = pd.DataFrame([{**about, **row, "label": labels[row["experiment"]]} for row in rows])
        measures = evaluation.read_measures(self.folder).pivot_table(
            "value", ["experiment", "seed"], "metric", dropna=False, observed=True
        )
        return table.merge(measures.reset_index(), "left", ["experiment", "seed"])

    def _row(self, run: Run) -> dict[str, Any]:
        """What is known of a run, but for its codebook."""
        experiment = run.experiment
        base, svq = base_of(experiment, self.experiments), main_svq(self.experiments)
        losses = run.steps()["train_loss"]
        frames = read_config(run.path).made_from.get("data", {})
        log = self.logs[experiment.name, run.seed]
        noted = journal.read(experiment, self.journals)
        took = {**noted, **journal.by_seed(noted).get(run.seed, {})}
        return {
            "experiment": experiment.name,
            "seed": run.seed,
            "kind": kind_of(experiment),
            "studies": " ".join(experiment.studies),
            "base": base.name if base else "",
            "differs": differences(experiment, svq) if svq else "",
            "trained_for": " ".join(name for name in ("clean", "paper") if experiment.trained_for(name)),
            **settings_of(experiment),
            "largest_rise": largest_rise(losses) if len(losses) else math.nan,
            "validation_loss": log["validation_loss"].min(),
            "best_epoch": int(log["epoch"][log["validation_loss"][::-1].idxmin()]),  # of equal ones the last is kept
            "epochs_trained": len(log),
            "tuned": self.tuned.get(experiment.name, ""),
            "chosen": experiment.name in self.chosen,
            **{name: took.get(name, math.nan) for name in ("seconds", "steps", "steps_per_second", "peak_memory_gb")},
            "machine": machine_in_words(took.get("machine", {})),
            "processor": processor_in_words(took),
            "versions": ", ".join(f"{name} {version}" for name, version in took.get("versions", {}).items()),
            "digest": frames.get("frames", "") if isinstance(frames, Mapping) else str(frames),
            "folder": run.path.as_posix(),
            "family": family(experiment),
            "notebook": f"train-{experiment.name}.ipynb",
        }

    def changes(self) -> Iterator[dict[str, Any]]:
        """A row per pair and metric, both of which were scored in the same windows."""
        windows = evaluation.read_windows(self.folder)
        there = set(windows["experiment"].values.tolist())
        once = cache(lambda *pair: compare(windows, *pair))
        tuned_ones = [one for one in self.experiments if one.name in self.chosen]
        for against, pairs in {**compared(self.experiments), "tuned": permutations(tuned_ones, 2)}.items():
            for experiment, base in pairs:
                if {experiment.name, base.name} <= there:
                    for metric in TESTED:
                        found = once(experiment.name, base.name, metric)
                        yield {"dataset": self.name, "against": against, **vars(found)}


def compared(experiments: Sequence[Experiment]) -> dict[str, list[Pair]]:
    """Return the pairs (experiment, base) of a dataset that tables, figures and claims compare, by what the base is."""

    def of(*studies: str) -> list[Experiment]:
        return [one for one in experiments if set(studies) & set(one.studies)]

    svq = main_svq(experiments)
    sized = [one for one in of("codebook_size") if codes(one)]
    largest = {kind_of(one): one for one in sorted(sized, key=codes)}
    return {
        "base": [(one, base) for one in experiments if (base := base_of(one, experiments))],
        "svq": [(one, svq) for one in of("init", "relu", "parts", "step") if svq and one.name != svq.name],
        "frozen": [
            (one, other)
            for one, other in permutations(experiments, 2)
            if kind_of(one) == "svq" and kind_of(other) == "svq_frozen" and differences(one, other) == "learnable: yes"
        ],
        "smaller": [(largest[kind_of(one)], one) for one in sized if largest[kind_of(one)] is not one],
        "before": [
            (one, other)
            for one, other in permutations(of("stability"), 2)
            if one.model.quantize_after_translator and not other.model.quantize_after_translator
            if kind_of(one) == kind_of(other) != "none"
        ],
        "rival": [(svq, one) for one in of("quantizers", "controls", "loss") if svq and one.name != svq.name],
    }


def tuned(experiments: Iterable[Experiment]) -> dict[str, str]:
    """Return, of each experiment of study "sweep", the first one that differs from it in the learning rate only."""
    firsts: dict[Any, str] = {}
    return {
        one.name: firsts.setdefault((one.model, one.quantizer, replace(one.training, learning_rate=1.0)), one.name)
        for one in experiments
        if "sweep" in one.studies
    }


def base_of(experiment: Experiment, among: Iterable[Experiment]) -> Experiment | None:
    """Return the first of ``among`` with the same model but no quantizer; None if there is no other one."""
    model = replace(experiment.model, quantize_after_translator=False)
    for other in among:
        if other.quantizer.name == "none" and replace(other.model, quantize_after_translator=False) == model:
            return None if other.name == experiment.name else other
    return None


def main_svq(among: Iterable[Experiment]) -> Experiment | None:
    """Return the learnable SVQ of the study "main": the one that variants are compared with."""
    return next((one for one in among if "main" in one.studies and kind_of(one) == "svq"), None)


def kind_of(experiment: Experiment) -> str:
    """Return the name of the quantizer, of SVQ with whether its codebook learns: none, svq, svq_frozen, vq, …"""
    quantizer = experiment.quantizer
    return f"{quantizer.name}_frozen" if getattr(quantizer, "learnable", True) is False else quantizer.name


def codes(experiment: Experiment) -> int | None:
    """Return the size of its codebook; None where it has none to choose."""
    return getattr(experiment.quantizer, "codebook_size", None)


def family(experiment: Experiment) -> str:
    """Return what mixes positions in the translator: CNN, Transformer or MLP; "Other" for one of the user's own."""
    anatomy = ANATOMY.get(experiment.model.translator)
    return FAMILIES[anatomy.family] if anatomy else "Other"


def settings_of(experiment: Experiment) -> dict[str, Any]:
    """Return by name what counts of model, quantizer and training; of lists the text, of "auto" what it is."""
    tree = settings_of_training(experiment)
    named = {"quantizer": tree["quantizer"].pop("name"), **tree["quantizer"]}
    flat = tree["model"] | named | tree["training"]
    if flat["quantizer_learning_rate"] == "auto":
        flat["quantizer_learning_rate"] = 1 / flat["codebook_size"]
    return {key: " ".join(map(str, value)) if isinstance(value, list) else value for key, value in flat.items()}


def differences(experiment: Experiment, reference: Experiment) -> str:
    """Return the settings that ``reference`` has not, or not so: ``"init: kaiming"``.

    Of another quantizer these are its name and the settings that the reference's has not at all.
    """
    ours, others = settings_of(experiment), settings_of(reference)
    if ours["quantizer"] != others["quantizer"]:
        ours = {
            key: value for key, value in ours.items() if key == "quantizer" or not hasattr(reference.quantizer, key)
        }
    found = {key: value for key, value in ours.items() if value != others.get(key)}
    words = {True: "yes", False: "no"}
    return ", ".join(f"{key}: {words[value] if isinstance(value, bool) else value}" for key, value in found.items())


def largest_rise(losses: pd.Series) -> float:
    """Return the max over t of l_t / min(l_1 … l_t) − 1: 0 for a loss that only falls, infinite if one is not finite.

    It means something for losses that are positive throughout.
    """
    if not losses.map(math.isfinite).all():
        return math.inf
    return float((losses / losses.cummin()).max() - 1)


def machine_in_words(machine: Mapping[str, Any]) -> str:
    """Return ``"AMD EPYC, 2 cores, 7.6 GB, Linux 6.1"``, after the GPU if there is one."""
    cores = f"{machine['cores']} cores" if machine.get("cores") else ""
    memory = f"{machine['memory_gb']:g} GB" if machine.get("memory_gb") else ""
    parts = [machine.get("gpu"), machine.get("cpu"), cores, memory, machine.get("system")]
    return ", ".join(str(part) for part in parts if part)


def processor_in_words(took: Mapping[str, Any]) -> str:
    """Return what the digits of a training depend on, of its journal: ``"AMD EPYC (AVX2), torch 2.15.0"``."""
    if not (machine := took.get("machine")):
        return ""
    processor = machine["gpu"] or f"{machine['cpu']} ({machine.get('instructions', '?')})"
    return f"{processor}, torch {took['versions']['torch']}"


if __name__ == "__main__":
    sys.exit(exit_status(lambda: print(gather(load_params()))))
