"""`oddlens models`: the list, and fetching without a network and from a hub that is played by a folder."""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from oddlens.backbone import cards
from oddlens.backbone.cards import CARDS

from .program import call, run, terminal

COLUMNS = ["name", "size", "offline", "used by", "licence", "pixels", "hub id"]


def columns_of(head: str, line: str) -> list[str]:
    starts = [head.index(name) for name in COLUMNS if name in head]
    return [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]


class TestTheList:
    def test_every_card_has_a_line(self) -> None:
        done = run("models")
        head, *lines = done.out.splitlines()
        assert done.code == 0
        assert done.err == ""
        assert columns_of(head, head) == COLUMNS
        told = [columns_of(head, line) for line in lines]
        assert [line[0] for line in told] == [card.name for card in CARDS]
        assert [line[6] for line in told[1:]] == [card.hub_id for card in CARDS[1:]]
        assert next(line for line in told if line[0] == "openai-vit-l-14-336") == [
            "openai-vit-l-14-336", "1712 MB", "no", "anomalyclip, april-gan", "MIT", "336", "openai/clip-vit-large-patch14-336",
        ]  # fmt: skip

    def test_what_is_in_the_hub_cache_is_there_offline(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def cached(hub_id: str) -> Path | None:
            return tmp_path if hub_id == "openai/clip-vit-base-patch32" else None

        for name in ("config.json", "model.safetensors"):
            (tmp_path / name).touch()
        monkeypatch.setattr("oddlens.backbone.hub.cached_folder", cached)
        head, *lines = run("models").out.splitlines()
        told = [columns_of(head, line) for line in lines]
        assert [line[0] for line in told[1:] if line[2] == "yes"] == ["openai-vit-b-32"]

    def test_a_terminal_of_80_columns_gets_whole_names_and_no_wrapped_lines(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        with terminal() as (screen, seen), monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            assert call("models") == 0
        head, *lines = seen.getvalue().decode().splitlines()
        assert [line.split()[0] for line in lines] == [card.name for card in CARDS]
        assert columns_of(head, head) == ["name", "size", "offline", "used by"]
        assert all(len(line) <= 80 for line in lines)


Hub = Callable[[dict[str, bytes]], None]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    """Play a hub on which every repository holds the given files."""

    def play(files: dict[str, bytes]) -> None:
        def snapshot(hub_id: str, *, allow_patterns: list[str], local_dir: Path | None) -> str:
            folder = local_dir or tmp_path / "cache" / hub_id
            folder.mkdir(parents=True, exist_ok=True)
            for name, content in files.items():
                if any(fnmatch(name, pattern) for pattern in allow_patterns):
                    (folder / name).write_bytes(content)
            return str(folder)

        monkeypatch.setattr(huggingface_hub, "list_repo_files", lambda hub_id: list(files))
        monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)

    return play


class TestFetching:
    def test_the_files_land_in_the_folder_and_it_is_printed(self, hub: Hub, tmp_path: Path) -> None:
        hub({"config.json": b"{}", "model.safetensors": b"weights", "flax_model.msgpack": b"large", "README.md": b""})
        done = run("models", "fetch", "openai-vit-b-32", "--to", tmp_path / "to")
        assert (done.code, done.out, done.err) == (0, f"{tmp_path}/to\n", "")
        assert sorted(path.name for path in (tmp_path / "to").iterdir()) == ["config.json", "model.safetensors"]

    def test_without_a_folder_they_land_in_the_hub_cache(self, hub: Hub, tmp_path: Path) -> None:
        hub({"config.json": b"{}", "pytorch_model.bin": b"weights"})
        done = run("models", "fetch", "openai-vit-b-32")
        assert done.out == f"{tmp_path}/cache/openai/clip-vit-base-patch32\n"

    def test_a_file_of_another_hash_than_the_cards_is_refused(self, hub: Hub, tmp_path: Path) -> None:
        hub({"open_clip_config.json": b"{}", "open_clip_pytorch_model.bin": b"other weights"})
        done = run("models", "fetch", "laion400m-vit-b-16-plus-240-e31", "--to", tmp_path)
        assert done.code == 1
        assert done.sentence == (
            f"{tmp_path}/open_clip_pytorch_model.bin is not the file that the card of laion400m-vit-b-16-plus-240-e31 knows "
            "(SHA-256 differs): delete it and fetch again"
        )

    def test_a_file_of_the_cards_hash_is_taken(self, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        digest = hashlib.sha256(b"weights").hexdigest()
        known = replace(CARDS[5], sha256=(("open_clip_pytorch_model.bin", digest),))
        monkeypatch.setattr(cards, "CARDS", (known,))
        hub({"open_clip_model.safetensors": b"unknown", "open_clip_pytorch_model.bin": b"weights"})
        assert run("models", "fetch", known.name, "--to", tmp_path / "to").code == 0
        assert [path.name for path in (tmp_path / "to").iterdir()] == ["open_clip_pytorch_model.bin"]

    def test_any_repository_can_be_fetched_and_its_folder_given_as_the_model(
        self, hub: Hub, tmp_path: Path, open_clip_folder: Path, parts: Path
    ) -> None:
        hub({path.name: path.read_bytes() for path in open_clip_folder.iterdir()})
        folder = run("models", "fetch", "hf-hub:org/name", "--to", tmp_path / "to").out.strip()
        expected = run("detect", parts, "--json", "--model", open_clip_folder).records
        found = run("detect", parts, "--json", "--model", folder).records
        assert [record["score"] for record in found] == [record["score"] for record in expected]

    def test_a_repository_without_a_clip_is_refused(self, hub: Hub) -> None:
        hub({"README.md": b""})
        done = run("models", "fetch", "org/name")
        assert done.code == 1
        assert "org/name holds none of open_clip_model.safetensors, " in done.sentence

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("mini", "the model mini is part of oddlens: there is nothing to fetch"),
            ("nope", "there is no model 'nope': see 'oddlens models', or give a hub id (org/name)"),
        ],
    )
    def test_what_cannot_be_fetched_is_a_wrong_call(self, name: str, said: str) -> None:
        done = run("models", "fetch", name)
        assert done.code == 2
        assert done.sentence == said

    def test_with_the_hubs_offline_switch_it_is_told_what_to_do(self) -> None:
        done = run("models", "fetch", "openai-vit-b-32")
        assert done.code == 1
        assert done.sentence == (
            "openai/clip-vit-base-patch32 was not fetched because HF_HUB_OFFLINE is set: "
            "unset it and run the same command on a connected machine"
        )

    @pytest.mark.parametrize("error", [Exception, OSError, ValueError], ids=lambda error: str(error.__name__))
    def test_without_a_network_it_is_told_whatever_the_client_raises(
        self, error: type[Exception], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class ConnectError(error):  # type: ignore[misc]
            """As an HTTP library's: of no family that its version promises."""

        def fail(*_: Any) -> None:
            raise ConnectError("[Errno -3] Temporary failure in name resolution\nand more")

        monkeypatch.setattr(huggingface_hub, "list_repo_files", fail)
        done = run("models", "fetch", "org/name")
        assert done.code == 1
        assert done.sentence == (
            "org/name could not be fetched ([Errno -3] Temporary failure in name resolution): "
            "run the same command again on a connected machine, it goes on where it stopped"
        )
