"""T4 to T8: the studies of one question each, such as other quantizers, parts of SVQ, and the size of its codebook."""

from collections.abc import Callable
from functools import partial

from svqkit.paper import published
from svqkit.paper.results import Results
from svqkit.paper.selection import base_of, codes, default_svq, pair_frozen_and_learnable
from svqkit.paper.tables.sections import (
    ERRORS,
    Measured,
    Pair,
    models_section,
    pairs_section,
    published_section,
    study_table,
)
from svqkit.paper.tables.table import Cell, Column, Row, Section, Table, Words, section
from svqkit.plots.names import display_name
from svqkit.settings.params import Experiment

METRICS = ("mse", "mae", "rmse")
KINDS = ("frozen", "learnable")


def _projection_learns(experiment: Experiment) -> bool:
    """Whether no more than the codebook is frozen; what is frozen beyond it stands in T8."""
    return getattr(experiment.quantizer, "learnable_projection", True)


def _before_translator(experiment: Experiment) -> bool:
    """Whether it quantizes before the translator; what does so after it stands in T5."""
    return not experiment.model.quantize_after_translator


# By study: words for its section, and which of its experiments belong there.
Chapter = tuple[str, Callable[[Experiment], bool]]
PARTS: dict[str, Chapter] = {
    "controls": ("without a codebook, and with other weights", lambda experiment: True),
    "parts": ("frozen, learnable, after the translator", _projection_learns),
    "loss": ("training loss", lambda experiment: True),
    "sparsity": ("a penalty on the weights", lambda experiment: True),
}
VARIANTS: dict[str, Chapter] = {
    "init": ("initial codebook", _before_translator),
    "relu": ("ReLU", _before_translator),
    "parts": ("what is frozen", _before_translator),
}


def quantizers_table(results: Results) -> Table:
    """Make T4: studies "quantizers" and "stability", the former also beside published numbers.

    Raises:
        SvqkitError: there are no runs of these studies.
    """
    words = (
        "Perplexity: the effective number of codes that are ever the strongest at a place; dead codes never are. Of "
        "SVQ, which mixes codes, these tell how its strongest ones are spread, not how much it can say."
    )
    title = "Kinds of vector quantization"
    return study_table(results, "t4", title, ("quantizers", "stability"), _quantizer_sections, words)


def parts_table(results: Results) -> Table:
    """Make T5: studies "controls", "parts", "loss" and "sparsity", each row against the base.

    Raises:
        SvqkitError: there are no runs of these studies.
    """
    words = (
        "Each row changes SVQ in one thing, or puts something else in its place. MLP and Linear have no codebook: SVQ "
        "with a learned codebook and no ReLU on its weights can be folded into the former."
    )
    return study_table(results, "t5", "Parts of SVQ, and controls", PARTS, _part_sections, words)


def codebook_size_table(results: Results) -> Table:
    """Make T6: one row per size of the codebook, frozen and learnable side by side; below, other quantizers.

    Raises:
        SvqkitError: there are no runs of study "codebook_size".
    """
    words = "SVQ with a frozen and with a learnable codebook of K codes, all else equal."
    title = "Frozen against learnable codebooks over their size"
    return study_table(results, "t6", title, ("codebook_size",), _size_sections, words)


def noise_table(results: Results) -> Table:
    """Make T7: one row per share of noise and quantizer.

    Raises:
        SvqkitError: there are no runs of study "noise".
    """
    words = (
        "While training, a random share of the input values is multiplied by factors drawn from −2 to 2; test inputs "
        "are clean. Each row compares models of the same share."
    )
    return study_table(results, "t7", "Noise on the input, with and without SVQ", ("noise",), _noise_sections, words)


def variants_table(results: Results) -> Table:
    """Make T8: studies "init", "relu" and "parts", each row against the SVQ of the main table.

    Raises:
        SvqkitError: there are no runs of these studies.
    """
    words = "Each row changes SVQ as it stands in the main table; what is changed is said in the last column."
    return study_table(results, "t8", "Variants of SVQ", VARIANTS, _variant_sections, words)


def _quantizer_sections(measured: Measured) -> list[Section]:
    name, sections = measured.dataset, []
    if members := measured.experiments("quantizers"):
        base = partial(base_of, among=members)
        sections.append(models_section(measured, name, members, METRICS, base, codebooks=True))
        fields = [("mean", metric) for metric in METRICS]
        beside = published_section(measured, f"{name}, beside published", members, fields, others=False)
        sections += [beside] if beside else []
    if members := measured.experiments("stability"):
        base = partial(base_of, among=measured.experiments("main"))
        title = f"{name}, before and after the translator"
        sections.append(models_section(measured, title, members, METRICS, base, codebooks=True))
    return sections


