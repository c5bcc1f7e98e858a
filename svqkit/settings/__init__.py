"""params.yaml → frozen dataclasses."""
