"""Pickles and PyTorch's archives, judged before they are read: a small file may need much memory, or a deep stack.

This does not show that a pickle is harmless otherwise: readers that execute nothing see to that.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

_MOST_STEPS = 1_000_000
"""Of one pickle. That of a large CLIP has 30,000."""
_DEEPEST = 100
"""Values inside values. OpenAI's archives go to 30."""
_ZIP = b"PK\x03\x04"
_LEGACY_PICKLES = 5
"""What a file of PyTorch before 1.6 begins with; the numbers follow."""

_NOT_WHOLE = "it is no whole file of PyTorch"

_PUTS = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_FILL = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"}


def check_torch_file(path: Path) -> None:
    """Judge a file that `torch.save` wrote. Raises `ValueError` with the reason where it must not be read."""
    with path.open("rb") as file:
        if file.read(len(_ZIP)) != _ZIP:
            file.seek(0)
            for _ in range(_LEGACY_PICKLES):
                check_pickle(file)
            return
    with zipfile.ZipFile(path) as archive:
        check_archive(archive, path.stat().st_size)
        for name in archive.namelist():
            if name.lower().endswith("data.pkl"):
                check_pickle(io.BytesIO(archive.read(name)))


def check_archive(archive: zipfile.ZipFile, size: int) -> None:
    """Raise `ValueError` for an archive of `size` bytes that unpacks to more, or that holds one name twice.

    PyTorch compresses scripted code only, which oddlens does not read.
    """
    entries = [entry for entry in archive.infolist() if "/code/" not in entry.filename]
    if sum(entry.file_size for entry in entries) > size or any(entry.compress_type for entry in entries):
        raise ValueError("it unpacks to more than its size, which no file of PyTorch does")
    if len({entry.filename for entry in entries}) != len(entries):
        raise ValueError("it holds one name twice")


def check_pickle(stream: BinaryIO) -> None:
    """Read over one pickle.

    The depth is that of values as they are built: a list that is filled later, through the memo, counts as it was when it was used.

    Raises:
        ValueError: It is damaged, too long or too deep, or it numbers entries that it does not have.
    """
    depths: list[int | None] = []  # of the values on the stack; None is a mark
    memo: dict[int, int] = {}
    try:
        for step, (opcode, argument, _) in enumerate(_steps(stream)):
            if step >= _MOST_STEPS:
                raise ValueError(f"it has more than {_MOST_STEPS} steps")
            if opcode.name in _PUTS:
                number = len(memo) if argument is None else argument
                if number > step:  # readers make room for all numbers up to this one
                    raise ValueError(f"it has an entry {number} after {step} steps")
                memo[number] = depths[-1] or 0
            elif opcode.name in _GETS:
                depths.append(memo[int(argument or 0)])
            elif opcode.name == "MARK":
                depths.append(None)
            else:
                depths += [_depth(opcode, depths)] * len(opcode.stack_after)
    except (IndexError, KeyError) as error:
        raise ValueError(_NOT_WHOLE) from error


def _steps(stream: BinaryIO) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    try:
        yield from pickletools.genops(stream)
    except ValueError as error:
        raise ValueError(_NOT_WHOLE) from error


def _depth(opcode: pickletools.OpcodeInfo, depths: list[int | None]) -> int:
    """Take from the stack what a step takes; the depth of what it gives back."""
    inside: list[int] = []
    below = len(opcode.stack_before)
    if pickletools.stackslice in opcode.stack_before:
        while (depth := depths.pop()) is not None:
            inside.append(depth)
        below = opcode.stack_before.index(pickletools.markobject)
    taken = [depths.pop() or 0 for _ in range(below)]
    container = taken.pop() if opcode.name in _FILL else 0
    deepest = max(container, 1 + max([*taken, *inside], default=-1))
    if deepest > _DEEPEST:
        raise ValueError("it is nested too deeply")
    return deepest
