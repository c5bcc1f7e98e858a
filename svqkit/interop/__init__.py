"""Reads what other code bases leave: configs and checkpoints of OpenSTL and SVQ-Forecasting (:mod:`.openstl`)."""
