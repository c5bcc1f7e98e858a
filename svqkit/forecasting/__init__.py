"""Forecasts from a run's folder alone: what comes after frames of the user's own.

``svqkit.load_run("runs/…").forecast(x)`` is the short way; see :mod:`svqkit.forecasting.forecast`.
"""

from svqkit.forecasting.forecast import ForecastingRun as ForecastingRun
from svqkit.forecasting.forecast import forecast as forecast
from svqkit.forecasting.layouts import write_test_forecasts as write_test_forecasts
from svqkit.forecasting.write import pictures as pictures
from svqkit.forecasting.write import write_forecast as write_forecast