def _part_sections(measured: Measured) -> list[Section]:
    main = measured.experiments("main")
    return _chapters(measured, PARTS, lambda members: partial(base_of, among=main + members))


def _variant_sections(measured: Measured) -> list[Section]:
    default = default_svq(measured.experiments("main"))

    def base(experiment: Experiment) -> Experiment | None:
        """The default itself is compared with nothing."""
        return None if default is None or experiment.name == default.name else default

    return _chapters(measured, VARIANTS, lambda members: base)


def _chapters(
    measured: Measured,
    chapters: dict[str, Chapter],
    base: Callable[[list[Experiment]], Callable[[Experiment], Experiment | None]],
) -> list[Section]:
    """A section for each study that has more than experiments of the main one."""
    reference = default_svq(measured.experiments("main"))
    sections = []
    for study, (words, belongs) in chapters.items():
        members = [experiment for experiment in measured.experiments(study) if belongs(experiment)]
        if any("main" not in experiment.studies for experiment in members):
            title = f"{measured.dataset}: {words}"
            sections.append(
                models_section(measured, title, members, METRICS, base(members), codebooks=True, reference=reference)
            )
    return sections


def _size_sections(measured: Measured) -> list[Section]:
    members = measured.experiments("codebook_size")
    pairs = []
    for frozen, learnable in pair_frozen_and_learnable(members):
        experiment = learnable or frozen
        size = {"k": Words(f"{codes(experiment):,}")}
        pairs.append(Pair(display_name(experiment.name), frozen, learnable, size))
    sections = []
    if pairs:
        columns = [Column("k", "K")]
        sections.append(pairs_section(measured, measured.dataset, pairs, KINDS, "Codebook", columns))
        sections += _sizes_beside_published(measured, pairs)
    if others := [experiment for experiment in members if experiment.quantizer.name not in ("svq", "none")]:
        others = sorted(others, key=lambda experiment: (experiment.quantizer.name, codes(experiment) or 0))
        base = partial(base_of, among=measured.experiments("main"))
        title = f"{measured.dataset}, other quantizers"
        sections.append(models_section(measured, title, others, ERRORS, base, codebooks=True))
    return sections


def _sizes_beside_published(measured: Measured, pairs: list[Pair]) -> list[Section]:
    """The MSE by size under protocol paper beside the published one, or nothing where none was published."""
    cells = _published_sizes(measured)
    if not cells:
        return []
    for pair in pairs:
        for kind, experiment in zip(KINDS, (pair.base, pair.experiment), strict=True):
            if experiment and experiment.trained_for("paper"):
                ours = measured.number(experiment.name, "mse", "paper")
                cells.setdefault(codes(experiment) or 0, {}).setdefault(f"{kind}_paper", ours)
    columns = []
    for kind in KINDS:
        columns.append(measured.column("mse", f"{kind}_paper", f"{kind}, protocol paper"))
        columns.append(measured.column("mse", f"{kind}_published", f"{kind}, published", ranked=False))
    rows = [Row(f"{size:,}", row) for size, row in sorted(cells.items())]
    return [section(f"{measured.dataset}, beside published", columns, rows, "K")]


def _published_sizes(measured: Measured) -> dict[int, dict[str, Cell]]:
    """Published cells by size of the codebook."""
    found: dict[int, dict[str, Cell]] = {}
    if not published.compares(measured.dataset, measured.results.settings.dataset(measured.dataset)):
        return found
    quotes = published.quotes(measured.dataset)
    for method in dict.fromkeys(quote.method for quote in quotes):
        ours = published.COUNTERPARTS.get(method)
        if ours and ours.quantizer == "svq" and ours.codebook_size:
            kind = KINDS[ours.learnable]
            cell = measured.published([quote for quote in quotes if quote.method == method], "mse")
            found.setdefault(ours.codebook_size, {})[f"{kind}_published"] = cell
    return found


def _noise_sections(measured: Measured) -> list[Section]:
    """Each experiment with a quantizer beside its base at the same share; bases that have none alone."""
    members = measured.experiments("noise")
    bases = {member.name: base_of(member, members) for member in members if member.quantizer.name != "none"}
    taken = {base.name for base in bases.values() if base}
    pairs = []
    for experiment in sorted(members, key=lambda member: member.model.noise):
        share = f"{100 * experiment.model.noise:g} %"
        cells = {"quantizer": Words(display_name(experiment.quantizer.name))}
        if experiment.name in bases:
            pairs.append(Pair(share, bases[experiment.name], experiment, cells))
        elif experiment.name not in taken:
            pairs.append(Pair(share, experiment, None, {}))
    columns = [Column("quantizer", "Quantizer")]
    heads = ("without a quantizer", "with")
    return [pairs_section(measured, measured.dataset, pairs, heads, "Share of noise", columns)]
