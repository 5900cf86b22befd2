"""The errors that a user can mend.

Every message is one sentence a person can act on: what was wrong, where, what to do. The command line prints it without a
traceback; anything that is not an `OddlensError` is a bug of ours.
"""

import os
import re
import reprlib
import shlex
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 100
_REPR.maxlevel = 3

_LEFT_OUT = " [...] "


def printable(text: str) -> str:
    r"""The text on one line: control characters and undecodable bytes are shown as escapes (``\n``, ``\udcff``)."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


_PLAIN_WORD = re.compile(r"[\w@%+=:,./~-]+")


def as_argument(name: object) -> str:
    """A name or a path as somebody types it in a command that oddlens proposes: in quotes where a shell would take it apart.

    Double quotes do for a space in every shell; what they would not protect has the quotes of a POSIX shell.

    Examples:
        >>> print(as_argument("line-3"), as_argument("Zu prüfen"))
        line-3 "Zu prüfen"
    """
    shown = printable(str(name))
    if _PLAIN_WORD.fullmatch(shown):
        return shown
    return shlex.quote(shown) if set(shown) & set('"$`!\\') else f'"{shown}"'


def counted(count: int, one: str, many: str = "") -> str:
    """A number of things in words: "1 image", "2 images", "no images". many: where it is not `one` with an s."""
    return f"{count or 'no'} {one if count == 1 else many or one + 's'}"


def first_and_more(names: Sequence[str], most: int = 1) -> str:
    """The first names in a few words: "a.png", or "a.png, and 3 more"."""
    return ", ".join(names[:most]) + (f", and {len(names) - most} more" if len(names) > most else "")


def first_line(error: BaseException, most: int = 160) -> str:
    """The first line of what an error of another library says, to stand in a sentence of ours; its kind where it says nothing."""
    return printable((str(error).splitlines() or [type(error).__name__])[0][:most])


def one_line(sentence: str, most: int = 2000) -> str:
    """A sentence as `printable`, of at most so many characters: a name or a value in it can be as long as a book.

    What is left out is in the middle: a sentence begins with what was wrong, and ends with what to do.
    """
    shown = printable(sentence)
    if len(shown) <= most:
        return shown
    half = (most - len(_LEFT_OUT)) // 2
    return shown[:half] + _LEFT_OUT + shown[-half:]


def shortened(value: object) -> str:
    """A value as Python writes it, on one line; only a part of a value that is long, deep or has many entries."""
    try:
        return printable(_REPR.repr(value))
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return f"a number of {type(value).__name__} with thousands of digits"


def check_path(what: str, value: object, instead: str = "give a path") -> None:
    """Raise `UsageError` for what is no path, neither a text nor a `Path`. See `check_type`."""
    check_type(what, value, (str, os.PathLike), instead)


def check_type(what: str, value: object, kinds: type | tuple[type, ...], instead: str) -> None:
    """Raise `UsageError` for a value of a wrong type. what: it is, as the caller spells it. instead: what to give."""
    if not isinstance(value, kinds):
        raise UsageError(f"{what} cannot be {shortened(value)}: {instead}")


LONGEST_NAME = 100
"""Letters of a name that a user gives. Longer ones are no slip of a key, and comparing them with others takes long."""


def check_name(what: str, name: str) -> None:
    """Raise `UsageError` for a name that a user gives and nobody could read. what: it is of, "the object name".

    It has a letter or more, at most `LONGEST_NAME` of them, and stands on one line.
    """
    if not name.strip():
        raise UsageError(f"{what} is empty: give a word or two")
    if len(name) > LONGEST_NAME:
        raise UsageError(f"{what} has {len(name)} letters, more than {LONGEST_NAME}: give a word or two")
    if any(unicodedata.category(letter) in _NO_LETTERS for letter in name):
        raise UsageError(f"{what} {shortened(name)} has a line break or another control character in it: leave it out")


_NO_LETTERS = ("Cc", "Cn", "Co", "Cs", "Zl", "Zp")
"""Unicode's categories of what no font shows, and of ends of lines."""


