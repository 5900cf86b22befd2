"""What lies at a path: the answer is never an error, whatever the path."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import oddlens
from oddlens.io.paths import exists, expanded, is_closed, is_dir, is_file, is_link, matching, read_bytes, why_absent

IMPOSSIBLE = ["n" * 300, "n" * 300 + "/x.png", "a\0b", "/" * 5000 + "x"]


@pytest.fixture
def closed(ordinary_user: Path) -> Path:
    """A file in a folder that may not be searched."""
    folder = ordinary_user / "closed"
    folder.mkdir()
    (folder / "x.png").touch()
    folder.chmod(0)
    return folder / "x.png"


def test_files_folders_and_links_are_distinguished(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "nowhere").symlink_to("nothing")
    os.mkfifo(tmp_path / "pipe")
    names = ("file", "folder", "link", "nowhere", "pipe", "none")
    answers = {name: [ask(tmp_path / name) for ask in (exists, is_file, is_dir, is_link)] for name in names}
    assert answers == {
        "file": [True, True, False, False],
        "folder": [True, False, True, False],
        "link": [True, True, False, True],
        "nowhere": [False, False, False, True],
        "pipe": [True, False, False, False],
        "none": [False, False, False, False],
    }
    with os.scandir(tmp_path) as entries:
        for entry in entries:
            assert [is_file(entry), is_dir(entry)] == answers[entry.name][1:3]


@pytest.mark.parametrize("path", IMPOSSIBLE)
def test_an_impossible_path_holds_nothing(path: str) -> None:
    assert not any(ask(path) for ask in (exists, is_file, is_dir, is_link))
    assert not any(ask(Path(path)) for ask in (exists, is_file, is_dir, is_link))


@pytest.mark.parametrize("path", IMPOSSIBLE[:3])
def test_an_impossible_path_is_called_that(path: str) -> None:
    assert is_closed(path)
    assert why_absent(path) == "is no possible file name: check the path"


def test_a_path_below_a_closed_folder_is_closed_and_not_absent(closed: Path) -> None:
    assert not exists(closed)
    assert is_closed(closed)
    assert not is_closed(closed.parent)
    assert why_absent(closed) == "may not be read by this user: change its permissions"


def test_an_absent_path_is_not_closed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "file" / "below"):
        assert not is_closed(path)
        assert why_absent(path) == "does not exist: check the path"


def test_what_matches_is_sorted_and_hidden_files_count(tmp_path: Path) -> None:
    for name in ("b.png", ".a.png", "c/d.png", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert matching(tmp_path, "*.png") == [tmp_path / ".a.png", tmp_path / "b.png"]
    assert matching(tmp_path, "*/*") == [tmp_path / "c" / "d.png"]
    for nothing in ("none", "n" * 300, "b.png"):
        assert matching(tmp_path / nothing, "*") == []


def test_nothing_matches_in_a_closed_folder(closed: Path) -> None:
    for folder in (closed.parent, closed, closed / "below"):
        assert matching(folder, "*") == []


def test_a_home_is_put_in_and_a_user_that_does_not_exist_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/models") == tmp_path / "models"
    assert expanded("~nosuchuser/models") == Path("~nosuchuser/models")
    assert expanded("a/~b") == Path("a/~b")


def test_a_user_without_a_home_has_a_cache_all_the_same() -> None:
    program = (
        "import os, pwd\n"
        "def nobody(_): raise KeyError\n"
        "pwd.getpwuid = nobody\n"
        "from oddlens.io.hashes import cache_folder\n"
        "print(cache_folder())"
    )
    without = {
        name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME", "ODDLENS_CACHE")
    }
    done = subprocess.run([sys.executable, "-c", program], env=without, capture_output=True, text=True)
    assert done.stderr == ""
    assert Path(done.stdout.strip()).is_absolute()
    assert Path(done.stdout.strip()).name == f"oddlens-{os.getuid()}"


def test_all_of_oddlens_uses_these_functions() -> None:
    root = Path(oddlens.__file__).parent
    raising = {
        "exists",
        "is_dir",
        "is_file",
        "is_symlink",
        "expanduser",
        "home",
        "glob",
        "rglob",
        "iterdir",
    }  # of os.path none raises
    asked = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in sorted(root.rglob("*.py"))
        if path.name != "paths.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in raising
        and ast.unparse(node.value) not in ("os.path", "glob")
        and (node.attr != "home" or ast.unparse(node.value).endswith("Path"))  # elsewhere it is a field
    ]
    assert asked == []


class TestReading:
    def test_a_file_is_read_through_links_too(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"abc")
        (tmp_path / "link").symlink_to("file")
        assert read_bytes(tmp_path / "link") == b"abc"

    def test_what_may_never_end_is_not_opened(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "zeros").symlink_to("/dev/zero")
        for name in ("pipe", "zeros"):
            with pytest.raises(OSError, match="it is no regular file"):
                read_bytes(tmp_path / name)

    def test_a_folder_or_nothing_at_all_is_an_error_of_the_system(self, tmp_path: Path) -> None:
        for path in (tmp_path, tmp_path / "none"):
            with pytest.raises(OSError, match=r"."):
                read_bytes(path)
