"""The code of a method that is not of oddlens, as a hash: of its own methods the version of oddlens says which code it is."""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from oddlens.io.paths import read_bytes
from oddlens.methods.card import MethodCard, imported
from oddlens.methods.fusion.card import SIGN
from oddlens.methods.registry import method_card

_OURS = "oddlens"


def method_sha256(card: MethodCard) -> str | None:
    """The SHA-256 of the code of a method, of two that run as one of both; None where all of it is of oddlens.

    The code is every .py file of the package that the method lies in, or its script; of a method in a notebook the functions of its
    class. What the package imports of other packages is no part of it.
    """
    cards = [method_card(name) for name in card.name.split(SIGN)] if SIGN in card.name else [card]
    homes = [each.home for each in cards if not _is_ours(each.home)]
    if not homes:
        return None
    digest = hashlib.sha256()
    for home in homes:
        for name, content in _sources(home):
            digest.update(f"{name} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def _is_ours(module: str) -> bool:
    return module.partition(":")[0].partition(".")[0] == _OURS


def _sources(home: str) -> Iterator[tuple[str, bytes]]:
    """The parts of the code of one method by name, in an order that is the same on every machine."""
    package = import_module(home.partition(":")[0].partition(".")[0])
    if folders := getattr(package, "__path__", None):
        for folder in folders:
            files = (Path(place, name) for place, _, names in os.walk(folder) for name in names if name.endswith(".py"))
            for file in sorted(files):
                yield file.relative_to(folder).as_posix(), read_bytes(file)
    elif alone := getattr(package, "__file__", None):
        yield package.__name__, read_bytes(alone)
    else:
        yield from _of_notebook(imported(home))


def _of_notebook(method: object) -> Iterator[tuple[str, bytes]]:
    """The functions of a class that has no file, and of the classes that it is made of there."""
    for each in inspect.getmro(method) if inspect.isclass(method) else ():
        if each is object or _is_ours(each.__module__):
            continue
        for name, value in vars(each).items():
            function = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if inspect.isfunction(function):
                yield f"{each.__qualname__}.{name}", inspect.getsource(function).encode()