def nearest(name: object, known: Iterable[str]) -> str:
    """The known name that is most like an unknown one, to stand behind it in a sentence.

    Returns:
        ", did you mean 'winclip'?", or "" where no name is near or `name` is not a text. Upper and lower case count as the same.
    """
    import difflib

    if not isinstance(name, str) or len(name) > LONGEST_NAME:
        return ""
    folded = {each.casefold(): each for each in known}
    found = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f", did you mean {folded[found[0]]!r}?" if found else ""


def choices(name: object, known: Iterable[str], lead: str = "choose one of") -> str:
    """What follows an unknown name in a sentence: the nearest name, where there is one, and all names.

    Returns:
        ": choose one of winclip, anovl", or ", did you mean 'winclip'? Choose one of winclip, anovl".
    """
    names = tuple(known)
    near = nearest(name, names)
    listed = ", ".join(names)
    return f"{near} {lead[:1].upper()}{lead[1:]} {listed}" if near else f": {lead} {listed}"


def known_name(kind: str, name: object, known: Iterable[str]) -> str:
    """The name as it is spelled here, given in any case of letters.

    Args:
        kind: What the name is of, for the sentence: "method".
        name: What was given.
        known: The names that there are.

    Raises:
        UsageError: There is no such name; the sentence suggests the nearest one.
    """
    names = tuple(known)
    if name in names:
        return str(name)
    if isinstance(name, str) and len(name) <= LONGEST_NAME:
        for each in names:
            if each.casefold() == name.casefold():
                return each
    raise UsageError(f"there is no {kind} {shortened(name)}{choices(name, names)}")


class OddlensError(Exception):
    """A fault in what was given (a file, a name, a setting), not in the program."""

    def __str__(self) -> str:
        """The sentence: one line of printable text of bounded length, with any names in it."""
        return one_line(super().__str__())


class UsageError(OddlensError):
    """The call itself is wrong: an unknown name, a setting out of range, nothing to work on. Exit code 2."""


@contextmanager
def needs_torch(what: str) -> Iterator[None]:
    """Raise `UsageError` where torch is imported within and is not installed. what: needs it, the subject of the sentence."""
    with needs_package("torch", f"{what} needs PyTorch, which is not installed: run pip install 'oddlens[torch]'"):
        yield


@contextmanager
def needs_package(package: str | Collection[str], sentence: str) -> Iterator[None]:
    """Raise `UsageError` with this sentence, which says how to install it, where a package is imported within and is absent.

    package: or several, of which one is enough.
    """
    packages = (package,) if isinstance(package, str) else package
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in packages:
            raise
        raise UsageError(sentence) from error


class ImageError(OddlensError):
    """One image cannot be read or used; the others can."""


class TooLargeError(ImageError):
    """An image has more pixels than the limit. fault: the part of the sentence that says so, for those who set it elsewhere."""

    def __init__(self, sentence: str, fault: str) -> None:
        super().__init__(sentence)
        self.fault = fault

    def __reduce__(self) -> "tuple[type[TooLargeError], tuple[str, str]]":
        return TooLargeError, (str(self), self.fault)


class DiskError(OddlensError):
    """A disk takes no more data: the next file fails too."""


class ModelError(OddlensError):
    """A model or its weights are missing, damaged, or do not fit."""


class MethodError(OddlensError):
    """The code of a method that is not of oddlens fails, or what it gives has not the form that is asked of a method."""


class DataError(OddlensError):
    """A data set on disk is not what its layout says."""


class LayoutError(DataError, UsageError):
    """A path leads to no data set of a known layout; nothing in it was read. Exit code 2."""


class OddlensWarning(UserWarning):
    """Something that a person should know and that stops nothing. The command line prints it as one line on stderr."""


@dataclass(frozen=True)
class Failure:
    """An image without a detection: it cannot be read, or its score or map is not finite.

    Attributes:
        source: What the image is called: its path, or "image 3".
        reason: Why, in one sentence that names it.
    """

    source: str
    reason: str

    def __str__(self) -> str:
        """What failed, and why."""
        reason, source = printable(self.reason), printable(self.source)
        return reason if source in reason else f"{source}: {reason}"

    def __fspath__(self) -> str:
        """What the image is called, as a path says it."""
        return self.source

    def to_dict(self) -> dict[str, str]:
        """As JSON values."""
        return {"path": self.source, "error": self.reason}
