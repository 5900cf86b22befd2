"""How names and values given by a user are shown inside a one-line sentence."""

import reprlib

_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 100
_REPR.maxlevel = 3

_LEFT_OUT = " [...] "


def printable(text: str) -> str:
    r"""The text on one line: control characters and undecodable bytes are shown as escapes (``\n``, ``\udcff``)."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


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
    """What a value looks like in Python, on one line; of what is long, deep or has many entries a part."""
    try:
        return printable(_REPR.repr(value))
    except ValueError:  # Python writes no whole number of more than 4300 digits
        return f"a number of {type(value).__name__} with thousands of digits"
