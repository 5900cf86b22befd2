"""How names given by a user are shown inside a one-line sentence."""


def printable(text: str) -> str:
    r"""The text on one line: control characters and undecodable bytes are shown as escapes (``\n``, ``\udcff``)."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
