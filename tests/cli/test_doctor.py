"""`oddlens doctor`: a fact a line."""

import re
from importlib.metadata import metadata, version
from pathlib import Path

import pytest

from oddlens import __version__
from oddlens.backbone.cards import CARDS
from tests.cli.program import run


def facts() -> dict[str, str]:
    done = run("doctor")
    assert done.code == 0
    assert done.err == ""
    named = (line.split("  ", 1) for line in done.out.splitlines() if not line.startswith(" "))
    return {name: fact.strip() for name, fact in named}


def test_versions_device_and_cache_are_reported(own_cache: Path) -> None:
    told = facts()
    assert told["oddlens"] == __version__
    assert told["onnxruntime"] == version("onnxruntime")
    for runtime, package in (("onnx", "onnxruntime"), ("torch", "torch")):
        name = re.escape(f"{package} {version(package)}")
        assert re.fullmatch(rf"{name} on (cpu|cuda).*, \d+ threads? of \d+ processors?", told[f"runtime {runtime}"])
    assert told["cache"] == str(own_cache)


def test_models_are_here_or_missing_and_the_missing_have_a_remedy() -> None:
    told = facts()
    here, missing = ([] if told[key] == "none" else told[key].split(", ") for key in ("models here", "models not here"))
    assert {*here, *missing} == {card.name for card in CARDS}
    assert not {*here} & {*missing}
    assert "openai-vit-b-32" in missing
    assert "oddlens models fetch NAME" in run("doctor").out


def test_every_extra_that_users_can_install_is_named_with_its_packages_or_as_absent() -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    extras = set(metadata("oddlens").get_all("Provides-Extra") or ()) - {"test", "docs", "dev", "release"}
    told = facts()
    shown = {name.removeprefix("extra "): fact for name, fact in told.items() if name.startswith("extra ")}
    absent = [name for name in told.get("extras not here", "").split(":")[0].split(", ") if name]
    assert {*shown, *absent} == extras
    assert len(shown) + len(absent) == len(extras)
    assert shown["video"].startswith("av ")
    assert f"torch {version('torch')}" in shown["torch"]
    assert "torch" not in shown["train"]


def test_a_package_that_is_not_installed_is_reported_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.requires", lambda _: ["no-such-package>=1", "av>=15; extra == 'video'"])
    assert facts()["no-such-package"] == "not installed"


def test_extras_that_lack_a_package_share_one_line_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [
        "numpy",
        "pillow>=10; extra == 'video'",
        "no-such-package; extra == 'one'",
        "pillow; extra == 'two'",
        "nor-this; extra == 'two'",
    ]
    monkeypatch.setattr("importlib.metadata.requires", lambda _: wanted)
    told = facts()
    assert told["extras not here"] == "one, two: pip install 'oddlens[NAME]' adds one"
    assert [name for name in told if name.startswith("extra ")] == ["extra video"]
    assert not {"no-such-package", "nor-this"} & told.keys()
