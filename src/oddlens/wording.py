"""How names given by a user are shown inside a one-line sentence."""


def printable(text: str) -> str:
    r"""The text on one line: control characters and undecodable bytes are shown as escapes (``\n``, ``\udcff``)."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def first_line(error: BaseException, most: int = 160) -> str:
    """The first line of what an error of another library says, to stand in a sentence of ours; its kind where it says nothing."""
    return printable((str(error).splitlines() or [type(error).__name__])[0][:most])
