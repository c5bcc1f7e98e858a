"""Inspect a folder of raw files: which of the published datasets are there, what they lack, whether they are whole.

Only names and headers are read. What a source finds in its files (its ``plan``) is held against the published numbers,
and what it refuses is a finding like any other; so are files that are missing, by the names under which they are
published. TaxiBJ alone is not planned, because its plan reads every value.
"""

from svqkit.data.check.inspect import check as check
from svqkit.data.check.report import Report as Report
from svqkit.data.check.report import as_text as as_text
