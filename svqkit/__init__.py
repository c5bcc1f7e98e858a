"""svqkit: sparse vector quantization for spatio-temporal forecasting, reproducible from tracked data.

``svqkit.load_run("runs/…")`` opens a finished training; its ``forecast(x)`` says what comes after x.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svqkit.forecasting import ForecastingRun

    load_run = ForecastingRun.open

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return ``load_run`` when it is asked for, so that ``import svqkit`` takes no time: torch takes seconds.

    Raises:
        ImportError: it needs packages that come with an extra.
    """
    if name == "load_run":
        try:
            from svqkit.forecasting import ForecastingRun
        except ModuleNotFoundError as error:
            message = f"svqkit.load_run needs the package {error.name}: `pip install 'svqkit[figures]'`"
            raise ImportError(message, name=error.name) from error
        return ForecastingRun.open
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
