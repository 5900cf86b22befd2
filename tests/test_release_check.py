"""What `make release-check` reads: documents of one version, no page that does not exist, nothing foreign in a package."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import oddlens

ROOT = Path(__file__).parents[1]
if not (ROOT / ".git").exists():
    pytest.skip("needs a checkout", allow_module_level=True)
sys.path.insert(0, str(ROOT / "scripts"))

from release_check import (  # noqa: E402
    BASE,
    TOOLS,
    changelog_faults,
    citation_faults,
    content_faults,
    extras_of,
    name_version,
    needs,
    page_faults,
    paper_faults,
    texts_of,
    version_of,
)


def test_the_documents_are_of_the_version_of_the_source() -> None:
    assert version_of() == oddlens.__version__
    assert changelog_faults(version_of(), (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")) == []
    assert citation_faults(version_of(), (ROOT / "CITATION.cff").read_text(encoding="utf-8")) == []


def test_no_file_names_a_project_page_that_does_not_exist() -> None:
    texts = texts_of()
    assert len(texts) > 500
    assert page_faults(texts) == []


def test_a_changelog_without_the_version_or_a_date_is_a_fault() -> None:
    assert changelog_faults("0.2.0", "# Changelog\n\n## 0.2.0 (2026-11-26)\n\n- it\n\n## 0.1.0 (2026-01-01)\n") == []
    assert changelog_faults("0.3.0", "## 0.2.0 (2026-11-26)\n") == ["CHANGELOG.md says nothing of 0.3.0"]
    assert changelog_faults("0.2.0", "## 0.2.0 (unreleased)\n") == [
        "CHANGELOG.md has the heading '0.2.0 (unreleased)': give it a version and a date"
    ]


def test_a_citation_of_another_version_is_a_fault() -> None:
    assert citation_faults("0.2.0", "version: 0.2.0\n") == []
    assert citation_faults("0.2.0", "version: 0.2.01\n") == ["CITATION.cff is not of version 0.2.0"]


@pytest.mark.parametrize(
    "page", ["https://github.com/oddlens/oddlens/issues", "https://oddlens.readthedocs.io/x", "http://oddlens.org"]
)
def test_an_invented_page_is_a_fault(page: str) -> None:
    assert page_faults({"a.md": f"see {page} and https://github.com/openai/CLIP"}) == [
        f"a.md names {page}, a page that does not exist"
    ]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("oddlens-1/tests/test_a.py", b"", "does not belong"),
        ("oddlens/__pycache__/a.pyc", b"", "does not belong"),
        ("oddlens/a.py", b"at /home/ann/oddlens", "names the private path '/home/ann/'"),
    ],
)
def test_what_does_not_belong_into_a_package_is_named(name: str, content: bytes, fault: str) -> None:
    (found,) = content_faults({"oddlens/__init__.py": b"", name: content})
    assert fault in found


def test_a_package_that_has_grown_too_large_is_a_fault() -> None:
    assert content_faults({}, megabytes=24.9) == []
    assert content_faults({}, megabytes=26.2) == ["the package has 26 MB, more than 25"]


def test_images_of_the_demonstration_belong_into_it() -> None:
    assert content_faults({"oddlens-0.2.0/src/oddlens/assets/demo/star/test/good/000.jpg": b"\0"}) == []


def test_developers_extras_are_not_for_users() -> None:
    extras = extras_of()
    assert extras[0] == BASE
    assert {"torch", "serve", "mqtt"} <= set(extras)
    assert not {"test", "docs", "dev", "release"} & set(extras)


def test_what_is_missing_is_named_at_once_and_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there, tmp_path / ".git"):
        folder.mkdir()
    monkeypatch.setattr(sys, "executable", str(here / "python"))
    monkeypatch.setenv("PATH", str(there))
    assert needs(tmp_path) == [
        f"not installed: {', '.join(TOOLS)}; make release-check brings them",
        "git is not installed",
    ]

    for path in (*(here / name for name in TOOLS[:2]), *(there / name for name in (*TOOLS[2:], "git"))):
        path.touch(0o755)
    assert needs(tmp_path) == []
    (there / "pipx").unlink()
    assert needs(tmp_path) == ["not installed: pipx; make release-check brings them"]
    (there / "pipx").touch(0o755)
    (tmp_path / ".git").rmdir()
    assert needs(tmp_path) == [f"{tmp_path} is no clone: git has to say which files belong to it"]


def test_sbom_and_licences_are_of_one_version_and_name_the_same_packages(tmp_path: Path) -> None:
    bill = tmp_path / "sbom.json"
    parts = [{"name": "hf_xet", "version": "1.8.0"}, {"name": "numpy", "version": "2.4.6"}]
    bill.write_text(json.dumps({"metadata": {"component": {"name": "oddlens"}}, "components": parts}))
    rows = (
        "Name | Version | License",
        "---|---|---",
        "hf-xet | 1.8.0 | MIT",
        "numpy | 2.4.6 | BSD",
        "oddlens | 0.2.0 | MIT",
    )
    table = "".join(f"| {row} |\n" for row in rows)
    assert paper_faults(json.loads(bill.read_text()), table) == [
        "oddlens is None in the SBOM and 0.2.0 among the licences"
    ]
    name_version(bill, "0.2.0")
    named = json.loads(bill.read_text())
    assert named["metadata"]["component"] == {"name": "oddlens", "version": "0.2.0", "purl": "pkg:pypi/oddlens@0.2.0"}
    assert paper_faults(named, table) == []
    assert paper_faults(named | {"components": parts[:1]}, table.replace("1.8.0", "1.9")) == [
        "hf-xet is 1.8.0 in the SBOM and 1.9 among the licences",
        "numpy is missing in the SBOM and 2.4.6 among the licences",
    ]
