"""Raw files → store → windows."""

from svqkit.data.describe import describe, mean_fields, sample_frames
from svqkit.data.open import open_or_prepare
from svqkit.data.prepare import prepare
from svqkit.data.store import Store

__all__ = ["Store", "describe", "mean_fields", "open_or_prepare", "prepare", "sample_frames"]
