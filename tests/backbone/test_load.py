"""From a name, a hub id or a path to a loaded model, without a network."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from oddlens.backbone import load as load_module
from oddlens.backbone.cards import CARDS, MINI
from oddlens.backbone.layouts import embedded
from oddlens.backbone.load import choose_device, load_backbone, locate
from oddlens.backbone.options import Activation
from oddlens.errors import ModelError, UsageError
from oddlens.io.hashes import file_hash
from tests.backbone.conftest import HubCache
from tests.tiny_clip import Weights, write_open_clip, write_openai_archive, write_openai_state, write_transformers


class TestPaths:
    def test_a_folder_is_read_by_what_lies_in_it(
        self, open_clip_folder: Path, transformers_folder: Path, embedded_folder: Path
    ) -> None:
        for folder, layout in (
            (open_clip_folder, "open_clip"),
            (transformers_folder, "transformers"),
            (embedded_folder, "embedded"),
        ):
            card = load_backbone(str(folder), device="cpu").card
            assert (card.layout, card.name, card.hub_id) == (layout, folder.name, "")

    def test_the_card_of_a_path_says_the_models_own_measures(self, open_clip_folder: Path) -> None:
        card = load_backbone(open_clip_folder, device="cpu").card
        assert (card.image_size, card.patch_size, card.width, card.layers, card.embed_dim) == (40, 8, 128, 3, 32)
        assert (card.mean, card.std) == ((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))

    def test_home_may_be_written_as_a_tilde(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights: Weights
    ) -> None:
        write_open_clip(tmp_path / "clip", weights)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert locate("~/clip")[1] == tmp_path / "clip"

    @pytest.mark.parametrize("file", ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"])
    def test_a_weights_file_beside_its_configuration_stands_for_the_folder(
        self, tmp_path: Path, weights: Weights, file: str
    ) -> None:
        """The file alone does not say that its GELU is the exact one."""
        folder = write_open_clip(tmp_path / "clip", weights, file=file)
        backbone = load_backbone(folder / file, device="cpu")
        assert backbone.vision.config.activation == "gelu"
        assert backbone.model_hash == load_backbone(folder, device="cpu").model_hash

    def test_other_files_beside_a_configuration_are_taken_as_themselves(self, tmp_path: Path, weights: Weights) -> None:
        path = write_openai_archive(write_transformers(tmp_path / "clip", weights) / "ViT.pt", weights)
        assert locate(path)[1] == path

    def test_a_folder_without_a_model_says_what_was_expected(self, tmp_path: Path) -> None:
        with pytest.raises(
            ModelError, match=r"holds no model that oddlens reads: expected oddlens_model\.json"
        ) as error:
            load_backbone(tmp_path)
        assert str(tmp_path) in str(error.value)

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("config.json", "holds config.json but no weights"),
            ("model.safetensors", "holds model.safetensors but not the configuration config.json"),
            ("open_clip_pytorch_model.bin", "but not the configuration open_clip_config.json (open_clip leaves it so"),
        ],
    )
    def test_a_folder_with_half_a_model_says_what_is_missing(self, tmp_path: Path, content: str, told: str) -> None:
        (tmp_path / content).write_text("{}")
        with pytest.raises(ModelError) as error:
            load_backbone(tmp_path)
        assert f"{tmp_path} {told}".split("but")[0] in str(error.value)
        assert told in str(error.value)
        assert str(error.value).endswith(": fetch the model again, or copy all of its files")

    def test_a_file_of_another_kind_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("nothing")
        with pytest.raises(ModelError, match="holds no model that oddlens reads"):
            load_backbone(tmp_path / "notes.txt")


class TestNames:
    def test_nothing_named_is_the_embedded_model(self) -> None:
        assert locate(None) == (MINI, embedded.FOLDER)
        assert locate("mini") == (MINI, embedded.FOLDER)

    @pytest.mark.parametrize(
        ("name", "near"),
        [
            ("clip", ""),
            ("./nowhere", ""),
            ("/nowhere/clip", ""),
            ("a/b/c", ""),
            ("openai-vit-b-31", "openai-vit-b-32"),
            ("DINOv2-Smal", "dinov2-small"),
        ],
    )
    def test_an_unknown_name_suggests_the_nearest(self, name: str, near: str) -> None:
        with pytest.raises(UsageError) as error:
            load_backbone(name)
        lead = f", did you mean '{near}'? Give" if near else ": give"
        assert str(error.value) == (
            f"there is no model '{name}'{lead} a name that 'oddlens models' lists, a hub id (org/name), or a path that exists"
        )

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("openai-vit-b-16", "openai-vit-b-16"),
            ("openai/clip-vit-base-patch16", "openai-vit-b-16"),
            ("someone/clip", "someone/clip"),
        ],
    )
    def test_a_model_that_is_not_here_says_which_command_fetches_it(self, hub: HubCache, name: str, told: str) -> None:
        with pytest.raises(ModelError, match=f"is not on this machine: run 'oddlens models fetch {told}'"):
            load_backbone(name)

    def test_a_hub_id_is_found_in_the_hub_cache(self, hub: HubCache, transformers_folder: Path) -> None:
        hub.put("someone/clip", transformers_folder)
        for name in ("someone/clip", "hf-hub:someone/clip"):
            backbone = load_backbone(name, device="cpu")
            assert (backbone.card.name, backbone.card.layout) == ("someone/clip", "transformers")

    def test_a_cards_model_is_found_in_the_hub_cache(self, hub: HubCache, open_clip_folder: Path) -> None:
        hub.put("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", open_clip_folder)
        backbone = load_backbone("laion2b-vit-b-16", device="cpu")
        assert (backbone.card.name, backbone.card.licence) == ("laion2b-vit-b-16", "MIT")
        assert (backbone.card.image_size, backbone.mean) == (40, (0.5, 0.4, 0.3))  # the folder's own values win

    def test_half_a_model_in_the_cache_is_reported(self, hub: HubCache, tmp_path: Path) -> None:
        (tmp_path / "half").mkdir()
        (tmp_path / "half" / "config.json").write_text("{}")
        hub.put("openai/clip-vit-base-patch16", tmp_path / "half")
        with pytest.raises(
            ModelError, match=r"holds config\.json but no weights: run 'oddlens models fetch openai-vit-b-16'"
        ):
            load_backbone("openai-vit-b-16")


WRITERS: dict[str, Callable[[Path, Weights], Path]] = {
    "open_clip": lambda place, weights: write_open_clip(place, weights),
    "transformers": lambda place, weights: write_transformers(place, weights),
    "OpenAI, state dict": lambda place, weights: write_openai_state(place / "ViT.pt", weights),
    "OpenAI, archive": lambda place, weights: write_openai_archive(place / "ViT.pt", weights),
}


@pytest.mark.parametrize("layout", WRITERS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_number_that_is_not_finite_is_reported_of_any_layout(
    tmp_path: Path, weights: Weights, layout: str, value: float
) -> None:
    """As half precision that overflowed leaves it, or a damaged file."""
    spoiled = weights["ln_final.bias"].clone()
    spoiled[3] = value
    path = WRITERS[layout](tmp_path, weights | {"ln_final.bias": spoiled})
    with pytest.raises(ModelError, match=r"1 unusable \(text\.ln_final\.bias with numbers that are not finite\)"):
        load_backbone(path, device="cpu", activation="gelu")


class TestDevices:
    def test_auto_takes_what_there_is(self) -> None:
        assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
        assert choose_device(torch.device("cpu")) == torch.device("cpu")

    @pytest.mark.parametrize("name", ["gpu", "", "cpu:x", "cuda:99"])
    def test_one_that_cannot_be_used_is_refused(self, name: str) -> None:
        with pytest.raises(UsageError, match=r"cannot be used here.*ive one of auto, cpu"):
            choose_device(name)


def test_loading_does_not_touch_the_network(
    monkeypatch: pytest.MonkeyPatch, hub: HubCache, open_clip_folder: Path
) -> None:
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load_module.load_backbone(open_clip_folder, device="cpu").encode_text(["a part"])
    with pytest.raises(ModelError):
        load_backbone("openai-vit-b-16")
    assert os.environ["HF_HUB_OFFLINE"] == "1"


class TestLoneFiles:
    """A weights file without a configuration: whether its weights mean exact GELU or QuickGELU is not in it."""

    @pytest.mark.parametrize(
        ("name", "activation"), [("openai-vit-b-32", "quick_gelu"), ("laion400m-vit-b-16-plus-240-e31", "gelu")]
    )
    def test_a_file_is_known_by_its_hash_whatever_it_is_called(
        self, tmp_path: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch, name: str, activation: str
    ) -> None:
        path = tmp_path / "downloaded.pt"
        write_openai_state(path, weights)
        (card,) = (card for card in CARDS if card.name == name)
        card = replace(card, sha256=(("published.pt", file_hash(path)),))
        monkeypatch.setattr("oddlens.backbone.cards.CARDS", (card,))
        known = load_backbone(path, device="cpu")
        assert (known.card.name, known.card.layout, known.card.licence) == (name, "openai", "MIT")
        assert known.text.config.activation == known.vision.config.activation == activation

    def test_openais_archive_means_quick_gelu(self, tmp_path: Path, weights: Weights) -> None:
        backbone = load_backbone(write_openai_archive(tmp_path / "ViT.pt", weights), device="cpu")
        assert backbone.vision.config.activation == "quick_gelu"

    @pytest.mark.parametrize("suffix", [".pt", ".bin", ".safetensors"])
    def test_any_other_file_needs_the_activation(self, tmp_path: Path, weights: Weights, suffix: str) -> None:
        path = tmp_path / f"weights{suffix}"
        if suffix == ".safetensors":
            save_file(weights, path)
        else:
            write_openai_state(path, weights)
        with pytest.raises(UsageError) as error:
            load_backbone(path, device="cpu")
        assert str(error.value) == (
            f"{path} does not say which GELU its weights were trained with: give as activation (on the command line --set "
            "activation=) quick_gelu for OpenAI's, gelu for LAION's and most others"
        )
        for activation in ("gelu", "quick_gelu"):
            assert load_backbone(path, device="cpu", activation=activation).vision.config.activation == activation

    def test_an_archive_that_is_not_of_openais_form_needs_it_as_well(self, tmp_path: Path, weights: Weights) -> None:
        path = write_openai_archive(tmp_path / "ViT.pt", weights, numbers=False)
        with pytest.raises(UsageError, match="does not say which GELU"):
            load_backbone(path, device="cpu")

    def test_a_file_that_may_not_be_read_is_reported(
        self, tmp_path: Path, weights: Weights, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_openai_state(tmp_path / "ViT.pt", weights)

        def refuse(_: Path) -> str:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("oddlens.backbone.load.cached_hash", refuse)
        with pytest.raises(ModelError, match="may not be read by this user: change its permissions"):
            load_backbone(path, device="cpu")


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_one_model_is_loaded_once_under_each_activation(open_clip_folder: Path, activation: Activation) -> None:
    backbone = load_backbone(open_clip_folder, device="cpu", activation=activation)
    assert backbone.vision.config.activation == activation
