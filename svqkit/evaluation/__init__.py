"""Runs → scores, error fields, sample forecasts, codebook usage."""
