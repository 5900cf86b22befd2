"""The local hub cache: what is there is found, what is not is None. Fetching is tested with `oddlens models`."""

from pathlib import Path

import pytest

from oddlens.backbone.cards import CARDS, MINI
from oddlens.backbone.hub import cached_folder, fetch_repository, is_present
from oddlens.backbone.layouts import embedded
from oddlens.errors import ModelError

from .conftest import HubCache


@pytest.mark.parametrize("hub_id", ["someone/clip", "someone", "no such/name", "a/b/c"])
def test_what_is_not_there_is_none(hub: HubCache, hub_id: str) -> None:
    assert cached_folder(hub_id) is None


def test_what_is_there_is_its_newest_snapshot(hub: HubCache, open_clip_folder: Path) -> None:
    hub.put("someone/clip", open_clip_folder)
    folder = cached_folder("someone/clip")
    assert folder is not None
    assert (folder / "open_clip_config.json").is_file()


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


def test_the_embedded_model_is_present_where_it_is_packaged() -> None:
    assert is_present(MINI) == (embedded.FOLDER / embedded.WEIGHTS).is_file()


def test_fetching_while_offline_says_so(hub: HubCache) -> None:
    with pytest.raises(ModelError, match="someone/clip was not fetched because HF_HUB_OFFLINE is set"):
        fetch_repository("someone/clip")
