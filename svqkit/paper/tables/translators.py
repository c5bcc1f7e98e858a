"""T3: the translators with and without SVQ, and the mean improvement of each family."""

from statistics import fmean

from svqkit.models.translators.anatomy import ANATOMY, ATTENTION, CONVOLUTION, OTHER
from svqkit.paper.results import Results
from svqkit.paper.selection import base_of
from svqkit.paper.tables.sections import (
    ERRORS,
    Measured,
    Pair,
    pairs_section,
    published_section,
    study_table,
)
from svqkit.paper.tables.table import Cell, Change, Column, Number, Row, Section, Table, Words
from svqkit.plots.names import display_name
from svqkit.settings.params import Experiment

# The families are those of docs/translators.md: what mixes positions in a block. Neither the README nor the configs of
# the reference group the twelve; PoolFormer, whose pooling is no convolution with weights and no attention, stands with
# MLP-Mixer here.
FAMILIES = {CONVOLUTION: "CNN", ATTENTION: "Transformer", OTHER: "MLP"}
_WORDS = (
    "Each translator without a quantizer and with SVQ. A family's row is the mean over its translators that were run "
    "with and without. Families are told apart by what mixes positions: convolutions (CNN), attention (Transformer), "
    "an MLP or pooling (MLP)."
)


def translators_table(results: Results) -> Table:
    """Make T3: a row per translator and quantizer, means by family, plain translators beside published ones.

    Raises:
        SvqkitError: there are no runs of that study.
    """
    return study_table(results, "t3", "Translators with and without SVQ", ("translators",), _sections, _WORDS)


def family(experiment: Experiment) -> str:
    """Return CNN, Transformer or MLP; "Other" for a translator of the user's own."""
    anatomy = ANATOMY.get(experiment.model.translator)
    return FAMILIES[anatomy.family] if anatomy else "Other"


def _sections(measured: Measured) -> list[Section]:
    members = measured.experiments("translators")
    pairs = _pairs(members)
    main = pairs_section(
        measured,
        measured.dataset,
        pairs,
        ("without", "with SVQ"),
        "Translator",
        [Column("family", "Family"), Column("quantizer", "Quantizer")],
        _family_rows(measured, pairs),
    )
    plain = [member for member in members if member.quantizer.name == "none"]
    fields = [("mean", metric) for metric in ("mse", "mae", "rmse")]
    beside = published_section(
        measured, f"{measured.dataset}, without a quantizer, beside published", plain, fields, others=False
    )
    return [main, beside] if beside else [main]


def _pairs(members: list[Experiment]) -> list[Pair]:
    """Each experiment with a quantizer beside its base, and the bases that have none, sorted by family."""
    pairs = []
    for member in members:
        if member.quantizer.name != "none":
            base = base_of(member, members)
            cells = {"family": Words(family(member)), "quantizer": Words(display_name(member.quantizer.name))}
            pairs.append(Pair(display_name(member.model.translator), base, member, cells))
    taken = {pair.base.name for pair in pairs if pair.base}
    for member in members:
        if member.quantizer.name == "none" and member.name not in taken:
            cells = {"family": Words(family(member))}
            pairs.append(Pair(display_name(member.model.translator), member, None, cells))
    order = [*FAMILIES.values(), "Other"]
    return sorted(pairs, key=lambda pair: order.index(pair.cells["family"].text))


def _family_rows(measured: Measured, pairs: list[Pair]) -> list[Row]:
    """The mean of each family over its pairs that are complete; nothing of a family with fewer than two of them."""
    rows = []
    for name in [*FAMILIES.values(), "Other"]:
        whole = [
            (pair.base, pair.experiment)
            for pair in pairs
            if pair.cells["family"].text == name and pair.base and pair.experiment
        ]
        if len(whole) < 2:
            continue
        cells: dict[str, Cell] = {"family": Words(name)}
        link = measured.runs_link()
        for metric in ERRORS:
            both = [tuple(measured.number(experiment.name, metric).mean for experiment in pair) for pair in whole]
            before, after = zip(*both, strict=True)
            cells[f"{metric}_base"] = Number(fmean(before), link=link)
            cells[f"{metric}_with"] = Number(fmean(after), link=link)
            cells[f"{metric}_change"] = Change(fmean(new / old - 1 for old, new in both))
        rows.append(Row(f"{name}, mean of {len(whole)}", cells))
    return rows
