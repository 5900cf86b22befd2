"""`oddlens models`: the list, and fetching from a hub on loopback and without a network."""

import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest

from oddlens.backbone.cards import CARDS
from tests.cli.program import call, run, terminal
from tests.hub_server import HubServer

COLUMNS = ["name", "kind", "text", "size", "offline", "used by", "licence", "pixels", "hub id"]


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
        assert [line[8] for line in told[1:]] == [card.hub_id for card in CARDS[1:]]
        assert next(line for line in told if line[0] == "openai-vit-l-14-336") == [
            "openai-vit-l-14-336", "CLIP", "yes", "1712 MB", "no", "anomalyclip, april-gan, musc", "MIT", "336",
            "openai/clip-vit-large-patch14-336",
        ]  # fmt: skip
        assert {line[0] for line in told if line[2] == "no"} == {card.name for card in CARDS if card.kind == "DINOv2"}

    def test_a_terminal_of_80_columns_gets_whole_names_and_no_wrapped_lines(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        with terminal() as (screen, seen), monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", screen)
            assert call("models") == 0
        head, *lines = seen.getvalue().decode().splitlines()
        assert [line.split()[0] for line in lines] == [card.name for card in CARDS]
        assert columns_of(head, head) == ["name", "kind", "text", "size", "offline"]
        assert all(len(line) <= 80 for line in lines)


@pytest.fixture
def clip(hub_server: HubServer, open_clip_folder: Path) -> str:
    """The tiny CLIP, as a repository."""
    hub_server.put_folder("org/clip", open_clip_folder)
    return "org/clip"


class TestFetching:
    def test_the_folder_is_printed_and_nothing_else_but_progress(
        self, hub_server: HubServer, clip: str, tmp_path: Path
    ) -> None:
        done = run("models", "fetch", clip, "--to", tmp_path / "to")
        assert (done.code, done.out) == (0, f"{tmp_path}/to\n")
        assert "100%" in done.err
        assert (tmp_path / "to" / "open_clip_config.json").is_file()

    @pytest.mark.parametrize("prefix", ["", "hf-hub:"])
    def test_what_was_fetched_is_found_by_its_name(
        self, hub_server: HubServer, clip: str, open_clip_folder: Path, parts: Path, prefix: str
    ) -> None:
        assert run("models", "fetch", prefix + clip).code == 0
        expected = run("detect", parts, "--json", "--model", open_clip_folder).records
        found = run("detect", parts, "--json", "--model", prefix + clip).records
        assert [record["score"] for record in found] == [record["score"] for record in expected]

    def test_a_card_that_was_fetched_is_offline(self, hub_server: HubServer, transformers_folder: Path) -> None:
        hub_server.put_folder("openai/clip-vit-base-patch32", transformers_folder)
        assert run("models", "fetch", "openai-vit-b-32").code == 0
        head, *lines = run("models").out.splitlines()
        told = [columns_of(head, line) for line in lines]
        assert [line[0] for line in told[1:] if line[4] == "yes"] == ["openai-vit-b-32"]

    @pytest.mark.parametrize(
        "call", [("org/clip@v1",), ("org/clip", "--revision", "v1"), ("org/clip@v1", "--revision", "v1")]
    )
    def test_a_revision_is_part_of_the_name(
        self, hub_server: HubServer, open_clip_folder: Path, parts: Path, call: tuple[str, ...]
    ) -> None:
        hub_server.put_folder("org/clip", open_clip_folder, revision="v1")
        assert run("models", "fetch", *call).code == 0
        assert run("detect", parts, "--model", "org/clip@v1").code == 0
        assert "the model org/clip is not on this machine" in run("detect", parts, "--model", "org/clip").sentence

    def test_two_revisions_are_a_wrong_call(self) -> None:
        done = run("models", "fetch", "org/clip@v1", "--revision", "v2")
        assert (done.code, done.sentence) == (
            2,
            "org/clip@v1 and --revision v2 contradict each other: give one of them",
        )

    def test_a_card_that_knows_another_hash_is_a_warning(self, hub_server: HubServer, open_clip_folder: Path) -> None:
        card = next(card for card in CARDS if card.name == "laion400m-vit-b-16-plus-240-e31")
        weights = (open_clip_folder / "open_clip_model.safetensors").read_bytes()
        config = (open_clip_folder / "open_clip_config.json").read_bytes()
        hub_server.put(card.hub_id, {"open_clip_config.json": config, "open_clip_pytorch_model.bin": weights})
        done = run("models", "fetch", card.name)
        assert done.code == 0
        warning = next(line for line in done.err.splitlines() if line.startswith("oddlens: "))
        assert "has changed since oddlens' card of laion400m-vit-b-16-plus-240-e31 was written" in warning

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("mini", "the model mini is part of oddlens: there is nothing to fetch"),
            ("nope", "there is no model 'nope': give a name that 'oddlens models' lists, "),
            ("a b/c", "there is no model 'a b/c': give a name that 'oddlens models' lists, "),
        ],
    )
    def test_what_cannot_be_fetched_is_a_wrong_call(self, name: str, said: str) -> None:
        done = run("models", "fetch", name)
        assert done.code == 2
        assert done.sentence.startswith(said)

    def test_a_folder_with_another_model_is_a_wrong_call(
        self, hub_server: HubServer, clip: str, tmp_path: Path
    ) -> None:
        (tmp_path / "config.json").write_text("{}")
        done = run("models", "fetch", clip, "--to", tmp_path)
        assert done.code == 2
        assert done.sentence == f"{tmp_path} holds a model already (config.json): give as --to a folder of its own"

    def test_with_the_hubs_offline_switch_the_error_says_what_to_do(self) -> None:
        done = run("models", "fetch", "openai-vit-b-32")
        assert done.code == 1
        assert done.sentence == (
            "openai/clip-vit-base-patch32 was not fetched because HF_HUB_OFFLINE is set: "
            "unset it and run the same command on a connected machine"
        )

    @pytest.mark.parametrize("error", [Exception, OSError, ValueError], ids=lambda error: str(error.__name__))
    def test_without_a_network_it_is_reported_whatever_the_client_raises(
        self, error: type[Exception], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class ConnectError(error):  # type: ignore[misc]
            """As an HTTP library's: of no family that its version promises."""

        def fail(*_: Any, **__: Any) -> None:
            raise ConnectError("[Errno -3] Temporary failure in name resolution\nand more")

        monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_tree", fail)
        done = run("models", "fetch", "org/name")
        assert done.code == 1
        assert done.sentence == (
            "org/name could not be fetched ([Errno -3] Temporary failure in name resolution): check the network to "
            f"{huggingface_hub.constants.ENDPOINT}, and run the same command again; it continues where it stopped"
        )
