"""`oddlens serve`: calls that cannot be, and an installation without the extra."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from oddlens.cli.serve import _sources
from oddlens.errors import UsageError
from tests.cli.program import run
from tests.test_import_graph import ABSENT, in_a_process_without_torch

pytest.importorskip("fastapi")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nowhere",), "nowhere is no station"),
        (("--watch", "incoming"), "--watch 'incoming' is not of the form ADDRESS=STATION"),
        (("--camera", "0"), "--camera '0' is not of the form ADDRESS=STATION"),
        (("--token", "secret"), "the token is too easy to guess"),
        (("--port", "70000"), "there is no port 70000"),
        (("--keep-gb", "0"), "--keep-gb cannot be 0"),
        (("--keep-gb", "inf"), "--keep-gb cannot be inf"),
        (("--keep-days", "1e300"), "--keep-days cannot be 1e+300"),
        (("--max-mb", "nan"), "--max-mb cannot be nan"),
        (("--max-megapixels", "0"), "--max-megapixels cannot be 0"),
        (("--queue", "0"), "--queue cannot be 0"),
        (("--deadline", "0"), "--deadline cannot be 0"),
        (("--history", "."), "the history . cannot be made (Is a directory)"),
        (("--home", "/dev/null"), "/dev/null cannot be written (File exists)"),
        pytest.param(
            ("--history", "postgresql://u:secret@127.0.0.1:9/x"),
            "u:***@127.0.0.1:9/x cannot be opened",
            marks=pytest.mark.skipif(find_spec("psycopg") is None, reason="psycopg is not installed"),
        ),
        (("--history", "mysql://host/name"), "the history cannot be kept in mysql"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    words: tuple[str, ...], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("serve", "--port", "0", *words) if "--port" not in words else run("serve", *words)
    assert done.code == 2
    assert sentence in done.sentence


def test_a_source_is_an_address_and_a_station() -> None:
    found = _sources(["rtsp://cam/stream?a=b=line-3", "incoming/=line-4"], "--camera")
    assert [(each.address, each.station) for each in found] == [
        ("rtsp://cam/stream?a=b", "line-3"),
        ("incoming/", "line-4"),
    ]
    assert _sources(None, "--watch") == ()
    for text in ("incoming/", "=line-3", "incoming/=", "="):
        with pytest.raises(UsageError, match=r"--watch .* is not of the form ADDRESS=STATION"):
            _sources([text], "--watch")


def test_without_the_extra_it_says_what_to_install() -> None:
    absent = ABSENT.replace('"torch", "torchvision", "transformers"', '"fastapi", "starlette", "uvicorn", "sqlalchemy"')
    code = absent + "from oddlens.cli import main; sys.argv[0] = 'oddlens'; main()"
    for call in (("serve",), ("demo", "--serve")):
        done = in_a_process_without_torch(code, *call)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == ("oddlens: the service needs more than is installed: run pip install 'oddlens[serve]'\n")
    assert in_a_process_without_torch(code, "--help").returncode == 0
