"""What the explorers (notebooks) ask of single runs, beyond what the evaluate stage writes."""

from svqkit.exploring.choosing import (
    channel_name,
    codebook_run,
    comparable,
    costs_of,
    in_groups,
    mapped_channel,
    related_runs,
    settings_that_differ,
)
from svqkit.exploring.codebooks import (
    codes_for,
    error_by_codes_kept,
    moved_codes,
    stages_of_training,
    usage_in_words,
    usage_table,
    usages_of,
)
from svqkit.exploring.comparing import difference_figure, in_words, paired_tests
from svqkit.exploring.diagnostics import (
    bias_and_scatter,
    by_label,
    by_latitude,
    by_local_hour,
    by_season,
    diagnose,
    one_forecast,
    worst_cases,
)
from svqkit.exploring.figures import (
    decoded_figure,
    forecasts_figure,
    kept_figure,
    latitude_figure,
    marked,
    poles_of,
    steps_figure,
    when_figure,
)
