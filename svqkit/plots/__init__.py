"""Figures and tables of results, from plain xarray and pandas objects; no network is ever needed."""

from svqkit.plots.captions import caption
from svqkit.plots.clip import clip_strip
from svqkit.plots.coastlines import add_coastlines, coastlines
from svqkit.plots.codebook import usage_figure
from svqkit.plots.codes import code_maps, similarity_figure
from svqkit.plots.curves import error_over_lead, learning_curves
from svqkit.plots.forecast import forecast_case
from svqkit.plots.leads import lead_units, some_leads
from svqkit.plots.maps import difference_map, error_maps
from svqkit.plots.names import MEASURES, display_name, display_names, kind, looks, study_title
from svqkit.plots.overview import mean_and_spread
from svqkit.plots.receptive_fields import receptive_fields_figure
from svqkit.plots.style import heading, new_figure, save, use
from svqkit.plots.table import results_table
from svqkit.plots.tablefiles import latex_table, markdown_table, write_table
from svqkit.plots.units import metric_units, units_of

__all__ = [
    "MEASURES",
    "add_coastlines",
    "caption",
    "clip_strip",
    "coastlines",
    "code_maps",
    "difference_map",
    "display_name",
    "display_names",
    "error_maps",
    "error_over_lead",
    "forecast_case",
    "heading",
    "kind",
    "latex_table",
    "lead_units",
    "learning_curves",
    "looks",
    "markdown_table",
    "mean_and_spread",
    "metric_units",
    "new_figure",
    "receptive_fields_figure",
    "results_table",
    "save",
    "similarity_figure",
    "some_leads",
    "study_title",
    "units_of",
    "usage_figure",
    "use",
    "write_table",
]
