"""Seeded damage to files: JSON values of wrong types and shapes, and text with characters changed."""

import json
import random
from collections.abc import Callable
from typing import Any

WRONG_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, 1e300, 2**70, "", " ", "x", "0", "1.0", "true", ".", "..", "/", "~x", "a\0b", "\ud800",
    "\u2028", "\u202e", "x" * 300, "é" * 200, "../../etc", "C:\\a\\b.png", [], [[]], {}, [None], {"": None}, {"id": 1}, [0, 1],
)  # fmt: skip
_ODD_TEXT = (
    "\0",
    "\n",
    "\r",
    "\t",
    '"',
    "\\",
    ",",
    ";",
    "{",
    "}",
    "[",
    "]",
    ":",
    "\ufeff",
    "é",
    "e\u0301",
    "\u2028",
    "0",
    "-",
    "NaN",
)


def mutate_json(content: Any, rng: random.Random, *, text: bool = True) -> str:
    """JSON text of a value in which one to three places say something else; now and then the text itself is damaged, too."""
    value = json.loads(json.dumps(content))
    for _ in range(rng.randint(1, 3)):
        places = list(_places(value))
        if not places:
            return json.dumps(rng.choice(WRONG_VALUES))
        container, key = rng.choice(places)
        rng.choice(_CHANGES)(container, key, rng)
    written = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return mutate_text(written, rng) if text and rng.random() < 0.2 else written


def mutate_text(text: str, rng: random.Random) -> str:
    """Text that is cut, repeated, or has characters changed."""
    for _ in range(rng.randint(1, 4)):
        start, end = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        end = min(end, start + 30)
        text = rng.choice(
            (
                text[:start] + rng.choice(_ODD_TEXT) + text[start:],
                text[:start] + text[end:],
                text[:start] + text[start:end] * rng.randint(2, 5) + text[end:],
                text[:start] if rng.random() < 0.3 else text[start:end] + text,
                text[:start] + rng.choice(_ODD_TEXT) * rng.choice((1, 2, 100)) + text[end:],
            )
        )
    return text


def mutate_bytes(text: str, rng: random.Random) -> bytes:
    """The bytes of a text, now and then in an encoding or with a mark that its reader may not expect, or with some flipped."""
    if rng.random() < 0.8:
        return text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.5:
        return text.encode(rng.choice(("utf-16", "utf-8-sig", "latin-1", "utf-16-le")), "replace")
    content = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(min(len(content), 5)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key or index) of a value."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict | list):
            keys = list(here) if isinstance(here, dict) else range(len(here))
            found += [(here, key) for key in keys]
            waiting += [here[key] for key in keys]
    return found


def _replace(container: Any, key: Any, rng: random.Random) -> None:
    container[key] = rng.choice(WRONG_VALUES)


def _remove(container: Any, key: Any, rng: random.Random) -> None:
    del container[key]


def _wrap(container: Any, key: Any, rng: random.Random) -> None:
    container[key] = rng.choice(([container[key]], {"x": container[key]}, [container[key]] * 3))


def _bury(container: Any, key: Any, rng: random.Random) -> None:
    value = container[key]
    for _ in range(rng.choice((3, 300))):
        value = [value]
    container[key] = value


def _swap(container: Any, key: Any, rng: random.Random) -> None:
    other = rng.choice(list(container) if isinstance(container, dict) else range(len(container)))
    container[key], container[other] = container[other], container[key]


_CHANGES: tuple[Callable[[Any, Any, random.Random], None], ...] = (
    _replace,
    _replace,
    _replace,
    _remove,
    _wrap,
    _bury,
    _swap,
)
