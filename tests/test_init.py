"""The package: what it offers, and how little it takes to import it."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import oddlens


def test_importing_it_imports_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "transformers", "cv2", "PIL", "rich", "typer", "huggingface_hub"}
    code = f"import sys, oddlens; dir(oddlens); print(*{heavy!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", oddlens.__all__)
def test_everything_it_offers_is_there(name: str) -> None:
    assert callable(getattr(oddlens, name))
    assert name in dir(oddlens)


@pytest.mark.parametrize("room", ["backbone", "data", "errors", "metrics", "training"])
def test_its_rooms_open_on_first_use(room: str) -> None:
    assert getattr(oddlens, room).__name__ == f"oddlens.{room}"


def test_what_is_not_there_is_an_attribute_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="module 'oddlens' has no attribute 'lode'"):
        oddlens.lode  # noqa: B018


def test_its_version_is_that_of_the_installed_distribution() -> None:
    assert oddlens.__version__ == version("oddlens")


def test_only_the_command_line_prints() -> None:
    """What a library has to say are exceptions, warnings and values: a caller's stdout and stderr are the caller's."""
    root = Path(oddlens.__file__).parent
    printing = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in root.rglob("*.py")
        if path.relative_to(root).parts[0] not in ("cli", "__main__.py")  # the program
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and node.id == "print")
        or (isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr"))
    ]
    assert printing == []
