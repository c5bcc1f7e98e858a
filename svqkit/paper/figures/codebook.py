"""F8: how codebooks are used, whether codes are alike, where single codes are at work and what they decode to."""

from collections.abc import Iterable

from svqkit.data.store import Store
from svqkit.errors import SvqkitError
from svqkit.evaluation import code_activity, code_similarity, codebook_usage
from svqkit.evaluation.codebook import decode_codes, strongest_cells
from svqkit.paper.figures.captions import CaptionedFigure, about_data, about_seeds, sentences, titled
from svqkit.paper.results import Results
from svqkit.paper.selection import experiments_of, role
from svqkit.plots import display_names
from svqkit.plots.codebook import code_effects, rank_frequency, similarities
from svqkit.plots.drawing import one_value
from svqkit.plots.fields import channel_of, is_colour, pick_or_colour, unit_of
from svqkit.settings.params import Experiment
from svqkit.training.paths import store_path
from svqkit.training.runs import Run

_STUDIES = ("main", "quantizers", "controls")
_CODES, _COMPARED = 4, 40  # how many codes get maps, and how many are compared with each other


def draw(results: Results) -> list[CaptionedFigure]:
    """Draw rank and frequency of the codes, their similarity, where the strongest are at work and what they decode to.

    Frequencies are of every quantizer with codes on the datasets that have several kinds of them; similarities of SVQ,
    its frozen twin and the first hard quantizer there. Single codes are shown of SVQ on the first dataset of each kind
    of frames (Earth, pictures, other fields).

    Raises:
        SvqkitError: no run with a codebook was scored.
    """
    coded = {name: members for name in results.datasets if (members := _with_codes(results, name))}
    if not coded:
        raise SvqkitError(
            "Figure 8 shows what codebooks do, and no run with one was scored. There are scores of: "
            f"{', '.join(results.datasets)}."
        )
    compared = [name for name, members in coded.items() if len({member.quantizer.name for member in members}) > 1]
    drawn = [_frequencies(results, name, coded[name]) for name in compared or list(coded)[:1]]
    drawn += [one for name in compared or list(coded)[:1] if (one := _similarities(results, name, coded[name]))]
    shown: set[str] = set()
    for dataset, members in coded.items():
        svq = next((member for member in members if role(member) == "svq"), None)
        store = _store(results, dataset)
        if svq and store and store.kind not in shown:
            shown.add(store.kind)
            drawn.append(_single_codes(results, dataset, _run(results, svq), store))
    return drawn


def _frequencies(results: Results, dataset: str, members: list[Experiment]) -> CaptionedFigure:
    usage = results.usage(dataset)
    names = display_names(member.name for member in members)
    by_kind = {names[member.name]: [usage[f"{member.name}-seed{seed}"] for seed in member.seeds] for member in members}
    title = titled(results, [dataset], f"{dataset}: how often each code is the strongest")
    caption = sentences(
        f"Figure 8, {dataset}. Share of the positions of test windows where a code has the largest weight in size (of "
        f"a hard quantizer: is chosen), by rank; {about_seeds(members)}, a line for each. Orange: quantizers that mix "
        "codes; blue: those that choose. Grey: all K codes equally often. Perplexity: exp of the entropy of the "
        "shares, the effective number of winning codes. Lines end at the last code that ever wins.",
        about_data(results, [dataset]),
    )
    return CaptionedFigure(f"f8_frequency_{dataset}", rank_frequency(by_kind, title), caption)


def _similarities(results: Results, dataset: str, members: list[Experiment]) -> CaptionedFigure | None:
    """None without a store of the dataset."""
    store = _store(results, dataset)
    hard = [
        member
        for member in members
        if results.usage(dataset)[f"{member.name}-seed{member.seeds[0]}"].get("histogram") is None
    ]
    chosen = [member for member in members if member.quantizer.name == "svq"] + hard[:1]
    if store is None or not chosen:
        return None
    names = display_names(member.name for member in chosen)
    matrices, widths = {}, set()
    for member in chosen:
        run = _run(results, member)
        matrices[names[member.name]], _ = code_similarity(run, codebook_usage(run, store), _COMPARED)
        widths.add(run.model().quantizer.codes().shape[1])
    if len(widths) > 1 or any(len(matrix) < 2 for matrix in matrices.values()):
        return None
    title = titled(results, [dataset], f"{dataset}: are the most frequent codes alike?")
    caption = sentences(
        f"Figure 8, {dataset}. Cosine similarity of the {_COMPARED} codes that are most often the strongest, in the "
        "order of their rank; lowest seed. Two codes near 1 or −1 do the same work, since a weight may be negative. "
        "Above: mean size of the similarity of two different codes, and of two random directions in as many numbers.",
        about_data(results, [dataset]),
    )
    return CaptionedFigure(f"f8_similarity_{dataset}", similarities(matrices, widths.pop(), title), caption)


def _single_codes(results: Results, dataset: str, run: Run, store: Store) -> CaptionedFigure:
    activity = code_activity(run, store, codebook_usage(run, store), _CODES)
    codes, cells = activity["code"].to_numpy().tolist(), strongest_cells(activity)
    effects = [
        pick_or_colour(decode_codes(run, store, codes, at), None, run.name).mean("lead", keep_attrs=True)
        for at in (None, cells)
    ]
    channel = "red, green and blue" if is_colour(effects[0]) else channel_of(effects[0])
    picture = code_effects(
        activity,
        *(one_value(effect) for effect in effects),
        cells,
        unit_of(effects[0]),
        titled(results, [dataset], f"{dataset}: the {len(codes)} codes of SVQ that are most often the strongest"),
    )
    caption = sentences(
        f"Figure 8, {dataset}, {run.name}. Left: mean weight of each code over test windows, on the cells of the "
        "latent map, minus its mean over all cells (above). Middle and right: what it decodes to, the change of the "
        f"forecast ({channel}, mean over lead times and windows) when one standard deviation of its weight is added "
        "to the quantized latents of all frames, at all cells or at the one with the cross, where its mean weight is "
        "largest in size. The sign of a code is arbitrary: weights may be negative.",
        about_data(results, [dataset]),
    )
    return CaptionedFigure(f"f8_codes_{dataset}", picture, caption)


def _with_codes(results: Results, dataset: str) -> list[Experiment]:
    """The experiments whose use of a codebook is known, each once, SVQ's first."""
    usage = results.usage(dataset)
    found: Iterable[Experiment] = (
        experiment for study in _STUDIES for experiment in experiments_of(results, dataset, study)
    )
    return list(
        {
            member.name: member
            for member in found
            if all(f"{member.name}-seed{seed}" in usage for seed in member.seeds)
        }.values()
    )


def _store(results: Results, dataset: str) -> Store | None:
    path = store_path(results.profile, dataset, results.stores_root)
    return Store.open(path) if path.exists() else None


def _run(results: Results, experiment: Experiment) -> Run:
    """The run of an experiment's lowest seed."""
    runs = results.runs(experiment.dataset)
    return min((run for run in runs if run.experiment.name == experiment.name), key=lambda run: run.seed)
