"""Text that is drawn onto images: the font, its letters, and what fits."""

import unicodedata
from bisect import bisect
from functools import lru_cache

from PIL import ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_PLAIN_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "µ": "u", "–": "-", "—": "-", "×": "x"}
)


@lru_cache(maxsize=32)
def font(size: int) -> Font:
    """Pillow's own font, in pixels: the same on every machine."""
    return ImageFont.load_default(size=size)


def drawable(text: str) -> str:
    """The text in the letters of Pillow's font, which has no accents and no other scripts: é as e, others as ?."""
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN_LETTERS))
    return "".join(
        char if " " <= char <= "~" or char in "·…°±" else "?" for char in plain if not unicodedata.combining(char)
    )


def fit(text: str, font: Font, width: float) -> str:
    """The text, drawable, with its middle left out until it fits: a path keeps its start, and the name and score at its end."""
    text = drawable(text)
    if font.getlength(text) <= width:
        return text

    def cut(length: int) -> str:
        start = length // 3
        return f"{text[:start]}…{text[len(text) - (length - start) :]}"

    longest = bisect(range(1, len(text)), width, key=lambda length: font.getlength(cut(length)))
    return cut(longest) if longest else ""


def fit_in_lines(text: str, font: Font, width: float, most: int) -> list[str]:
    """The text, drawable, on up to `most` lines that are broken anywhere; the last one with its middle left out until it fits."""
    left = drawable(text)
    lines: list[str] = []
    while len(lines) < most - 1 and font.getlength(left) > width:
        count = max(1, bisect(range(1, len(left)), width, key=lambda length: font.getlength(left[:length])))
        lines.append(left[:count])
        left = left[count:]
    return [*lines, fit(left, font, width)]
