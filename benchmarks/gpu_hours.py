"""How long a profile takes to train: measured steps of each distinct model × the steps that its runs take.

    python -m benchmarks.gpu_hours --device cuda               all of profile paper, on this machine's GPU
    python -m benchmarks.gpu_hours --batch 1 --repeats 1       on a CPU, one sample at a time
    python -m benchmarks.gpu_hours --missing                   only models not yet measured on this machine
    python -m benchmarks.gpu_hours --table                     measure nothing, write the table again

Needs no data: frames are random, in the published shapes. What is measured goes into docs/cost.csv, a row for each
model and machine; the tables in docs/cost.md, a column for each machine, are made from it. Two experiments are one
model if their steps do the same work: same frames, batch, network and quantizer; another loss, noise or start of the
codebook is no other model. Steps of a run are epochs × training windows / batch, as if no training stopped early.
Times are of training steps (forward, loss, backward, Adam) alone: medians over ``--repeats``. FLOPs of a step are
counted as those of three forecasts.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import get_args

import pandas as pd
import torch

from benchmarks.stores import SHAPES
from svqkit.atomic import replacing
from svqkit.data.check.published import FACTS, whole
from svqkit.data.sources.weather import period_bounds
from svqkit.errors import SvqkitError
from svqkit.paper.costs import Case, Subject, machine, out_of_memory_as_error
from svqkit.plots import study_title
from svqkit.settings.data import Data, KittiCaltechData, TaxiBJData, WeatherData
from svqkit.settings.params import Experiment, Params, Protocol, Study, as_tree, load_params

MEASURED, PAGE = Path("docs/cost.csv"), Path("docs/cost.md")
COLUMNS = ("profile", "model", "settings", "machine", "batch_size", "samples_per_second", "flops_per_sample", "note")
BEGIN, END = "<!-- hours: begin -->", "<!-- hours: end -->"
# A user counted these in what OpenSTL's code makes of the KITTI files (its issue 12); its documentation says 2,042.
KITTI_WINDOWS = 3738
# A step takes as much as so many forecasts: the forward pass, and the gradients of what came in and of the weights.
# Counting the step itself would not do: torch's counter takes the weight gradient of a grouped convolution for that of
# a full one.
PASSES = 3
# Settings of a model or a quantizer that change numbers, not work.
SAME_WORK = {"drop", "drop_path", "noise", "init", "decay", "commitment_weight", "temperature", "l1"}


@dataclass(frozen=True)
class Group:
    """Experiments that train the same model for the same number of steps."""

    experiments: tuple[Experiment, ...]

    @property
    def first(self) -> Experiment:
        """The one that stands for all."""
        return self.experiments[0]

    @property
    def runs(self) -> int:
        """Trainings, every seed."""
        return sum(len(experiment.seeds) for experiment in self.experiments)

    @cached_property
    def steps(self) -> int:
        """Steps of one run."""
        return steps_of_run(self.first)

    @property
    def samples(self) -> int:
        """Windows that one run sees."""
        return self.steps * self.first.training.batch_size


def steps_of_run(experiment: Experiment) -> int:
    """Epochs × whole batches of the training windows, as svqkit.data.windows.epoch_order makes them."""
    training = experiment.training
    batches = max(1, training_windows(experiment.data, experiment.protocol) // training.batch_size)
    return training.epochs * min(batches, training.steps_per_epoch or batches)


def training_windows(data: Data, protocol: Protocol = "clean") -> int:
    """Training windows of the published files under a protocol; see docs/data.md.

    TaxiBJ: an upper bound, since how many samples share frames with the validation is known only from the file.

    Raises:
        SvqkitError: nothing is known of data with these settings.
    """
    match data:
        case KittiCaltechData():
            return KITTI_WINDOWS
        case TaxiBJData():
            share = data.validation_share if protocol == "clean" else 0
            return round(int(FACTS["training samples"].expected.replace(",", "")) * (1 - share))
    known = whole(data)
    if known is None and isinstance(data, WeatherData) and protocol == "clean":  # other periods, without a hole
        first, after = period_bounds(data.train)
        return int((after - first).astype(int)) // data.hours_per_frame - data.frames_in - data.frames_out + 1
    if known is None:
        raise SvqkitError(
            f"How many training windows {data.source!r} has is known for its published files and settings only; "
            "these are other ones. Take profile paper, or leave the dataset out (--datasets)."
        )
    train, _, _ = known.windows[protocol]
    return train


def settings_of(experiment: Experiment) -> str:
    """A digest of all that a step's work depends on."""
    model, quantizer = (
        {key: value for key, value in as_tree(part).items() if key not in SAME_WORK}
        for part in (experiment.model, experiment.quantizer)
    )
    if model["longitude"] == "zeros":  # as it was when this was no setting: what was measured then still counts
        del model["longitude"]
    frames = [*SHAPES[experiment.dataset][:3], experiment.data.frames_in, experiment.data.frames_out]
    penalised = getattr(experiment.quantizer, "l1", 0) > 0
    tree = [frames, model, quantizer, penalised, experiment.training.batch_size, experiment.training.precision]
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()[:12]


