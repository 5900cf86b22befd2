"""The code of a method that is not of oddlens: its hash, and its faults as sentences.

Of oddlens' own methods the version says which code it is, and an error that is no `OddlensError` is a fault of the program.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from oddlens.errors import MethodError, OddlensError, first_line, printable
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
    homes = _homes(card)
    if not homes:
        return None
    digest = hashlib.sha256()
    for home in homes:
        for name, content in _sources(home):
            digest.update(f"{name} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


@contextmanager
def faults_of(card: MethodCard) -> Iterator[None]:
    """Raise `MethodError`, which says where, for what the code of a method raises within; of one of oddlens nothing changes."""
    try:
        yield
    except OddlensError:
        raise
    except Exception as error:  # whatever the package raises
        packages = {_package(home) for home in _homes(card)}
        if not packages:
            raise
        raise MethodError(
            f"the code of the method {card.name} fails{_place(error, packages)}: {type(error).__name__}: {first_line(error)}: mend "
            "it in its package"
        ) from error


def _place(error: Exception, packages: set[str]) -> str:
    """Where in some packages an error came up; "" where in none of their lines."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if _package(str(frame.f_globals.get("__name__", ""))) in packages:
            return f" ({printable(Path(frame.f_code.co_filename).name)}, line {line})"
    return ""


def _homes(card: MethodCard) -> list[str]:
    """Where the code of a method lies that is not of oddlens, of two that run as one of both."""
    cards = [method_card(name) for name in card.name.split(SIGN)] if SIGN in card.name else [card]
    return [each.home for each in cards if not _is_ours(each.home)]


def _package(module: str) -> str:
    return module.partition(":")[0].partition(".")[0]


def _is_ours(module: str) -> bool:
    return _package(module) == _OURS


def _sources(home: str) -> Iterator[tuple[str, bytes]]:
    """The parts of the code of one method by name, in an order that is the same on every machine."""
    package = import_module(_package(home))
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
