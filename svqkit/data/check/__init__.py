"""Look at a folder of raw files: which of the published datasets are there, what they lack, whether they are whole.

Only names and headers are read. What a source says against its files (its ``plan``) is a finding like any other; so
are files that are missing, by the names under which they are published. TaxiBJ alone is not planned, because its
plan reads every value.
"""

from svqkit.data.check.findings import Check, Missing, Report
from svqkit.data.check.folder import check
from svqkit.data.check.text import as_text

__all__ = ["Check", "Missing", "Report", "as_text", "check"]
