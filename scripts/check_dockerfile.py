"""Go through the build steps of the Dockerfile without Docker.

    python scripts/check_dockerfile.py [--only-read]

What it copies must exist and not be ignored; its pip lines run, in their order, in an environment of its own, with its folders in
the place of /src and /wheels; the program that it starts must be there and know the options, without PyTorch. With --only-read
nothing is installed.
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
import tempfile
import venv
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

_IN_THE_BASE = {"useradd"}
"""Programs of python:3.11-slim that steps call beside pip."""


class Step(NamedTuple):
    """An instruction. words: of COPY and of lists in JSON, one each; else one."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        if self.text.startswith("["):
            words: list[str] = json.loads(self.text)
            return words
        return [word for word in self.text.split() if not word.startswith("--")]


def steps_of(dockerfile: str) -> list[Step]:
    """The instructions, without comments, each on one line."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [Step(name.upper(), text.strip()) for name, text in found]


def faults_of(steps: list[Step], root: Path = ROOT) -> list[str]:
    """What can be seen to be wrong without running anything, in sentences."""
    faults = []
    ignored = [line for line in (root / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    for step in steps:
        if step.name == "COPY" and "--from=" not in step.text:
            for source in step.words[:-1]:
                if not (root / source).exists():
                    faults.append(f"COPY names {source}, which does not exist")
                elif is_ignored(source, ignored):
                    faults.append(f"COPY names {source}, which .dockerignore leaves out")
        if step.name == "RUN" and step.words[0] not in {"pip", *_IN_THE_BASE}:
            faults.append(f"RUN calls {step.words[0]}, which the base image may not have")
        if step.name == "HEALTHCHECK":
            words = json.loads(step.text[step.text.index("[") :])
            try:
                ast.parse(words[2])
            except SyntaxError:
                faults.append("the code of HEALTHCHECK is no Python")
    users = [step.text for step in steps if step.name == "USER"]
    if not users or users[-1] in ("root", "0"):
        faults.append("the program runs as root: add USER")
    if re.search(r"\btorch\b", " ".join(step.text for step in steps)):
        faults.append("PyTorch is named: the image must do without it")
    for name in ("EXPOSE", "VOLUME", "HEALTHCHECK", "ENTRYPOINT"):
        if name not in {step.name for step in steps}:
            faults.append(f"there is no {name}")
    return faults


def is_ignored(source: str, patterns: list[str]) -> bool:
    """Whether .dockerignore leaves a file or folder out: the last pattern that fits it decides."""
    ignored = False
    for pattern in patterns:
        if fnmatch(source, pattern.removeprefix("!").removeprefix("**/").rstrip("/")):
            ignored = not pattern.startswith("!")
    return ignored


def run(steps: list[Step], work: Path) -> None:
    """Run the pip lines as the image would, in an environment of its own. Raises CalledProcessError where one fails."""
    venv.create(work / "env", with_pip=True)
    path = f"{work / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["PATH"] = path
    folder = work
    for step in steps:
        if step.name == "FROM":
            folder = work
        elif step.name == "WORKDIR":
            folder = work / step.text.lstrip("/")
            folder.mkdir(parents=True, exist_ok=True)
        elif step.name == "COPY" and "--from=" not in step.text:
            *sources, target = step.words
            place = work / target.lstrip("/") if target.startswith("/") else folder / target
            for source in sources:
                copy(ROOT / source, place if (ROOT / source).is_dir() else place / source)
        elif step.name == "RUN" and step.words[0] == "pip":
            command = re.sub(r"(?<![\w.])/(src|wheels)\b", lambda found: f"{work}/{found[1]}", step.text)
            print(f"RUN {command}", flush=True)
            subprocess.run(command, shell=True, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    entry = next(step.words for step in steps if step.name == "ENTRYPOINT")
    program = shutil.which(entry[0], path=str(work / "env" / "bin"))
    if program is None:
        raise FileNotFoundError(f"ENTRYPOINT calls {entry[0]}, which is not installed")
    shown = subprocess.run([program, entry[1], "--help"], env=environment, check=True, capture_output=True, text=True)
    for option in (word for word in entry if word.startswith("--")):
        if option not in shown.stdout:
            raise ValueError(f"{entry[0]} {entry[1]} has no option {option}")
    lacking = "import importlib.util as u, sys; sys.exit(u.find_spec('torch') is not None)"
    subprocess.run([work / "env" / "bin" / "python", "-c", lacking], env=environment, check=True)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only-read", action="store_true")
    only_read = parser.parse_args().only_read
    steps = steps_of((ROOT / "Dockerfile").read_text())
    if faults := faults_of(steps):
        sys.exit("\n".join(faults))
    if not only_read:
        with tempfile.TemporaryDirectory() as work:
            run(steps, Path(work))
    print("the Dockerfile is in order")


if __name__ == "__main__":
    main()
