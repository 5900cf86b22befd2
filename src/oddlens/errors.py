"""The errors that a user can mend.

Every message is one sentence a person can act on: what was wrong, where, what to do. The command line prints it without a
traceback; anything that is not an `OddlensError` is a bug of ours.
"""

from oddlens.wording import one_line


class OddlensError(Exception):
    """A fault in what was given (a file, a name, a setting), not in the program."""

    def __str__(self) -> str:
        """The sentence: one line of printable text and no page of it, whatever names stand in it."""
        return one_line(super().__str__())


class UsageError(OddlensError):
    """The call itself is wrong: an unknown name, a setting out of range, nothing to work on. Exit code 2."""


class ImageError(OddlensError):
    """One picture cannot be read or used; the others can."""


class DiskError(OddlensError):
    """A disk takes no more: whatever is written there next fails too."""


class ModelError(OddlensError):
    """A model or its weights are missing, damaged, or do not fit."""


class DataError(OddlensError):
    """A data set on disk is not what its layout says."""


class OddlensWarning(UserWarning):
    """Something that a person should know and that stops nothing. The command line prints it as one line on stderr."""
