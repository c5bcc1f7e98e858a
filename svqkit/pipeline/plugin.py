"""What papermill finds as ``--engine svqkit``.

papermill loads it while it is being imported itself, so that the engine, which needs papermill, must come later.
"""

from typing import Any


class _Later:
    """Stands for the engine, which is imported when papermill first asks something of it."""

    def __getattr__(self, name: str) -> Any:
        from svqkit.pipeline.executing import Engine

        return getattr(Engine, name)


engine = _Later()
