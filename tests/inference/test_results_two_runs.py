"""Two runs in one folder, one of which may have been killed."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from oddlens.errors import OddlensWarning, UsageError
from oddlens.inference.results import ResultsFolder
from tests.inference.written import SETTINGS, lines_of, record, write

KILLED = """
import sys, time
from pathlib import Path
from oddlens.inference.results import ResultsFolder
folder = ResultsFolder(Path(sys.argv[1]))
folder.begin({"run": {}})
print("begun", flush=True)
time.sleep(600)
"""


class TestTwoRuns:
    def test_the_second_is_refused_while_the_first_writes(self, tmp_path: Path) -> None:
        looked = ResultsFolder(tmp_path, resume=True)
        first = ResultsFolder(tmp_path)
        first.begin(SETTINGS)
        first.append(record("a"))
        for refused in (lambda: ResultsFolder(tmp_path, resume=True), lambda: looked.begin(SETTINGS)):
            with pytest.raises(UsageError, match=r"^another run is writing to .*: wait until it has ended, or give"):
                refused()
        first.append(record("b"))
        first.close()
        assert [line["path"] for line in lines_of(tmp_path)] == ["a", "b"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["results.jsonl", "run.json"]
        ResultsFolder(tmp_path, resume=True).begin(SETTINGS)

    def test_a_run_that_another_one_overtook_is_refused_even_when_that_has_ended(self, tmp_path: Path) -> None:
        looked = ResultsFolder(tmp_path / "out")
        write(tmp_path / "out", record("a"))
        with pytest.raises(UsageError, match=r"has written to .* since this one began: start this one again"):
            looked.begin(SETTINGS)
        assert lines_of(tmp_path / "out") == [record("a")]
        ResultsFolder(tmp_path / "out", overwrite=True).begin(SETTINGS)

    def test_a_killed_run_leaves_no_lock_and_its_half_files_go_away(self, tmp_path: Path) -> None:
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "begun\n"
                with pytest.raises(UsageError, match="another run is writing to"):
                    ResultsFolder(tmp_path / "out", resume=True)
            finally:
                process.kill()
        (tmp_path / "out" / "overlays").mkdir()
        for name in (".oddlens-0123.json", "overlays/.oddlens-0123.png"):
            (tmp_path / "out" / name).touch()
        folder = ResultsFolder(tmp_path / "out", resume=True)
        folder.check({"run": {}})
        folder.begin({"run": {}})
        folder.close()
        assert sorted(path.name for path in (tmp_path / "out").rglob("*")) == ["overlays", "results.jsonl", "run.json"]

    def test_a_disk_that_knows_no_locks_is_a_warning(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(lock: object) -> None:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
        folder = ResultsFolder(tmp_path)
        with pytest.warns(OddlensWarning, match=r"cannot be locked \(No locks available\): let no other program"):
            folder.begin(SETTINGS)
        folder.append(record("a"))
        folder.close()
        assert lines_of(tmp_path) == [record("a")]
