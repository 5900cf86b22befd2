"""Real types in the package: `Any`, which turns the checks of types off, stays rare."""

import tokenize
from pathlib import Path

import oddlens

MOST = 80
"""Times that the word may stand in the code, imports included. Comments and texts do not count."""


def words(path: Path) -> list[str]:
    """The names and keywords in a file of Python, in their order."""
    with path.open("rb") as stream:
        return [token.string for token in tokenize.tokenize(stream.readline) if token.type == tokenize.NAME]


def test_any_is_rare() -> None:
    counts = {path: words(path).count("Any") for path in Path(oddlens.__file__).parent.rglob("*.py")}
    assert len(counts) > 100
    assert 0 < sum(counts.values()) <= MOST, {str(path): count for path, count in counts.items() if count}


def test_only_code_counts(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""Any"""\nfrom typing import Any  # Any\nAnyMethod: Any = "Any"\n')
    assert words(path).count("Any") == 2
