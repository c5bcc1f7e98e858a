"""The error that is meant for the user, and words for it: valid names, the closest one."""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

T = TypeVar("T")


def exit_status(command: Callable[[], object], failed: int = 1) -> int:
    """Run a command line's work; return the number that it returns, else 0, or ``failed`` after an error of ours.

    That error, which is meant for the user, is printed in one line that begins with "error: ". When nobody reads on
    what is printed, as after ``| head``, the number is that of a command that SIGPIPE ended.
    """
    try:
        returned = command()
        sys.stdout.flush()
    except BrokenPipeError:
        output = select.poll()
        output.register(sys.stdout.fileno(), 0)
        if not output.poll(0):  # the reader is still there: it was another pipe
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is printed at Python's end
        return 128 + signal.SIGPIPE
    except SvqkitError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return failed
    return returned if isinstance(returned, int) else 0


def choose(registry: Mapping[str, T], name: object, what: str) -> T:
    """Return the entry of ``registry`` called ``name``.

    Raises:
        SvqkitError: there is none; the message lists the valid names and the closest one.
    """
    if isinstance(name, str) and name in registry:
        return registry[name]
    raise SvqkitError(f"Unknown {what} {name!r}{hint(name, registry)}. Valid: {listed(registry)}.")


def hint(name: object, valid: Iterable[str]) -> str:
    """Return ``" (did you mean 'svq'?)"`` when a valid name is close to ``name``, else nothing."""
    valid = [str(entry) for entry in valid]
    close = [entry for entry in valid if entry.lower() == str(name).lower()]
    close = close or get_close_matches(str(name), valid, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def listed(names: Iterable[str]) -> str:
    """Return names in order, separated by commas."""
    return ", ".join(sorted(map(str, names))) or "none"


def shown(value: object, most: int = 200) -> str:
    """Return a value as Python writes it, cut after ``most`` characters."""
    written = repr(value)
    return written if len(written) <= most else f"{written[:most]} …"


class SvqkitError(ValueError):
    """Something the user gave does not fit: the message says what was expected, what came, and what to do."""
