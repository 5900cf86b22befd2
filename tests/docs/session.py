"""A page's blocks, run one after the other in one folder."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import oddlens
from oddlens.methods import registry
from tests.cli.program import call
from tests.docs.page import NOT_RUN, RUN, Block, Call
from tests.docs.printed import differs
from tests.docs.things import put

SHELL = r"[|;&<>$*]"
"""What a shell reads in a command, where it does not stand in quotes."""
STAYS = ("oddlens serve", "oddlens watch", "oddlens demo --serve")
"""Commands that go on until they are stopped: they run beside the others, until the page ends."""
PROGRAMS = (
    "oddlens",
    "python",
    "cat",
    "cp",
    "curl",
    "grep",
    "node",
    "head",
    "ls",
    "mkdir",
    "rm",
    "mv",
    "for",
    "echo",
    "printf",
)
"""What a page may call: anything else is refused, so that no page installs packages or changes the system where it is tested."""
PORT = "8000"
"""Of the service on the pages; in tests it is one that is free."""
WAIT = 60.0
"""Seconds until a command that goes on must have printed what the page shows."""


class MissingError(Exception):
    """A package or a program is not here that the rest of the page needs."""


class Session:
    """Runs blocks in the folder that the process is in. A context: what is left running ends with it.

    store: a folder for what pages share.
    """

    def __init__(self, store: Path) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.calls = 0
        self._store = store
        self._variables: list[str] = []
        self._running: list[tuple[subprocess.Popen[bytes], Path]] = []
        self._modules: list[str] = []
        self._cards, registry._CARDS = registry._CARDS, dict(registry._CARDS)  # a page may register a method
        self._port = ""
        self._environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join((str(Path(oddlens.__file__).parents[1]), os.environ.get("PYTHONPATH", ""))),
            "PYTHONUNBUFFERED": "1",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for process, _ in self._running:
            process.send_signal(signal.SIGTERM)
        for process, _ in self._running:
            process.wait(WAIT)
        for name in self._modules:
            del sys.modules[name]
        registry._CARDS = self._cards
        self.names.clear()

    def run(self, block: Block) -> list[str]:
        """Run a block; gives what is wrong. Raises MissingError where it, and what follows, cannot run here."""
        for package in block.noted("needs"):
            if find_spec(package) is None:
                raise MissingError(package)
        for name in block.noted("there"):
            put(name, Path.cwd(), self._store)
        if name := block.notes.get("file"):
            Path(name).write_text(block.text, encoding="utf-8")
        elif where := block.noted("line"):
            line = Path(where[0]).read_text(encoding="utf-8").splitlines()[int(where[1]) - 1]
            wrong = differs([_on_one_line(block.text)], _on_one_line(line))
            return [f"line {block.line}: {wrong}"] if wrong else []
        elif "not run" in block.notes:
            reason = block.notes["not run"].partition(":")[0]
            return [] if reason in NOT_RUN else [f"line {block.line}: {reason!r} is none of {', '.join(NOT_RUN)}"]
        elif block.language == "python":
            self.calls += 1
            return self._python(block)
        elif block.language in RUN:
            return [
                f"line {block.line}: $ {each.command}\n{wrong}" for each in block.calls if (wrong := self._call(each))
            ]
        return []

    def _python(self, block: Block) -> list[str]:
        """Its names stay; a block that begins with the path of a module defines that module."""
        names = self.names
        if where := re.match(r"# src/([\w/]+)\.py\n", block.text):
            module = ModuleType(where[1].replace("/", "."))
            self._modules.append(module.__name__)
            sys.modules[module.__name__] = module
            names = module.__dict__
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                code = compile(block.text, str(names["__name__"]), "exec", dont_inherit=True)
                exec(code, names)
        except Exception:
            return [f"line {block.line}: {traceback.format_exc()}"]
        if names is not self.names:
            self.names |= {name: value for name, value in names.items() if not name.startswith("__")}
        wrong = None if block.printed is None else differs(block.printed, printed.getvalue())
        return [f"line {block.line}: {wrong}"] if wrong else []

    def _call(self, given: Call) -> str | None:
        """What is wrong with a call, or None."""
        self.calls += 1
        command, shown = self._with_port(given.command), [self._with_port(line) for line in given.shown]
        if re.match(r"\w+=\S+$|\w+=\$\(.*\)$", command):
            self._variables.append(command)
            return None
        if command.startswith(STAYS):
            return self._beside(command, shown)
        words = shlex.split(command, comments=True)
        if words[0] == "cd":
            os.chdir(words[1])
            return None
        if words[0] not in PROGRAMS:
            return f"{words[0]} is not called in tests: say why this block is not run"
        if words[0] == "oddlens" and not re.search(SHELL, re.sub(r"'[^']*'|\"[^\"$]*\"|\s#\s.*", "", command)):
            code, printed = _in_process(words[1:])
        else:
            code, printed = self._in_shell(command)
        if code:
            return f"ended with {code}:\n{printed}"
        return differs(shown, printed) if shown else None

    def _with_port(self, text: str) -> str:
        return text.replace(f":{PORT}", f":{self._port}") if self._port else text

    def _in_shell(self, command: str) -> tuple[int, str]:
        for program in ("curl", "node"):
            if command.startswith(f"{program} ") and not shutil.which(program):
                raise MissingError(program)
        done = subprocess.run(
            ["bash", "-ec", "\n".join([*self._variables, command])],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=WAIT, env=self._environment, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def _beside(self, command: str, shown: list[str]) -> str | None:
        """Start what does not end by itself, and wait until it has printed what the page shows."""
        if not shown:
            return "goes on until it is stopped: show what it prints first"
        words = [sys.executable, "-m", *shlex.split(command, comments=True)]
        if "serve" in command and "--port" not in words:
            self._port = self._port or _free_port()
            words += ["--port", self._port]
            shown = [self._with_port(line) for line in shown]
        output = Path(f".printed-{len(self._running)}")
        with output.open("wb") as stream:
            process = subprocess.Popen(words, stdout=stream, stderr=subprocess.STDOUT, env=self._environment)
        self._running.append((process, output))
        end = time.monotonic() + WAIT
        while wrong := differs(shown, output.read_text(encoding="utf-8")):
            if process.poll() is not None or time.monotonic() > end:
                return wrong
            time.sleep(0.05)
        return None


def _in_process(words: list[str]) -> tuple[int, str]:
    """`oddlens` in this process: its exit code, and what it printed on both streams, in their order."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        code = call(*words)
    return code, printed.buffer.getvalue().decode()  # type: ignore[attr-defined]


def _on_one_line(json: str) -> str:
    """A JSON object as oddlens writes it: on one line."""
    return re.sub(r"\{ | \}", lambda found: found[0].strip(), " ".join(json.split()))


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])
