"""No package that oddlens runs on tells its maker anything of its users."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from oddlens.telemetry import refuse_rays, refuse_telemetry, without_openvinos


def homes_after(code: str, home: Path, **environment: str) -> list[str]:
    """The files in a new user's home after a process ran this code."""
    home.mkdir()
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_", "ODDLENS_", "CI"))
    }
    own = {"HOME": str(home), "ODDLENS_CACHE": str(home / "oddlens"), **environment}
    subprocess.run([sys.executable, "-c", code], env=kept | own, check=True, timeout=120)
    return sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())


def test_scoring_leaves_no_identifier_of_the_machine(tmp_path: Path) -> None:
    code = """
import numpy, oddlens
oddlens.load("winclip", device="cpu", runtime="onnx").detect(numpy.zeros((8, 8, 3), numpy.uint8))
"""
    assert [name for name in homes_after(code, tmp_path / "home") if not name.startswith("oddlens")] == []


@pytest.mark.needs_openvino
def test_importing_openvino_leaves_none_either(tmp_path: Path) -> None:
    code = """
from oddlens.telemetry import without_openvinos
with without_openvinos():
    import openvino
import openvino_telemetry  # can still be had
"""
    assert homes_after(code, tmp_path / "home") == []


@pytest.mark.parametrize(("own", "calls"), [({}, 1), ({"ORT_DISABLE_TELEMETRY": "0"}, 0)])
def test_onnxruntime_that_is_there_already_is_told_and_the_users_setting_wins(
    own: dict[str, str], calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    told: list[None] = []
    monkeypatch.setattr(onnxruntime, "disable_telemetry_events", lambda: told.append(None))
    environment = dict(own)
    refuse_telemetry(environment)
    assert len(told) == calls
    assert environment == {"ORT_DISABLE_TELEMETRY": "1"} | own


def test_what_was_imported_of_openvino_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino_telemetry", sys)
    with without_openvinos():
        assert sys.modules["openvino_telemetry"] is None
    assert sys.modules["openvino_telemetry"] is sys


def test_ray_is_refused_unless_the_user_allows_it() -> None:
    environment: dict[str, str] = {}
    refuse_rays(environment)
    assert environment == {"RAY_USAGE_STATS_ENABLED": "0"}
    allowed = {"RAY_USAGE_STATS_ENABLED": "1"}
    refuse_rays(allowed)
    assert allowed == {"RAY_USAGE_STATS_ENABLED": "1"}
