"""Check a release: `make release-check`, or this program in an environment with the extra `release`.

    python scripts/release_check.py [--out FOLDER] [--python 3.12 ...] [--extra base serve ...]

Documents name the version; wheel and sdist are built, checked by twine and looked through; the wheel is installed in environments
of their own, alone and with each extra, on each Python that is to be had, and has to work there; `uvx` and `pipx run` start it. OUT
gets the packages, an SBOM (CycloneDX) and the licences of all that an installation with every extra brings. uv's own variables,
such as UV_FIND_LINKS and UV_CACHE_DIR, say where packages come from. Exit code: 0, or 1 if something failed.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
NOT_FOR_USERS = ("test", "docs", "dev", "release")
BASE = "base"
"""Among extras: none of them."""
TOOLS = ("uv", "twine", "pipx", "pip-licenses", "cyclonedx-py")
"""The programs of the extra `release`."""
FREE = {"fiftyone": ("opencv-python-headless", "python-dateutil", "starlette", "fastapi")}
"""Extras that need other versions of some packages than constraints.txt has. fiftyone takes no OpenCV 5; with the others held it
comes as an old version, with a boto3 of 2014, which nobody gets who installs it."""

MOST_MEGABYTES = 25
FOREIGN = re.compile(
    r"^(oddlens-[^/]+/)?(tests?|lab|benchmarks|docs|examples|scripts|build|dist|\.ci)/|(^|/)__pycache__/|\.(pyc|orig|rej)$"
)
PRIVATE = re.compile(rb"/(?:root|home/[a-z]\w*|Users/\w+)/")
PROJECT_PAGE = re.compile(
    r"https?://(?:www\.)?(?:github\.com/oddlens\b|oddlens\.(?:org|io|dev|com|ai)\b|oddlens\.readthedocs\.io)\S*"
)
"""Addresses of pages that oddlens does not have."""

SMOKE = """
import importlib, importlib.metadata as metadata, pathlib, re, sys
import oddlens
assert pathlib.Path(oddlens.__file__).is_relative_to(sys.prefix), oddlens.__file__
extra, seen = sys.argv[1], set()
def wanted(extra):
    for text in metadata.requires("oddlens"):
        marked = re.search("extra == ['\\"]([^'\\"]+)", text)
        name = re.match(r"[\\w.-]+", text)[0]
        if (marked[1] if marked else "base") != extra:
            continue
        if name == "oddlens":
            for other in re.search(r"\\[(.*?)\\]", text)[1].split(","):
                yield from wanted(other.strip())
        else:
            yield name.lower().replace("_", "-")
packages = {}
for module, names in metadata.packages_distributions().items():
    for name in names:
        packages.setdefault(name.lower().replace("_", "-"), []).append(module)
for name in [*wanted("base"), *(wanted(extra) if extra != "base" else ())]:
    modules = [each for each in packages[name] if not each.startswith("_") and each.isidentifier()]
    assert modules, f"{name} brings no module"
    importlib.import_module(min(modules, key=lambda each: (each.replace("_", "-") not in name, len(each))))
"""
"""Imports what an extra names, in an environment that has it."""


def changelog_faults(version: str, text: str) -> list[str]:
    """What is wrong with the changelog of a release, in sentences."""
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    faults = [
        f"CHANGELOG.md has the heading {each!r}: give it a version and a date"
        for each in headings
        if not _DATED.fullmatch(each)
    ]
    if not any(heading.startswith(f"{version} (") for heading in headings):
        faults.append(f"CHANGELOG.md says nothing of {version}")
    return faults


_DATED = re.compile(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)")


def citation_faults(version: str, text: str) -> list[str]:
    """What is wrong with CITATION.cff, in sentences."""
    return (
        []
        if re.search(rf"^version: {re.escape(version)}$", text, re.MULTILINE)
        else [f"CITATION.cff is not of version {version}"]
    )


def page_faults(texts: Mapping[str, str]) -> list[str]:
    """Addresses of project pages that do not exist, in sentences: name of a file -> its text."""
    return [
        f"{name} names {found[0]}, a page that does not exist"
        for name, text in texts.items()
        for found in PROJECT_PAGE.finditer(text)
    ]


def content_faults(members: Mapping[str, bytes], megabytes: float = 0) -> list[str]:
    """What is wrong with a package of that size, in sentences. members: path in it -> its bytes."""
    faults = [f"{name} does not belong into a package" for name in members if FOREIGN.search(name)]
    faults += [
        f"{name} names the private path {found[0].decode()!r}"
        for name, content in members.items()
        if b"\0" not in content and (found := PRIVATE.search(content))
    ]
    return faults + (
        [f"the package has {megabytes:.0f} MB, more than {MOST_MEGABYTES}"] if megabytes > MOST_MEGABYTES else []
    )


def version_of(root: Path = ROOT) -> str:
    """The version that the source names."""
    tree = ast.parse((root / "src/oddlens/__init__.py").read_text(encoding="utf-8"))
    (value,) = (
        node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and ast.unparse(node.targets[0]) == "__version__"
    )
    return str(value)


def extras_of(root: Path = ROOT) -> list[str]:
    """What users can choose from: no extra, and each of the extras that are not for developers."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [BASE, *(extra for extra in project["optional-dependencies"] if extra not in NOT_FOR_USERS)]


def texts_of(root: Path = ROOT) -> dict[str, str]:
    """Every text that git tracks, but for this program and its tests, which name the pages that they look for."""
    names = subprocess.run(
        ["git", "ls-files"], cwd=root, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    texts = {}
    for name in names:
        if Path(name).name not in ("release_check.py", "test_release_check.py") and (root / name).is_file():
            content = (root / name).read_bytes()
            if b"\0" not in content:
                texts[name] = content.decode("utf-8", "replace")
    return texts


def members_of(package: Path) -> dict[str, bytes]:
    """Every file of a wheel or an sdist."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    with tarfile.open(package) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive.getmembers() if member.isfile()}  # type: ignore[union-attr]


class Checks:
    """Runs programs and says what became of each check."""

    def __init__(self, work: Path) -> None:
        """work: where environments are made."""
        self.work = work
        self.failed: list[str] = []
        self.passed_over: list[str] = []
        kept = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        }
        self.environment = kept | {
            "HF_HUB_OFFLINE": "1",
            "ODDLENS_CACHE": str(work / "cache"),
            "PIPX_HOME": str(work / "pipx"),
        }

    def say(self, what: str, faults: Iterable[str], since: float | None = None) -> bool:
        """Print a line; returns whether there is no fault."""
        found = list(faults)
        took = "" if since is None else f"  ({time.monotonic() - since:.0f} s)"
        print(
            f"{'FAIL' if found else 'ok':5}{what}{took}", *(f"       {fault}" for fault in found), sep="\n", flush=True
        )
        self.failed += [what] if found else []
        return not found

    def pass_over(self, what: str, why: str) -> None:
        """Print that something is not checked, and why."""
        print(f"-    {what}: passed over, {why}", flush=True)
        self.passed_over.append(what)

    def run(self, *command: str | Path, timeout: float = 1800) -> list[str]:
        """Run a program. Returns its fault: []; or one text with the end of what it said."""
        try:
            done = subprocess.run(
                list(map(str, command)),
                cwd=self.work,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return [f"{command[0]} took more than {timeout:.0f} s"]
        end = "\n       ".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        return [] if done.returncode == 0 else [f"{' '.join(map(str, command[:4]))} ... gave {done.returncode}: {end}"]


def find_python(minor: str, work: Path) -> Path | None:
    """An interpreter of that version: on the path, of pyenv, or of uv, which fetches it where it can."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{minor}"), *sorted(pyenv.glob(f"{minor}.*/bin/python"))]
    uv = [tool("uv"), "python", "find", "--no-project", minor]
    fetch = [tool("uv"), "python", "install", "--quiet", minor]
    for attempt in (None, uv, fetch):
        if attempt is not None:
            subprocess.run(attempt, cwd=work, capture_output=True, timeout=600)
            found = subprocess.run(uv, cwd=work, capture_output=True, text=True, timeout=60).stdout.splitlines()[-1:]
        for path in filter(None, found):
            asked = subprocess.run(
                [path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
            )
            if asked.stdout.strip() == minor:
                return Path(path)
    return None


def tool(name: str) -> str:
    """A program of the extra `release`. An empty text: it is not installed."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name) or ""


def needs(root: Path = ROOT) -> list[str]:
    """What is missing before anything can be checked, in sentences."""
    missing = [name for name in TOOLS if not tool(name)]
    faults = [f"not installed: {', '.join(missing)}; make release-check brings them"] if missing else []
    if not shutil.which("git"):
        return [*faults, "git is not installed"]
    return (
        faults
        if (root / ".git").exists()
        else [*faults, f"{root} is no clone: git has to say which files belong to it"]
    )


def build(checks: Checks, out: Path) -> list[Path]:
    """The packages, built, checked and looked through."""
    since = time.monotonic()
    checks.say("wheel and sdist are built", checks.run(tool("uv"), "build", "--quiet", "--out-dir", out, ROOT), since)
    packages = sorted([*out.glob("*.whl"), *out.glob("*.tar.gz")])
    if len(packages) != 2:
        checks.say("there is one wheel and one sdist", [f"{out} has {[path.name for path in packages]}"])
        return []
    checks.say("twine check", checks.run(tool("twine"), "check", "--strict", *packages))
    for package in packages:
        members = members_of(package)
        size = package.stat().st_size / 1e6
        checks.say(
            f"{package.name}: {size:.1f} MB, {len(members)} files, nothing foreign", content_faults(members, size)
        )
    return packages


def environment(checks: Checks, python: Path, wheel: Path, extras: Iterable[str]) -> tuple[Path, list[str]]:
    """A fresh environment with the wheel and extras: its interpreter, and faults."""
    folder = checks.work / "environment"
    shutil.rmtree(folder, ignore_errors=True)
    chosen = ",".join(extra for extra in extras if extra != BASE)
    faults = checks.run(tool("uv"), "venv", "--quiet", "--no-project", "--python", python, folder)
    inside = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    free = tuple(f"{package}==" for extra in extras for package in FREE.get(extra, ()))
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    constraints = checks.work / "constraints.txt"
    constraints.write_text("\n".join(pin for pin in pins if not free or not pin.startswith(free)), encoding="utf-8")
    package = f"oddlens[{chosen}] @ {wheel.as_uri()}" if chosen else f"oddlens @ {wheel.as_uri()}"
    return inside, faults or checks.run(
        tool("uv"), "pip", "install", "--quiet", "--python", inside, "--constraint", constraints, package
    )


def smoke(checks: Checks, python: Path, extra: str) -> list[str]:
    """What is wrong with an installation that must work: its modules, the program, and images scored."""
    program = python.with_name("oddlens")
    page = checks.work / "demo.html"
    page.unlink(missing_ok=True)
    faults = checks.run(python, "-W", "ignore", "-c", SMOKE, extra)
    faults += checks.run(program, "--version") + checks.run(program, "demo", "--out", page)
    return faults or ([] if page.is_file() else ["oddlens demo wrote no page"])


def write_papers(checks: Checks, python: Path, wheel: Path, extras: list[str], out: Path) -> None:
    """The SBOM and the licences of an installation with these extras."""
    since = time.monotonic()
    inside, faults = environment(checks, python, wheel, extras)
    bill, licences = out / "sbom.cdx.json", out / "licences.md"
    faults = faults or checks.run(
        tool("cyclonedx-py"), "environment", "--pyproject", ROOT / "pyproject.toml", "--mc-type", "library", "--of", "JSON",
        "--output-file", bill, inside,
    )  # fmt: skip
    faults = faults or checks.run(
        tool("pip-licenses"), "--python", inside, "--format", "markdown", "--with-urls", "--with-system", "--order", "license",
        "--output-file", licences,
    )  # fmt: skip
    if not faults:
        name_version(bill, version_of())
        faults = paper_faults(json.loads(bill.read_text(encoding="utf-8")), licences.read_text(encoding="utf-8"))
    what = "all extras" if extras == extras_of() else ", ".join(extras)
    if checks.say(f"SBOM and licences of an installation with {what}", faults, since):
        rows = licence_rows(licences.read_text(encoding="utf-8"))
        unknown = [name for name, (_, licence) in rows.items() if licence == "UNKNOWN"]
        print(f"       {len(rows)} packages; licence not stated in their metadata: {', '.join(unknown) or 'none'}")


def name_version(bill: Path, version: str) -> None:
    """Say in an SBOM which version it is of: cyclonedx-py reads none, as pyproject.toml takes it from the source."""
    content = json.loads(bill.read_text(encoding="utf-8"))
    content["metadata"]["component"] |= {"version": version, "purl": f"pkg:pypi/oddlens@{version}"}
    bill.write_text(json.dumps(content, indent=2), encoding="utf-8")


def licence_rows(licences: str) -> dict[str, tuple[str, str]]:
    """Name of a package -> its version and licence, from the table that pip-licenses writes."""
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in licences.splitlines()[2:]]
    return {name.lower().replace("_", "-"): (version, licence) for name, version, licence in rows}


def paper_faults(bill: dict[str, Any], licences: str) -> list[str]:
    """What is wrong with an SBOM and a table of licences of one installation, in sentences: they name the same packages."""
    parts = [bill["metadata"]["component"], *bill["components"]]
    in_bill = {part["name"].lower().replace("_", "-"): part.get("version") for part in parts}
    in_licences = {name: version for name, (version, _) in licence_rows(licences).items()}
    return [
        f"{name} is {in_bill.get(name, 'missing')} in the SBOM and {in_licences.get(name, 'missing')} among the licences"
        for name in sorted({*in_bill, *in_licences})
        if in_bill.get(name) != in_licences.get(name)
    ]


def check(checks: Checks, out: Path, pythons: Iterable[str], extras: list[str]) -> None:
    """Everything, in order."""
    version, texts = version_of(), texts_of()
    checks.say(
        f"the documents are of {version}",
        changelog_faults(version, texts["CHANGELOG.md"]) + citation_faults(version, texts["CITATION.cff"]),
    )
    checks.say("no page is named that does not exist", page_faults(texts))
    packages = build(checks, out)
    wheels = [path for path in packages if path.suffix == ".whl"]
    if not wheels:
        return
    found = {minor: find_python(minor, checks.work) for minor in pythons}
    for minor, python in found.items():
        if python is None:
            checks.pass_over(f"Python {minor}", "as there is none here and uv could not fetch it")
            continue
        for extra in extras:
            since = time.monotonic()
            inside, faults = environment(checks, python, wheels[0], [extra])
            checks.say(f"Python {minor}, {extra}", faults or smoke(checks, inside, extra), since)
    chosen = next((python for python in found.values() if python is not None), None)
    if chosen is None:
        checks.say("there is a Python to install on", ["none of them was found"])
        return
    for package in packages:
        checks.say(
            f"uvx --from {package.name}",
            checks.run(tool("uv"), "tool", "run", "--python", chosen, "--from", package, "oddlens", "--version"),
        )
    checks.say(
        f"pipx run --spec {wheels[0].name}",
        checks.run(tool("pipx"), "run", "--python", chosen, "--spec", wheels[0], "oddlens", "--version"),
    )
    write_papers(checks, chosen, wheels[0], extras, out)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "release", help="where packages, SBOM and licences go"
    )
    parser.add_argument(
        "--python", nargs="+", default=PYTHONS, choices=PYTHONS, metavar="VERSION", help="default: all of them"
    )
    parser.add_argument(
        "--extra", nargs="+", default=extras_of(), choices=extras_of(), metavar="EXTRA", help="default: all, and base"
    )
    options = parser.parse_args()
    if faults := needs():
        raise SystemExit(f"release_check: {'; '.join(faults)}")
    out: Path = options.out.resolve()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    since = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="oddlens-release-") as name:
        checks = Checks(Path(name))
        check(checks, out, options.python, options.extra)
    over = f"; passed over: {', '.join(checks.passed_over)}" if checks.passed_over else ""
    print(f"{time.monotonic() - since:.0f} s; {len(checks.failed)} failed{over}; packages, SBOM and licences: {out}")
    raise SystemExit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
