"""Forecasts from a run's folder alone: what comes after frames of the user's own.

``svqkit.load_run("runs/…").forecast(x)`` is the short way; see :mod:`svqkit.forecasting.forecast`.
"""

from svqkit.forecasting.forecast import Forecast, ForecastingRun, forecast
from svqkit.forecasting.show import pictures, summary, usual_path
from svqkit.forecasting.write import write_forecast

__all__ = ["Forecast", "ForecastingRun", "forecast", "pictures", "summary", "usual_path", "write_forecast"]
