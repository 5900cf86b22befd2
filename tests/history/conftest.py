"""A history in SQLite and one in a real PostgreSQL, which the session starts where it is installed."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oddlens.history.history import History


class Postgres:
    """A server of PostgreSQL that listens in its folder alone."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._numbers = itertools.count()
        folder.chmod(0o755)
        (folder / "data").mkdir()
        if os.geteuid() == 0:  # as whom it refuses to run
            names = {each.pw_name for each in pwd.getpwall()}
            user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
            os.chown(folder, user.pw_uid, user.pw_gid)
            os.chown(folder / "data", user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        else:
            self._as = {}
        made = subprocess.run(
            [programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "oddlens", "--no-sync", "-E", "UTF8"],
            capture_output=True, text=True, timeout=120, cwd=folder, **self._as,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        self.start()

    def start(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            "fsync": "off",
            "autovacuum": "off",
        }
        self._process = subprocess.Popen(
            [self._programs / "postgres", "-D", self._folder / "data"]
            + [part for name, value in settings.items() for part in ("-c", f"{name}={value}")],
            cwd=self._folder, stdout=subprocess.DEVNULL, stderr=(self._folder / "log").open("ab"), **self._as,
        )  # fmt: skip
        from psycopg import OperationalError

        deadline = time.monotonic() + 60
        while True:
            try:
                return self.sql("SELECT 1")
            except OperationalError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                assert time.monotonic() < deadline, "PostgreSQL does not start"
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop it at once, with connections open, as on a shutdown that does not wait."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(60)

    def sql(self, command: str) -> None:
        import psycopg

        with psycopg.connect(host=str(self._folder), user="oddlens", dbname="postgres", autocommit=True) as connection:
            connection.execute(command.encode())

    def new_schema(self) -> str:
        """The URL of an empty schema, which is as good as an empty database, and made in no time."""
        name = f"test_{next(self._numbers)}"
        self.sql(f"CREATE SCHEMA {name}")
        return f"postgresql://oddlens@/postgres?host={self._folder}&options=-csearch_path%3D{name}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'oddlens[postgres]'")
    found = shutil.which("initdb") or next(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with tempfile.TemporaryDirectory(
        prefix="pg-", ignore_cleanup_errors=True
    ) as folder:  # a short name, for its socket
        server = Postgres(Path(found).resolve().parent, Path(folder))
        yield server
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"], scope="session")
def new_place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Makes places of histories that do not exist yet."""
    if request.param == "sqlite":
        return lambda: str(tmp_path_factory.mktemp("history") / "made" / "history.sqlite")
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_schema


@pytest.fixture
def place(new_place: Callable[[], str]) -> str:
    """Where a history is kept that does not exist yet."""
    return new_place()


@pytest.fixture
def history(place: str, tmp_path: Path) -> Iterator[History]:
    """An empty history."""
    opened = History.open(place, tmp_path / "pictures")
    yield opened
    opened.close()
