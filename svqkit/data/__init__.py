"""Raw files → store → windows."""
