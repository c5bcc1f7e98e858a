"""F2: forecast frames of videos and traffic beside the true ones, and how wrong they are."""

import xarray as xr

from svqkit import evaluation
from svqkit.errors import SvqkitError
from svqkit.paper.figures.captions import CaptionedFigure, about_data, sentences, titled
from svqkit.paper.results import Results
from svqkit.paper.selection import BASE, pairs_of, role
from svqkit.plots import display_names, lead_units, some_leads
from svqkit.plots.fields import channel_of, is_colour, is_lat_lon, pick_or_colour
from svqkit.plots.forecast import forecasts_side_by_side
from svqkit.plots.leads import lead_words
from svqkit.settings.params import Experiment

_MOST_LEADS = 4


def draw(results: Results) -> list[CaptionedFigure]:
    """Draw, of each dataset of frames, what was observed, what came, the forecasts of base and SVQ, and their errors.

    One picture for each base of the study "main", with the SVQ (learnable codebook) of the same model. The forecast is
    that of the window in the middle of the test split, by the lowest seed.

    Raises:
        SvqkitError: no dataset of frames has a base and an SVQ.
    """
    frames = [name for name in results.datasets if not is_lat_lon(results.errors_of_persistence(name)["rmse"])]
    drawn = [_picture(results, name, base, svq) for name in frames for base, svq in pairs_of(results, name)]
    if not drawn:
        raise SvqkitError(
            "Figure 2 shows a video or traffic forecast without a quantizer beside one with SVQ; no such pair of the "
            f"study 'main' was scored. There are scores of: {', '.join(results.datasets)}."
        )
    return drawn


def _picture(results: Results, dataset: str, base: Experiment, svq: Experiment) -> CaptionedFigure:
    cases = evaluation.first_seeds(results.forecasts(dataset))
    cases = {role(base): cases[base.name], role(svq): cases[svq.name]}  # short names; the title says which model
    case = cases[BASE]
    leads = some_leads(case, _MOST_LEADS)
    stem = base.name.removesuffix(f"-{BASE}")
    names = " and ".join(display_names(cases).values())
    clip = f", {case.attrs['clip']}" if case.attrs.get("clip") else ""
    title = titled(results, [dataset], f"{stem}: forecasts of {names}")
    caption = sentences(
        f"Figure 2, {stem}. Frames observed, frames that came, and the forecasts of {names} (each by its lowest "
        f"seed) for {lead_words(leads, lead_units(case))}, "
        f"of the window in the middle of the test split{clip}.",
        _about_errors(case),
        about_data(results, [dataset]),
    )
    return CaptionedFigure(f"f2_{stem}", forecasts_side_by_side(cases, leads, title), caption)


def _about_errors(case: xr.Dataset) -> str:
    shown = pick_or_colour(case["truth"], None, "the truth")
    what = "|forecast − truth|"
    if is_colour(shown):
        what += ", mean of red, green and blue"
    elif case.sizes["channel"] > 1:
        what += f", channel {channel_of(shown)} of {', '.join(case['channel'].to_numpy().astype(str))}"
    return f"Below them {what}, with its mean over the frame (MAE); all errors share one scale."
