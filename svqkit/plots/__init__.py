"""Figures and tables of results, from plain xarray and pandas objects; no network is ever needed."""

from svqkit.plots.codebook import code_effects, code_maps, ranks, similarities, usage_figure, weights_figure
from svqkit.plots.curves import change_against, changes, lines, rmse_by_variable
from svqkit.plots.fields import mean_of_seeds, metric_units, over_seeds, units_of
from svqkit.plots.forecast import clip_strip, forecasts, mean_and_spread
from svqkit.plots.leads import lead_units, some_leads
from svqkit.plots.mapaxes import coastlines
from svqkit.plots.maps import difference_maps, error_maps
from svqkit.plots.names import (
    MEASURES,
    dataset_title,
    display_name,
    display_names,
    field_name,
    line_styles,
    metric_name,
    study_title,
    with_units,
)
from svqkit.plots.receptive_fields import receptive_fields_figure
from svqkit.plots.style import by_dataset, marked, new_figure, or_say_why, save, save_and_show
from svqkit.plots.table import changed, cost_cells, means_over, measured, of_models, published_cells, show_table, words
