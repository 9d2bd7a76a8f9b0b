"""The base of this package's errors, so that a command line can tell them from bugs."""


class RewardModelError(ValueError):
    """What a person can mend. The message says what was found, what is expected, and the remedy."""
