"""The local hub cache: what is there is found, and what is missing is told."""

from pathlib import Path

import pytest

from oddlens.backbone.cards import CARDS, MINI
from oddlens.backbone.hub import cached_folder, is_hub_id, is_present
from oddlens.backbone.layouts import embedded
from oddlens.backbone.load import load_backbone
from oddlens.errors import ModelError
from tests.backbone.conftest import HubCache
from tests.tiny_clip import Weights, write_open_clip

CONFIG = "open_clip_config.json"


@pytest.mark.parametrize("hub_id", ["someone/clip", "someone", "no such/name", "a/b/c", "../x", "a/b\0"])
def test_what_is_not_there_is_none(hub: HubCache, hub_id: str) -> None:
    assert cached_folder(hub_id) is None


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a/b", True),
        ("openai/clip-vit-base-patch32", True),
        ("a", False),
        ("a/b/c", False),
        ("a b/c", False),
        ("../b", False),
    ],
)
def test_a_hub_id_has_an_owner_and_a_name(name: str, is_one: bool) -> None:
    assert is_hub_id(name) == is_one


def test_what_is_there_is_its_newest_snapshot(hub: HubCache, open_clip_folder: Path) -> None:
    hub.put("someone/clip", open_clip_folder)
    folder = cached_folder("someone/clip")
    assert folder is not None
    assert (folder / CONFIG).is_file()


def test_a_card_is_present_with_its_weights_only(hub: HubCache, tmp_path: Path) -> None:
    (card,) = (card for card in CARDS if card.name == "openai-vit-b-16")
    assert not is_present(card)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    hub.put(card.hub_id, tmp_path / "half")
    assert not is_present(card)
    folder = cached_folder(card.hub_id)
    assert folder is not None
    (folder / "model.safetensors").touch()
    assert is_present(card)


def test_a_card_is_present_with_all_shards_only(hub: HubCache, transformers_shards: Path) -> None:
    (card,) = (card for card in CARDS if card.name == "openai-vit-b-16")
    hub.put(card.hub_id, transformers_shards)
    assert is_present(card)
    folder = cached_folder(card.hub_id)
    assert folder is not None
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert not is_present(card)
    with pytest.raises(ModelError, match=r"only a part of the weights that model\.safetensors\.index\.json lists: run"):
        load_backbone(card.name)


def test_the_embedded_model_is_present_where_it_is_packaged() -> None:
    assert is_present(MINI) == (embedded.FOLDER / embedded.WEIGHTS).is_file()


def test_weights_as_open_clip_fetches_them_lack_their_configuration(
    hub: HubCache, tmp_path: Path, weights: Weights
) -> None:
    folder = write_open_clip(tmp_path / "clip", weights)
    (folder / CONFIG).unlink()
    hub.put("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", folder)
    with pytest.raises(ModelError) as error:
        load_backbone("laion2b-vit-b-16")
    assert "open_clip_model.safetensors but not the configuration open_clip_config.json (open_clip leaves" in str(
        error.value
    )
    assert str(error.value).endswith(
        "run 'oddlens models fetch laion2b-vit-b-16' on a connected machine, which adds it"
    )
