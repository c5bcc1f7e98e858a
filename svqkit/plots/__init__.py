"""Figures and tables of results, from plain xarray and pandas objects; no network is ever needed."""

from svqkit.plots.codebook import code_maps, similarity_figure, usage_figure
from svqkit.plots.curves import error_over_lead, learning_curves
from svqkit.plots.datasets import clip_strip, mean_and_spread
from svqkit.plots.fields import metric_units, units_of
from svqkit.plots.forecast import forecast_case
from svqkit.plots.leads import lead_units, some_leads
from svqkit.plots.mapaxes import add_coastlines, coastlines
from svqkit.plots.maps import difference_map, error_maps
from svqkit.plots.names import (
    MEASURES,
    display_name,
    display_names,
    kind,
    line_styles,
    metric_name,
    study_title,
    with_units,
)
from svqkit.plots.receptive_fields import receptive_fields_figure
from svqkit.plots.style import heading, new_figure, save, use
from svqkit.plots.table import changed, cost_cells, means_over, measured, of_models, published_cells, show_table, words
