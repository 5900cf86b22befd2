"""A database of an earlier version becomes one of this version, and loses nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from oddlens.history.filters import Filter
from oddlens.history.history import History
from oddlens.history.migrations import VERSION
from oddlens.history.records import HistoryError
from tests.history.given import new

VERSION_1 = """
CREATE TABLE oddlens_version (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, version INTEGER NOT NULL, time BIGINT NOT NULL
);
INSERT INTO oddlens_version (version, time) VALUES (1, 1764158400000000);
CREATE TABLE oddlens_identity (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, sha256 VARCHAR(64) NOT NULL, document TEXT NOT NULL, UNIQUE (sha256)
);
CREATE TABLE oddlens_inspection (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, station TEXT NOT NULL, station_version INTEGER NOT NULL, time BIGINT NOT NULL,
    source TEXT NOT NULL, origin TEXT NOT NULL, digest VARCHAR(64) NOT NULL, map_digest VARCHAR(64),
    identity_id INTEGER NOT NULL REFERENCES oddlens_identity (id), outcome TEXT NOT NULL, score DOUBLE, error TEXT,
    ms DOUBLE NOT NULL, audit BOOLEAN NOT NULL, "key" TEXT, region_name TEXT, said TEXT, defect TEXT, comment TEXT, reviewer TEXT,
    CONSTRAINT oddlens_inspection_key UNIQUE (station, "key")
);
CREATE INDEX oddlens_inspection_time ON oddlens_inspection (station, time, id, outcome, score, said);
CREATE INDEX oddlens_inspection_score ON oddlens_inspection (station, score, id);
CREATE INDEX oddlens_inspection_any_time ON oddlens_inspection (time, id);
CREATE INDEX oddlens_inspection_digest ON oddlens_inspection (digest, station, origin);
CREATE INDEX oddlens_inspection_map ON oddlens_inspection (map_digest);
CREATE TABLE oddlens_details (
    inspection_id INTEGER NOT NULL PRIMARY KEY REFERENCES oddlens_inspection (id), detection TEXT, range_low DOUBLE,
    range_high DOUBLE, range_label TEXT
);
CREATE TABLE oddlens_feedback (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, inspection_id INTEGER NOT NULL REFERENCES oddlens_inspection (id),
    time BIGINT NOT NULL, said TEXT NOT NULL, defect TEXT, comment TEXT, reviewer TEXT
);
CREATE INDEX oddlens_feedback_inspection ON oddlens_feedback (inspection_id);
CREATE TABLE oddlens_audit (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, time BIGINT NOT NULL, station TEXT NOT NULL, who TEXT, what TEXT NOT NULL,
    before TEXT, after TEXT
);
CREATE INDEX oddlens_audit_station ON oddlens_audit (station, id);
INSERT INTO oddlens_identity VALUES (1, 'a', '{"method": "patch-knn"}');
INSERT INTO oddlens_inspection VALUES
    (1, 'line-3', 2, 1764158400000000, 'Überprüfung.png', 'api', 'd', NULL, 1, 'ok', 0.25, NULL, 9.0, 0, 'k', NULL, 'bad', 'Öse',
     'bent', NULL);
INSERT INTO oddlens_details VALUES (1, '{"score": 0.25, "verdict": "ok", "image_size": [4, 3]}', NULL, NULL, NULL);
"""


def test_a_database_of_version_1(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1.replace("'d'", f"'{64 * '0'}'"))
    connection.close()
    history = History.open(path, tmp_path)
    for words in ("überprüfung", "ÖSE", "BENT"):
        page = history.find(Filter(text=words))
        assert [(each.id, each.score, each.said, each.comment) for each in page.items] == [(1, 0.25, "bad", "bent")]
    assert history.add(new()).id == 2
    history.close()
    assert versions(path) == [*range(1, VERSION + 1)]
    History.open(path, tmp_path).close()
    assert versions(path) == [*range(1, VERSION + 1)]
    History.open(tmp_path / "new.sqlite", tmp_path).close()
    assert schema(path) == schema(tmp_path / "new.sqlite")


def test_a_database_of_a_later_version_is_refused_and_stays_as_it_is(place: str, tmp_path: Path) -> None:
    from oddlens.history.database import _url

    history = History.open(place, tmp_path)
    history.close()
    engine = create_engine(_url(place))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO oddlens_version (version, time) VALUES ({VERSION + 1}, 0)")
    with pytest.raises(HistoryError, match=f"is of version {VERSION + 1}, of a later oddlens"):
        History.open(place, tmp_path)
    with engine.begin() as connection:
        found = connection.exec_driver_sql("SELECT max(version) FROM oddlens_version").scalar()
    assert found == VERSION + 1
    engine.dispose()


def test_two_services_start_at_once(place: str, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: History.open(place, tmp_path), range(4)))
    assert [history.add(new(number)).station for number, history in enumerate(opened)] == ["line-3"] * 4
    assert opened[0].count(Filter())["ng"] == 4
    for history in opened:
        history.close()


def test_many_open_a_new_file_in_the_same_moment(tmp_path: Path) -> None:
    """SQLite does not wait where two turn to write-ahead logging at once; 4 of 150 times one of eight was refused."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    with ThreadPoolExecutor(8) as pool:
        for number in range(20):
            together = Barrier(8)

            def opened(_: int, path: Path = tmp_path / f"{number}.sqlite", together: Barrier = together) -> History:
                together.wait()
                return History.open(path, tmp_path)

            for history in pool.map(opened, range(8)):
                history.close()


def versions(path: Path) -> list[int]:
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT version FROM oddlens_version ORDER BY id")]
    connection.close()
    return found


def schema(path: Path) -> dict[str, object]:
    """The columns and indices of each table."""
    engine = create_engine(f"sqlite:///{path}")
    found = inspect(engine)
    tables = {
        name: (
            [(each["name"], str(each["type"]), each["nullable"], each["default"]) for each in found.get_columns(name)],
            sorted((str(each["name"]), each["column_names"]) for each in found.get_indexes(name)),
            found.get_unique_constraints(name),
        )
        for name in found.get_table_names()
    }
    engine.dispose()
    return tables
