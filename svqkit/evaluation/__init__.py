"""Runs → scores, error fields, sample forecasts, codebook usage."""

from svqkit.evaluation.codebook import (
    code_activity,
    code_similarity,
    codebook_usage,
    describe_usage,
    read_usage,
    sample_frames,
    usage_tree,
)
from svqkit.evaluation.evaluate import evaluate
from svqkit.evaluation.explore import (
    compare_diagnoses,
    diagnose,
    error_by_codes_kept,
    forecast_window,
    open_comparable,
    truth_of,
    window_rmse,
    worst_windows,
)
from svqkit.evaluation.fields import zonal_spectrum
from svqkit.evaluation.forecasters import BASELINES
from svqkit.evaluation.reading import (
    first_seeds,
    mean_over_channels,
    of_runs,
    read_errors,
    read_forecasts,
    read_measures,
    read_notes,
    read_scores,
    read_windows,
    scores_of_runs,
)
