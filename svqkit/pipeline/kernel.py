"""``python -m svqkit.pipeline.kernel -f FILE``: the kernel that notebooks run in, which is IPython's.

When it can't start, say because a port is taken, ipykernel may wait for its own sockets for ever. This one ends.
"""

import os
import sys
import traceback

from ipykernel.kernelapp import IPKernelApp


def main() -> None:
    """Run a kernel until it is told to stop."""
    kernel = IPKernelApp.instance()
    try:
        kernel.initialize()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    kernel.start()


if __name__ == "__main__":
    main()
