"""The one error that a user is meant to read."""


class SvqkitError(ValueError):
    """Something the user gave does not fit: the message says what was expected, what came, and what to do."""
