"""F3: maps of 2 m temperature as it was and as it was forecast, and of where SVQ is better than its base."""

from typing import get_args

import xarray as xr

from svqkit import evaluation
from svqkit.errors import SvqkitError
from svqkit.evaluation.significance import significant_places
from svqkit.paper.figures.captions import CaptionedFigure, about_data, about_seeds, about_windows, sentences, titled
from svqkit.paper.results import Results
from svqkit.paper.selection import pairs_of
from svqkit.plots import difference_map, display_name, error_maps, lead_units, some_leads
from svqkit.plots.fields import channel_of, is_lat_lon, over_seeds, pick_channel
from svqkit.plots.forecast import forecast_maps
from svqkit.plots.leads import lead_words, leads_of
from svqkit.plots.mapaxes import View, grid_of, polar_words
from svqkit.settings.params import Experiment

_SUBJECT = "t2m"
_RATE = 0.05  # of false discoveries among the places with a dot
_LEADS = 3


def draw(results: Results, projection: View | None = None) -> list[CaptionedFigure]:
    """Draw one forecast, the mean error, the RMSE, and the difference of the RMSE with dots where it is significant.

    Of the dataset with the fewest channels that has 2 m temperature; without one, of the first channel of the first
    dataset on Earth. Error fields are over all seeds of an experiment.

    Args:
        results: what is drawn.
        projection: how the Earth is seen. When ``None``: all of it, and the difference also from above each pole
            where the grid goes all the way round.

    Raises:
        SvqkitError: no dataset on Earth has a base and an SVQ in study "main"; or a region is to be seen from above a
            pole.
    """
    dataset, channel = _subject(results)
    pictures = _Maps(results, dataset, channel, *pairs_of(results, dataset)[0])
    views = [projection or "world"]
    drawn = [make(view) for view in views for make in (pictures.forecast, pictures.bias, pictures.rmse)]
    if projection is None and grid_of(results.errors_of_persistence(dataset)).world:
        views = list(get_args(View))
    return [*drawn, *(pictures.difference(view) for view in views)]


class _Maps:
    """The pictures of one channel of a dataset, of the base and of SVQ."""

    def __init__(self, results: Results, dataset: str, channel: str, base: Experiment, svq: Experiment) -> None:
        self.results, self.dataset, self.channel = results, dataset, channel
        self.base, self.svq = base, svq
        every = results.errors(dataset)
        self.by_seed = {
            experiment.name: [every[f"{experiment.name}-seed{seed}"] for seed in experiment.seeds]
            for experiment in (base, svq)
        }
        self.errors = {name: over_seeds(runs) for name, runs in self.by_seed.items()}
        self.over = lead_words(leads_of(every["persistence"]), lead_units(every["persistence"]))

    def forecast(self, view: View) -> CaptionedFigure:
        """Draw one forecast of the base and of SVQ, with its errors."""
        cases = evaluation.first_seeds(self.results.forecasts(self.dataset))
        cases = {experiment.name: cases[experiment.name] for experiment in (self.base, self.svq)}
        leads = some_leads(cases[self.base.name], _LEADS)
        start = cases[self.base.name].attrs.get("start_time")
        title = f"{self.channel}: forecasts" + (f" issued {start.replace('T', ' ')} h" if start else "")
        return self._drawn(
            "forecast",
            view,
            forecast_maps(cases, leads, self._titled(title), self.channel, view),
            f"{self.channel} as it was, as {self._names()} forecast it (each by its lowest seed), and the errors, "
            "forecast − truth; the window in the middle of the test split. Above each error map its root mean square "
            "over the area.",
        )

    def bias(self, view: View) -> CaptionedFigure:
        """Draw the mean error."""
        title = self._titled(f"{self.channel}: mean error over {self.over}")
        picture = error_maps(self.errors, "bias", self.channel, title=title, projection=view)
        return self._drawn(
            "bias",
            view,
            picture,
            f"Mean error (forecast − truth) of {self.channel}, {self._measured('errors are averaged')}.",
        )

    def rmse(self, view: View) -> CaptionedFigure:
        """Draw the RMSE, one map for each model."""
        title = self._titled(f"{self.channel}: RMSE over {self.over}")
        picture = error_maps(self.errors, "rmse", self.channel, title=title, projection=view)
        return self._drawn("rmse", view, picture, f"RMSE of {self.channel}, {self._measured()}.")

    def difference(self, view: View) -> CaptionedFigure:
        """Draw the RMSE of SVQ minus that of the base."""
        significant, note = self._significant()
        a, b = display_name(self.svq.name), display_name(self.base.name)
        picture = difference_map(
            self.errors[self.svq.name],
            self.errors[self.base.name],
            self.svq.name,
            self.base.name,
            self.channel,
            title=self._titled(f"{self.channel}: RMSE of {a} minus RMSE of {b}, {self.over}"),
            projection=view,
            significant=significant,
        )
        return self._drawn(
            "difference",
            view,
            picture,
            f"RMSE of {self.channel}: {a} minus {b}, {self._measured()}. Blue: {a} is better. {note}",
        )

    def _significant(self) -> tuple[xr.DataArray | None, str]:
        """Where the two differ significantly, and what the dots mean; without dots, why there are none."""
        try:
            dots = significant_places(self.by_seed[self.svq.name], self.by_seed[self.base.name], _RATE)
        except SvqkitError as error:
            return None, f"No dots for significance: {error}"
        stretches = self.by_seed[self.svq.name][0].sizes["block"]
        return dots, (
            f"Dots: places where the mean squared errors of the two, over {stretches} independent stretches of the "
            f"test period, differ significantly; {_RATE:.0%} of the dots are expected to be false (false discovery "
            "rate)."
        )

    def _drawn(self, what: str, view: View, picture: object, caption: str) -> CaptionedFigure:
        suffix = "" if view == "world" else f"_{view}"
        seen = "" if view == "world" else f"Seen from above the pole, {polar_words(view)}."
        return CaptionedFigure(
            f"f3_{what}{suffix}",
            picture,
            sentences(
                f"Figure 3, {self.dataset}.",
                caption,
                seen,
                about_windows(self.results, [self.dataset]),
                about_data(self.results, [self.dataset]),
            ),
        )

    def _titled(self, title: str) -> str:
        return titled(self.results, [self.dataset], title)

    def _names(self) -> str:
        return f"{display_name(self.base.name)} and {display_name(self.svq.name)}"

    def _measured(self, how: str = "squared errors are averaged before the root is taken") -> str:
        return f"{self.over}, {about_seeds([self.base, self.svq])}, whose {how}"


def _subject(results: Results) -> tuple[str, str]:
    """The dataset and the channel that are drawn."""
    earth = {name: results.errors_of_persistence(name)["rmse"] for name in results.datasets}
    earth = {name: field for name, field in earth.items() if is_lat_lon(field) and pairs_of(results, name)}
    if not earth:
        raise SvqkitError(
            "Figure 3 needs a dataset on a grid of the Earth with a model without a quantizer and the same one with "
            f"SVQ in study 'main'. There are scores of: {', '.join(results.datasets)}."
        )
    named = [name for name in earth if _SUBJECT in earth[name]["channel"].to_numpy()]
    dataset = min(named, key=lambda name: earth[name].sizes["channel"]) if named else next(iter(earth))
    return dataset, _SUBJECT if named else str(channel_of(pick_channel(earth[dataset], None, dataset)))