def groups_of(settings: Params, datasets: Iterable[str]) -> list[Group]:
    """The profile's experiments on some datasets, those of equal model and steps together."""
    alike: dict[tuple[str, str, int], list[Experiment]] = {}
    for dataset in datasets:
        for experiment in settings.of_dataset(dataset):
            alike.setdefault((dataset, settings_of(experiment), steps_of_run(experiment)), []).append(experiment)
    return [Group(tuple(members)) for members in alike.values()]


def measure(experiment: Experiment, batch_size: int, repeats: int, device: str) -> dict[str, object]:
    """Samples per second of training steps and FLOPs of one per sample; a note instead where it does not fit."""
    try:
        with out_of_memory_as_error():
            subject = Subject(Case(experiment, "folded"), SHAPES[experiment.dataset][:3], batch_size, device)
            subject.check_fit()
            subject.step()  # the first one is not timed
            seconds = median(subject.seconds(subject.step) for _ in range(repeats))
            flops = PASSES * subject.flops()
    except SvqkitError as error:
        return {"note": str(error)}
    return {"samples_per_second": batch_size / seconds, "flops_per_sample": flops, "note": ""}


def read_measured(path: Path) -> pd.DataFrame:
    """What was measured so far, on all machines."""
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.read_csv(path, keep_default_na=False, na_values={"samples_per_second": "", "flops_per_sample": ""})


def with_row(measured: pd.DataFrame, row: dict[str, object]) -> pd.DataFrame:
    """The table with a row, in place of an earlier one of the same model and machine."""
    same = (measured["settings"] == row["settings"]) & (measured["machine"] == row["machine"])
    added = pd.DataFrame([row], columns=list(COLUMNS))
    return pd.concat([measured[~same], added], ignore_index=True) if (~same).any() else added


def hours(group: Group, measured: pd.DataFrame, name: str) -> float:
    """Hours of one run on a machine; NaN if it was not measured there."""
    rates = _of(group, measured[measured["machine"] == name], "samples_per_second")
    return group.samples / rates / 3600


def exaflops(group: Group, measured: pd.DataFrame) -> float:
    """10¹⁸ FLOPs of the steps of one run: the same on every machine."""
    return group.samples * _of(group, measured, "flops_per_sample") / 1e18


def _of(group: Group, measured: pd.DataFrame, column: str) -> float:
    values = measured.loc[measured["settings"] == settings_of(group.first), column].dropna()
    return float(values.iloc[0]) if len(values) else float("nan")


def page_tables(groups: list[Group], measured: pd.DataFrame, profile: str) -> str:
    """The Markdown of both tables: totals by study, and every group of experiments."""
    measured = measured[measured["profile"] == profile]
    machines = list(measured["machine"].unique())
    titles = [f"hours, {_machine_title(measured, name)}" for name in machines]
    studies = [["study", "experiments", "runs", "10¹⁸ FLOPs", *titles]]
    for study in (*get_args(Study), None):
        parts = [(group, _members(group, study)) for group in groups]
        parts = [(group, members) for group, members in parts if members]
        if not parts:
            continue
        runs = [(group, sum(len(experiment.seeds) for experiment in members)) for group, members in parts]
        studies.append(
            [
                study_title(study) if study else "**All, each run once**",
                str(sum(len(members) for _, members in parts)),
                str(sum(count for _, count in runs)),
                _total([count * exaflops(group, measured) for group, count in runs]),
                *(_total([count * hours(group, measured, name) for group, count in runs]) for name in machines),
            ]
        )
    each = [["experiment", "runs", "epochs", "batch", "steps of a run", "10¹⁵ FLOPs", *titles]]
    for group in groups:
        training = group.first.training
        more = len(group.experiments) - 1
        each.append(
            [
                f"`{group.first.name}`" + (f" and {more} alike" if more else ""),
                str(group.runs),
                str(training.epochs),
                str(training.batch_size),
                f"{group.steps:,}",
                _number(1e3 * exaflops(group, measured)),
                *(_number(hours(group, measured, name)) for name in machines),
            ]
        )
    return "\n\n".join(
        [
            f"Profile `{profile}`, by study (an experiment may be in several; ≥: some models of it were not measured):",
            _markdown(studies),
            "One run of each (FLOPs and hours are of one run; a dash: not measured there):",
            _markdown(each),
        ]
    )


