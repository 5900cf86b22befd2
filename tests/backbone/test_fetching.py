"""Fetching models, with the hub's own client, from a hub on loopback."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub.utils.logging import get_verbosity

import oddlens
from oddlens.backbone.cards import MINI, find_card
from oddlens.backbone.fetching import fetch_model
from oddlens.backbone.hub import cached_folder
from oddlens.backbone.load import load_backbone
from oddlens.errors import ModelError, OddlensError, UsageError
from oddlens.io.hashes import file_hash
from tests.backbone.conftest import HubCache
from tests.hub_server import HubServer
from tests.tiny_clip import Weights, write_open_clip
from tests.tiny_dinov2 import write_dinov2
from tests.tiny_siglip import write_siglip

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


@pytest.fixture
def clip(hub_server: HubServer, open_clip_folder: Path) -> str:
    """The tiny CLIP, as a repository."""
    hub_server.put_folder("someone/clip", open_clip_folder)
    hub_server.put("someone/clip", {"README.md": b"words", "flax_model.msgpack": b"large"})
    return "someone/clip"


def sentence(hub_id: str, to: Path | None = None, revision: str | None = None) -> str:
    with pytest.raises(OddlensError) as error:
        fetch_model(hub_id, None, to, revision)
    said = str(error.value)
    assert "\n" not in said
    return said


class TestFetching:
    def test_a_fetched_model_is_found_by_its_name(
        self, hub_server: HubServer, clip: str, open_clip_folder: Path
    ) -> None:
        folder, warnings = fetch_model(clip)
        assert warnings == ()
        assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
        assert cached_folder(clip) == folder
        found, expected = load_backbone(clip, device="cpu"), load_backbone(open_clip_folder, device="cpu")
        assert found.model_hash == expected.model_hash
        assert torch.equal(found.encode_text(["a part"]), expected.encode_text(["a part"]))

    def test_a_download_that_broke_off_goes_on_where_it_stopped(self, hub_server: HubServer, clip: str) -> None:
        hub_server.cut = 1 << 20
        hub_server.log.clear()
        assert "could not be fetched" in sentence(clip)
        with pytest.raises(
            ModelError, match=r"holds open_clip_config\.json but no weights: run 'oddlens models fetch someone/clip'"
        ):
            load_backbone(clip, device="cpu")
        hub_server.cut = None
        hub_server.log.clear()
        fetch_model(clip)
        starts = [asked for _, path, asked in hub_server.log if "/lfs/" in path and asked]
        assert starts == [f"bytes={1 << 20}-"]
        assert hub_server.fetched().count(WEIGHTS) == 1
        assert oddlens.load("winclip", clip, device="cpu").method.backbone.card.name == clip

    def test_a_siglip_comes_with_its_tokenizer(self, hub_server: HubServer, tmp_path: Path) -> None:
        hub_server.put_folder("google/siglip-base-patch16-224", write_siglip(tmp_path / "siglip"))
        card = find_card("siglip-base-patch16-224")
        assert card is not None
        folder, warnings = fetch_model(card.hub_id, card)
        assert warnings == ()  # no digest of its weights is known
        assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
        backbone = load_backbone("siglip-base-patch16-224", device="cpu")
        assert (backbone.card.licence, backbone.card.kind, backbone.card.image_size) == ("Apache-2.0", "SigLIP", 40)
        assert backbone.encode_text(["a photo"]).shape == (1, 48)

    def test_a_dinov2_is_fetched_by_its_card_and_checked_by_its_digest(
        self, hub_server: HubServer, tmp_path: Path
    ) -> None:
        hub_server.put_folder("facebook/dinov2-small", write_dinov2(tmp_path / "dinov2"))
        card = find_card("dinov2-small")
        assert card is not None
        (warning,) = fetch_model(card.hub_id, card).warnings
        assert warning.startswith("model.safetensors of facebook/dinov2-small has changed since oddlens' card")
        assert not load_backbone("dinov2-small", device="cpu").has_text

    def test_a_folder_to_carry_is_a_model(self, hub_server: HubServer, clip: str, tmp_path: Path) -> None:
        folder, _ = fetch_model(clip, to=tmp_path / "to")
        assert folder == tmp_path / "to"
        assert load_backbone(folder, device="cpu").model_hash
        assert cached_folder(clip) is None
        assert fetch_model(clip, to=tmp_path / "to").folder == folder  # the same model once more

    def test_shards_come_with_their_index(self, hub_server: HubServer, transformers_shards: Path) -> None:
        hub_server.put_folder("someone/shards", transformers_shards)
        folder, _ = fetch_model("someone/shards")
        assert {path.name for path in folder.iterdir()} == {path.name for path in transformers_shards.iterdir()}
        assert load_backbone("someone/shards", device="cpu").model_hash

    def test_another_revision_is_another_model(
        self, hub_server: HubServer, clip: str, tmp_path: Path, weights: Weights
    ) -> None:
        other = write_open_clip(tmp_path / "other", weights, quick_gelu=True)
        hub_server.put_folder(clip, other, revision="v1")
        fetch_model(clip, revision="v1")
        assert load_backbone(f"{clip}@v1", device="cpu").vision.config.activation == "quick_gelu"
        with pytest.raises(ModelError, match="the model someone/clip is not on this machine"):
            load_backbone(clip)
        fetch_model(clip)
        assert load_backbone(clip, device="cpu").vision.config.activation == "gelu"
        assert load_backbone(f"{clip}@v1", device="cpu").vision.config.activation == "quick_gelu"
        with pytest.raises(ModelError, match=r"run 'oddlens models fetch someone/clip --revision v2'"):
            load_backbone(f"{clip}@v2")


class TestHashes:
    def test_a_damaged_file_in_the_cache_is_fetched_again(self, hub_server: HubServer, clip: str) -> None:
        folder, _ = fetch_model(clip)
        content = bytearray((folder / WEIGHTS).read_bytes())
        content[-5] ^= 1
        (folder / WEIGHTS).resolve().write_bytes(content)
        with pytest.raises(
            ModelError, match=r"is damaged \(its SHA-256 is not that of the hub's file\): fetch the model again"
        ):
            load_backbone(clip, device="cpu")
        hub_server.log.clear()
        again, warnings = fetch_model(clip)
        assert again == folder
        assert warnings == (f"{WEIGHTS} of {clip} was damaged (SHA-256 differs), and was fetched again",)
        assert hub_server.fetched().count(WEIGHTS) >= 1
        assert fetch_model(clip).warnings == ()
        assert load_backbone(clip, device="cpu").model_hash

    def test_so_is_one_in_a_folder_and_a_small_one(self, hub_server: HubServer, clip: str, tmp_path: Path) -> None:
        folder, _ = fetch_model(clip, to=tmp_path / "to")
        whole = {path.name: file_hash(path) for path in folder.iterdir() if path.is_file()}
        for name in (CONFIG, WEIGHTS):
            (folder / name).write_bytes((folder / name).read_bytes()[:-9])
        assert len(fetch_model(clip, to=tmp_path / "to").warnings) == 1
        assert {path.name: file_hash(path) for path in folder.iterdir() if path.is_file()} == whole

    @pytest.mark.parametrize("carried", [False, True])
    def test_what_is_not_what_the_hub_says_is_not_kept(
        self, hub_server: HubServer, clip: str, tmp_path: Path, carried: bool
    ) -> None:
        hub_server.wrong_hash.add(WEIGHTS)
        to = tmp_path / "to" if carried else None
        said = sentence(clip, to)
        assert said.startswith(f"{WEIGHTS} of {clip} came with another SHA-256 than the hub says, and was removed")
        assert not list((to or tmp_path / "cache").rglob(WEIGHTS))
        hub_server.wrong_hash.clear()
        assert load_backbone(fetch_model(clip, to=to).folder, device="cpu").model_hash

    def test_a_card_that_knows_another_hash_is_a_warning(
        self, hub_server: HubServer, clip: str, open_clip_folder: Path
    ) -> None:
        digest = file_hash(open_clip_folder / WEIGHTS)
        card = replace(MINI, name="ours", hub_id=clip, layout="open_clip", sha256=((WEIGHTS, "0" * 64),))
        (warning,) = fetch_model(clip, card).warnings
        assert warning.startswith(f"{WEIGHTS} of {clip} has changed since oddlens' card of ours was written")
        assert digest in warning
        assert "0" * 64 in warning
        assert fetch_model(clip, replace(card, sha256=((WEIGHTS, digest),))).warnings == ()

    def test_weights_that_a_card_knows_are_preferred(
        self, hub_server: HubServer, clip: str, open_clip_folder: Path
    ) -> None:
        content = (open_clip_folder / WEIGHTS).read_bytes()
        hub_server.put(clip, {"open_clip_pytorch_model.safetensors": content})
        known = (("open_clip_pytorch_model.safetensors", file_hash(open_clip_folder / WEIGHTS)),)
        card = replace(MINI, hub_id=clip, layout="open_clip", sha256=known)
        assert not (fetch_model(clip, card).folder / WEIGHTS).exists()


class TestRefusals:
    @pytest.mark.parametrize(
        ("config", "told"),
        [
            (
                {"model_type": "siglip2"},
                "its config.json describes a model of type 'siglip2', where oddlens reads 'dinov2', ",
            ),
            (
                {"model_type": "clip", "vision_config": {"patch_size": "x"}},
                "vision_config in its config.json sets patch_size to 'x'",
            ),
            ({"model_type": "dinov2", "qkv_bias": False}, "its config.json sets qkv_bias to False"),
            ({"model_type": "siglip", "vision_config": [1]}, "vision_config in its config.json is no JSON object"),
            ([], "its config.json holds no JSON object"),
        ],
    )
    def test_a_model_that_is_not_read_is_refused_before_its_weights_come(
        self, hub_server: HubServer, tmp_path: Path, config: object, told: str
    ) -> None:
        hub_server.put("some/model", {"config.json": json.dumps(config).encode(), "model.safetensors": b"large"})
        for to in (None, tmp_path / "to"):
            assert f"some/model is not fetched: {told}" in sentence("some/model", to)
        assert set(hub_server.fetched()) == {"config.json"}
        assert not (tmp_path / "to").exists()
        assert cached_folder("some/model") is None

    def test_a_resnet_is_refused_before_its_weights_come(self, hub_server: HubServer) -> None:
        config = {"model_cfg": {"embed_dim": 1024, "vision_cfg": {"layers": [3, 4, 6, 3]}, "text_cfg": {}}}
        hub_server.put("some/rn50", {CONFIG: json.dumps(config).encode(), "open_clip_model.safetensors": b"large"})
        assert "its open_clip_config.json describes a model that is not a plain ViT CLIP (a ResNet)" in sentence(
            "some/rn50"
        )
        assert WEIGHTS not in hub_server.fetched()

    def test_the_other_layout_of_a_repository_is_taken_where_one_is_not_read(
        self, hub_server: HubServer, transformers_folder: Path
    ) -> None:
        hub_server.put_folder("some/both", transformers_folder)
        hub_server.put("some/both", {CONFIG: b"{}", WEIGHTS: b"large"})
        folder, _ = fetch_model("some/both")
        assert not (folder / WEIGHTS).exists()
        assert load_backbone("some/both", device="cpu").card.layout == "transformers"

    @pytest.mark.parametrize("files", [{}, {"README.md": b""}, {WEIGHTS: b""}, {"config.json": b"{}", WEIGHTS: b""}])
    def test_a_repository_without_a_model_is_refused(self, hub_server: HubServer, files: dict[str, bytes]) -> None:
        hub_server.put("some/data", files)
        assert (
            "some/data is not fetched: it is no model that oddlens reads, which holds open_clip_config.json with one of"
            in sentence("some/data")
        )

    def test_a_mistyped_name_a_gated_one_and_a_missing_revision_are_three_sentences(
        self, hub_server: HubServer, clip: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert sentence("someone/clipp").startswith(
            f"there is no repository someone/clipp at {hub_server.url}: check the name"
        )
        assert sentence(clip, revision="v7") == f"{clip} has no revision 'v7': give a branch, a tag or a commit of it"
        hub_server.gated.add(clip)
        said = sentence(clip)
        assert said.startswith(f"{clip} is gated: accept its conditions at {hub_server.url}/{clip}, set HF_TOKEN")
        monkeypatch.setenv("HF_TOKEN", "hf_token")
        assert fetch_model(clip).folder.is_dir()

    def test_a_hub_that_is_not_there_is_a_fourth_and_the_only_word_of_it(
        self, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
        client, before = logging.getLogger("huggingface_hub"), get_verbosity()
        monkeypatch.setattr(client, "propagate", True)  # which the client switches off
        said = sentence("someone/clip")
        assert caplog.records == []
        assert get_verbosity() == before
        assert said.startswith("someone/clip could not be fetched (")
        assert (
            "check the network to http://127.0.0.1:9, and run the same command again; it continues where it stopped"
            in said
        )

    def test_fetching_while_offline_says_so(self, hub: HubCache) -> None:
        assert "someone/clip was not fetched because HF_HUB_OFFLINE is set" in sentence("someone/clip")

    @pytest.mark.parametrize("name", ["clip", "a/b/c", "a b/c", "../x"])
    def test_what_is_no_name_is_refused_without_asking(self, hub_server: HubServer, name: str) -> None:
        with pytest.raises(UsageError, match="cannot be the name of a repository"):
            fetch_model(name)
        assert hub_server.log == []

    def test_a_folder_with_another_model_is_refused_and_left_alone(
        self, hub_server: HubServer, clip: str, tmp_path: Path, transformers_folder: Path
    ) -> None:
        hub_server.put_folder("someone/other", transformers_folder)
        fetch_model(clip, to=tmp_path / "to")
        before = {path.name: file_hash(path) for path in (tmp_path / "to").iterdir() if path.is_file()}
        assert (
            sentence("someone/other", tmp_path / "to")
            == f"{tmp_path}/to holds {clip}: give as --to a folder of its own"
        )
        assert "give as --to a folder of its own" in sentence(clip, tmp_path / "to", "v1")
        assert {path.name: file_hash(path) for path in (tmp_path / "to").iterdir() if path.is_file()} == before

    def test_so_is_one_that_does_not_say_what_it_holds_and_a_file(
        self, hub_server: HubServer, clip: str, tmp_path: Path
    ) -> None:
        (tmp_path / "to").mkdir()
        (tmp_path / "to" / "model.safetensors").touch()
        assert "to holds a model already (model.safetensors)" in sentence(clip, tmp_path / "to")
        (tmp_path / "file").touch()
        assert "file is a file: give as --to a folder" in sentence(clip, tmp_path / "file")

    def test_a_folder_that_cannot_be_written_is_reported(
        self, hub_server: HubServer, clip: str, tmp_path: Path
    ) -> None:
        (tmp_path / "file").touch()
        assert "cannot be written" in sentence(clip, tmp_path / "file" / "to")
