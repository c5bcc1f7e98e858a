"""Raw files of every kind: one module per source, with the name that `source` has in params.yaml."""

import importlib

from svqkit.config import Data
from svqkit.data.plan import Plan


def plan(data: Data) -> Plan:
    """Look at the raw files of a dataset, by the module that has the name of its source.

    Raises:
        SvqkitError: the files are missing, damaged or don't fit the settings.
    """
    return importlib.import_module(f"svqkit.data.sources.{data.source}").plan(data)