def write_page(page: Path, text: str) -> None:
    """Put ``text`` between the marks in a page.

    Raises:
        SvqkitError: the page is not there or has no such marks.
    """
    old = page.read_text(encoding="utf-8") if page.exists() else ""
    if BEGIN not in old or END not in old:
        raise SvqkitError(f"{page} has no lines {BEGIN} and {END} for the table to stand between. Add them.")
    head, tail = old.split(BEGIN)[0], old.split(END)[1]
    with replacing(page) as draft:
        draft.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}", encoding="utf-8")


def _members(group: Group, study: str | None) -> list[Experiment]:
    return [experiment for experiment in group.experiments if study is None or study in experiment.studies]


def _machine_title(measured: pd.DataFrame, name: str) -> str:
    sizes = sorted(measured.loc[measured["machine"] == name, "batch_size"].unique())
    return f"{name} (measured with batch {', '.join(map(str, sizes))})"


def _total(values: list[float]) -> str:
    known = [value for value in values if pd.notna(value)]
    if not known:
        return "–"
    return ("≥ " if len(known) < len(values) else "") + _number(sum(known))


def _number(value: float) -> str:
    """Three significant digits, or all before the point."""
    if pd.isna(value):
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _markdown(rows: list[list[str]]) -> str:
    ruler = [":--", *["--:"] * (len(rows[0]) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (rows[0], ruler, *rows[1:]))


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 after an error that is meant for the user."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu_hours", description=__doc__.splitlines()[0])
    parser.add_argument("--params", default="params.yaml")
    parser.add_argument("--profile", default="paper", help="whose experiments are counted")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--datasets", nargs="+", choices=list(SHAPES), default=list(SHAPES), help="to be measured")
    parser.add_argument("--batch", type=int, default=0, help="samples in a measured step, if not the profile's batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--remark", default="", help="goes with the machine's name, such as 'shared with other work'")
    parser.add_argument("--missing", action="store_true", help="measure only what is not there for this machine yet")
    parser.add_argument("--table", action="store_true", help="measure nothing, only write the page")
    parser.add_argument("--csv", type=Path, default=MEASURED, help="where measured rates are kept")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the tables go")
    options = parser.parse_args(arguments)
    try:
        settings = load_params(options.params, options.profile)
        groups = groups_of(settings, [name for name in SHAPES if name in settings.datasets])
        measured = read_measured(options.csv)
        if not options.table:
            measured = _measure_all(groups, measured, options)
        write_page(options.page, page_tables(groups, measured, options.profile))
    except SvqkitError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    print(f"{options.page} written")
    return 0


def _measure_all(groups: list[Group], measured: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """Measure every distinct model; the csv is written after each, so that a stop loses nothing."""
    name = ", ".join(part for part in (machine(options.device), options.remark) if part)
    distinct: dict[str, Experiment] = {}
    for group in groups:
        distinct.setdefault(settings_of(group.first), group.first)
    done = set(measured.loc[measured["machine"] == name, "settings"]) if options.missing else set()
    todo = [
        (key, one) for key, one in reversed(distinct.items()) if one.dataset in options.datasets and key not in done
    ]
    print(f"{len(todo)} models on {name}", flush=True)
    for key, experiment in todo:
        batch_size = options.batch or experiment.training.batch_size
        about = {"profile": options.profile, "model": experiment.name, "settings": key, "machine": name}
        row = {**about, "batch_size": batch_size, **measure(experiment, batch_size, options.repeats, options.device)}
        measured = with_row(measured, row)
        with replacing(options.csv) as draft:
            measured.to_csv(draft, index=False, float_format="%.6g", lineterminator="\n")
        print(experiment.name, row["note"] or f"{row['samples_per_second']:.3g} samples/s", flush=True)
    return measured


if __name__ == "__main__":
    sys.exit(main())
