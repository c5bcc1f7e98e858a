"""``python -m svqkit.pipeline``: see :mod:`svqkit.pipeline.commands`, which takes seconds to import."""

import sys

from svqkit.pipeline.warm import hand_over

if __name__ == "__main__":
    hand_over("svqkit.pipeline.commands:main", sys.argv[1:])
    from svqkit.pipeline.commands import main

    sys.exit(main())
