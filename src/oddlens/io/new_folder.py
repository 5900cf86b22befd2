"""Folders made whole or not at all."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oddlens.errors import UsageError, printable
from oddlens.io.atomic import LEFT_OVER, unwritable
from oddlens.io.paths import exists, is_link


def check_new_folder(target: Path, what: str = "folder") -> None:
    """Raise `UsageError` where something lies already: for programs that work long before they write."""
    if exists(target) or is_link(target):
        raise UsageError(f"{printable(str(target))} exists: give a new {what}")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder beside the target; it becomes the target on success and is removed on failure.

    Every `OSError` in the body becomes the error that the target cannot be written.

    Raises:
        UsageError: Something lies at the target already.
        OddlensError: The folder cannot be made or written to.
    """
    check_new_folder(target)
    made = target.absolute().parent / f"{LEFT_OVER}{secrets.token_hex(8)}"
    try:
        made.mkdir(parents=True)
        yield made
        made.rename(target)
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
