"""Raw files → store → windows."""

from svqkit.data.describe import describe as describe
from svqkit.data.describe import mean_fields as mean_fields
from svqkit.data.describe import sample_frames as sample_frames
from svqkit.data.prepare import open_or_prepare as open_or_prepare
from svqkit.data.prepare import prepare as prepare
from svqkit.data.store import Store as Store
