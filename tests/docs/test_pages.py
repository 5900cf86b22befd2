"""Every command and every Python block of the documents runs, and prints what the page shows (see `tests.docs.page`)."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.page import NOT_RUN, RUN, blocks
from tests.docs.session import MissingError, Session

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
NOT_YET: set[str] = set()
"""Pages that were written before and are not mended yet."""

pytestmark = [
    pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the documents of a checkout"),
    pytest.mark.skipif(os.name == "nt", reason="the commands are of a Unix shell"),
]


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if str(page.relative_to(ROOT)) not in NOT_YET and any(each.language in RUN for each in blocks(page))
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_its_blocks_run_and_print_what_it_shows(
    page: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong: list[str] = []
    missing = ""
    with Session(store) as session:
        try:
            for block in blocks(page):
                wrong += session.run(block)
        except MissingError as error:
            missing = str(error)
    assert not wrong, "\n\n".join(wrong)
    if missing:
        pytest.skip(f"{missing} is not installed: {session.calls} calls ran before it was needed")


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if str(page.relative_to(ROOT)) not in NOT_YET],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_commands_stand_in_blocks_that_are_run(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"^ {4,}(?:\$ |oddlens |python ).*", text, re.MULTILINE) == []
    for block in blocks(page):
        assert block.language, f"line {block.line}: say of which language the block is"
        assert set(block.notes) <= {"not run", "needs", "file", "line", "there"}, block.notes
        if block.language in ("bash", "console", "sh"):
            assert block.text.startswith("$ "), f"line {block.line}: a command begins with $"


MOST_NOT_RUN = {
    "data set": 29,
    "large model": 20,
    "installs": 13,
    "elsewhere": 9,
    "minutes": 8,
    "another server": 4,
    "network": 3,
    "another language": 2,
    "camera": 2,
    "container": 2,
}
"""How many blocks may be left out for each reason, of about 170: a new one is to be weighed, then counted here."""


def test_few_blocks_are_not_run() -> None:
    left_out = Counter(
        block.notes["not run"].partition(":")[0]
        for page in PAGES
        for block in blocks(page)
        if block.language in RUN and "not run" in block.notes
    )
    print("blocks that are not run:", dict(left_out.most_common()))
    assert left_out.keys() <= NOT_RUN.keys()
    assert {reason: count for reason, count in left_out.items() if count > MOST_NOT_RUN.get(reason, 0)} == {}


def test_readme_stays_short() -> None:
    assert len(PAGES[0].read_text(encoding="utf-8").splitlines()) <= 200
