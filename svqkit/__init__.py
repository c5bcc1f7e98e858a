"""svqkit: sparse vector quantization for spatio-temporal forecasting, reproducible from tracked data."""

__version__ = "0.1.0"
