"""How names given by a user are shown inside a one-line sentence."""

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
