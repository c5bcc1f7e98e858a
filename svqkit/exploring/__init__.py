"""What the explorers (notebooks) ask of single runs, beyond what the evaluate stage writes."""

from svqkit.exploring.choosing import channel_name, codebook_run, comparable, in_groups, mapped_channel, twins
from svqkit.exploring.comparing import difference_figure, in_words, paired_tests
from svqkit.exploring.costs import costs_of
from svqkit.exploring.curves import kept_figure, latitude_figure, steps_figure, when_figure
from svqkit.exploring.keeping import codes_for, error_by_codes_kept
from svqkit.exploring.looking import Look, look, one_forecast, told_apart
from svqkit.exploring.moments import bias_and_scatter, by_latitude, by_local_hour, by_season, worst_cases
from svqkit.exploring.pictures import decoded_figure, forecasts_figure, marked, poles_of
from svqkit.exploring.settings import settings_that_differ
from svqkit.exploring.training import moved_codes, stages_of_training, usage_in_words, usage_table, usages_of

__all__ = [
    "Look",
    "bias_and_scatter",
    "by_latitude",
    "by_local_hour",
    "by_season",
    "channel_name",
    "codebook_run",
    "codes_for",
    "comparable",
    "costs_of",
    "decoded_figure",
    "difference_figure",
    "error_by_codes_kept",
    "forecasts_figure",
    "in_groups",
    "in_words",
    "kept_figure",
    "latitude_figure",
    "look",
    "mapped_channel",
    "marked",
    "moved_codes",
    "one_forecast",
    "paired_tests",
    "poles_of",
    "settings_that_differ",
    "stages_of_training",
    "steps_figure",
    "told_apart",
    "twins",
    "usage_in_words",
    "usage_table",
    "usages_of",
    "when_figure",
    "worst_cases",
]
